"""Cookies: kept as production's HTTP client keeps them, for the origin that set them and for no other."""

from __future__ import annotations

import asyncio

from diagnose_lab import Lab
from diagnose_lab.scenario import parse

from diagnose import Connector, NetworkSettings, Report, diagnose_sync
from diagnose.connector.credential import Applied
from diagnose.wire.http_wire import HttpWire
from diagnose.wire.recorder import Recorder
from diagnose.wire.resolver import Address
from diagnose.wire.sockets import WireStream, connect
from diagnose.wire.transport import StagedTransport
from diagnose.wire.trust import unverified

CANARY = "canary-4c11b7f2"
HEAD = f"""
title = "t"
transport = "streamable-http"
era = "legacy"

[[rule]]
when = {{method = "initialize"}}
headers = {{set-cookie = "replica={CANARY}; Path=/"}}
"""
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",'
    b'"capabilities":{},"clientInfo":{"name":"t","version":"0"}}}'
)


def diagnosed(url: str) -> Report:
    return diagnose_sync(
        Connector(url=url, era="legacy", network=NetworkSettings(trust_env=False)), environ={}
    )


def test_a_cookie_comes_back_on_every_later_request(lab: Lab) -> None:
    with lab.start(parse(HEAD, name="cookies")) as running:
        report = diagnosed(running.url)
        sent = [record.header("cookie") for record in running.log]
    assert [None, *[f"replica={CANARY}"] * (len(sent) - 1)] == sent
    assert "passed" == report.verdict.status


def test_a_cookie_that_no_header_may_carry_is_not_sent_back(lab: Lab) -> None:
    with lab.start(parse(HEAD.replace(CANARY, "gr\u00fcn"), name="cookies")) as running:
        report = diagnosed(running.url)
        sent = [record.header("cookie") for record in running.log]
    assert {None} == set(sent)
    assert "passed" == report.verdict.status


def test_a_cookie_is_not_in_the_report(lab: Lab) -> None:
    with lab.start(parse(HEAD, name="cookies")) as running:
        assert CANARY not in diagnosed(running.url).to_json()


async def post_to(urls: list[str], *, credentials: tuple[bool, ...] = (True, True, True)) -> None:
    """Say initialize to each URL over one wire, with or without the credential."""

    async def dial(host: str, port: int) -> WireStream:
        return await connect(Address(ip="127.0.0.1", port=port))

    wire = HttpWire(
        StagedTransport(dial, unverified()),
        Recorder(),
        authorize=lambda url: Applied(),
        user_agent="test",
        body_limit=1024 * 1024,
    )
    try:
        for url, credential in zip(urls, credentials, strict=False):
            await wire.fetch("POST", url, step="s", headers=HEADERS, body=INITIALIZE, credential=credential)
    finally:
        await wire.aclose()


def test_another_port_of_the_same_host_does_not_get_the_cookie(lab: Lab) -> None:
    with lab.start(parse(HEAD, name="cookies")) as one, lab.start(parse(HEAD, name="cookies")) as other:
        asyncio.run(post_to([one.url, other.url, one.url]))
        cookies = [[record.header("cookie") for record in running.log] for running in (one, other)]
    assert [[None, f"replica={CANARY}"], [None]] == cookies


def test_a_cookie_that_answers_a_request_without_the_credential_is_not_kept(lab: Lab) -> None:
    with lab.start(parse(HEAD, name="cookies")) as running:
        asyncio.run(post_to([running.url] * 2, credentials=(False, True)))
        assert [None, None] == [record.header("cookie") for record in running.log]
