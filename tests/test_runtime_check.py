"""``--runtime``: the SDK repeats the run within the run's own bounds, and says where it differs."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import time
from typing import Any

import pytest
from diagnose_lab import Lab, Running
from diagnose_lab.scenario import parse

from diagnose import BearerCredential, Connector, NetworkSettings, Options, Report, Secret
from diagnose.api import start
from diagnose.events import RunFinished, StepFinished

CANARY = "canary-e81d04b7"
HEAD = 'title = "t"\ntransport = "streamable-http"\nera = "{era}"\n'
ONLY_THE_SDK = 'header = {user-agent = "python-httpx2/*"}'


def playing(lab: Lab, rule: str = "", *, era: str = "modern") -> Running:
    return lab.start(parse(HEAD.replace("{era}", era) + rule, name="runtime"))


async def walked(url: str, **settings: Any) -> tuple[Report, list[str]]:
    """The report, and the ids of the steps in the order in which they finished."""
    options = Options(runtime=True, **settings.pop("options", {}))
    connector = Connector(url=url, network=NetworkSettings(trust_env=False), **settings)
    finished: list[str] = []
    async for event in start(connector, options=options, environ={}).events():
        if isinstance(event, StepFinished):
            finished.append(event.result.id)
        elif isinstance(event, RunFinished):
            return event.report, finished
    raise AssertionError("a run ends with RunFinished")


def report_of(running: Running, **settings: Any) -> Report:
    return asyncio.run(walked(running.url, **settings))[0]


def errors(report: Report) -> list[tuple[str, str]]:
    return [
        (step.id, finding.code)
        for step in report.steps
        for finding in step.findings
        if finding.severity == "error"
    ]


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_where_wire_and_sdk_agree_the_facts_say_so(lab: Lab, era: str) -> None:
    with playing(lab, era=era) as running:
        report = report_of(running)
    said = {step.id: step.facts.get("runtime") for step in report.steps if "runtime" in step.facts}
    version = {"modern": "2026-07-28", "legacy": "2025-11-25"}[era]
    assert said == {
        "mcp_initialize": f"connected with protocol version {version}",
        "list_tools": "listed 4 tools",
        "sample_call": "the call answered",
        "teardown": "ended the session",
    }
    assert report.verdict.status == "passed"


def test_the_sdk_makes_the_same_call_as_the_wire_and_no_other(lab: Lab) -> None:
    with playing(lab) as running:
        report_of(running)
        calls = [record for record in running.log if record.rpc_method == "tools/call"]
    assert 2 == len(calls)
    assert calls[0].tool == calls[1].tool


def test_where_the_wire_called_no_tool_the_sdk_calls_none(lab: Lab) -> None:
    with playing(lab) as running:
        report_of(running, options={"sample": "never"})
        assert [] == [record.tool for record in running.log if record.rpc_method == "tools/call"]


def test_an_amended_step_finishes_a_second_time(lab: Lab) -> None:
    with playing(lab) as running:
        finished = asyncio.run(walked(running.url))[1]
    assert ["mcp_initialize", "list_tools", "sample_call", "teardown"] == finished[11:]


def test_a_run_until_an_early_step_leaves_the_sdk_out(lab: Lab) -> None:
    with playing(lab) as running:
        report = report_of(running, options={"until": "http_reachability"})
        agents = {record.header("user-agent") for record in running.log}
    assert [] == [step.id for step in report.steps if "runtime" in step.facts]
    assert [] == [agent for agent in agents if (agent or "").startswith("python-httpx2")]


def test_an_answer_without_end_ends_the_sdk_at_the_read_limit(lab: Lab) -> None:
    with playing(
        lab, f'[[rule]]\nwhen = {{method = "tools/list", {ONLY_THE_SDK}}}\nendless = true\n'
    ) as running:
        report = report_of(running)
    assert [("list_tools", "ENV010")] == errors(report)
    assert "8388608 bytes" in (report.step("list_tools").findings[0].evidence[1].observed or "")


def test_a_bomb_behind_gzip_ends_the_sdk_at_the_read_limit(lab: Lab) -> None:
    with playing(
        lab, f'[[rule]]\nwhen = {{method = "tools/list", {ONLY_THE_SDK}}}\ngzip_bomb = 64\n'
    ) as running:
        assert [("list_tools", "ENV010")] == errors(report_of(running))


def test_an_sdk_that_hangs_ends_with_the_deadline_of_the_run(lab: Lab) -> None:
    rule = f'[[rule]]\nwhen = {{method = "tools/list", {ONLY_THE_SDK}}}\ndelay = "forever"\n'
    __import__("mcp")  # what is measured is the wait, not the import
    began = time.monotonic()
    with playing(lab, rule) as running:
        report = report_of(running, options={"timeout": 3.0})
    assert time.monotonic() - began < 8
    assert [("list_tools", "ENV010")] == errors(report)
    assert "no end within" in report.step("list_tools").findings[0].summary


def test_a_server_that_does_not_listen_is_a_failure_on_which_both_agree(lab: Lab) -> None:
    with playing(lab, '[tcp]\nbehaviour = "closed-port"\n') as running:
        report = report_of(running)
    assert [] == [code for _, code in errors(report) if code.startswith("ENV")]
    assert str(report.step("mcp_initialize").facts["runtime"]).startswith("failed to connect: ")


def test_the_sdk_prints_nothing_and_its_logger_is_as_before(
    lab: Lab, capfd: pytest.CaptureFixture[str]
) -> None:
    handlers = list(logging.getLogger("mcp").handlers)
    rule = f'[[rule]]\nwhen = {{method = "tools/list", {ONLY_THE_SDK}}}\nbody = "no JSON"\n'
    with playing(lab, rule, era="legacy") as running:
        report = report_of(running)
    assert [("list_tools", "ENV010")] == errors(report)
    assert ("", "") == tuple(capfd.readouterr())
    assert handlers == logging.getLogger("mcp").handlers


def test_the_sdks_requests_are_in_the_report_without_the_credential(lab: Lab) -> None:
    with playing(lab) as running:
        report = report_of(running, credential=BearerCredential(token=Secret(CANARY)))
        posts = [record for record in running.log if record.method == "POST"]
        assert len(report.exchanges) == len(running.log)
    assert 6 == sum(CANARY in str(record.headers) for record in posts)
    assert CANARY not in report.to_json()


def test_without_the_option_the_sdk_is_not_even_imported() -> None:
    code = (
        "import sys; from diagnose import Connector; from diagnose.api import start;"
        "start(Connector(url='http://127.0.0.1/mcp'), environ={});"
        "print('mcp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "False" == done.stdout.strip()
