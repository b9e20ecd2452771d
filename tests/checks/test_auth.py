"""Auth discovery: where a client looks, what it compares, and what it must never fetch."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from diagnose_checks.challenge import parse_challenges
from diagnose_checks.difference import difference
from diagnose_checks.discovery_urls import canonical, resource_metadata_urls, server_metadata_urls
from diagnose_checks.metadata_fetch import Document, Reader
from diagnose_checks.registration import judge_registration, registration_routes
from diagnose_checks.resource_metadata import judge_resource
from diagnose_checks.safe_urls import Reach, address_kind, reach_of
from diagnose_checks.scope_lists import judge_scopes
from diagnose_checks.server_metadata import judge_server
from diagnose_lab import Lab, load, names
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_runs import run

from diagnose import Connector
from diagnose.connector import NetworkSettings
from diagnose.connector.address import origin_of
from diagnose.connector.credential import Applied
from diagnose.context import Context
from diagnose.options import Options
from diagnose.redact import Redactor
from diagnose.wire.dial import AddressRefused, Dialler
from diagnose.wire.http_wire import HttpWire
from diagnose.wire.recorder import Recorder
from diagnose.wire.resolver import Address

T = TypeVar("T")
PUBLIC = Reach(origin=origin_of("https://mcp.example.com/mcp"), own="public")
PATHS = st.lists(st.text("abcXYZ0-_~", min_size=1, max_size=6), max_size=4).map(
    lambda parts: "/".join(["", *parts])
)
BASES = st.sampled_from(("https://as.example.com", "https://as.example.com:8443", "http://127.0.0.1:9000"))


@settings(deadline=None)  # the first call imports the SDK
@given(BASES, PATHS, st.sampled_from(("", "/")), st.sampled_from((None, "https://meta.example/x")))
def test_the_resource_is_looked_for_where_the_official_sdk_looks(
    base: str, path: str, slash: str, named: str | None
) -> None:
    from mcp.client.auth.utils import build_protected_resource_metadata_discovery_urls

    url = base + path + slash
    expected = build_protected_resource_metadata_discovery_urls(named, url)
    assert expected == list(resource_metadata_urls(url, named))


@settings(deadline=None)
@given(BASES, PATHS, st.sampled_from(("", "/")))
def test_the_authorization_server_is_looked_for_where_the_official_sdk_looks(
    base: str, path: str, slash: str
) -> None:
    from mcp.client.auth.utils import build_oauth_authorization_server_metadata_discovery_urls

    issuer = base + path + slash
    expected = build_oauth_authorization_server_metadata_discovery_urls(issuer, "https://mcp.example.com/mcp")
    assert expected == list(server_metadata_urls(issuer))


def test_an_issuer_whose_path_begins_with_two_slashes_stays_on_its_host() -> None:
    urls = server_metadata_urls("https://as.example.com//evil.example")
    assert {"as.example.com"} == {origin_of(url).host for url in urls}


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
        document = await Reader(ctx, own, reach).get(url)
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


@pytest.mark.parametrize(
    ("endpoint", "resource", "codes"),
    [
        ("https://h.example/mcp", "https://h.example/mcp", []),
        ("https://H.example:443/mcp", "https://h.example/mcp", []),
        ("https://h.example/", "https://h.example", []),
        ("https://h.example/mcp", "https://h.example/mcp/", ["AUTH007"]),
        ("https://h.example/mcp/", "https://h.example/mcp", ["AUTH007"]),
        ("https://h.example/mcp", "https://h.example/MCP", ["AUTH007"]),
        ("https://h.example/mcp", "http://h.example/mcp", ["AUTH007"]),
        ("https://h.example/mcp2", "https://h.example/mcp", ["AUTH007"]),
        ("https://h.example/a/mcp", "https://h.example/a", ["AUTH008"]),
        ("https://h.example/a/mcp", "https://h.example/a/", ["AUTH008"]),
        ("https://h.example/mcp", "https://h.example", ["AUTH008"]),
        ("https://h.example/mcp", "https://other.example", ["AUTH007"]),
        ("https://h.example/mcp", "https://[broken", ["AUTH007"]),
        ("https://h.example/mcp", "", ["AUTH006"]),
        ("https://h.example/mcp", 5, ["AUTH006"]),
    ],
)
def test_the_resource_is_compared_byte_for_byte(endpoint: str, resource: object, codes: list[str]) -> None:
    value = {"resource": resource, "authorization_servers": ["https://as.example"]}
    document = Document(url="https://h.example/x", outcome="found", detail="", value=value)
    assert codes == [finding.code for finding in judge_resource(document, endpoint)]


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_difference_is_found_where_there_is_one(expected: str, observed: str) -> None:
    apart = difference(expected, observed)
    assert (apart is None) == (expected == observed)
    if apart is not None:
        assert expected[: apart.at] == observed[: apart.at]


def test_a_slash_alone_is_called_a_slash() -> None:
    apart = difference("https://as.example", "https://as.example/")
    assert apart is not None
    assert apart.slash_only
    assert "only a trailing slash differs" == apart.words


@given(st.text(max_size=60))
def test_canonical_takes_any_text(text: str) -> None:
    canonical(text)


MINE = [name for name in names() if name.startswith("auth-")]


@pytest.mark.parametrize("name", MINE)
def test_a_scenario_shows_all_and_only_what_it_says(lab: Lab, name: str) -> None:
    expect = load(name).expect
    assert expect is not None
    outcome = run(lab, name)
    found = {code for _, code in outcome.findings("error", "warning")}
    assert {expect.code, *expect.also} == found


@pytest.mark.parametrize("name", MINE)
def test_discovery_sends_get_requests_without_a_credential_only(lab: Lab, name: str) -> None:
    outcome = run(lab, name)
    requests = [
        exchange["request"]
        for exchange in outcome.report["exchanges"]
        if exchange["step"] == "auth_discovery"
    ]
    for request in requests:
        assert "GET" == request["method"]
        sent = {header.lower() for header, _ in request["headers"]}
        assert not sent & {"authorization", "cookie", "x-api-key"}


@pytest.mark.parametrize("name", [name for name in MINE if name.startswith("auth-unsafe-")])
def test_a_refused_url_is_shown_and_not_fetched(lab: Lab, name: str) -> None:
    outcome = run(lab, name)
    step = next(step for step in outcome.report["steps"] if step["id"] == "auth_discovery")
    refused = [item["url"] for item in step["facts"]["candidates"] if item["outcome"] == "refused"]
    asked = [exchange["request"]["url"] for exchange in outcome.report["exchanges"]]
    assert refused
    assert not [url for url in refused if url in asked and "redirect" not in name]
    assert not [url for url in asked if "169.254" in url or "10.0.0.5" in url or "/etc/" in url]


def test_the_status_of_every_candidate_is_kept(lab: Lab) -> None:
    outcome = run(lab, "auth-as-metadata-missing")
    step = next(step for step in outcome.report["steps"] if step["id"] == "auth_discovery")
    shown = [(item["for"], item["status"]) for item in step["facts"]["candidates"]]
    assert [("resource", 200), ("authorization server", 404), ("authorization server", 404)] == shown


def test_without_a_credential_a_healthy_server_is_asked_for_no_metadata(lab: Lab) -> None:
    outcome = run(lab, "healthy-modern")
    assert [] == [record.path for record in outcome.requests if ".well-known" in record.path]


def test_a_healthy_run_with_a_token_uses_one_connection(lab: Lab) -> None:
    assert 1 == run(lab, "healthy-oauth").connections


def test_notes_are_notes(lab: Lab) -> None:
    assert ("auth_discovery", "AUTH019") in run(lab, "auth-scope-not-requested").findings("info")
    assert ("auth_discovery", "AUTH020") in run(lab, "auth-dcr-only").findings("info")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(("https://[", "https://a.b")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    (
        *("resource", "authorization_servers", "scopes_supported", "issuer", "authorization_endpoint"),
        *("token_endpoint", "registration_endpoint", "code_challenge_methods_supported"),
        *("grant_types_supported", "client_id_metadata_document_supported"),
    )
)


@given(st.dictionaries(MEMBERS, JSON), st.dictionaries(MEMBERS, JSON), st.text(max_size=60))
def test_no_document_makes_a_judgement_raise(
    resource: dict[str, object], server: dict[str, object], challenge: str
) -> None:
    about = Document(url="https://h.example/x", outcome="found", detail="", value=resource)
    issuing = Document(url="https://as.example/x", outcome="found", detail="", value=server)
    connector = Connector(url="https://h.example/mcp")
    judge_resource(about, connector.url)
    judge_server(issuing, "https://as.example", connector.origin, loopback=False)
    judge_registration(issuing, registration_routes(connector, server))
    judge_scopes(parse_challenges([challenge]), about, issuing)
