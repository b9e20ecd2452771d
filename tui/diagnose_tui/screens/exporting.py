"""Which format, and which file."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from diagnose.model import Report
from diagnose_tui.exports import EXPORTS, Wanted, file_name
from diagnose_tui.glyphs import UNICODE, Glyphs
from diagnose_tui.screens.sheet import Sheet
from diagnose_tui.text import line
from diagnose_tui.widgets.fields import Line
from diagnose_tui.widgets.rows import Rows

__all__ = ["ExportScreen"]


class ExportScreen(Sheet[Wanted | None]):
    """Answers with what is to be written; it looks whether the file is there, and writes nothing itself."""

    HEADING = "Write a file"
    KEYS = "Up and Down format   Tab name   Enter write   Esc leave"
    AUTO_FOCUS = "Rows"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", show=False),
        Binding("ctrl+o", "replace", "Replace the file", show=False),
    ]
    DEFAULT_CSS = """
    ExportScreen > .frame { max-width: 90; }
    ExportScreen Rows { height: 8; }
    ExportScreen .name { margin-top: 1; text-style: bold; }
    ExportScreen #export-trouble { height: auto; color: $text-warning; }
    """

    def __init__(self, report: Report, glyphs: Glyphs = UNICODE, folder: Path | None = None) -> None:
        super().__init__()
        self._report = report
        self._glyphs = glyphs
        self._folder = folder
        self._given = self._suggested(0)

    def _suggested(self, number: int) -> str:
        name = file_name(self._report, EXPORTS[number].ending)
        return str(self._folder / name) if self._folder is not None else name

    def body(self) -> Iterable[Widget]:
        yield Rows()
        yield Static("File", classes="name", markup=False)
        yield Line(self._given)

    def foot(self) -> Iterable[Widget]:
        yield Static("", id="export-trouble", markup=False)

    def on_mount(self) -> None:
        self.query_one(Rows).show(len(EXPORTS), self._draw, cursor=0)

    def _draw(self, number: int, width: int, here: bool) -> Content:
        return Content(f"{self._glyphs.here if here else ' '} {EXPORTS[number].title}")

    @on(Rows.Moved)
    def _moved(self, event: Rows.Moved) -> None:
        """The name follows the format until somebody types another one."""
        event.stop()
        field = self.query_one(Input)
        self._say("")
        if field.value == self._given:
            field.value = self._given = self._suggested(event.index)

    @on(Rows.Chosen)
    @on(Input.Submitted)
    def _entered(self, event: Rows.Chosen | Input.Submitted) -> None:
        event.stop()
        self._ask(replace=False)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._say("")

    def _ask(self, *, replace: bool) -> None:
        typed = self.query_one(Input).value.strip()
        if not typed:
            self._say("Type the name of a file.")
            return
        wanted = Wanted(format=EXPORTS[self.query_one(Rows).cursor].id, path=Path(typed), replace=replace)
        self.run_worker(partial(self._look, wanted), thread=True, exclusive=True)

    def _look(self, wanted: Wanted) -> None:
        """See whether the file is there, in a thread: a folder may lie on a network."""
        from diagnose_tui.exports import trouble_with

        self.app.call_from_thread(self._seen, wanted, trouble_with(wanted))

    def _seen(self, wanted: Wanted, trouble: str | None) -> None:
        if not self.is_current:  # somebody left meanwhile
            return
        if trouble is None:
            self.dismiss(wanted)
        else:
            self._say(trouble)

    def _say(self, sentence: str) -> None:
        self.query_one("#export-trouble", Static).update(line(sentence))

    def action_replace(self) -> None:
        self._ask(replace=True)

    def action_leave(self) -> None:
        self.dismiss(None)
