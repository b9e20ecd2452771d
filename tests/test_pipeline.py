"""A fault that shows late and belongs to an earlier step is that step's fault."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from diagnose import Connector, ExitCode
from diagnose.api import start
from diagnose.context import Context
from diagnose.events import RunFinished, StepFinished
from diagnose.model import Report
from diagnose.step import Evidence, Facts, Fault, Step, step

ALERT = Evidence(label="alert", expected="none", observed="alert 116 certificate_required")


@dataclass(frozen=True, kw_only=True)
class Secured(Facts):
    version: str


@dataclass(frozen=True, kw_only=True)
class Answered(Facts):
    pass


@dataclass(frozen=True, kw_only=True)
class Judged(Facts):
    pass


@step("tls", gives=Secured, codes=("TLS",), on_timeout="TLS012", deadline=5)
async def handshake(ctx: Context) -> Secured:
    return Secured(version="TLSv1.3")


@step(
    "http_reachability", gives=Answered, needs=(Secured,), codes=("HTTP",), on_timeout="HTTP024", deadline=5
)
async def first_read(ctx: Context, tls: Secured) -> Answered:
    ctx.recorder.begin(ctx.step_id, "POST", "https://mcp.example.com/mcp", {})
    raise Fault("TLS008", ALERT, step="tls", alert="alert 116", certificate="none")


@step("token_validity", gives=Judged, needs=(Answered,), codes=("TOK",), on_timeout="HTTP024", deadline=5)
async def follows(ctx: Context, answered: Answered) -> Judged:
    return Judged()


@step("dns", gives=Answered, codes=("DNS",), on_timeout="DNS003", deadline=0.02)
async def says_what_it_waited_for(ctx: Context) -> Answered:
    seen: list[str] = []
    ctx.if_late(lambda: Fault("DNS003", ALERT, confidence="likely", progress=f"saw {len(seen)} answers"))
    seen.append("one")
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def walk(*steps: Step) -> tuple[list[tuple[str, str]], Report, ExitCode]:
    run = start(Connector(url="https://mcp.example.com/mcp"), environ={}, steps=steps)
    told: list[tuple[str, str]] = []
    async for event in run.events():
        if isinstance(event, StepFinished):
            told.append((event.result.id, event.result.status))
        if isinstance(event, RunFinished):
            return told, event.report, run.exit_code
    raise AssertionError("a run ends with RunFinished")


def test_the_verdict_names_the_step_to_which_the_fault_belongs() -> None:
    _, report, code = asyncio.run(walk(handshake, first_read, follows))
    assert ExitCode.FAILED == code
    assert report.verdict.failed_step is not None
    assert ("tls", "TLS008") == (report.verdict.failed_step.id, report.verdict.code)


def test_the_step_that_showed_it_is_skipped_and_keeps_what_it_sent() -> None:
    _, report, _ = asyncio.run(walk(handshake, first_read, follows))
    result = report.step("http_reachability")
    assert ("skipped", "tls", [1]) == (result.status, result.blocked_by, result.exchanges)


def test_steps_after_it_are_blocked_by_the_step_at_fault() -> None:
    _, report, _ = asyncio.run(walk(handshake, first_read, follows))
    result = report.step("token_validity")
    assert ("skipped", "tls") == (result.status, result.blocked_by)


def test_the_step_at_fault_keeps_its_facts_and_is_told_again() -> None:
    told, report, _ = asyncio.run(walk(handshake, first_read))
    assert {"version": "TLSv1.3"} == report.step("tls").facts
    told_of_both = [entry for entry in told if entry[0] in ("tls", "http_reachability")]
    assert [("tls", "passed"), ("tls", "failed"), ("http_reachability", "skipped")] == told_of_both


def test_what_passed_before_leaves_out_the_step_at_fault() -> None:
    _, report, _ = asyncio.run(walk(handshake, first_read))
    assert [] == report.step("tls").findings[0].ruled_out


def test_a_deadline_shows_how_far_the_step_got() -> None:
    _, report, _ = asyncio.run(walk(says_what_it_waited_for))
    finding = report.step("dns").findings[0]
    assert ("DNS003", "likely") == (finding.code, finding.confidence)
    assert "saw 1 answers" in finding.cause
    assert ["alert", "answer within 0.0 s (this step's deadline)"] == [
        item.label for item in finding.evidence
    ]


@step("dns", gives=Answered, codes=("DNS",), on_timeout="DNS003", deadline=5)
async def loses_a_wait_of_its_own(ctx: Context) -> Answered:
    raise TimeoutError


def test_a_timeout_that_is_not_the_deadlines_costs_the_check_and_not_the_report() -> None:
    _, report, code = asyncio.run(walk(loses_a_wait_of_its_own))
    assert ("BUG001", ExitCode.INTERNAL) == (report.step("dns").findings[0].code, code)


def test_a_second_interruption_changes_nothing() -> None:
    @step("dns", gives=Answered, codes=("DNS",), on_timeout="DNS003", deadline=5)
    async def interrupted(ctx: Context) -> Answered:
        run.interrupt()
        try:
            await asyncio.Event().wait()
        finally:
            run.interrupt()  # while the first one still cleans up
        raise AssertionError("unreachable")

    run = start(Connector(url="https://mcp.example.com/mcp"), environ={}, steps=(interrupted,))

    async def walked() -> Report:
        async for event in run.events():
            if isinstance(event, RunFinished):
                return event.report
        raise AssertionError("a run ends with RunFinished")

    report = asyncio.run(walked())
    assert ("skipped", ExitCode.INTERRUPTED) == (report.step("dns").status, run.exit_code)


@pytest.mark.parametrize(("before", "place"), [(1990, "observed"), (390, "argument")])
def test_a_text_is_cut_after_its_secrets_are_out_of_it(before: int, place: str) -> None:
    secret = "canary-4c11b7f2-never-to-be-seen"
    text = "x" * before + " " + secret + "y" * 40

    @step("dns", gives=Answered, codes=("DNS",), on_timeout="DNS003", deadline=5)
    async def echoes(ctx: Context) -> Answered:
        ctx.redactor.register(secret)
        observed = text if place == "observed" else "short"
        raise Fault("DNS003", Evidence(label="echo", observed=observed), progress=text, seconds="1")

    _, report, _ = asyncio.run(walk(echoes))
    assert "canary" not in report.model_dump_json()


def test_a_resource_that_breaks_when_it_is_closed_costs_the_teardown_and_not_the_report() -> None:
    async def breaks() -> None:
        raise LookupError("closed twice")

    @step("dns", gives=Answered, codes=("DNS",), on_timeout="DNS003", deadline=5)
    async def opens(ctx: Context) -> Answered:
        ctx.closing.push_async_callback(breaks)
        return Answered()

    told, report, _ = asyncio.run(walk(opens))
    assert "BUG001" == report.step("teardown").findings[0].code
    assert ("teardown", "failed") == told[-1]
