"""What changed between two runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from diagnose.model import Report
from diagnose_tui.bodies import Row
from diagnose_tui.glyphs import UNICODE, Glyphs
from diagnose_tui.screens.sheet import Sheet
from diagnose_tui.widgets.document import Document

__all__ = ["CompareScreen"]


class CompareScreen(Sheet[None]):
    """``before`` is the run that the other one is measured against; they are compared in a thread."""

    HEADING = "What changed"
    KEYS = "Up and Down scroll   y copy   Esc leave"
    AUTO_FOCUS = "Document"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,d,enter", "leave", "Leave", show=False),
        Binding("y", "copy", "Copy", show=False),
    ]
    DEFAULT_CSS = """
    CompareScreen > .frame { height: 100%; max-width: 120; }
    CompareScreen .body { height: 1fr; overflow: hidden; scrollbar-gutter: auto; }
    """

    def __init__(self, before: Report, after: Report, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self._before, self._after = before, after
        self._glyphs = glyphs

    def body(self) -> Iterable[Widget]:
        yield Document([Row("The two runs are compared ...", "muted")])

    def on_mount(self) -> None:
        self.run_worker(partial(self._compare, self._before, self._after), thread=True)

    def _compare(self, before: Report, after: Report) -> None:
        from diagnose.comparison import compare
        from diagnose_tui.comparisons import comparison_rows

        rows = comparison_rows(compare(before, after))
        self.app.call_from_thread(self._compared, rows)

    def _compared(self, rows: Sequence[Row]) -> None:
        if self.is_current:  # somebody may have left meanwhile
            self.query_one(Document).show(rows)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.query_one(Document).text)

    def action_leave(self) -> None:
        self.dismiss(None)
