"""An interrupt at any moment of a run: what is left is a valid report, and nothing stays open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest
from diagnose_lab import Lab
from lab_connectors import connector_of

from diagnose import Connector, ExitCode, OAuth2Credential, Options
from diagnose.api import start
from diagnose.context import Context
from diagnose.events import Event, RunFinished, RunStarted, StepFinished, StepStarted
from diagnose.model import Report
from diagnose.pipeline import Run
from diagnose.step import TITLES, Facts, step


async def ended(run: Run, when: Callable[[Event], bool]) -> Report:
    """The report of a run that is interrupted right where ``when`` says so of an event."""
    async with aclosing(run.events()) as events:
        async for event in events:
            if when(event):
                run.interrupt()
            if isinstance(event, RunFinished):
                return event.report
    raise AssertionError("a run ends with RunFinished")


def never(event: Event) -> bool:
    return False


def test_before_the_first_event_nothing_is_sent(lab: Lab) -> None:
    with lab.start("healthy-modern") as running:
        run = start(Connector(url=running.url), environ={})
        run.interrupt()
        report = asyncio.run(ended(run, never))
        assert [] == running.log
        assert 0 == running.connections
    assert {"skipped"} == {result.status for result in report.steps}
    assert ("error", ExitCode.INTERRUPTED) == (report.verdict.status, run.exit_code)


@pytest.mark.parametrize("step_id", [name for name in TITLES if name != "teardown"])
@pytest.mark.parametrize("scenario", ["healthy-legacy", "healthy-stdio-legacy"])
def test_when_a_step_is_about_to_start_it_does_not_and_what_was_opened_is_let_go(
    lab: Lab, scenario: str, step_id: str
) -> None:
    with lab.start(scenario) as running:
        run = start(connector_of(running), environ=running.env)
        report = asyncio.run(ended(run, lambda event: isinstance(event, StepStarted) and event.id == step_id))
        assert [] == running.pids()
    assert ("skipped", "interrupted") == (report.step(step_id).status, report.step(step_id).facts["reason"])
    assert ExitCode.INTERRUPTED == run.exit_code
    assert run.report is report


def test_the_session_that_was_opened_is_ended_all_the_same(lab: Lab) -> None:
    with lab.start("healthy-legacy") as running:
        run = start(Connector(url=running.url), environ={})
        report = asyncio.run(
            ended(run, lambda event: isinstance(event, StepFinished) and event.result.id == "mcp_initialize")
        )
        assert "DELETE" in [entry.method for entry in running.log]
    assert "passed" == report.step("teardown").status


@pytest.mark.parametrize("scenario", ["healthy-legacy", "healthy-stdio-legacy"])
def test_a_teardown_that_goes_on_is_not_cut_off(lab: Lab, scenario: str) -> None:
    with lab.start(scenario) as running:
        run = start(connector_of(running), environ=running.env)

        async def while_it_runs() -> Report:
            async with aclosing(run.events()) as events:
                async for event in events:
                    if isinstance(event, StepStarted) and event.id == "teardown":
                        asyncio.get_running_loop().call_soon(run.interrupt)
                    if isinstance(event, RunFinished):
                        return event.report
            raise AssertionError("a run ends with RunFinished")

        report = asyncio.run(while_it_runs())
        assert [] == running.pids()
    assert "passed" == report.step("teardown").status
    assert ExitCode.INTERRUPTED == run.exit_code


def test_a_teardown_that_hangs_ends_within_its_grace() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Gone(Facts):
        pass

    @step("teardown", gives=Gone, codes=("DOWN",), on_timeout="DOWN002", deadline=3600, always=True)
    async def hangs(ctx: Context) -> Gone:
        asyncio.get_running_loop().call_soon(run.interrupt)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    run = start(Connector(url="http://127.0.0.1:9/mcp"), environ={}, steps=(hangs,))
    report = asyncio.run(asyncio.wait_for(ended(run, never), 30))
    assert ("skipped", "interrupted") == (
        report.step("teardown").status,
        report.step("teardown").facts["reason"],
    )


def test_after_the_last_event_it_changes_nothing(lab: Lab) -> None:
    with lab.start("healthy-modern") as running:
        run = start(Connector(url=running.url), environ={})
        report = asyncio.run(ended(run, lambda event: isinstance(event, RunFinished)))
    assert ("passed", ExitCode.PASSED) == (report.verdict.status, run.exit_code)


def test_at_the_very_first_event_nothing_is_sent(lab: Lab) -> None:
    with lab.start("healthy-modern") as running:
        run = start(Connector(url=running.url), environ={})
        report = asyncio.run(ended(run, lambda event: isinstance(event, RunStarted)))
        assert [] == running.log
    assert "error" == report.verdict.status


@dataclass(kw_only=True)
class Nobody:
    """A person who is shown the URL and never logs in; ``shown`` is what happens then."""

    shown: Callable[[], None]
    told: list[str] = field(default_factory=list)

    def registering(self, endpoint: str) -> None:
        self.told.append("registering")

    async def visit(self, url: str) -> None:
        self.told.append("visit")
        asyncio.get_running_loop().call_soon(self.shown)

    def over(self) -> None:
        self.told.append("over")


def test_while_somebody_is_waited_for_the_wait_ends_at_once(lab: Lab) -> None:
    with lab.start("login-never") as running:
        run = start(
            Connector(url=running.url, credential=OAuth2Credential()),
            options=Options(login=True, login_timeout=3600),
            environ={**running.env, "DIAGNOSE_KEYRING": "off"},
        )
        person = Nobody(shown=run.interrupt)
        run.ctx.person = person
        report = asyncio.run(asyncio.wait_for(ended(run, never), 60))
    assert ("skipped", "interrupted") == (
        report.step("token_validity").status,
        report.step("token_validity").facts["reason"],
    )
    assert ["registering", "visit", "over"] == person.told
    assert ExitCode.INTERRUPTED == run.exit_code


def test_a_report_of_an_interrupted_run_says_why_it_cannot_be_gone_on_from(lab: Lab) -> None:
    from diagnose.resumption import resumable

    with lab.start("healthy-modern") as running:
        run = start(Connector(url=running.url), environ={})
        asyncio.run(ended(run, lambda event: isinstance(event, StepStarted) and event.id == "tls"))
    assert "TLS did not run (interrupted), so there is nothing to go on from." == resumable(run, "list_tools")
