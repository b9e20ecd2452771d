"""The panes of the detail area, in the order of their tabs. A literal tuple: the keys 1 to 8 open them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from diagnose.records import record

if TYPE_CHECKING:
    from diagnose_tui.panes.pane import Pane

__all__ = ["TABS", "Tab"]


@record
class Tab:
    """A pane by its place: it is imported when it is first opened, and all of them once the app stands."""

    title: str
    module: str
    name: str

    def pane(self) -> type[Pane]:
        """The class of the pane."""
        found: type[Pane] = getattr(import_module(f"diagnose_tui.panes.{self.module}"), self.name)
        return found


TABS: tuple[Tab, ...] = (
    Tab(title="Cause", module="cause", name="CausePane"),
    Tab(title="Fix", module="fix", name="FixPane"),
    Tab(title="Exchange", module="exchange", name="ExchangePane"),
    Tab(title="Cert", module="chain", name="ChainPane"),
    Tab(title="Tools", module="tools", name="ToolsPane"),
    Tab(title="curl", module="curl", name="CurlPane"),
    Tab(title="JSON", module="json_text", name="JsonPane"),
    Tab(title="History", module="history", name="HistoryPane"),
)
