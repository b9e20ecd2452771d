"""A question before what cannot be taken back: what would happen, whole, and no as the safe answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Static

from diagnose_tui.flow import Block, Flow
from diagnose_tui.screens.sheet import Sheet
from diagnose_tui.text import line, plain

__all__ = ["ConfirmScreen"]


class ConfirmScreen(Sheet[bool]):
    """``rows`` are labels and what a server or a file says; ``title``, ``question`` and ``yes`` are our own.

    The keys are fixed: no text on the screen can become one.
    """

    HEADING = "Your word"
    KEYS = "y yes   Enter or Esc no   Tab the other button   Up and Down scroll"
    AUTO_FOCUS = "#no"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("n,escape", "answer(False)", "No", show=False),
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
    ]
    DEFAULT_CSS = """
    ConfirmScreen .question { margin: 1 0; text-style: bold; }
    """

    def __init__(self, title: str, rows: Sequence[tuple[str, str]], question: str, yes: str) -> None:
        super().__init__()
        self._said = title
        self._rows = tuple(rows)
        self._question = question
        self._yes = yes

    def body(self) -> Iterable[Widget]:
        blocks = [Block(text=line(self._said)), Block(text=Content(""))]
        blocks += [Block(label=label, text=plain(text)) for label, text in self._rows]
        yield Flow(blocks)

    def foot(self) -> Iterable[Widget]:
        yield Static(line(self._question), classes="question", markup=False)
        yield Horizontal(
            Button(Content("No"), id="no", compact=True),
            Button(line(self._yes), id="yes", variant="warning", compact=True),
            classes="buttons",
        )

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)

    def action_move(self, lines: int) -> None:
        self.query_one(".body").scroll_relative(y=lines, animate=False)
