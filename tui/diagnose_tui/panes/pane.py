"""What all panes of the detail area share."""

from __future__ import annotations

from typing import ClassVar

from textual.containers import VerticalScroll

from diagnose_tui.view import View

__all__ = ["Pane"]


class Pane(VerticalScroll):
    """One way to look at a run. It is mounted when it is first opened, and shown again when its run moves on.

    ``show`` must be cheap where nothing changed: it is called several times a second while a run goes.
    """

    TITLE: ClassVar[str] = ""
    """The word on its tab."""

    DEFAULT_CSS = """
    Pane { scrollbar-gutter: stable; padding: 0 1; }
    """

    @classmethod
    def blank(cls, view: View) -> str | None:
        """Why there is nothing to show for ``view``, as one sentence; None where there is something."""
        return None

    def show(self, view: View) -> None:
        """Show ``view``."""
        raise NotImplementedError
