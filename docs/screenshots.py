"""Draw the pictures of the app that the documentation shows, from runs against the lab.

python docs/screenshots.py [FOLDER]        writes docs/images/*.svg, or into FOLDER

What differs from run to run (ports, dates, keys, times) is put in order first, so that a picture changes when
the app or a verdict does, and at no other time.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from diagnose_lab import Lab
from diagnose_tui.app import DiagnoseApp
from diagnose_tui.entries import Entry
from diagnose_tui.screens.compare import CompareScreen
from diagnose_tui.widgets.document import Document
from textual.pilot import Pilot

from diagnose.cli_lab import prepared
from diagnose.connector import Connector
from diagnose.events import RunFinished
from diagnose.model import Report
from diagnose.step import TITLES

_DAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""The moment at which every pictured run was made."""
_STEP_MS: dict[str, tuple[float, float]] = dict(
    zip(
        TITLES,
        (
            *((0.3, 0.3), (0.7, 0.6), (1.4, 4.2), (5.8, 8.1), (14.2, 21.5), (36.0, 0.4)),
            *((36.6, 2.1), (38.9, 0.2), (39.3, 6.4), (45.9, 9.7), (55.8, 0.9)),
        ),
        strict=True,
    )
)
"""When each step of a picture began, and how long it took."""
_SHOWN = (
    ("auth-issuer-mismatch", "tickets", "Cursor", "~/.cursor/mcp.json:4"),
    ("healthy-modern", "calendar", "Claude Desktop", "~/.config/Claude/claude_desktop_config.json:3"),
    ("tls-expired", "wiki", "VS Code", ".vscode/mcp.json:12"),
    ("list-many-bad-tools", "warehouse", "Cursor", "~/.cursor/mcp.json:9"),
)
"""Scenario, and the name, client and place under which it stands in the list."""
_BEFORE = "healthy-modern-tls"
"""What "wiki" was on the day before, when its certificate had not expired."""


def main(folder: Path) -> None:
    """Write every picture into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state:
        os.environ.update(DIAGNOSE_STATE_DIR=state, DIAGNOSE_KEYRING="off")
        for name in ("NO_COLOR", "DIAGNOSE_THEME", "TEXTUAL_THEME", "DIAGNOSE_ASCII"):
            os.environ.pop(name, None)
        with Lab() as lab:
            reports = {scenario: in_order(played(lab, scenario), _DAY, "3f") for scenario, *_ in _SHOWN}
            reports[_BEFORE] = in_order(played(lab, _BEFORE), _DAY - timedelta(days=1), "a8")
        for name, (size, act) in _PICTURES.items():
            drawn = asyncio.run(picture(reports, size, act))
            (folder / f"{name}.svg").write_text(drawn, encoding="utf-8")


def played(lab: Lab, scenario: str) -> Report:
    """The report of one run against a scenario of the lab."""
    with lab.start(scenario) as running:
        return asyncio.run(_report(prepared(running)))


async def _report(run: Any) -> Report:
    async for event in run.events():
        if isinstance(event, RunFinished):
            return event.report
    raise RuntimeError("a run that does not finish")


def in_order(report: Report, day: datetime, digits: str) -> Report:
    """The report as every run on ``day`` would give it; ``digits`` are those of keys and fingerprints."""
    plain = report.to_dict()
    for step in plain["steps"]:
        if step["status"] != "skipped":
            started, took = _STEP_MS[step["id"]]
            step["started_ms"], step["duration_ms"] = (
                started,
                took if step["status"] != "not_applicable" else 0.0,
            )
    walked = [_STEP_MS[step["id"]] for step in plain["steps"] if step["status"] != "skipped"]
    began = datetime.fromisoformat(plain["run"]["started_at"])
    plain["run"].update(id=f"{digits * 4}-0000-4000-8000-{digits * 6}", duration_ms=max(map(sum, walked)))
    for exchange in plain["exchanges"]:
        exchange["started_ms"], exchange["duration_ms"] = _STEP_MS[exchange["step"]]
    text = json.dumps(plain, ensure_ascii=False)
    for pattern, fixed in _rules(text, day - began, digits):
        text = pattern.sub(fixed, text)
    return Report.model_validate(json.loads(text))


def _rules(text: str, moved: timedelta, digits: str) -> Iterator[tuple[re.Pattern[str], Any]]:
    ports = dict.fromkeys(re.findall(r"(?:127\.0\.0\.1|localhost|lab\.test):(\d{4,5})", text))
    for number, port in enumerate(ports):
        yield re.compile(rf"\b{port}\b"), str(8443 + number)

    def moment(found: re.Match[str]) -> str:
        date, between, seconds = found.groups()
        then = datetime.fromisoformat(f"{date}{found.group()[10:16]}+00:00") + moved
        # Whole days alone: a certificate ends some seconds before or after the minute of the run.
        then += timedelta(hours=12)
        return f"{then:%Y-%m-%d}{between}09:00{':00' if seconds else ''}"

    yield re.compile(r"(\d{4}-\d\d-\d\d)([T ])\d\d:\d\d(:\d\d(?:\.\d+)?)?"), moment
    yield re.compile(r"\b[0-9a-f]{64}\b"), digits * 32
    yield re.compile(r"#[\w-]{16}\b"), "#lab"
    yield re.compile(r"/[^ \"]*?/diagnose-lab-\w+"), "/tmp/diagnose-lab"  # noqa: S108 - a name, no file


async def picture(
    reports: dict[str, Report],
    size: tuple[int, int],
    act: Callable[[Pilot[Any], DiagnoseApp], Awaitable[None]],
) -> str:
    """One screenshot of the app over ``reports``, after ``act``."""
    entries = [
        Entry(
            key=name,
            name=name,
            client=client,
            place=place,
            target=url,
            connector=Connector(name=name, url=url),
            report=reports[scenario],
        )
        for scenario, name, client, place in _SHOWN
        for url in (reports[scenario].connector.url or "",)
    ]
    app = DiagnoseApp(entries)
    app.board.sessions["wiki"].before = reports[_BEFORE]
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await act(pilot, app)
        await settled(pilot)
        drawn = app.export_screenshot(title="diagnose tui", simplify=True)
        return re.sub(
            r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL
        )  # a picture asks nobody for a font


async def settled(pilot: Pilot[Any]) -> None:
    """Wait until the picture no longer changes."""
    before = ""
    while before != (before := pilot.app.export_screenshot()):
        await pilot.pause(0.3)


async def failing(pilot: Pilot[Any], app: DiagnoseApp) -> None:
    app.main.enter("tickets")


async def tools(pilot: Pilot[Any], app: DiagnoseApp) -> None:
    app.main.enter("warehouse")
    await pilot.press("5")


async def compared(pilot: Pilot[Any], app: DiagnoseApp) -> None:
    app.main.enter("wiki")
    session = app.board.sessions["wiki"]
    assert session.report is not None
    assert session.before is not None
    app.push_screen(CompareScreen(session.before, session.report))
    await pilot.pause()
    while "are compared ..." in app.screen.query_one(Document).text:
        await pilot.pause(0.1)


_PICTURES: dict[str, tuple[tuple[int, int], Callable[[Pilot[Any], DiagnoseApp], Awaitable[None]]]] = {
    "app-failed": ((120, 36), failing),
    "app-tools": ((120, 36), tools),
    "app-compare": ((120, 36), compared),
    "app-80x24": ((80, 24), failing),
}

if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images")
