"""All runs of a connector that are kept: open one, or see what changed between two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from diagnose.errors import UsageError
from diagnose.model import Report
from diagnose_tui.glyphs import UNICODE, Glyphs
from diagnose_tui.screens.sheet import Sheet
from diagnose_tui.text import line
from diagnose_tui.widgets.run_list import Calendar, RunList

if TYPE_CHECKING:
    from diagnose.history import Entry

__all__ = ["HistoryScreen"]


class HistoryScreen(Sheet[Report | None]):
    """``load`` gives the whole report of a run; it may block, and is called in a thread.

    ``masked`` gives a report as it may be shown here; the answer is the report as it is.
    """

    HEADING = "Earlier runs"
    KEYS = "Enter open   Space mark   d compare   Esc leave"
    AUTO_FOCUS = "Rows"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,h", "leave", "Leave", show=False)]
    DEFAULT_CSS = """
    HistoryScreen > .frame { height: 100%; max-width: 120; }
    HistoryScreen .body { height: 1fr; overflow: hidden; scrollbar-gutter: auto; }
    HistoryScreen #history-trouble { color: $text-error; height: auto; }
    """

    def __init__(
        self,
        name: str,
        runs: Sequence[Entry],
        load: Callable[[str], Report],
        glyphs: Glyphs = UNICODE,
        masked: Callable[[Report], Report] = lambda report: report,
        calendar: Calendar | None = None,
    ) -> None:
        super().__init__()
        self._named = name
        self._runs = runs
        self._load = load
        self._glyphs = glyphs
        self._masked = masked
        self._calendar = calendar

    def body(self) -> Iterable[Widget]:
        yield Static(line(self._named, "bold"), markup=False)
        yield RunList(self._glyphs, self._calendar)

    def foot(self) -> Iterable[Widget]:
        yield Static("", id="history-trouble", markup=False)

    def on_mount(self) -> None:
        self.query_one(RunList).show(self._runs)

    def on_run_list_opened(self, event: RunList.Opened) -> None:
        event.stop()
        self._read((event.run_id,), lambda reports: self.dismiss(reports[0]))

    def on_run_list_pair(self, event: RunList.Pair) -> None:
        event.stop()
        self._read((event.before, event.after), self._compare)

    def _read(self, ids: Sequence[str], then: Callable[[Sequence[Report]], object]) -> None:
        self.run_worker(partial(self._loaded, ids, then), thread=True, exclusive=True)

    def _loaded(self, ids: Sequence[str], then: Callable[[Sequence[Report]], object]) -> None:
        try:
            reports = [self._load(run) for run in ids]
        except UsageError as problem:
            self.app.call_from_thread(self._say, str(problem))
            return
        self.app.call_from_thread(self._go_on, then, reports)

    def _go_on(self, then: Callable[[Sequence[Report]], object], reports: Sequence[Report]) -> None:
        if self.is_current:  # somebody may have left meanwhile
            then(reports)

    def _compare(self, reports: Sequence[Report]) -> None:
        from diagnose_tui.screens.compare import CompareScreen

        before, after = map(self._masked, reports)
        self.app.push_screen(CompareScreen(before, after, self._glyphs))

    def _say(self, sentence: str) -> None:
        if self.is_current:
            self.query_one("#history-trouble", Static).update(line(sentence))

    def action_leave(self) -> None:
        self.dismiss(None)
