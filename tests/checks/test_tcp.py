"""Step 2: which of several errors decides, the runtime's order of addresses, and proxies."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from diagnose_checks.proxy_contrasts import refusal_code
from diagnose_checks.tcp_connect import decisive
from diagnose_lab import Lab
from diagnose_lab.certificates import authorities

from diagnose import Connector
from diagnose.api import diagnose
from diagnose.connector import NetworkSettings
from diagnose.connector.address import Origin
from diagnose.model import Report
from diagnose.wire.proxies import unused_proxy
from diagnose.wire.resolver import Address
from diagnose.wire.sockets import NO_ANSWER, Attempt, ConnectFailed, WireStream, connect_first


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ({"ECONNREFUSED"}, "TCP001"),
        ({"ECONNREFUSED", NO_ANSWER}, "TCP001"),
        ({"ECONNREFUSED", "ENETUNREACH"}, "TCP001"),
        ({NO_ANSWER, "ENETUNREACH"}, "TCP002"),
        ({"ETIMEDOUT"}, "TCP002"),
        ({"EHOSTUNREACH"}, "TCP003"),
        ({"ENETUNREACH", "EADDRNOTAVAIL"}, "TCP003"),
        ({"EPERM"}, "TCP003"),
        (set(), "TCP003"),
    ],
)
def test_an_answer_weighs_more_than_silence_and_silence_more_than_a_missing_route(
    errors: set[str], code: str
) -> None:
    assert code == decisive(frozenset(errors))


@pytest.mark.parametrize(
    ("status", "code"),
    [(407, "TCP011"), (403, "TCP012"), (405, "TCP012"), (501, "TCP012"), (502, "TCP013"), (504, "TCP013")],
)
def test_a_proxys_status_has_one_code(status: int, code: str) -> None:
    assert code == refusal_code(status)


def test_the_first_address_of_each_family_leads_as_under_httpx2() -> None:
    """Port 1 of loopback refuses at once, so that the log shows the order of the attempts."""
    addresses = [Address(ip=ip, port=1) for ip in ("127.0.0.1", "127.0.0.2", "::1")]
    log: list[Attempt] = []
    with pytest.raises(ConnectFailed):
        asyncio.run(_closed(addresses, log))
    assert ["[::1]:1", "127.0.0.1:1", "127.0.0.2:1"] == [attempt.address for attempt in log]


async def _closed(addresses: list[Address], log: list[Attempt]) -> WireStream:
    return await connect_first(addresses, log=log)


@pytest.mark.parametrize(
    ("environ", "network", "because"),
    [
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.com"}, NetworkSettings(), "NO_PROXY=example.com"),
        ({"HTTPS_PROXY": "http://p:1"}, NetworkSettings(trust_env=False), "trust_env"),
        ({"ALL_PROXY": "p:1"}, NetworkSettings(proxy=""), "direct connection"),
        ({"HTTP_PROXY": "http://p:1"}, NetworkSettings(), "is not read for https URLs"),
    ],
)
def test_an_unused_proxy_says_what_keeps_it_from_use(
    environ: dict[str, str], network: NetworkSettings, because: str
) -> None:
    found = unused_proxy(Origin(scheme="https", host="mcp.example.com", port=443), network, environ)
    assert found is not None
    assert because in found.because


def test_a_proxy_that_cannot_be_read_is_not_offered() -> None:
    origin = Origin(scheme="https", host="mcp.example.com", port=443)
    assert unused_proxy(origin, NetworkSettings(trust_env=False), {"HTTPS_PROXY": "socks5://p:1"}) is None


@asynccontextmanager
async def _tls_proxy(certificate: bytes) -> AsyncIterator[int]:
    """A proxy behind TLS, as `https://` proxies are: CONNECT and absolute form."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authorities().file("proxy.pem", certificate))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b" ", 2)
        tunnel = method == b"CONNECT"
        origin = b"" if tunnel else target[: target.index(b"/", len("http://"))]
        host, _, port = (target if tunnel else origin.removeprefix(b"http://")).decode().rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        if tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            back.write(head.replace(origin, b"", 1))
        pumps = [_pump(reader, back, without=origin), _pump(there, writer)]
        await asyncio.gather(*pumps, return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, without: bytes = b"") -> None:
    """Pass bytes on; ``without`` is the origin in front of the path of a request in absolute form."""
    try:
        while piece := await source.read(65536):
            sink.write(piece.replace(without, b"", 1) if without else piece)
            await sink.drain()
    finally:
        sink.close()


async def _through(lab: Lab, certificate: bytes, scenario: str = "healthy-modern-tls") -> Report:
    with lab.start(scenario) as running:
        async with _tls_proxy(certificate) as port:
            network = NetworkSettings(
                ca_bundle=authorities().ca_file, proxy=f"https://127.0.0.1:{port}", trust_env=False
            )
            return await diagnose(Connector(url=running.url, network=network), environ={})


def test_a_proxy_that_speaks_tls_carries_tls_to_the_server(lab: Lab) -> None:
    leaf = authorities().root.issue_cert("127.0.0.1")
    report = asyncio.run(_through(lab, leaf.private_key_and_cert_chain_pem.bytes()))
    assert report.ok, report.verdict.summary


def test_a_proxy_that_speaks_tls_passes_plain_requests_on(lab: Lab) -> None:
    leaf = authorities().root.issue_cert("127.0.0.1")
    report = asyncio.run(_through(lab, leaf.private_key_and_cert_chain_pem.bytes(), "healthy-modern"))
    assert report.ok, report.verdict.summary


def test_a_proxy_whose_certificate_is_refused_is_an_unreachable_proxy(lab: Lab) -> None:
    leaf = authorities().stranger.issue_cert("127.0.0.1")
    report = asyncio.run(_through(lab, leaf.private_key_and_cert_chain_pem.bytes()))
    assert "TCP010" == report.verdict.code
