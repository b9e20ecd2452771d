"""The app on many connectors, driven by itself: how long its loop was ever away. Writes JSON to FILE.

python frames_app.py FILE all|tools URL...
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

from diagnose_tui.app import DiagnoseApp
from diagnose_tui.discovering import typed_entry
from textual.pilot import Pilot

from diagnose.connector import Connector
from diagnose.options import Options

_STEP = 0.002


async def watch(gaps: list[float]) -> None:
    """Note how much later than asked this task was called, again and again."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(_STEP)
        gaps.append(time.perf_counter() - began - _STEP)


async def run_all(pilot: Pilot[Any], app: DiagnoseApp) -> None:
    """Every connector side by side, while somebody moves in the list."""
    await pilot.press("R")
    sessions = app.board.sessions.values()
    while not all(one.report is not None for one in sessions):
        await pilot.press("down")
        await pilot.pause(0.05)


async def run_tools(pilot: Pilot[Any], app: DiagnoseApp) -> None:
    """One server of many tools: its run, then its tools, from the first to the last and through each tab."""
    session = next(iter(app.board.sessions.values()))
    await pilot.press("enter")
    while session.report is None:
        await pilot.pause(0.05)
    for number in range(1, 9):
        await pilot.press(str(number))
        await asyncio.sleep(0.3)
    await pilot.press("5", "tab", "tab", "tab", "end", "home", "pagedown", "down", "down", "enter")
    await asyncio.sleep(0.3)


def main(file: str, what: str, urls: list[str]) -> None:
    entries = [
        typed_entry(Connector(name=f"server {number}", url=url), Options(), key=str(number))
        for number, url in enumerate(urls)
    ]
    app = DiagnoseApp(entries)
    gaps: list[float] = []
    found: dict[str, Any] = {}

    async def drive(pilot: Pilot[Any]) -> None:
        await asyncio.sleep(3)  # what is imported behind the first picture is measured with it
        gaps.clear()
        watching = asyncio.create_task(watch(gaps))
        began = time.perf_counter()
        await (run_all if what == "all" else run_tools)(pilot, app)
        took = time.perf_counter() - began
        watching.cancel()
        passed = sum(one.status in ("passed", "warned") for one in app.board.sessions.values())
        found.update(gaps=gaps, took=took, passed=passed)
        app.exit()

    app.run(auto_pilot=drive)
    Path(file).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    gc.set_threshold(50_000, 20, 20)  # as the command has it
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
