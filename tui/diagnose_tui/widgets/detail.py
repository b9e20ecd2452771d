"""The detail area: one pane at a time, each mounted when it is first opened."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from diagnose_tui.panes import TABS
from diagnose_tui.panes.pane import Pane
from diagnose_tui.view import View
from diagnose_tui.widgets.strips import Tabs

__all__ = ["Detail"]


class Detail(Vertical):
    """The tabs and the pane that is open."""

    DEFAULT_CSS = """
    Detail { width: 1fr; height: 1fr; }
    Detail > Pane { height: 1fr; width: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._panes: dict[int, Pane] = {}
        self._kinds: dict[int, type[Pane]] = {}
        self._view = View(name="", target="")
        self.place = 0

    def compose(self) -> ComposeResult:
        yield Tabs([tab.title for tab in TABS])

    @property
    def pane(self) -> Pane | None:
        """The pane that is open, once there is one."""
        return self._panes.get(self.place)

    def learn(self, classes: dict[int, type[Pane]]) -> None:
        """Take the classes of all panes, which were imported off the event loop."""
        self._kinds |= classes
        self._mark()

    def open(self, place: int) -> None:
        """Open the pane at ``place``."""
        if place not in self._panes:
            made = TABS[place].pane()
            self._kinds[place] = made
            self._panes[place] = made()
            self.mount(self._panes[place])
        self.place = place
        for number, pane in self._panes.items():
            pane.display = number == place
        self._mark()
        self.call_after_refresh(self._show)

    def show(self, view: View) -> None:
        """Show ``view`` in the pane that is open; the others hear of it when they are opened."""
        self._view = view
        self._mark()
        self._show()

    def _show(self) -> None:
        pane = self.pane
        if pane is not None and pane.is_mounted:
            pane.show(self._view)

    def _mark(self) -> None:
        blank = frozenset(place for place, made in self._kinds.items() if made.blank(self._view) is not None)
        self.query_one(Tabs).show(self.place, blank)
