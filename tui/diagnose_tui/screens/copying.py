"""What to copy: a key each, and the reason where there is nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from diagnose.display import display
from diagnose_tui.exports import COPIES, TERMINALS_TAKE, Copy
from diagnose_tui.screens.sheet import Sheet
from diagnose_tui.view import View
from diagnose_tui.widgets.rows import Rows

__all__ = ["WRITE_A_FILE", "CopyScreen"]

WRITE_A_FILE = ""
"""The answer of somebody who would rather have a file."""


class CopyScreen(Sheet[str | None]):
    """Answers with the text; ``shown`` is what the open pane shows."""

    HEADING = "Copy"
    KEYS = "a letter or Enter copies   x write a file instead   Esc leave"
    AUTO_FOCUS = "Rows"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,y", "leave", "Leave", show=False),
        Binding("x", "file", "Write a file", show=False),
    ]
    DEFAULT_CSS = """
    CopyScreen > .frame { max-width: 72; }
    CopyScreen Rows { height: 7; }
    CopyScreen #copy-size { height: auto; color: $text-warning; }
    """

    def __init__(self, view: View, shown: str = "") -> None:
        super().__init__()
        self._view = view
        text = str(display(shown, layout=True))
        what = Copy(key="v", title="What is shown", make=lambda view: text, lacks="the pane shows no text")
        self._rows = (*COPIES, what)
        # The texts of a report are made when they are asked for: a large one takes its time.
        self._lacking = [row.lacks if self._lacks(row) else None for row in self._rows]
        self._agreed: str | None = None

    def _lacks(self, row: Copy) -> bool:
        if row.key in "jmt":
            return self._view.report is None
        return not row.make(self._view)

    def body(self) -> Iterable[Widget]:
        yield Rows()

    def foot(self) -> Iterable[Widget]:
        yield Static("", id="copy-size", markup=False)

    def on_mount(self) -> None:
        first = next((at for at, lacking in enumerate(self._lacking) if lacking is None), 0)
        self.query_one(Rows).show(len(self._rows), self._draw, cursor=first)

    def _draw(self, number: int, width: int, here: bool) -> Content:
        row, lacking = self._rows[number], self._lacking[number]
        mark = self._view.glyphs.here if here else " "
        if lacking is not None:
            return Content.assemble(mark, (f" {row.key}  {row.title:<18}{lacking}", "$text-muted"))
        return Content.assemble(mark, (f" {row.key}", "bold"), f"  {row.title}")

    def on_key(self, event: events.Key) -> None:
        number = next((at for at, row in enumerate(self._rows) if row.key == event.key), None)
        if number is not None:
            event.stop()
            self.query_one(Rows).cursor = number
            self._take(number)

    @on(Rows.Chosen)
    def _chosen(self, event: Rows.Chosen) -> None:
        event.stop()
        self._take(event.index)

    def _take(self, number: int) -> None:
        row, lacking = self._rows[number], self._lacking[number]
        if lacking is not None:
            self._say(f"{row.title}: {lacking}")
            return
        text = row.make(self._view)
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > TERMINALS_TAKE and self._agreed != row.key:
            self._agreed = row.key
            self._say(
                f"{row.title} has {size // 1000} KB, and most terminals take {TERMINALS_TAKE // 1000}: "
                f"x writes a file, {row.key} copies it all the same"
            )
            return
        self.dismiss(text)

    def _say(self, sentence: str) -> None:
        self.query_one("#copy-size", Static).update(Content(sentence))

    def action_file(self) -> None:
        self.dismiss(WRITE_A_FILE)

    def action_leave(self) -> None:
        self.dismiss(None)
