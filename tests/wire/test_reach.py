"""Which URLs of a server's documents may be fetched, and from which address."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from diagnose_checks.metadata_fetch import Document, Reader
from diagnose_checks.vetted_wires import VettedWires
from hypothesis import given
from hypothesis import strategies as st

from diagnose import Connector
from diagnose.connector import NetworkSettings
from diagnose.connector.address import origin_of
from diagnose.connector.credential import Applied
from diagnose.context import Context
from diagnose.options import Options
from diagnose.redact import Redactor
from diagnose.wire.dial import AddressRefused, Dialler
from diagnose.wire.http_wire import HttpWire
from diagnose.wire.reach import Reach, address_kind, reach_of
from diagnose.wire.recorder import Recorder
from diagnose.wire.resolver import Address

T = TypeVar("T")
PUBLIC = Reach(origin=origin_of("https://mcp.example.com/mcp"), own="public")


@pytest.mark.parametrize(
    ("ip", "kind"),
    [
        ("93.184.216.34", "public"),
        ("2606:2800:220:1::1", "public"),
        ("127.0.0.1", "loopback"),
        ("127.8.8.8", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("fd12:3456::1", "private"),
        ("100.64.0.1", "shared"),
        ("169.254.10.10", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("169.254.169.254", "metadata service"),
        ("::ffff:169.254.169.254", "metadata service"),
        ("fd00:ec2::254", "metadata service"),
        ("64:ff9b::a9fe:a9fe", "metadata service"),
        ("64:ff9b::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("::127.0.0.1", "loopback"),
        ("0.0.0.0", "unspecified"),  # noqa: S104
        ("::", "unspecified"),
        ("224.0.0.1", "multicast"),
    ],
)
def test_an_address_is_judged_by_its_bytes(ip: str, kind: str) -> None:
    assert kind == address_kind(ip)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://as.example.com/",
        "javascript:alert(1)",
        "//as.example.com/x",
        "/relative",
        "https://",
        "https://user:secret@as.example.com/",
        "https://mcp.example.com@evil.example/",
        "http://as.example.com/",
        "http://mcp.example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://10.0.0.5/",
        "https://169.254.169.254/latest/",
        "https://as.example.com\\@evil.example/",
        "https://as.example.com/\r\nX: y",
        "https://as.example.com:99999/",
        "https://\u0430s.example.com/",
    ],
)
def test_a_public_connector_is_not_led_to(url: str) -> None:
    assert PUBLIC.refuse_url(url) is not None


@pytest.mark.parametrize(
    "url", ["https://as.example.com/", "https://mcp.example.com/.well-known/x", "https://8.8.8.8/"]
)
def test_a_public_https_url_may_be_fetched(url: str) -> None:
    assert PUBLIC.refuse_url(url) is None


@given(st.text(max_size=60).map(lambda text: "https://" + text))
def test_no_url_makes_the_judgement_raise(url: str) -> None:
    PUBLIC.refuse_url(url)


def test_a_loopback_connector_may_name_loopback_over_plain_http() -> None:
    reach = reach_of(origin_of("http://localhost:8000/mcp"), None)
    assert "loopback" == reach.own
    assert reach.refuse_url("http://127.0.0.1:9000/") is None
    assert reach.refuse_url("http://10.0.0.5/") is not None
    assert reach.refuse_url("https://169.254.169.254/") is not None


def test_a_private_connector_may_name_private_hosts_over_https_alone() -> None:
    reach = reach_of(origin_of("https://mcp.corp.example/mcp"), [Address(ip="10.0.0.9", port=443)])
    assert reach.refuse_addresses("https", [Address(ip="10.0.0.5", port=443)]) is None
    assert reach.refuse_url("http://10.0.0.5/") is not None


def test_a_connector_behind_a_proxy_counts_as_public() -> None:
    assert "public" == reach_of(origin_of("https://mcp.example.com/mcp"), None).own


def test_one_bad_address_among_good_ones_is_enough() -> None:
    addresses = [Address(ip="93.184.216.34", port=443), Address(ip="127.0.0.1", port=443)]
    assert PUBLIC.refuse_addresses("https", addresses) is not None


class Answers:
    """A resolver that gives each answer once: rebinding would show as a second question."""

    source = "test"

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        self.asked += 1
        return (Address(ip=self.answers.pop(0), port=port),)


def beside_a_listener(check: Callable[[int, asyncio.Event], Awaitable[T]]) -> tuple[T, int]:
    """Run ``check`` beside a loopback listener; gives its outcome and how many connected.

    The event is set when a connection has ended.
    """
    connected = 0

    async def main() -> T:
        ended = asyncio.Event()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connected
            connected += 1
            await reader.read()
            writer.close()
            await writer.wait_closed()
            ended.set()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        async with server:
            return await check(server.sockets[0].getsockname()[1], ended)

    return asyncio.run(main()), connected


def test_the_connection_goes_to_the_very_address_that_was_judged() -> None:
    resolver = Answers("127.0.0.1", "10.255.255.1")
    judged: list[str] = []

    def vet(scheme: str, addresses: tuple[Address, ...]) -> str | None:
        judged.extend(address.ip for address in addresses)
        return None

    async def check(port: int, ended: asyncio.Event) -> str:
        dial = Dialler(
            resolver=resolver, network=NetworkSettings(trust_env=False), environ={}, store=None, vet=vet
        )
        stream = await dial("as.example.com", port)
        connected = stream.address.ip
        await stream.aclose()
        await ended.wait()
        return connected

    connected, _ = beside_a_listener(check)
    assert ["127.0.0.1"] == judged
    assert "127.0.0.1" == connected
    assert 1 == resolver.asked


def test_a_refused_address_is_not_connected_to() -> None:
    async def check(port: int, ended: asyncio.Event) -> None:
        dial = Dialler(
            resolver=Answers("127.0.0.1"),
            network=NetworkSettings(trust_env=False),
            environ={},
            store=None,
            vet=lambda scheme, addresses: "no",
        )
        with pytest.raises(AddressRefused):
            await dial("as.example.com", port)

    _, connected = beside_a_listener(check)
    assert 0 == connected


def read_through(reach: Reach, resolver: Answers, url: str) -> Document:
    """One document, fetched by a reader of a connector at a foreign origin."""

    async def main() -> Document:
        connector = Connector(
            name="c", url="https://mcp.example.com/mcp", network=NetworkSettings(trust_env=False)
        )
        ctx = Context(
            connector=connector,
            options=Options(),
            environ={},
            redactor=Redactor(),
            recorder=Recorder(),
            resolver=resolver,
            random=random.Random(1),  # noqa: S311
        )
        own = HttpWire(
            None,  # type: ignore[arg-type]  # the connector's own origin is never asked here
            ctx.recorder,
            authorize=lambda _: Applied(),
            user_agent="t",
            body_limit=1,
        )
        document = await Reader(VettedWires(ctx, own, reach)).get(url)
        await ctx.closing.aclose()
        return document

    return asyncio.run(main())


def test_a_name_that_resolves_to_loopback_is_not_fetched_for_a_public_connector() -> None:
    document = read_through(PUBLIC, Answers("127.0.0.1"), "https://as.example.com/x")
    assert "refused" == document.outcome
    assert "loopback" in document.detail


def test_a_name_that_resolves_to_a_metadata_service_is_fetched_for_nobody() -> None:
    reach = Reach(origin=origin_of("http://127.0.0.1:1/mcp"), own="loopback")
    document = read_through(reach, Answers("::ffff:169.254.169.254"), "https://as.example.com/x")
    assert "refused" == document.outcome
