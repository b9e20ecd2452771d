"""What is loaded before somebody sees anything: modules are counted, never milliseconds."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = (
    *("pydantic", "httpx2", "mcp", "jsonschema", "anyio", "cryptography", "dns", "yaml", "sqlite3", "psutil"),
    *("pygments", "markdown_it", "rich.traceback", "diagnose_checks", "diagnose_lab", "diagnose.catalogue"),
)
PROGRAM = """
import asyncio, json, sys
from diagnose.cli_tui import tui
from diagnose_tui.app import DiagnoseApp
from diagnose_tui.playing import DEMOS, demo_entry

class Picture(DiagnoseApp):
    def _begin(self):
        # What comes after the first picture would begin here.
        print(json.dumps([name for name in json.loads(sys.argv[1]) if name in sys.modules]))

async def picture():
    async with Picture([demo_entry(*demo) for demo in DEMOS]).run_test() as pilot:
        await pilot.pause()

asyncio.run(picture())
"""


def test_the_first_picture_needs_nothing_of_the_engine() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(HEAVY)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert [] == json.loads(done.stdout)
