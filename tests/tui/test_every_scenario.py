"""Every server of the lab, opened in the app: its run to the end, each step selected, each tab opened."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from app_screens import shown, until
from diagnose_lab import Scenario, scenarios
from diagnose_tui.app import DiagnoseApp
from diagnose_tui.panes import TABS
from diagnose_tui.playing import demo_entry
from diagnose_tui.session import ORDER, Session
from diagnose_tui.widgets.detail import Detail
from scenario_runs import environment
from textual.pilot import Pilot

ALL: Sequence[Scenario] = tuple(scenarios())
CHUNK = 24
"""Scenarios in one app."""
SAMPLE = 10
"""Scenarios of a plain run."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A plain run takes a sample, the same one every time; ``-m matrix`` takes all."""
    if metafunc.config.getoption("markexpr") == "matrix":
        chunks = [ALL[first : first + CHUNK] for first in range(0, len(ALL), CHUNK)]
    else:
        chunks = [random.Random(8).sample(ALL, SAMPLE)]  # noqa: S311
    metafunc.parametrize("chunk", chunks, ids=lambda made: made[0].name)


@pytest.fixture
def state(tmp_path: Path) -> dict[str, str]:
    """Nothing of the developer's own logins and history."""
    return {"DIAGNOSE_STATE_DIR": str(tmp_path), "DIAGNOSE_KEYRING": "off"}


@pytest.mark.matrix
def test_every_scenario_is_shown_whole(chunk: Sequence[Scenario], state: dict[str, str]) -> None:
    with environment(state):
        assert {} == asyncio.run(opened(chunk))


async def opened(chosen: Sequence[Scenario]) -> dict[str, str]:
    """What is wrong with any of them, by name."""
    app = DiagnoseApp([demo_entry(scenario.name) for scenario in chosen])
    wrong: dict[str, str] = {}
    async with app.run_test(size=(140, 50)) as pilot:
        await until(pilot, lambda: app.main.query_one(Detail).pane is not None)
        for scenario in chosen:
            try:
                problem = await look_at(pilot, app, scenario)
            except Exception as error:
                error.add_note(f"while {scenario.name} was looked at")
                raise
            if problem is not None:
                wrong[scenario.name] = problem
    return wrong


async def look_at(pilot: Pilot[Any], app: DiagnoseApp, scenario: Scenario) -> str | None:
    """Run one, go through all that can be seen of it, and say what is wrong."""
    session = app.board.sessions[demo_entry(scenario.name).key]
    app.main.enter(session.key)
    app.main.do("run")
    await until(pilot, lambda: not session.busy and session.status != "idle")
    await until(pilot, lambda: f" {session.code or 'PASSED'}" in shown(app))
    detail = app.main.query_one(Detail)
    for place in range(len(TABS)):
        detail.open(place)
        await pilot.pause()
    for step_id in ORDER:
        session.select(step_id)
        app.main.redraw()
        view = app.main.view()
        for pane in detail._panes.values():
            if pane.is_mounted:
                pane.show(view)
        await pilot.pause()
    detail.open(0)
    return named_otherwise(scenario, session)


def named_otherwise(scenario: Scenario, session: Session) -> str | None:
    """How what is shown differs from what the scenario was made to show; None where it does not."""
    if session.report is None:
        return f"no report: {session.trouble.what if session.trouble is not None else session.status}"
    if scenario.run.command == "login":
        return None  # a run without the login that it is about
    expect = scenario.expect
    allowed = {None, *expect.also} if expect is None or expect.code is None else {expect.code, *expect.also}
    return None if session.code in allowed else f"shows {session.code} and not {sorted(map(str, allowed))}"
