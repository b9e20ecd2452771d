"""The first message with a token that step 6 got: what is behind the door is told as if it had been open."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from diagnose_lab import Lab, Running
from diagnose_lab.browser import UserAgent
from diagnose_lab.scenario import parse

from diagnose import BearerCredential, Connector, OAuth2Credential, Options, Secret, diagnose_sync
from diagnose.api import start
from diagnose.connector import HttpTransport, NetworkSettings
from diagnose.model import Report

SECRET = "{client_secret}"
PROTECTED = f"""
title = "a server that wants a token"
era = "legacy"
[server.auth]
token = "login"
[authorization_server]
clients = [{{id = "lab-machine", secret = "{SECRET}"}}]
"""
SSE = f'transport = "sse"{PROTECTED}'
STREAMABLE = f'transport = "streamable-http"{PROTECTED}'
NO_ENDPOINT_EVENT = """
[[rule]]
when = {http = "GET", path = "/sse", authorized = true}
sse = {endpoint = false, end = true}
"""
LOCKED_STREAM = """
[[rule]]
when = {http = "GET", path = "/sse", authorized = true}
status = 401
"""
JSON_RPC_REFUSAL = """
[[rule]]
when = {method = "server/discover", authorized = true}
status = 404
error = {code = -32601, message = "Method not found"}
"""


def served(lab: Lab, text: str) -> Running:
    return lab.start(parse(text, name="second-opening"))


def connector(running: Running, credential: Any, declared: Any) -> Connector:
    return Connector(
        name="under-test",
        transport=HttpTransport(type=declared, url=running.url),
        network=NetworkSettings(trust_env=False),
        credential=credential,
    )


def got_by_the_run(running: Running, declared: str = "auto", **options: Any) -> Report:
    credential = OAuth2Credential(
        grant_type="client_credentials",
        client_id="lab-machine",
        client_secret=Secret("${env:LAB_SECRET}"),
        issuer=running.places["as"],
    )
    environ = {"LAB_SECRET": running.places["client_secret"]}
    return diagnose_sync(
        connector(running, credential, declared), environ=environ, options=Options(**options)
    )


def known_from_the_start(running: Running, declared: str = "auto") -> Report:
    credential = BearerCredential(token=Secret("${env:LAB_TOKEN}"))
    return diagnose_sync(
        connector(running, credential, declared), environ={"LAB_TOKEN": running.places["fresh"]}
    )


def told(report: Report) -> tuple[Any, ...]:
    failed = report.verdict.failed_step
    codes = [finding.code for step in report.steps for finding in step.findings if finding.severity != "info"]
    where = report.step("http_reachability").facts.get("transport") if report.ok else None
    return report.verdict.status, failed and failed.id, codes, report.connector.transport, where


def at_the_door(running: Running) -> list[tuple[str, str | None]]:
    return [
        (seen.method, seen.rpc_method)
        for seen in running.log
        if seen.server == "server" and seen.path == running.places["path"]
    ]


@pytest.mark.parametrize(
    ("text", "declared", "expected"),
    [
        (SSE, "auto", ("warned", None, ["HTTP034"], "sse", "sse")),
        (SSE, "sse", ("warned", None, ["HTTP034"], "sse", "sse")),
        (STREAMABLE, "auto", ("passed", None, [], "streamable-http", "streamable-http")),
        (STREAMABLE, "streamable-http", ("passed", None, [], "streamable-http", "streamable-http")),
        (SSE, "streamable-http", ("failed", "http_reachability", ["HTTP002"], "streamable-http", None)),
        (
            SSE + NO_ENDPOINT_EVENT,
            "auto",
            ("failed", "http_reachability", ["HTTP040"], "streamable-http", None),
        ),
    ],
    ids=["found", "declared", "streamable", "streamable declared", "wrongly declared", "no endpoint event"],
)
def test_a_run_that_gets_the_token_says_what_a_run_that_has_it_says(
    lab: Lab, text: str, declared: str, expected: tuple[Any, ...]
) -> None:
    with served(lab, text) as running:
        assert expected == told(got_by_the_run(running, declared))
        has_it = told(known_from_the_start(running, declared))
        # Where a failed run never learned the transport, it is named as it was declared.
        assert expected[:3] == has_it[:3]
        assert expected[3:] == has_it[3:] or expected[0] == "failed"


def test_a_login_that_goes_on_finds_http_sse_behind_the_door(lab: Lab, tmp_path: Path) -> None:
    class Reader:
        def registering(self, endpoint: str) -> None:
            pass

        async def visit(self, url: str) -> None:
            self.visited = asyncio.create_task(asyncio.to_thread(self._log_in, url))

        def over(self) -> None:
            pass

        def _log_in(self, url: str) -> None:
            callback = UserAgent().answer_to(url)
            assert callback is not None
            UserAgent().open(callback)

    async def walked(running: Running) -> Report:
        run = start(
            connector(running, OAuth2Credential(), "auto"),
            options=Options(login=True),
            environ={"DIAGNOSE_KEYRING": "off", "DIAGNOSE_STATE_DIR": str(tmp_path)},
        )
        run.ctx.person = person = Reader()
        async for _ in run.events():
            pass
        await person.visited
        assert run.report is not None
        return run.report

    with served(lab, SSE.replace(f'clients = [{{id = "lab-machine", secret = "{SECRET}"}}]', "")) as running:
        report = asyncio.run(walked(running))
        assert ("warned", None, ["HTTP034"], "sse", "sse") == told(report)
        assert "passed" == report.step("sample_call").status


def test_no_more_is_sent_than_the_rule_of_step_4_asks_for(lab: Lab) -> None:
    with served(lab, SSE) as running:
        got_by_the_run(running)
        assert [
            ("POST", "server/discover"),
            ("POST", "server/discover"),
            ("POST", "initialize"),
            ("GET", None),
        ] == at_the_door(running)
        assert 2 == running.connections  # the stream holds one of them


def test_a_server_that_takes_the_post_is_never_asked_for_an_event_stream(lab: Lab) -> None:
    with served(lab, STREAMABLE + JSON_RPC_REFUSAL) as running:
        got_by_the_run(running)
        methods = at_the_door(running)
        assert ("GET", None) not in methods
        assert 1 == methods.count(("POST", "initialize"))
        assert 1 == running.connections


def test_a_token_that_the_event_stream_refuses_is_judged_by_that_refusal(lab: Lab) -> None:
    with served(lab, SSE + LOCKED_STREAM) as running:
        report = got_by_the_run(running)
        decisive = report.step("token_validity").findings[0]
        refused = next(made for made in report.exchanges if made.id == decisive.evidence[0].exchange)
        assert ("failed", "token_validity") == told(report)[:2]
        assert ("GET", 401) == (refused.request["method"], (refused.response or {})["status"])
