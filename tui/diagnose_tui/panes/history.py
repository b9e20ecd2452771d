"""History: earlier runs of this connector, and what changed from each to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult

from diagnose_tui.panes.pane import Pane
from diagnose_tui.view import View
from diagnose_tui.widgets.run_list import Calendar, RunList

if TYPE_CHECKING:
    from diagnose.history import Entry

__all__ = ["HistoryPane"]


class HistoryPane(Pane):
    """Is given the rows by :meth:`show_runs`; posts ``RunList.Opened`` and ``RunList.Pair``."""

    TITLE = "History"
    can_focus = False
    DEFAULT_CSS = """
    HistoryPane { overflow: hidden; layout: vertical; scrollbar-gutter: auto; }
    """

    Opened = RunList.Opened
    Pair = RunList.Pair

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._runs: Sequence[Entry] = ()
        self._calendar = Calendar()

    def compose(self) -> ComposeResult:
        yield RunList()

    def on_mount(self) -> None:
        self._list()

    def focus(self, scroll_visible: bool = True) -> HistoryPane:
        self.query_one(RunList).focus(scroll_visible)
        return self

    def show(self, view: View) -> None:
        self.query_one(RunList).glyphs = view.glyphs

    def show_runs(self, runs: Sequence[Entry], calendar: Calendar | None = None) -> None:
        """Show ``runs``, newest first; cheap where they are those that are shown."""
        self._calendar = calendar or self._calendar
        if [run.id for run in runs] == [run.id for run in self._runs]:
            return
        self._runs = runs
        if self.is_mounted:
            self._list()

    def _list(self) -> None:
        rows = self.query_one(RunList)
        rows.calendar = self._calendar
        rows.show(self._runs)
