"""Walking again from a step on: what is reused, what is made anew, and what a change makes stale."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

import pytest
from diagnose_checks import STEPS
from diagnose_checks.stdio_steps import STDIO_STEPS
from diagnose_lab import Lab
from lab_connectors import connector_of

from diagnose import BearerCredential, Connector, Options, Secret, UsageError
from diagnose.api import start
from diagnose.connector import HttpTransport, NetworkSettings
from diagnose.context import Context
from diagnose.events import Event, StepFinished, StepStarted
from diagnose.model import Report
from diagnose.pipeline import Run
from diagnose.report import render
from diagnose.resumption import Resume, resumable
from diagnose.step import Facts, Fault, Step, step
from diagnose.wire.http_wire import HttpWire
from diagnose.wire.process import ServerProcess
from diagnose.wire.rpc import RpcReply, StreamableChannel
from diagnose.wire.sockets import WireStream
from diagnose.wire.sse_channel import SseChannel
from diagnose.wire.stdio_channel import StdioChannel

AGAIN_IN_EVERY_RUN = {"tcp", "tls", "http_reachability", "token_validity", "mcp_initialize", "session_open"}


async def walked(run: Run) -> list[Event]:
    events: list[Event] = []
    async with aclosing(run.events()) as told:
        async for event in told:
            events.append(event)
    return events


def report_of(run: Run) -> Report:
    assert run.report is not None
    return run.report


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A run, one that went on from it, and what the server saw of the second."""

    first: Run
    second: Run
    events: list[Event]
    requests: list[Any]

    @property
    def reused(self) -> list[str]:
        return [result.id for result in report_of(self.second).steps if "reused" in result.facts]


def again(lab: Lab, scenario: str, at: str, *, options: Options | None = None, **changed: Any) -> Pair:
    """Diagnose a scenario, and once more from the step ``at`` on, with ``changed`` of its connector."""
    with lab.start(scenario) as running:
        connector = connector_of(running)

        async def both() -> Pair:
            first = start(connector, environ=running.env)
            await walked(first)
            before = len(running.log)
            second = start(
                connector.model_copy(update=changed),
                options=options,
                environ=running.env,
                resume=Resume(run=first, step=at),
            )
            events = await walked(second)
            return Pair(first=first, second=second, events=events, requests=running.log[before:])

        return asyncio.run(both())


def test_knowledge_is_reused_and_what_was_closed_is_opened_again(lab: Lab) -> None:
    pair = again(lab, "healthy-legacy", "sample_call")
    assert ["dns", "auth_discovery", "list_tools"] == pair.reused
    started = {event.id for event in pair.events if isinstance(event, StepStarted)}
    assert AGAIN_IN_EVERY_RUN | {"sample_call", "teardown"} == started
    assert "passed" == report_of(pair.second).verdict.status


def test_a_reused_step_finishes_at_once_and_says_where_it_comes_from(lab: Lab) -> None:
    pair = again(lab, "healthy-modern", "list_tools")
    first = next(event for event in pair.events if isinstance(event, StepFinished))
    before, result = report_of(pair.first).step("dns"), first.result
    assert ("dns", "passed", None, None) == (
        result.id,
        result.status,
        result.started_ms,
        result.duration_ms,
    )
    origin = result.facts["reused"]
    assert (pair.first.id, before.duration_ms) == (origin["run"], origin["duration_ms"])
    assert 0 <= origin["age_s"] < 60
    assert before.facts == {name: value for name, value in result.facts.items() if name != "reused"}


def test_the_verdict_says_that_not_all_of_it_is_of_this_run(lab: Lab) -> None:
    pair = again(lab, "healthy-modern", "sample_call")
    summary = report_of(pair.second).verdict.summary
    assert "All steps passed, 3 of them in an earlier run: the connector works." == summary


def test_no_page_of_the_catalogue_is_read_again_but_the_one_that_opens_the_session(lab: Lab) -> None:
    pair = again(lab, "healthy-modern-pages", "sample_call")
    assert ["server/discover", "tools/list", "tools/call"] == [entry.rpc_method for entry in pair.requests]


def test_documents_of_the_login_are_not_read_again(lab: Lab) -> None:
    pair = again(lab, "healthy-oauth", "token_validity")
    assert "auth_discovery" in pair.reused
    assert {"/mcp"} == {entry.path for entry in pair.requests}


def test_the_first_step_reuses_nothing(lab: Lab) -> None:
    assert [] == again(lab, "healthy-modern", "dns").reused


def test_a_call_that_was_made_is_not_made_again_for_the_teardown(lab: Lab) -> None:
    pair = again(lab, "healthy-legacy", "teardown")
    assert "tools/call" not in [entry.rpc_method for entry in pair.requests]
    assert report_of(pair.first).step("sample_call").facts.items() <= (
        report_of(pair.second).step("sample_call").facts.items()
    )


@pytest.mark.parametrize(
    ("changed", "reused"),
    [
        ({}, ["dns", "auth_discovery", "list_tools"]),
        ({"headers": {"X-Tenant": Secret("acme")}}, ["dns"]),
        ({"credential": BearerCredential(token=Secret("another-token-1"))}, ["dns"]),
        ({"era": "legacy"}, ["dns"]),
        ({"network": NetworkSettings(trust_env=False)}, []),
    ],
    ids=["nothing", "headers", "credential", "era", "network"],
)
def test_what_depends_on_something_that_changed_runs_again(
    lab: Lab, changed: dict[str, Any], reused: list[str]
) -> None:
    assert reused == again(lab, "healthy-legacy", "sample_call", **changed).reused


def test_another_url_reuses_nothing(lab: Lab) -> None:
    with lab.start("healthy-modern") as other:
        transport = HttpTransport(url=other.url)
        assert [] == again(lab, "healthy-modern", "sample_call", transport=transport).reused


def test_other_arguments_make_the_call_run_again_and_nothing_else(lab: Lab) -> None:
    pair = again(lab, "healthy-legacy", "teardown", options=Options(sample="never"))
    assert ["dns", "auth_discovery", "list_tools"] == pair.reused
    assert "not_applicable" == report_of(pair.second).step("sample_call").status


def test_findings_of_a_reused_step_point_at_the_exchange_that_shows_them(lab: Lab) -> None:
    pair = again(lab, "healthy-modern-pages", "sample_call")
    before, after = report_of(pair.first), report_of(pair.second)
    assert before.step("list_tools").findings == after.step("list_tools").findings
    shown = [entry.exchange for entry in after.step("list_tools").findings[0].evidence if entry.exchange]
    assert shown
    (exchange,) = [entry for entry in after.exchanges if entry.id == shown[0]]
    (original,) = [entry for entry in before.exchanges if entry.id == shown[0]]
    assert original.response == exchange.response
    assert exchange.started_ms is not None
    assert exchange.started_ms < 0, "it began before this run did"


def test_numbers_of_exchanges_are_given_once(lab: Lab) -> None:
    pair = again(lab, "healthy-modern-pages", "sample_call")
    numbers = [entry.id for entry in report_of(pair.second).exchanges]
    assert sorted(set(numbers)) == numbers
    of_steps = [number for result in report_of(pair.second).steps for number in result.exchanges]
    assert set(of_steps) <= set(numbers)


def test_a_secret_of_the_earlier_run_stays_unprintable(lab: Lab) -> None:
    canary = "canary-5b1f09-of-the-first-run"
    with lab.start("healthy-modern") as running:

        async def both() -> Run:
            environ = {"LAB_TOKEN": canary}
            first = start(
                Connector(url=running.url, credential=BearerCredential(token=Secret("${env:LAB_TOKEN}"))),
                environ=environ,
            )
            await walked(first)
            return start(Connector(url=running.url), environ={}, resume=Resume(run=first, step="list_tools"))

        second = asyncio.run(both())
    assert canary not in second.ctx.redactor.text(f"it was {canary}")


def test_a_process_is_located_once_and_started_again(lab: Lab) -> None:
    pair = again(lab, "healthy-stdio-legacy", "sample_call")
    assert ["dns", "list_tools"] == pair.reused
    first, second = (report_of(run).step("tcp").facts["pid"] for run in (pair.first, pair.second))
    assert first != second
    assert "passed" == report_of(pair.second).verdict.status


def test_a_run_that_went_on_from_another_can_be_gone_on_from(lab: Lab) -> None:
    with lab.start("healthy-modern") as running:

        async def three() -> tuple[Run, Run]:
            connector = Connector(url=running.url)
            first = start(connector, environ={})
            await walked(first)
            second = start(connector, environ={}, resume=Resume(run=first, step="sample_call"))
            await walked(second)
            third = start(connector, environ={}, resume=Resume(run=second, step="sample_call"))
            await walked(third)
            return first, third

        first, third = asyncio.run(three())
    reused = report_of(third).step("list_tools").facts["reused"]
    assert (first.id, report_of(first).step("list_tools").duration_ms) == (
        reused["run"],
        reused["duration_ms"],
    )
    assert set(report_of(third).step("list_tools").exchanges) <= {e.id for e in report_of(third).exchanges}


@pytest.mark.parametrize(
    ("scenario", "at", "why"),
    [
        ("healthy-modern", "sample_call", None),
        ("http-login-page", "http_reachability", None),
        (
            "http-login-page",
            "list_tools",
            "HTTP reachability failed, and what comes after it is not known: run again from there.",
        ),
        # Its facts are there all the same, so that it runs again and the call after it.
        ("list-icon-without-source", "sample_call", None),
    ],
)
def test_a_run_can_be_gone_on_from_where_what_comes_before_is_known(
    lab: Lab, scenario: str, at: str, why: str | None
) -> None:
    with lab.start(scenario) as running:
        run = start(connector_of(running), environ=running.env)
        asyncio.run(walked(run))
    assert why == resumable(run, at)


def test_a_step_that_was_not_asked_for_leaves_nothing_to_go_on_from(lab: Lab) -> None:
    with lab.start("healthy-modern") as running:
        run = start(Connector(url=running.url), environ={}, options=Options(until="tls"))
        asyncio.run(walked(run))
    why = "HTTP reachability did not run (not asked for), so there is nothing to go on from."
    assert why == resumable(run, "list_tools")


def test_a_step_that_failed_runs_again(lab: Lab) -> None:
    pair = again(lab, "list-icon-without-source", "sample_call")
    assert ["dns", "auth_discovery"] == pair.reused
    assert "TOOL003" == report_of(pair.second).verdict.code


def test_a_run_that_is_not_over_can_not_be_gone_on_from() -> None:
    run = start(Connector(url="http://127.0.0.1:9/mcp"), environ={})
    assert "The earlier run is not over yet." == resumable(run, "tls")
    with pytest.raises(UsageError, match="not over") as refused:
        start(Connector(url="http://127.0.0.1:9/mcp"), environ={}, resume=Resume(run=run, step="tls"))
    assert "CFG006" == refused.value.code


def test_a_step_that_does_not_exist_is_refused_with_those_that_do() -> None:
    run = start(Connector(url="http://127.0.0.1:9/mcp"), environ={})
    with pytest.raises(UsageError, match="no step 'list'") as refused:
        resumable(run, "list")
    assert "list_tools" in refused.value.hint


@dataclass(frozen=True, kw_only=True)
class Seen(Facts):
    version: str


@dataclass(frozen=True, kw_only=True)
class Read(Facts):
    pass


def steps_over(versions: list[str]) -> tuple[Step, ...]:
    """A step that sees the next of ``versions`` in each run, and one whose facts follow from it."""
    left = iter(versions)

    @step("tcp", gives=Seen, codes=("TCP",), on_timeout="TCP002", deadline=5)
    async def sees(ctx: Context) -> Seen:
        return Seen(version=next(left))

    @step(
        "auth_discovery",
        gives=Read,
        needs=(Seen,),
        codes=("AUTH",),
        on_timeout="AUTH022",
        deadline=5,
        about=frozenset({"endpoint"}),
    )
    async def reads(ctx: Context, seen: Seen) -> Read:
        return Read()

    return sees, reads


@pytest.mark.parametrize(("versions", "reused"), [(["1", "1"], True), (["1", "2"], False)])
def test_what_follows_from_something_that_looks_different_now_runs_again(
    versions: list[str], reused: bool
) -> None:
    connector, steps = Connector(url="http://127.0.0.1:9/mcp"), steps_over(versions)

    async def both() -> Run:
        first = start(connector, environ={}, steps=steps)
        await walked(first)
        second = start(connector, environ={}, steps=steps, resume=Resume(run=first, step="token_validity"))
        await walked(second)
        return second

    second = asyncio.run(both())
    assert reused is ("reused" in report_of(second).step("auth_discovery").facts)


def test_a_reused_step_still_waits_for_what_it_needs() -> None:
    connector = Connector(url="http://127.0.0.1:9/mcp")
    failing: list[bool] = [False, True]

    @step("tcp", gives=Seen, codes=("TCP",), on_timeout="TCP002", deadline=5)
    async def sees(ctx: Context) -> Seen:
        if failing.pop(0):
            raise Fault("TCP002", name="x", addresses="x", reason="x", waited="1")
        return Seen(version="1")

    _, reads = steps_over(["1"])

    async def both() -> Run:
        first = start(connector, environ={}, steps=(sees, reads))
        await walked(first)
        second = start(
            connector, environ={}, steps=(sees, reads), resume=Resume(run=first, step="token_validity")
        )
        await walked(second)
        return second

    result = report_of(asyncio.run(both())).step("auth_discovery")
    assert ("skipped", "tcp") == (result.status, result.blocked_by)


_LIVE = (
    AsyncExitStack,
    HttpWire,
    RpcReply,
    ServerProcess,
    SseChannel,
    StdioChannel,
    StreamableChannel,
    WireStream,
)
_REUSABLE = [checked for checked in dict.fromkeys((*STEPS, *STDIO_STEPS)) if checked.about is not None]


def _types(hint: Any) -> list[Any]:
    return [hint, *(found for inner in get_args(hint) for found in _types(inner))]


@pytest.mark.parametrize("checked", _REUSABLE, ids=lambda checked: f"{checked.id}-{checked.gives.__name__}")
def test_facts_that_are_reused_hold_nothing_live(checked: Step) -> None:
    hints = get_type_hints(checked.gives)
    assert [] == [name for name, hint in hints.items() if any(found in _LIVE for found in _types(hint))]


def test_the_text_report_says_that_a_step_is_from_an_earlier_run(lab: Lab) -> None:
    report = report_of(again(lab, "healthy-modern", "list_tools").second)
    (line,) = [line for line in render(report, "text").splitlines() if " 1 DNS" in line]
    assert "from an earlier run" in line
