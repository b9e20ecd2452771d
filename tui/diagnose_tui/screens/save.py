"""The connector as a file, shown before it is written; it holds references where there were secrets."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from diagnose.connector.file_writing import Written, save_private
from diagnose.errors import UsageError
from diagnose.wire.threads import in_daemon_thread
from diagnose_tui.flow import Block, Flow
from diagnose_tui.screens.confirm import ConfirmScreen
from diagnose_tui.screens.sheet import Sheet
from diagnose_tui.text import line, plain
from diagnose_tui.widgets.fields import Field, Line, refusal

__all__ = ["SaveScreen"]


class SaveScreen(Sheet[Path | None]):
    """Gives the path that was written, None where nothing was."""

    HEADING = "Save as a connector file"
    KEYS = "Enter writes the file   Up and Down scroll   Esc leave"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("escape", "leave", "Leave", show=False),
    ]

    def __init__(self, written: Written, proposed: str) -> None:
        super().__init__()
        self._written = written
        self._proposed = proposed

    def body(self) -> Iterable[Widget]:
        blocks = []
        for name, what in self._written.variables:
            text = Content.assemble(line(name, "bold"), line(f" holds {what}: set it before use"))
            blocks.append(Block(label="Set", text=text))
        blocks += [Block(label="Note", text=line(said)) for said in self._written.left_out]
        blocks += [Block(text=Content("")), Block(text=plain(self._written.text), wraps=False)]
        yield Flow(blocks)

    def foot(self) -> Iterable[Widget]:
        yield Field("File", Line(self._proposed), hint="Only you may read it (mode 0600).")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._save(event.value.strip())

    @work(exclusive=True)
    async def _save(self, typed: str) -> None:
        field = self.query_one(Field)
        if not typed:
            field.refuse("the path is empty: name a file, such as connector.json")
            return
        try:
            path = await in_daemon_thread(lambda: Path(os.path.expanduser(typed)))  # noqa: PTH111
            if await self._write(path):
                self.dismiss(path)
        except (UsageError, ValueError) as problem:  # a NUL in the path
            said = refusal(problem) if isinstance(problem, UsageError) else f"this is no path: {problem}"
            field.refuse(said)

    async def _write(self, path: Path) -> bool:
        text = self._written.text
        try:
            await in_daemon_thread(lambda: save_private(path, text))
        except FileExistsError:
            rows = (("file", str(path)),)
            question = ConfirmScreen("There is a file of this name.", rows, "Replace it?", "Replace it")
            if not await self.app.push_screen_wait(question):
                return False
            await in_daemon_thread(lambda: save_private(path, text, replaces=True))
        return True

    def action_move(self, lines: int) -> None:
        self.query_one(".body").scroll_relative(y=lines, animate=False)

    def action_leave(self) -> None:
        self.dismiss(None)
