"""What to diagnose, typed: a URL, or the command of a local server."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from diagnose.errors import UsageError
from diagnose_tui.command_line import numbered, words_of
from diagnose_tui.flow import Block, Flow
from diagnose_tui.screens.sheet import Sheet
from diagnose_tui.text import line
from diagnose_tui.widgets.fields import Field, Line, refusal

if TYPE_CHECKING:
    from diagnose.connector import Connector

__all__ = ["TargetScreen", "connector_typed", "is_command"]

_PATH = re.compile(r"[./~\\]|[A-Za-z]:[\\/]")
_ADDRESS = re.compile(r"[/.:@]|localhost$")


def is_command(typed: str) -> bool:
    """Whether ``typed`` is meant as the command of a process, and not as a URL."""
    typed = typed.strip()
    if typed.startswith("-- "):
        return True
    first, *more = typed.split(maxsplit=1)
    return "://" not in first and (bool(more) or bool(_PATH.match(first)) or not _ADDRESS.search(first))


def connector_typed(typed: str) -> Connector:
    """The connector of a typed target, as the command line has it. Raises UsageError."""
    from diagnose.cli_process import typed_process
    from diagnose.cli_run import unset
    from diagnose.cli_target import Asked, typed_connector

    nothing = Asked(**unset())
    if typed.strip() and is_command(typed):
        return typed_process(None, replace(nothing, command=words_of(_command(typed))))
    return typed_connector(typed, nothing)


def _command(typed: str) -> str:
    return typed.strip().removeprefix("-- ")


class TargetScreen(Sheet["Connector | None"]):
    """One line; a command is shown as its argument vector while it is typed, before anything is started."""

    HEADING = "New"
    KEYS = "Enter diagnose it   Esc leave"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave", show=False)]
    _HINT = "https://mcp.example.com/mcp, or npx -y some-server"

    def __init__(self, typed: str = "") -> None:
        super().__init__()
        self._typed = typed

    def body(self) -> Iterable[Widget]:
        yield Field(
            "Target", Line(self._typed, placeholder=self._HINT, id="target"), hint="A URL, or a command."
        )
        yield Flow(id="vector")

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one(Field).refuse(None)
        typed = event.value
        blocks: list[Block] = []
        if not typed.strip():
            said = "A URL, or a command."
        elif not is_command(typed):
            said = "A URL: it is reached over HTTP."
        else:
            said = "A command: it is started with these words, and no shell reads them."
            try:
                blocks = [Block(text=line(one), indent=14) for one in numbered(words_of(_command(typed)))]
            except UsageError as problem:
                said = f"{problem.what}."
        self.query_one(Field).hint(said)
        self.query_one(Flow).show(blocks)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            connector = connector_typed(event.value)
        except UsageError as problem:
            self.query_one(Field).refuse(refusal(problem))
        else:
            self.dismiss(connector)

    def action_leave(self) -> None:
        self.dismiss(None)
