"""What is seen of a run while it goes on, and the tools out of a run and out of a report."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from diagnose_lab import Lab
from lab_connectors import connector_of

from diagnose import BearerCredential, Connector, Report, Secret
from diagnose.api import start
from diagnose.events import RunFinished, StepFinished
from diagnose.model import Exchange
from diagnose.observed import LiveExchanges, offered_tools
from diagnose.pipeline import Run
from diagnose.redact import Redactor
from diagnose.wire.recorder import Recorder


async def followed(run: Run) -> tuple[dict[str, list[Exchange]], Report]:
    """The exchanges as they are when each step has finished, and the report."""
    seen: dict[str, list[Exchange]] = {}
    async with aclosing(run.events()) as events:
        async for event in events:
            if isinstance(event, StepFinished):
                seen[event.result.id] = run.exchanges()
            if isinstance(event, RunFinished):
                return seen, event.report
    raise AssertionError("a run ends with RunFinished")


def walked(lab: Lab, scenario: str) -> tuple[Run, Report, dict[str, list[Exchange]]]:
    with lab.start(scenario) as running:
        run = start(connector_of(running), environ=running.env)
        seen, report = asyncio.run(followed(run))
    return run, report, seen


def test_exchanges_are_there_while_the_run_goes_on_and_are_those_of_the_report(lab: Lab) -> None:
    _, report, seen = walked(lab, "healthy-modern")
    assert (0, 1, 3) == tuple(len(seen[step]) for step in ("tls", "mcp_initialize", "sample_call"))
    assert report.exchanges == seen["teardown"]


def test_exchanges_of_a_step_are_those_that_its_result_names(lab: Lab) -> None:
    run, report, _ = walked(lab, "healthy-modern-pages")
    for result in report.steps:
        assert result.exchanges == [exchange.id for exchange in run.exchanges_of(result.id)]
    assert report.step("list_tools").exchanges


def test_an_exchange_says_when_it_began_within_its_step(lab: Lab) -> None:
    _, report, _ = walked(lab, "healthy-modern-pages")
    for exchange in report.exchanges:
        step = report.step(exchange.step)
        assert step.started_ms is not None
        assert step.duration_ms is not None
        assert exchange.started_ms is not None
        # The step's own times are rounded to a tenth of a millisecond.
        assert step.started_ms - 0.1 <= exchange.started_ms <= step.started_ms + step.duration_ms + 0.1


def test_looking_at_exchanges_masks_nothing_twice_in_the_count(lab: Lab) -> None:
    def redactions(*, look: bool) -> int:
        with lab.start("healthy-modern") as running:
            connector = Connector(
                url=running.url, credential=BearerCredential(token=Secret("${env:LAB_TOKEN}"))
            )
            run = start(connector, environ={"LAB_TOKEN": "canary-of-the-test"})

            async def walk() -> int:
                async with aclosing(run.events()) as events:
                    async for event in events:
                        if look:
                            run.exchanges()
                        if isinstance(event, RunFinished):
                            return event.report.redactions
                raise AssertionError("a run ends with RunFinished")

            return asyncio.run(walk())

    assert redactions(look=False) == redactions(look=True) > 0


def test_what_has_not_changed_is_not_read_anew() -> None:
    recorder, redactor = Recorder(), Redactor()
    live = LiveExchanges(recorder, redactor.twin())
    exchange = recorder.begin("list_tools", "GET", "http://h/", {})
    (first,) = live.read(0.0)
    assert first is live.read(0.0)[0]
    exchange.status = 200
    exchange.keep(b"{}")
    (second,) = live.read(0.0)
    assert second.response is not None
    assert "{}" == second.response["body"]


def test_a_secret_that_becomes_known_later_disappears_from_what_was_read_before() -> None:
    recorder, redactor = Recorder(), Redactor()
    live = LiveExchanges(recorder, redactor.twin())
    exchange = recorder.begin("list_tools", "GET", "http://h/", {})
    exchange.status = 200
    exchange.keep(b"minted-canary-77")
    assert "minted-canary-77" in live.read(0.0)[0].model_dump_json()
    redactor.register("minted-canary-77")
    assert "minted-canary-77" not in live.read(0.0)[0].model_dump_json()


@pytest.mark.parametrize("name", ["Mcp-Session-Id", "mcp-session-id"])
def test_a_session_id_is_masked_before_anybody_has_read_it(name: str) -> None:
    recorder, redactor = Recorder(), Redactor()
    exchange = recorder.begin("http_reachability", "POST", "http://h/", {})
    exchange.status = 200
    exchange.response_headers = ((name, "canary-session-1"),)
    assert "canary-session-1" not in LiveExchanges(recorder, redactor).read(0.0)[0].model_dump_json()


@pytest.mark.parametrize(
    "scenario",
    [
        "healthy-modern",
        "healthy-modern-sse",
        "healthy-modern-pages",
        "healthy-legacy-pages",
        "healthy-stdio-legacy",
        "healthy-http-sse",
        "list-hidden-description",
    ],
)
def test_tools_out_of_the_run_and_out_of_its_report_are_the_same(lab: Lab, scenario: str) -> None:
    run, report, _ = walked(lab, scenario)
    assert report.step("list_tools").facts["tools"] == len(run.tools()) > 0
    assert list(run.tools()) == list(offered_tools(report))


def test_there_are_no_tools_before_they_are_listed() -> None:
    assert [] == list(start(Connector(url="http://127.0.0.1:9/mcp"), environ={}).tools())


@pytest.mark.parametrize("whence", ["run", "report"])
def test_no_character_of_a_tool_acts(lab: Lab, whence: str) -> None:
    run, report, _ = walked(lab, "list-escape-in-name")
    tools: Any = run.tools() if whence == "run" else offered_tools(report)
    assert [] == [text for tool in tools for text in _texts(tool) if not text.isprintable()]
    assert [] != [text for tool in tools for text in _texts(tool) if "^[" in text]


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def test_of_a_list_that_the_report_cut_off_the_names_are_left(lab: Lab) -> None:
    _, report, _ = walked(lab, "healthy-modern")
    page = next(exchange for exchange in report.exchanges if "tools/list" in exchange.request["body"])
    page.truncated = True
    names = report.step("list_tools").facts["names"]
    assert [{"name": name} for name in names] == list(offered_tools(report))


def test_tools_of_a_slice_are_clean_as_well(lab: Lab) -> None:
    run, _, _ = walked(lab, "list-escape-in-name")
    assert list(run.tools())[:2] == list(run.tools()[:2])
