"""Earlier runs, newest first: one under the cursor, up to two marked to be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from diagnose.display import display
from diagnose.records import record
from diagnose.step import TITLES
from diagnose_tui.glyphs import STATUS_STYLES, UNICODE, Glyphs
from diagnose_tui.widgets.rows import Rows

if TYPE_CHECKING:
    from diagnose.history import Entry

__all__ = ["Calendar", "RunList", "ago", "changed", "run_line"]

_WORDS = {"passed": "passed", "warned": "warnings", "failed": "FAILED", "error": "no verdict"}
_AGES = ((86_400.0, "day"), (3600.0, "hour"), (60.0, "minute"))
_MARKS = "12"
_SLOWER = 3.0
_SLOWER_MS = 1000.0
"""A run that took so many times and so much longer is told; less is chance."""


@record
class Calendar:
    """What time it is, and where; ``zone`` None: where this machine is."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    zone: tzinfo | None = None


def ago(then: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that fits."""
    seconds = (now - then).total_seconds()
    for unit, word in _AGES:
        if seconds >= unit:
            count = int(seconds // unit)
            return f"{count} {word}{'' if count == 1 else 's'} ago"
    return "just now"


def changed(run: Entry, before: Entry | None) -> str:
    """What changed against the run before, in one line; empty where the list shows no change."""
    if before is None:
        return "the first run that is kept"
    parts: list[str] = []
    if run.status != before.status or run.code != before.code:
        parts.append(f"was {_verdict(before)}")
    for word, new, old in (
        ("server", run.server_version, before.server_version),
        ("protocol", run.protocol_version, before.protocol_version),
    ):
        if new != old and new is not None and old is not None:
            parts.append(f"{word} {old} became {new}")
    shorter, longer = sorted((run.duration_ms, before.duration_ms))
    if run.worked and before.worked and longer > shorter * _SLOWER and longer - shorter > _SLOWER_MS:
        parts.append("slower" if run.duration_ms == longer else "faster")
    return str(display(", ".join(parts)))


def _verdict(run: Entry) -> str:
    return " ".join(part for part in (_WORDS.get(run.status, run.status), run.code) if part)


def run_line(
    run: Entry,
    before: Entry | None,
    *,
    width: int,
    glyphs: Glyphs,
    calendar: Calendar,
    mark: str = "  ",
    here: bool = False,
) -> Content:
    """One run in one line; what there is no room for is left out from the end.

    The row under the cursor has the cursor's colours.
    """
    local = run.started_at.astimezone(calendar.zone)
    when = local.strftime("%Y-%m-%d %H:%M:%S" if width >= 70 else "%m-%d %H:%M")
    status = run.status if run.status in _WORDS else "failed"
    word = f"{glyphs.status[status]} {_WORDS.get(run.status, run.status)[:10]:<11}"
    title = TITLES[run.step][1] if run.step is not None and run.step in TITLES else ""
    place = display(" ".join(part for part in (run.code or "", title) if part))
    took = f"{run.duration_ms / 1000:7.2f} s"
    since = f"{ago(run.started_at, calendar.now()):<16}" if width >= 90 else ""
    change = changed(run, before) if width >= 90 else ""
    return Content.assemble(
        f"{mark}{when}  {since}",
        (word, "" if here else STATUS_STYLES[status]),
        f"{took}  {place:<24}  " if change else f"{took}  {place}",
        (change, "italic"),
    ).truncate(width, ellipsis=True)


class RunList(Vertical):
    """The rows, and below them the run under the cursor in words."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", show=False),
        Binding("d", "compare", "Compare", show=False),
    ]
    DEFAULT_CSS = """
    RunList { height: 1fr; width: 1fr; }
    RunList Static { height: auto; max-height: 4; color: $text-muted; }
    """

    class Opened(Message):
        """Somebody wants to see this run."""

        def __init__(self, run_id: str) -> None:
            super().__init__()
            self.run_id = run_id

    class Pair(Message):
        """Somebody wants to know what changed from one run to another; ``before`` is the older one."""

        def __init__(self, before: str, after: str) -> None:
            super().__init__()
            self.before, self.after = before, after

    def __init__(self, glyphs: Glyphs = UNICODE, calendar: Calendar | None = None) -> None:
        super().__init__()
        self.glyphs = glyphs
        self.calendar = calendar or Calendar()
        self.runs: Sequence[Entry] = ()
        self._marked: list[str] = []

    def compose(self) -> ComposeResult:
        yield Rows()
        yield Static("", markup=False)

    def focus(self, scroll_visible: bool = True) -> RunList:
        self.query_one(Rows).focus(scroll_visible)
        return self

    def show(self, runs: Sequence[Entry]) -> None:
        """Show ``runs``, newest first; the cursor stays on its run."""
        rows = self.query_one(Rows)
        here = self.runs[rows.cursor].id if rows.cursor < len(self.runs) else None
        ids = [run.id for run in runs]
        self.runs = runs
        self._marked = [marked for marked in self._marked if marked in ids]
        rows.show(len(runs), self._draw, cursor=ids.index(here) if here in ids else 0)
        self._tell()

    def _before(self, number: int) -> Entry | None:
        return self.runs[number + 1] if number + 1 < len(self.runs) else None

    def _draw(self, number: int, width: int, here: bool) -> Content:
        run = self.runs[number]
        marked = _MARKS[self._marked.index(run.id)] if run.id in self._marked else " "
        mark = f"{self.glyphs.here if here else ' '}{marked} "
        return run_line(
            run,
            self._before(number),
            width=width,
            glyphs=self.glyphs,
            calendar=self.calendar,
            mark=mark,
            here=here,
        )

    def _tell(self) -> None:
        number = self.query_one(Rows).cursor
        if number >= len(self.runs):
            self.query_one(Static).update(Content("No run of this connector is kept yet."))
            return
        run = self.runs[number]
        seen = [f"run {run.short_id}, {ago(run.started_at, self.calendar.now())}"]
        seen += [f"{word} {value}" for word, value in _versions(run) if value]
        change = changed(run, self._before(number)) or "no other verdict than the run before"
        keys = f"Enter opens it, Space marks it, d compares {self._pair_in_words()}"
        self.query_one(Static).update(Content(display(f"{', '.join(seen)}: {change}. {keys}")))

    def _pair_in_words(self) -> str:
        return ("it with the run before", "it with the marked one", "the two that are marked")[
            len(self._marked)
        ]

    @on(Rows.Moved)
    def _moved(self, event: Rows.Moved) -> None:
        event.stop()
        self._tell()

    @on(Rows.Chosen)
    def _chosen(self, event: Rows.Chosen) -> None:
        event.stop()
        self.post_message(self.Opened(self.runs[event.index].id))

    def action_mark(self) -> None:
        rows = self.query_one(Rows)
        if rows.cursor >= len(self.runs):
            return
        here = self.runs[rows.cursor].id
        if here in self._marked:
            self._marked.remove(here)
        else:
            self._marked = [*self._marked[-1:], here]
        rows.refresh()
        self._tell()

    def action_compare(self) -> None:
        ids = [run.id for run in self.runs]
        cursor = self.query_one(Rows).cursor
        chosen = {ids.index(marked) for marked in self._marked}
        if len(chosen) < 2:
            chosen.add(cursor)
        if len(chosen) < 2:
            chosen.add(cursor + 1)
        newer, older = sorted(chosen)[:2] if len(chosen) > 1 else (0, len(ids))
        if older < len(ids):
            self.post_message(self.Pair(ids[older], ids[newer]))


def _versions(run: Entry) -> tuple[tuple[str, str | None], ...]:
    return ("server", run.server_version), ("protocol", run.protocol_version)
