"""The pipeline: order, skip rules, deadlines, our own bugs, interruption; with tiny steps of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from diagnose import Connector, ExitCode, Options
from diagnose.api import start
from diagnose.context import Context
from diagnose.events import Event, RunFinished, StepFinished, StepStarted
from diagnose.model import Report
from diagnose.step import TITLES, Evidence, Facts, Fault, Step, step

CONNECTOR = Connector(url="http://127.0.0.1:9/mcp")
SEEN = Evidence(label="seen", expected="a", observed="b")


@dataclass(frozen=True, kw_only=True)
class First(Facts):
    word: str
    _hidden: str = "inside"


@dataclass(frozen=True, kw_only=True)
class Second(Facts):
    pass


@dataclass(frozen=True, kw_only=True)
class Last(Facts):
    pass


@step("dns", gives=First, codes=("DNS",), on_timeout="DNS003", deadline=5)
async def finds(ctx: Context) -> First:
    return First(word="found")


@step("dns", gives=First, codes=("DNS",), on_timeout="DNS003", deadline=5)
async def faults(ctx: Context) -> First:
    raise Fault("DNS003", SEEN, seconds="5", progress="none", **ANY)


@step("dns", gives=First, codes=("DNS",), on_timeout="DNS003", deadline=5)
async def faults_with_facts(ctx: Context) -> First:
    raise Fault("DNS003", SEEN, facts=First(word="all the same"), seconds="5", progress="none", **ANY)


@step("dns", gives=First, codes=("DNS",), on_timeout="DNS003", deadline=5)
async def breaks(ctx: Context) -> First:
    secret = "canary-in-a-local"
    raise RuntimeError(f"our own mistake with {secret}")


@step("dns", gives=First, codes=("DNS",), on_timeout="DNS003", deadline=0.05)
async def hangs(ctx: Context) -> First:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


@step("tcp", gives=Second, needs=(First,), codes=("TCP",), on_timeout="TCP002", deadline=5)
async def follows(ctx: Context, first: First) -> Second:
    return Second()


@step("tls", gives=Second, codes=("TLS",), on_timeout="TLS012", deadline=5)
async def stands_alone(ctx: Context) -> Second:
    ctx.not_applicable("plain HTTP")
    return Second()


@step("teardown", gives=Last, needs=(First,), codes=("DOWN",), on_timeout="DOWN002", deadline=1, always=True)
async def lets_go(ctx: Context, first: First) -> Last:
    return Last()


def _arguments(code: str) -> dict[str, Any]:
    from diagnose.catalogue import page

    return {name: "x" for name in page(code).arguments() if name not in ("seconds", "progress")}


ANY = _arguments("DNS003")


async def walk(
    *steps: Step, options: Options | None = None, interrupt_at: str | None = None
) -> tuple[list[Event], Report, ExitCode]:
    run = start(CONNECTOR, options=options, environ={}, steps=steps)
    events: list[Event] = []
    async for event in run.events():
        events.append(event)
        if isinstance(event, StepStarted) and event.id == interrupt_at:
            asyncio.get_running_loop().call_soon(run.interrupt)
    last = events[-1]
    assert isinstance(last, RunFinished)
    return events, last.report, run.exit_code


def test_a_report_always_has_the_eleven_steps_in_order() -> None:
    _, report, _ = asyncio.run(walk(finds))
    assert list(TITLES) == [result.id for result in report.steps]
    assert "not part of this run" == report.step("tcp").facts["reason"]


def test_facts_reach_the_report_without_what_is_inside() -> None:
    _, report, _ = asyncio.run(walk(finds))
    assert {"word": "found"} == report.step("dns").facts


def test_a_step_without_its_needs_is_skipped_and_names_the_blocker() -> None:
    _, report, code = asyncio.run(walk(faults, follows, stands_alone, lets_go))
    assert ("failed", None) == (report.step("dns").status, report.step("dns").blocked_by)
    assert ("skipped", "dns") == (report.step("tcp").status, report.step("tcp").blocked_by)
    assert "not_applicable" == report.step("tls").status
    assert ("skipped", "dns") == (report.step("teardown").status, report.step("teardown").blocked_by)
    assert ExitCode.FAILED == code
    assert report.verdict.failed_step is not None
    assert "DNS003" == report.verdict.code


def test_a_failed_step_that_knows_its_facts_lets_later_steps_run() -> None:
    _, report, _ = asyncio.run(walk(faults_with_facts, follows))
    assert ("failed", "passed") == (report.step("dns").status, report.step("tcp").status)


def test_our_own_bug_costs_one_step_and_shows_no_value() -> None:
    _, report, code = asyncio.run(walk(breaks, stands_alone))
    finding = report.step("dns").findings[0]
    assert "BUG001" == finding.code
    assert "canary-in-a-local" not in report.to_json()
    assert "breaks" in str(finding.evidence[0].observed)
    assert "not_applicable" == report.step("tls").status
    assert ("error", ExitCode.INTERNAL) == (report.verdict.status, code)


def test_a_step_deadline_becomes_the_steps_own_code() -> None:
    _, report, code = asyncio.run(walk(hangs, stands_alone))
    finding = report.step("dns").findings[0]
    assert "DNS003" == finding.code
    assert "this step's deadline" in finding.evidence[0].label
    assert ExitCode.FAILED == code


def test_the_runs_deadline_ends_the_run_with_exit_code_4_and_says_that_it_was_ours() -> None:
    _, report, code = asyncio.run(walk(hangs, stands_alone, options=Options(timeout=0.01)))
    finding = report.step("dns").findings[0]
    assert "--timeout" in finding.evidence[0].label
    assert "possible" == finding.confidence
    assert "skipped" == report.step("tls").status
    assert ExitCode.DEADLINE == code


def test_an_interrupt_gives_a_partial_valid_report() -> None:
    _, report, code = asyncio.run(walk(finds, hangs_at_tcp, stands_alone, lets_go, interrupt_at="tcp"))
    assert ["passed", "skipped", "skipped"] == [result.status for result in report.steps[:3]]
    assert "interrupted" == report.step("tcp").facts["reason"]
    assert "passed" == report.step("teardown").status
    assert ("error", ExitCode.INTERRUPTED) == (report.verdict.status, code)


@step("tcp", gives=Second, needs=(First,), codes=("TCP",), on_timeout="TCP002", deadline=60)
async def hangs_at_tcp(ctx: Context, first: First) -> Second:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


@pytest.mark.parametrize(
    ("options", "ran"),
    [
        (Options(until="dns"), {"dns", "teardown"}),
        (Options(only="tcp"), {"dns", "tcp", "teardown"}),
        (Options(only="tls"), {"tls"}),
    ],
)
def test_until_and_only_leave_the_rest_out(options: Options, ran: set[str]) -> None:
    _, report, _ = asyncio.run(walk(finds, follows, stands_alone, lets_go, options=options))
    assert ran == {result.id for result in report.steps if result.status != "skipped"}
    assert all(result.blocked_by is None for result in report.steps)


def test_events_come_in_order_and_end_with_the_report() -> None:
    events, _, _ = asyncio.run(walk(finds, follows))
    started = [event.id for event in events if isinstance(event, StepStarted)]
    finished = [event.result.id for event in events if isinstance(event, StepFinished)]
    assert ["dns", "tcp"] == started
    assert list(TITLES) == finished
    assert isinstance(events[-1], RunFinished)


def test_leaving_the_iteration_early_still_closes_what_was_opened() -> None:
    closed: list[str] = []

    @step("dns", gives=First, codes=("DNS",), on_timeout="DNS003", deadline=5)
    async def opens(ctx: Context) -> First:
        ctx.closing.callback(closed.append, "closed")
        return First(word="open")

    async def leave() -> None:
        events = start(CONNECTOR, environ={}, steps=(opens,)).events()
        async for event in events:
            if isinstance(event, StepFinished):
                break
        await events.aclose()

    asyncio.run(leave())
    assert ["closed"] == closed
