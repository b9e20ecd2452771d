"""The list of connectors: what each is, and how its last run ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from diagnose_tui.entries import Entry
from diagnose_tui.glyphs import STATUS_STYLES, Glyphs
from diagnose_tui.session import Session
from diagnose_tui.text import line

__all__ = ["Connectors"]

_WORDS = {
    "idle": "",
    "queued": "waits",
    "running": "running",
    "passed": "passed",
    "warned": "warned",
    "failed": "failed",
    "error": "no verdict",
}


class Connectors(Vertical):
    """A filter and the rows that it leaves."""

    DEFAULT_CSS = """
    Connectors { width: 36; border-right: solid $surface-lighten-2; }
    Connectors #count { height: 1; padding: 0 1; color: $text-muted; }
    Connectors #said { height: auto; padding: 0 1; color: $text-muted; display: none; }
    Connectors #filter { height: 1; border: none; padding: 0 1; display: none; }
    Connectors #filter.open { display: block; }
    Connectors OptionList { height: auto; max-height: 1fr; border: none; padding: 0; }
    Connectors OptionList:focus { border: none; }
    """

    class Chosen(Message):
        """The cursor is on another connector."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class Opened(Message):
        """Somebody opened a connector."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._sessions: Sequence[Session] = ()
        self._shown: list[str] = []
        self._drawn: dict[str, object] = {}
        self._called: Callable[[Entry], str] = _name
        self._mask: Callable[[str], str] = _nothing
        self._names: Counter[str] = Counter()
        self._columns = (30, 20)
        """Cells of the names and of the clients, where there is room for more than names."""
        self.word = ""
        self._filtered_by = ""

    def compose(self) -> ComposeResult:
        yield Static("", id="count", markup=False)
        yield Input(placeholder="name, client or address", id="filter", compact=True)
        yield OptionList(id="rows", markup=False, compact=True)
        yield Static("", id="said", markup=False)

    def said(self, sentence: str) -> None:
        """Say something below the rows; nothing takes it away."""
        self.query_one("#said", Static).update(line(sentence))
        self.query_one("#said").display = bool(sentence)

    @property
    def rows(self) -> OptionList:
        return self.query_one("#rows", OptionList)

    @property
    def visible_keys(self) -> list[str]:
        """The keys of the rows that the filter leaves."""
        return list(self._shown)

    def show(
        self,
        sessions: Iterable[Session],
        selected: str | None,
        name: Callable[[Entry], str] | None = None,
        mask: Callable[[str], str] | None = None,
    ) -> None:
        """Show these sessions; rows that look the same are left alone.

        ``name`` and ``mask`` say how a name and an address may be shown.
        """
        self._called, self._mask = name or self._called, mask or self._mask
        self._sessions = tuple(sessions)
        self._names = Counter(session.entry.name for session in self._sessions)
        # A row whose status no longer fits stays until the filter is typed anew: none goes under the cursor.
        stay = set(self._shown) if self.word == self._filtered_by else set()
        self._filtered_by = self.word
        keys = [session.key for session in self._sessions if session.key in stay or self._matches(session)]
        wide = self.size.width > 60
        if wide:
            self._columns = self._room_of(one.entry for one in self._sessions)
        if keys != self._shown:
            self._shown = keys
            self._drawn = {}
            by_key = {session.key: session for session in self._sessions}
            self.rows.clear_options()
            self.rows.add_options([Option(self._prompt(by_key[key], wide), id=key) for key in keys])
            self._place(selected)
        else:
            for session in self._sessions:
                self._redraw(session, wide)
        self.query_one("#count", Static).update(self._count())

    def _room_of(self, entries: Iterable[Entry]) -> tuple[int, int]:
        said = [(len(self._called(one)) + (0 if one.enabled else 15), len(one.client)) for one in entries]
        named, client = (max(lengths) for lengths in zip(*said, strict=True)) if said else (0, 0)
        return min(named + 5, 30), min(client, 20)

    def _place(self, selected: str | None) -> None:
        if selected in self._shown:
            self.rows.highlighted = self._shown.index(selected or "")
        elif self._shown:
            self.rows.highlighted = 0

    def on_resize(self) -> None:
        """Draw the rows for the width that there is now."""
        self._drawn = {}
        self.show(self._sessions, self._under_cursor())

    def select(self, key: str) -> None:
        """Put the cursor on ``key``."""
        self._place(key)

    def _redraw(self, session: Session, wide: bool) -> None:
        if session.key not in self._shown:
            return
        looks = (
            session.status,
            session.code,
            session.edited is not None,
            session.next_target,
            wide,
            self._called(session.entry),
        )
        if self._drawn.get(session.key) != looks:
            self._drawn[session.key] = looks
            self.rows.replace_option_prompt(session.key, self._prompt(session, wide))

    def _prompt(self, session: Session, wide: bool) -> Content:
        entry, width = session.entry, max(self.size.width - 4, 20)
        status = session.status
        after = session.code or _WORDS[status]
        if session.trouble is not None and status == "idle":
            status = "error"
        sign = self._glyphs.status[status]
        name = ("* " if session.edited is not None else "") + self._called(entry)
        off = "" if entry.enabled else " (switched off)"
        off = " (overridden)" if entry.overridden and not off else off
        # Of two that have one name, whose each is; a wide list says that of all.
        whose = f" {self._glyphs.dot} {entry.client}" if self._names[entry.name] > 1 and not wide else ""
        head = Content.assemble(
            (f" {sign} ", STATUS_STYLES[status]), line(name + off), line(whose, "$text-muted")
        )
        if wide:
            named, client = self._columns
            about = line(f"{entry.client:<{client}}  {self._mask(session.next_target)}", "$text-muted")
            head = Content.assemble(head.truncate(named, ellipsis=True, pad=True), "  ", about)
        room = width - (len(after) + 1 if after else 0)
        shown = head.truncate(max(room, 10), ellipsis=True, pad=True)
        return Content.assemble(shown, " ", (after, STATUS_STYLES[status]))

    def _count(self) -> Content:
        states = [session.status for session in self._sessions]
        parts = [
            f"{len(self._shown)} of {len(states)}" if len(self._shown) != len(states) else str(len(states))
        ]
        noun = "connector" if len(states) == 1 else "connectors"
        failed, going = states.count("failed"), states.count("running") + states.count("queued")
        said = (
            [f"{parts[0]} {noun}"]
            + ([f"{failed} failed"] if failed else [])
            + ([f"{going} to go"] if going else [])
        )
        return line(f" {self._glyphs.dot} ".join(said))

    def _matches(self, session: Session) -> bool:
        entry = session.entry
        text = f"{entry.name} {entry.client} {entry.target} {session.status} {session.code or ''}".lower()
        words = [word for word in self.word.lower().split() if word != "!"]
        return all(word[1:] not in text if word[0] == "!" else word in text for word in words)

    def open_filter(self) -> None:
        """Let somebody type what the rows must hold; a word after ``!`` must not be there."""
        field = self.query_one("#filter", Input)
        field.add_class("open")
        self.screen.set_focus(field)  # at once: what is typed next belongs there

    def close_filter(self) -> bool:
        """Show every row again; False where nothing was filtered."""
        field = self.query_one("#filter", Input)
        if not field.has_class("open"):
            return False
        field.value = ""
        field.remove_class("open")
        self.screen.set_focus(self.rows)
        return True

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.word = event.value
        self.show(self._sessions, self._under_cursor())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.set_focus(self.rows)
        if len(self._shown) == 1:  # nothing is left to choose
            self.post_message(self.Opened(self._shown[0]))

    def _under_cursor(self) -> str | None:
        place = self.rows.highlighted
        return self._shown[place] if place is not None and place < len(self._shown) else None

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if event.option_id is not None:
            self.post_message(self.Chosen(event.option_id))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_id is not None:
            self.post_message(self.Opened(event.option_id))


def _nothing(text: str) -> str:
    return text


def _name(entry: Entry) -> str:
    return entry.name
