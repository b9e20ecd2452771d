"""A bare app on which one pane is tried, and the reports that panes are tried with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from app_screens import until
from diagnose_lab import Lab
from diagnose_tui.panes.pane import Pane
from diagnose_tui.view import View
from scenario_runs import run
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from diagnose.model import Exchange, Report

__all__ = ["PaneStage", "exchange_of", "looked_at", "report_of"]

_P = TypeVar("_P", bound=Pane)


class PaneStage(App[None]):
    """Nothing but a place for ``pane``; ``keys`` are those that nothing took."""

    def __init__(self, pane: Pane) -> None:
        super().__init__()
        self.pane = pane

    def compose(self) -> ComposeResult:
        yield self.pane


def looked_at(
    pane: _P,
    view: View,
    act: Callable[[Pilot[Any], _P], Awaitable[Any]],
    size: tuple[int, int] = (80, 24),
) -> Any:
    """What ``act`` returns once ``pane`` shows ``view`` and has the keys."""

    async def play() -> Any:
        app = PaneStage(pane)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: pane.is_mounted)
            pane.show(view)
            pane.focus()
            await pilot.pause()
            return await act(pilot, pane)

    return asyncio.run(play())


def report_of(lab: Lab, name: str) -> Report:
    """The report of a real run of a scenario."""
    return Report.model_validate_json(run(lab, name).stdout)


def exchange_of(body: str, content_type: str = "application/json", **more: Any) -> Exchange:
    """An exchange that was answered with ``body``."""
    response = {
        "status": 200,
        "reason": "OK",
        "http_version": "HTTP/1.1",
        "headers": [["content-type", content_type]],
        "body": body,
        "body_size": len(body),
    }
    request = {"method": "POST", "url": "https://mcp.example.com/mcp", "headers": [], "body": ""}
    given = {"id": 1, "step": "session_open", "request": request, "response": response, "timings_ms": {}}
    return Exchange.model_validate({**given, **more})
