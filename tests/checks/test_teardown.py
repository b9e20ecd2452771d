"""Step 11: what is sent to let go, and when it is sent."""

from __future__ import annotations

import asyncio

import pytest
from diagnose_lab import Lab, Running

import diagnose
from diagnose import Options
from diagnose.api import start
from diagnose.connector import Connector
from diagnose.events import StepFinished, StepStarted


def deletes(running: Running) -> int:
    return sum(record.method == "DELETE" for record in running.log)


def run(running: Running, options: Options | None = None) -> diagnose.Report:
    return asyncio.run(diagnose.diagnose(Connector(url=running.url), options=options, environ={}))


@pytest.mark.parametrize(
    ("expected", "name"),
    [(1, "healthy-legacy"), (0, "healthy-legacy-stateless"), (0, "healthy-modern"), (0, "healthy-dual")],
)
def test_only_a_session_is_ended(lab: Lab, expected: int, name: str) -> None:
    running = lab.start(name)
    try:
        run(running)
        assert expected == deletes(running)
    finally:
        running.stop()


def test_the_session_is_ended_although_a_later_step_failed(lab: Lab) -> None:
    running = lab.start("session-not-initialized-200-legacy")
    try:
        report = run(running)
        assert ("session_open", 1) == (
            report.verdict.failed_step and report.verdict.failed_step.id,
            deletes(running),
        )
    finally:
        running.stop()


def test_the_session_is_ended_after_the_runs_own_deadline(lab: Lab) -> None:
    running = lab.start("session-no-answer-legacy")
    try:
        report = run(running, Options(timeout=0.5))
        assert ("passed", 1) == (report.step("teardown").status, deletes(running))
    finally:
        running.stop()


def test_the_session_is_ended_after_an_interrupt(lab: Lab) -> None:
    running = lab.start("healthy-legacy")

    async def interrupted() -> list[str]:
        walk = start(Connector(url=running.url), environ={})
        ended: list[str] = []
        async for event in walk.events():
            if isinstance(event, StepStarted) and event.id == "list_tools":
                walk.interrupt()
            if isinstance(event, StepFinished) and event.result.status == "passed":
                ended.append(event.result.id)
        return ended

    try:
        assert "teardown" in asyncio.run(interrupted())
        assert deletes(running) == 1
    finally:
        running.stop()


def test_a_failed_teardown_is_a_warning_and_never_the_verdict(lab: Lab) -> None:
    running = lab.start("teardown-delete-500-legacy")
    try:
        report = run(running)
        assert ("warned", None) == (report.step("teardown").status, report.verdict.code)
    finally:
        running.stop()
