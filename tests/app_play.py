"""The whole app, played by keys in memory: real runs, real servers, a state folder of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from app_screens import shown, until
from diagnose_lab import Running
from diagnose_tui.app import DiagnoseApp
from diagnose_tui.entries import Entry
from textual.pilot import Pilot
from textual.screen import Screen

from diagnose.connector import Connector

__all__ = ["Play", "asked", "entry_for", "on", "played", "rested"]

Play = Callable[[Pilot[Any], DiagnoseApp], Awaitable[Any]]


def played(
    act: Play,
    entries: Sequence[Entry] = (),
    *,
    state: Path,
    size: tuple[int, int] = (120, 36),
    environ: dict[str, str] | None = None,
    **given: Any,
) -> Any:
    """What ``act`` returns, done in an app over ``entries``."""

    async def play() -> Any:
        own = {
            **os.environ,
            "HOME": str(state),
            "DIAGNOSE_STATE_DIR": str(state / "state"),
            "DIAGNOSE_HISTORY": "on",
            **(environ or {}),
        }
        own.pop("NO_COLOR", None)
        app = DiagnoseApp(entries, environ=own, **{"ascii_only": False, **given})
        async with app.run_test(size=size, notifications=True) as pilot:
            await until(pilot, lambda: app.main.is_mounted)
            await pilot.pause()
            return await act(pilot, app)

    return asyncio.run(play())


async def rested(pilot: Pilot[Any], app: DiagnoseApp) -> str:
    """Wait until the selected run is over and drawn; what the screen shows then."""

    def over() -> bool:
        session = app.main.session
        return session is not None and not session.busy and (session.report or session.trouble) is not None

    await until(pilot, over)
    await until(pilot, lambda: app.main.settled)
    await pilot.pause()
    return shown(app)


async def on(pilot: Pilot[Any], *keys: str) -> str:
    """Press keys; what the screen shows then."""
    await pilot.press(*keys)
    await pilot.pause()
    return shown(pilot.app)


def asked(app: DiagnoseApp, kind: type[Screen[Any]]) -> bool:
    """Whether a screen of ``kind`` takes keys: what was typed before it was seen is no answer."""
    return isinstance(app.screen, kind) and not app.main.opens


def entry_for(running: Running, name: str = "lab") -> Entry:
    """The row of a connector that leads to a server of the lab."""
    return Entry(
        key=name,
        name=name,
        client="Cursor",
        target=running.url,
        connector=Connector(name=name, url=running.url),
    )
