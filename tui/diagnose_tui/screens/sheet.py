"""What the screens that ask share: one thin frame, what can scroll, and the keys in the last line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

__all__ = ["Sheet"]

_T = TypeVar("_T")


class Sheet(ModalScreen[_T]):
    """A framed screen above the main one. ``HEADING`` and ``KEYS`` are our own words, never a server's."""

    HEADING: ClassVar[str] = ""
    KEYS: ClassVar[str] = "Esc leaves"

    DEFAULT_CSS = """
    Sheet { align: center middle; }
    Sheet > .frame {
        width: 100%; max-width: 100; height: auto; max-height: 100%;
        background: $surface; border: solid $border; padding: 0 1;
    }
    Sheet .body { height: auto; max-height: 100%; scrollbar-gutter: stable; }
    Sheet .foot { dock: bottom; height: auto; background: $surface; }
    Sheet .buttons { height: 1; margin: 0 0 1 0; layout: horizontal; }
    Sheet .buttons Button { margin: 0 2 0 0; }
    Sheet Select.-textual-compact > SelectCurrent { background: $panel; }
    Sheet Select.-textual-compact:focus > SelectCurrent #label { text-style: reverse; }
    Sheet .keys { height: auto; color: $text-muted; }
    """

    def compose(self) -> ComposeResult:
        with Vertical(classes="frame") as frame:
            frame.border_title = self.HEADING
            with VerticalScroll(classes="body", can_focus=False):
                yield from self.body()
            with Vertical(classes="foot"):
                yield from self.foot()
                yield Static(self.KEYS, classes="keys", markup=False)

    def body(self) -> Iterable[Widget]:
        """What scrolls where there is not enough room."""
        return ()

    def foot(self) -> Iterable[Widget]:
        """What is always in sight, above the keys."""
        return ()
