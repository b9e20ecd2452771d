"""A terminal that is too small for the app says so, until it has grown."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Static

from diagnose_tui.text import line

__all__ = ["SMALLEST", "TooSmall", "follow_size"]

SMALLEST = Size(60, 16)
"""Below this the cause of a failed step has no room beside the steps."""


class TooSmall(Screen[None]):
    """One sentence instead of the app. ``target`` is what to type after ``diagnose run``."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,ctrl+c,ctrl+q", "app.quit", "Quit", show=False)]
    DEFAULT_CSS = """
    TooSmall { align: center middle; }
    TooSmall Static { width: 1fr; height: auto; padding: 0 1; text-align: center; }
    """

    def __init__(self, target: str = "TARGET") -> None:
        super().__init__()
        self._target = target

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    def on_mount(self) -> None:
        self._say(self.app.size)

    def on_resize(self, event: events.Resize) -> None:
        self._say(event.size)

    def _say(self, size: Size) -> None:
        given, needed = (f"{one.width}x{one.height}" for one in (size, SMALLEST))
        sentence = f"This terminal is {given}; the app needs {needed}."
        instead = f"The same facts, line by line: diagnose run {self._target}"
        self.query_one(Static).update(line(f"{sentence} {instead}"))


def follow_size(app: App[Any], size: Size, target: str = "TARGET") -> None:
    """Put :class:`TooSmall` before everything of ``app``, or take it away: called when the size changes."""
    fits = size.width >= SMALLEST.width and size.height >= SMALLEST.height
    shown = isinstance(app.screen, TooSmall)
    if not fits and not shown:
        app.push_screen(TooSmall(target))
    elif fits and shown:
        app.pop_screen()
