"""The main screen: connectors, steps and details of one of them. What the keys do is in ``deeds``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.timer import Timer

from diagnose.report.wording import headline
from diagnose_tui.board import Board
from diagnose_tui.entries import Entry
from diagnose_tui.glyphs import Glyphs
from diagnose_tui.keys import ACTIONS
from diagnose_tui.panes.history import HistoryPane
from diagnose_tui.screens.taking import Taking
from diagnose_tui.session import Session
from diagnose_tui.view import View
from diagnose_tui.walks import Told
from diagnose_tui.widgets.connectors import Connectors
from diagnose_tui.widgets.detail import Detail
from diagnose_tui.widgets.document import Document
from diagnose_tui.widgets.run_list import RunList
from diagnose_tui.widgets.step_list import StepList
from diagnose_tui.widgets.strips import Headline, KeyBar, Tabs

if TYPE_CHECKING:
    from diagnose_tui.panes.pane import Pane

__all__ = ["Heard", "MainScreen"]

_FRAME = 1 / 20
"""Seconds in which what many runs say is drawn once."""
_TICK = 0.1
_SHORT = 34
"""Below this many rows, steps that need no look are folded once the run is over."""
_WIDE = 100

_NONE = (
    "No connector was found in the files of clients on this machine. n types a URL or the command of a local"
    " server; diagnose tui --config FILE reads a file; diagnose list says which files are looked at. The"
    " demos above need no network: Enter runs one."
)

_WORDS = {
    "idle": "NOT RUN",
    "queued": "WAITS FOR ITS TURN",
    "running": "RUNNING",
    "passed": "PASSED",
    "warned": "PASSED with warnings",
    "failed": "FAILED",
    "error": "NO VERDICT",
}


class Heard(Message):
    """Something that a run said, brought over from its thread."""

    def __init__(self, key: str, told: Told) -> None:
        super().__init__()
        self.key = key
        self.told = told


class MainScreen(Taking):
    """One screen for everything that one needs to see at once."""

    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (_WIDE, "-wide"), (120, "-roomy")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(one.keys, f"deed('{one.id}')", one.label, id=one.id, show=False) for one in ACTIONS),
        *(Binding(str(number), f"tab({number - 1})", f"Tab {number}", show=False) for number in range(1, 9)),
        Binding("escape", "back", "Back", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
    ]
    DEFAULT_CSS = """
    MainScreen #work { width: 1fr; height: 1fr; }
    MainScreen.-wide Connectors { width: 30; }
    MainScreen.-narrow Connectors { width: 1fr; border: none; }
    MainScreen.-narrow.-run Connectors { display: none; }
    MainScreen.-narrow.-list #work { display: none; }
    MainScreen.-zoomed Connectors, MainScreen.-zoomed StepList { display: none; }
    """

    def __init__(self, board: Board, glyphs: Glyphs) -> None:
        super().__init__(classes="-list")
        self.board = board
        self.glyphs = glyphs
        self.selected_key: str | None = None
        self.frozen = False
        self.ahead = []
        self._due: Timer | None = None

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Connectors(self.glyphs)
            with Vertical(id="work"):
                yield Headline()
                yield StepList()
                yield Detail()
        yield KeyBar(self.why_not, self.glyphs)

    def on_mount(self) -> None:
        self.query_one(Detail).open(0)
        self.set_interval(_TICK, self._tick)
        self.redraw()
        self.set_focus(self.query_one(Connectors).rows)

    # What is shown

    @property
    def session(self) -> Session | None:
        """The session under the cursor."""
        return self.board.of(self.selected_key)

    def view(self) -> View:
        """What the panes show now."""
        session = self.session
        if session is None:
            return View(name="", target="", glyphs=self.glyphs)
        return self.masked(session.view(self.glyphs))

    @property
    def settled(self) -> bool:
        """Whether everything that was said is drawn."""
        return self._due is None

    def dirty(self) -> None:
        """Draw again soon: what many runs say meanwhile is drawn once."""
        if self._due is None:
            self._due = self.set_timer(_FRAME, self._drawn)

    def _drawn(self) -> None:
        self._due = None
        if not self.frozen:
            self.redraw()

    def redraw(self) -> None:
        """Draw everything from the state as it is."""
        if not self.is_mounted:
            return
        sessions = self.board.sessions.values()
        self.query_one(Connectors).show(sessions, self.selected_key, self.mask_name, self.mask_text)
        self.redraw_run()

    def redraw_run(self) -> None:
        """Draw the selected run."""
        view, session = self.view(), self.session
        self._draw_steps(view, session)
        self._draw_head(view, session)
        detail = self.query_one(Detail)
        detail.show(view)
        self._show_kept()
        self.query_one(KeyBar).refresh()

    def _show_kept(self) -> None:
        pane, session = self.query_one(Detail).pane, self.session
        if session is not None and isinstance(pane, HistoryPane):
            pane.show_runs(self.board.kept.rows(session.key), self.calendar)

    def _draw_steps(self, view: View, session: Session | None) -> None:
        steps = self.query_one(StepList)
        # A run that passed is its steps, until somebody opens another pane and needs the room.
        whole = view.report is not None and view.report.verdict.status == "passed"
        steps.compact = self.size.height < _SHORT and not (whole and self.query_one(Detail).place == 0)
        running = session.running if session is not None else None
        steps.show(
            view,
            total_ms=session.elapsed_ms if session is not None else 0.0,
            started_ms=running.started_ms if running is not None else 0.0,
            since=session.running_since if session is not None and running is not None else None,
        )

    def _draw_head(self, view: View, session: Session | None) -> None:
        if session is None:
            self.query_one(Headline).show("", "idle", "no connector", "n types one in, ? lists the keys", "")
            return
        stuck = session.trouble is not None and not session.busy
        status = "failed" if stuck else session.status
        word = "CANNOT BE RUN" if stuck else _WORDS[status]
        target = view.target or view.name
        self.query_one(Headline).show(word, status, target, self._about(view, session), self.flags())

    def _about(self, view: View, session: Session) -> str:
        dot = f" {self.glyphs.dot} "
        known = [] if view.report is None else headline(view.report)
        counts = session.status == "running" or (session.report is not None and not session.busy)
        took = [f"{session.elapsed_ms:.0f} ms"] if counts else []
        place = [self.mask_text(part) for part in (session.entry.client, session.entry.place) if part]
        note = [session.note] if session.note else []
        return dot.join([*note, *known, *took, *place])

    def _tick(self) -> None:
        session = self.session
        self.watch_due()
        if session is not None and session.running is not None and not self.frozen:
            self._draw_steps(self.view(), session)
            self._draw_head(self.view(), session)

    # What happens

    def take(self, message: Heard) -> None:
        """Hear what a run said."""
        session = self.board.take(message.key, message.told)
        if session is not None:
            self.heard(session, message.told)
        self.dirty()

    def on_connectors_chosen(self, message: Connectors.Chosen) -> None:
        self.selected_key = message.key
        self.entered(message.key)
        self.redraw_run()

    def on_connectors_opened(self, message: Connectors.Opened) -> None:
        self.selected_key = message.key
        session = self.session
        self.show_run()
        if session is not None and session.status == "idle" and session.trouble is None:
            self.do("run")

    def on_step_list_chosen(self, message: StepList.Chosen) -> None:
        if self.session is not None:
            self.session.select(message.step_id)
            self.redraw_run()

    def on_tabs_chosen(self, message: Tabs.Chosen) -> None:
        self.action_tab(message.place)

    def on_paste(self, event: events.Paste) -> None:
        pasted = next(iter(event.text.strip().splitlines()), "")
        if pasted:
            event.stop()
            self.run_worker(self.new_target(pasted), group="new_target")

    async def on_run_list_opened(self, message: RunList.Opened) -> None:
        await self.open_kept(message.run_id)

    async def on_run_list_pair(self, message: RunList.Pair) -> None:
        await self.compare_kept(message.before, message.after)

    def on_resize(self, event: events.Resize) -> None:
        self.query_one(KeyBar).set_class(event.size.height >= _SHORT, "tall")
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        self.redraw()
        if self.focused is None:  # what had the focus is not shown at this width
            rows = self.query_one(Connectors).rows
            (self.query_one(StepList) if self.has_class("-run") else rows).focus()

    def show_run(self) -> None:
        """On a narrow screen, go from the list to the run; the cursor goes with it."""
        self.remove_class("-zoomed")
        self.set_class(True, "-run")
        self.set_class(False, "-list")
        self.set_focus(self.query_one(StepList))

    def show_list(self) -> None:
        """Go back to the list."""
        self.remove_class("-zoomed")
        self.set_class(False, "-run")
        self.set_class(True, "-list")
        self.set_focus(self.query_one(Connectors).rows)

    def action_page(self, by: int) -> None:
        """Turn the page of the open pane, wherever the focus is."""
        pane = self.query_one(Detail).pane
        inner = pane.query_one(Document) if pane is not None and pane.query(Document) else pane
        if inner is not None:
            inner.scroll_relative(y=by * max(inner.size.height - 1, 1), animate=False)

    def action_tab(self, place: int) -> None:
        inside, detail = self._is_in_pane(), self.query_one(Detail)
        detail.open(place)
        self._show_kept()
        self.show_run_if_narrow()
        if inside and detail.pane is not None:  # the focus goes with it, and not with what is hidden now
            self.call_after_refresh(detail.pane.focus)
        self.dirty()

    def show_run_if_narrow(self) -> None:
        if self.has_class("-list") and self.size.width < _WIDE:
            self.show_run()

    def found(self, entries: Sequence[Entry]) -> None:
        """Take the connectors that were found on this machine."""
        untouched = self.has_class("-list") and self.selected_key == next(iter(self.board.sessions), None)
        self.board.add(entries)
        self.learn_names()
        self.query_one(Connectors).said(_NONE if not entries else "")
        first = next(iter(self.board.sessions.values()), None)
        if untouched and first is not None and first.entry.kind == "connector":
            self.selected_key = first.key  # the demos were only there before it was found
            self.entered(first.key)
        self.redraw()

    def learn(self, classes: dict[int, type[Pane]]) -> None:
        """Take the classes of the panes, imported off the event loop."""
        self.query_one(Detail).learn(classes)

    def enter(self, key: str) -> None:
        self.selected_key = key
        self.redraw()
        self.query_one(Connectors).select(key)
        self.show_run()

    def connectors(self) -> Sequence[tuple[str, str, str]]:
        """Key, name and origin of every row, for the palette."""
        rows = [(one.key, one.entry) for one in self.board.sessions.values()]
        return [(key, self.mask_name(entry), entry.client or entry.kind) for key, entry in rows]

    def now(self) -> float:
        """Seconds of a clock that never goes back."""
        return time.monotonic()
