"""What a login may reach, and what it costs the other deadlines: the parts around the SDK's providers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from diagnose_lab import Lab, Running
from diagnose_lab.scenario import parse

from diagnose import Connector, Options
from diagnose.api import start
from diagnose.connector import NetworkSettings
from diagnose.connector.address import Origin
from diagnose.context import Context
from diagnose.events import RunFinished
from diagnose.oauth.client_key import KeyUnusable, client_key
from diagnose.oauth.flow_transport import FlowTransport, Judged, Role
from diagnose.oauth.vetted import Unreached, VettedTransport
from diagnose.records import record
from diagnose.redact import Redactor
from diagnose.step import Facts, Step, step
from diagnose.wire.reach import Reach
from diagnose.wire.recorder import Recorder
from diagnose.wire.recording import RecordingTransport
from diagnose.wire.resolver import PinnedResolver, SystemResolver

SERVER: Mapping[str, Any] = {
    "issuer": "https://auth.example.com",
    "authorization_endpoint": "https://auth.example.com/authorize",
    "token_endpoint": "https://auth.example.com/token",
}


def flow_transport(roles: Mapping[str, Role], answer: httpx2.Response | None = None) -> FlowTransport:
    class Answering(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            assert answer is not None, "nothing may be sent"
            return answer

    redactor = Redactor()
    wire = RecordingTransport(Answering(), Recorder(), redactor, step="token_validity", body_limit=64 * 1024)
    judged = Judged(
        endpoint="https://mcp.example.com/mcp", resource_url=None, resource=None, server=SERVER, scope=None
    )
    return FlowTransport(judged, roles, wire, redactor, seconds=5)


@pytest.mark.parametrize(
    "guess",
    [
        "https://mcp.example.com/register",
        "https://mcp.example.com/token",
        "https://auth.example.com/register",
    ],
)
def test_an_endpoint_that_the_metadata_does_not_name_is_never_asked(guess: str) -> None:
    transport = flow_transport({"https://auth.example.com/token": "token"})

    with pytest.raises(Unreached, match="not sent"):
        asyncio.run(transport.handle_async_request(httpx2.Request("POST", guess, data={"code": "x"})))


@pytest.mark.parametrize(
    ("location", "allowed"),
    [("/v2/token", True), ("https://evil.example/token", False), ("//evil.example", False)],
)
def test_a_redirect_of_the_token_endpoint_stays_within_its_origin(location: str, allowed: bool) -> None:
    moved = httpx2.Response(307, headers={"location": location})
    transport = flow_transport({"https://auth.example.com/token": "token"}, moved)
    target = str(httpx2.URL("https://auth.example.com/token").join(location))

    async def both() -> None:
        await transport.handle_async_request(
            httpx2.Request("POST", "https://auth.example.com/token", data={"code": "x"})
        )
        await transport.handle_async_request(httpx2.Request("POST", target, data={"code": "x"}))

    if allowed:
        asyncio.run(both())
    else:
        with pytest.raises(Unreached, match="not sent"):
            asyncio.run(both())


def vetted(own: Any, pins: Mapping[str, str] | None = None) -> VettedTransport:
    return VettedTransport(
        reach=Reach(origin=Origin(scheme="https", host="mcp.example.com", port=443), own=own),
        resolver=PinnedResolver(pins or {}, SystemResolver()),
        network=NetworkSettings(trust_env=False),
        environ={},
    )


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://auth.example.com/token", "plain http"),
        ("https://127.0.0.1/token", "loopback"),
        ("https://169.254.169.254/token", "metadata service"),
        ("https://user@auth.example.com/token", "user name"),
        ("https://inner.example.com/token", "private"),
    ],
)
def test_a_public_connector_leads_to_no_inner_address(url: str, why: str) -> None:
    transport = vetted("public", {"inner.example.com:443": "10.0.0.7"})

    with pytest.raises(Unreached, match=why) as refused:
        asyncio.run(transport.handle_async_request(httpx2.Request("POST", url)))
    assert refused.value.refused


def pem(key: Any, encryption: KeySerializationEncryption | None = None) -> bytes:
    made = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    assert isinstance(made, bytes)
    return made


def test_a_key_that_can_sign_is_given_as_text(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))

    assert client_key(tmp_path / "key.pem", "ES256").startswith("-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize(
    ("content", "algorithm", "why"),
    [
        (None, "RS256", "cannot be read"),
        (b"", "RS256", "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "RS256", "no private key"),
        ("rsa", "ES256", "of another kind"),
        ("rsa", "none", "of another kind"),
        ("rsa", "HS256", "of another kind"),
        ("locked", "RS256", "encrypted"),
    ],
)
def test_a_key_that_cannot_sign_is_named_without_a_word_of_it(
    tmp_path: Path, content: Any, algorithm: str, why: str
) -> None:
    file = tmp_path / "key.pem"
    key = rsa.generate_private_key(65537, 2048)
    locked = BestAvailableEncryption(b"lab-pass")
    if content is not None:
        file.write_bytes({"rsa": pem(key), "locked": pem(key, locked)}.get(content, content))

    with pytest.raises(KeyUnusable, match=why):
        client_key(file, algorithm)


@record
class Waited(Facts):
    """Nothing was learned."""


def waiting_step(acts_after: float, patience: float) -> Step:
    @step("token_validity", gives=Waited, codes=("TOK",), on_timeout="TOK002", deadline=15)
    async def token_validity(ctx: Context) -> Facts:
        acted = asyncio.Event()
        asyncio.get_running_loop().call_later(acts_after, acted.set)
        try:
            async with ctx.waiting_for_person(patience):
                await acted.wait()
        except TimeoutError:
            ctx.not_applicable("nobody came")
            return Waited()
        ctx.not_applicable(f"{ctx.time_left():.1f} s are left")
        return Waited()

    return token_validity


def walked(made: Step, options: Options) -> Any:
    async def walk() -> Any:
        run = start(Connector(url="http://127.0.0.1:1/mcp"), options=options, steps=(made,))
        async for event in run.events():
            if isinstance(event, RunFinished):
                return event.report
        return None

    return asyncio.run(walk())


def test_while_a_person_acts_no_other_deadline_runs() -> None:
    report = walked(waiting_step(0.6, patience=20), Options(step_timeout=0.3, timeout=0.4))
    result = report.steps[5]

    assert "not_applicable" == result.status, result.findings
    assert "0.3 s are left" == result.facts["reason"]


def test_a_person_who_does_not_come_is_waited_for_only_so_long() -> None:
    report = walked(waiting_step(60, patience=0.2), Options())

    assert "nobody came" == report.steps[5].facts["reason"]


QUIET = """
title = "The answer of the token endpoint holds a token of another type"
transport = "streamable-http"
era = "modern"
[server.auth]
token = "login"
[authorization_server]
token_patch = {token_type = "mac"}
[run.connector.credential]
type = "oauth2"
grant_type = "client_credentials"
client_id = "lab-machine"
client_secret = "lab-secret-77aa10"
issuer = "{as}"
"""


def test_the_sdk_logs_no_word_of_a_failed_flow(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    from diagnose.connector.file import load_file

    caplog.set_level(logging.DEBUG)
    running: Running
    with lab.start(parse(QUIET, name="quiet", folder=Path())) as running:
        (connector,) = load_file(running.places["config"])
        report = walked_connector(connector)

    assert "TOK041" == report.verdict.code
    assert [] == [record for record in caplog.records if record.name.startswith("mcp")]
    assert "lab-secret-77aa10" not in report.model_dump_json()


def walked_connector(connector: Connector) -> Any:
    from diagnose.api import diagnose

    return asyncio.run(diagnose(connector))
