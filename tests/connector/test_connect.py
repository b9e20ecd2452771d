"""The production session: what it sends, where to, and over which route."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from diagnose_lab import Lab, Running, Scenario
from diagnose_lab.scenario import parse

from diagnose.connector import (
    ApiKeyCredential,
    BasicCredential,
    BearerCredential,
    Connector,
    HeadersCredential,
    HttpTransport,
    NetworkSettings,
    Secret,
)
from diagnose.connector.runtime import OwnOriginAuth, open_session
from diagnose.errors import UsageError

CANARY = "canary-7f3a91c2"
MODERN = 'title = "t"\ntransport = "streamable-http"\nera = "modern"\n'


def scenario(text: str) -> Scenario:
    return parse(MODERN + text, name="connect")


def connector(running: Running, **settings: Any) -> Connector:
    """The running scenario's connector, with the network settings that its own arguments name."""
    places = running.places
    network: dict[str, Any] = {"trust_env": False}
    if "ca" in places:
        network["ca_bundle"] = Path(places["ca"])
    if "dns" in places:
        network["resolver"] = places["dns"]
    if "proxy" in places:
        network["proxy"] = places["proxy"]
    declared: Any = "sse" if running.scenario.transport == "sse" else "streamable-http"
    given: dict[str, Any] = {
        "name": "under-test",
        "transport": HttpTransport(type=declared, url=running.url),
        "network": NetworkSettings(**network),
    }
    return Connector(**{**given, **settings})


def listed(subject: Connector, environ: Mapping[str, str] | None = None) -> tuple[str, list[str]]:
    """The protocol version and the tool names that a session of ``subject`` sees."""

    async def look() -> tuple[str, list[str]]:
        async with open_session(subject, environ or {}) as client:
            return client.protocol_version, [tool.name for tool in (await client.list_tools()).tools]

    return asyncio.run(look())


def leaves(problem: BaseException) -> list[BaseException]:
    if isinstance(problem, BaseExceptionGroup):
        return [leaf for part in problem.exceptions for leaf in leaves(part)]
    return [problem]


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("healthy-modern", "2026-07-28"),
        ("healthy-modern-tls", "2026-07-28"),
        ("healthy-dual", "2026-07-28"),
        ("healthy-legacy", "2025-11-25"),
        ("healthy-legacy-tls", "2025-11-25"),
        ("healthy-http-sse", "2025-11-25"),
    ],
)
def test_a_session_lists_the_tools_of_a_healthy_server(lab: Lab, name: str, version: str) -> None:
    with lab.start(name) as running:
        assert (version, True) == (lambda seen: (seen[0], "echo" in seen[1]))(listed(connector(running)))


@pytest.mark.parametrize(
    ("name", "version", "sent"),
    [
        ("healthy-http-sse", "2025-11-25", ["POST server/discover", "POST initialize", "GET None"]),
        ("healthy-modern", "2026-07-28", ["POST server/discover", "POST tools/list"]),
    ],
)
def test_a_transport_that_nobody_declared_is_the_one_that_answers(
    lab: Lab, name: str, version: str, sent: list[str]
) -> None:
    with lab.start(name) as running:
        seen = listed(connector(running, transport=HttpTransport(url=running.url)))
        assert (version, True) == (seen[0], "echo" in seen[1])
        at_the_url = [record for record in running.log if record.path == running.places["path"]]
        assert sent == [f"{record.method} {record.rpc_method}" for record in at_the_url]


PLAIN = '[[rule]]\nwhen = {http = "POST"}\nstatus = 405\nbody = "no"\n'
IN_JSON_RPC = (
    '[[rule]]\nwhen = {http = "POST"}\nstatus = 400\n'
    'json = {jsonrpc = "2.0", id = 1, error = {code = -32603, message = "broken"}}\n'
)
EVENTS_OF_ANOTHER_KIND = (
    '[[rule]]\nwhen = {http = "GET"}\ncontent_type = "text/event-stream"\nbody = "data: {}\\n\\n"\n'
)


@pytest.mark.parametrize(
    ("declared", "rules", "last", "said"),
    [
        ("auto", PLAIN, "GET", "Server returned an error response"),
        ("auto", PLAIN + EVENTS_OF_ANOTHER_KIND, "GET", "Server returned an error response"),
        ("auto", IN_JSON_RPC, "POST", "broken"),
        ("streamable-http", PLAIN, "POST", "Server returned an error response"),
    ],
    ids=["not HTTP+SSE", "another event stream", "an answer in JSON-RPC", "declared"],
)
def test_what_a_server_said_first_is_what_the_caller_hears(
    lab: Lab, declared: Any, rules: str, last: str, said: str
) -> None:
    with lab.start(scenario(rules)) as running:
        subject = connector(running, transport=HttpTransport(type=declared, url=running.url))
        with pytest.raises(ExceptionGroup) as caught:
            listed(subject)
        assert [said] == [str(leaf) for leaf in leaves(caught.value)]
        assert last == running.log[-1].method


@pytest.mark.parametrize(("era", "version"), [("legacy", "2025-11-25"), ("modern", "2026-07-28")])
def test_the_era_of_the_connector_decides_the_handshake(lab: Lab, era: str, version: str) -> None:
    with lab.start("healthy-dual") as running:
        assert version == listed(connector(running, era=era))[0]


def test_connect_is_a_method_of_the_connector_and_reads_the_process_environment(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_SECRET", CANARY)
    with lab.start("healthy-modern") as running:

        async def look() -> None:
            async with connector(
                running, credential=BearerCredential(token=Secret("${env:LAB_SECRET}"))
            ).connect():
                pass

        asyncio.run(look())
        assert {f"Bearer {CANARY}"} == {record.header("authorization") for record in running.log}


@pytest.mark.parametrize(
    ("credential", "header", "value"),
    [
        (BearerCredential(token=Secret(CANARY)), "authorization", f"Bearer {CANARY}"),
        (BasicCredential(username="u", password=Secret("p")), "authorization", "Basic dTpw"),
        (ApiKeyCredential(name="X-API-Key", value=Secret(CANARY)), "x-api-key", CANARY),
        (HeadersCredential(headers={"X-One": Secret(CANARY)}), "x-one", CANARY),
    ],
    ids=["bearer", "basic", "api-key", "headers"],
)
def test_every_request_of_a_session_carries_the_credential(
    lab: Lab, credential: Any, header: str, value: str
) -> None:
    with lab.start("healthy-legacy") as running:
        listed(connector(running, credential=credential))
        assert {value} == {record.header(header) for record in running.log}


def test_an_api_key_in_the_query_is_added_to_the_query_the_url_already_has(lab: Lab) -> None:
    key = ApiKeyCredential.model_validate({"name": "key", "in": "query", "value": CANARY})
    with lab.start("healthy-modern") as running:
        transport = HttpTransport(url=running.url + "?tenant=7")
        listed(connector(running, credential=key, transport=transport))
        assert {f"/mcp?tenant=7&key={CANARY}"} == {record.target for record in running.log}


def test_the_connectors_own_headers_are_sent_and_do_not_displace_those_of_the_protocol(lab: Lab) -> None:
    headers = {"X-Tenant": "7", "User-Agent": "ours/1", "Accept": "text/html"}
    with lab.start("healthy-modern") as running:
        listed(connector(running, headers=headers))
        first = running.log[0]
        assert ("7", "ours/1") == (first.header("x-tenant"), first.header("user-agent"))
        assert "application/json" in (first.header("accept") or "")


REDIRECTED = '[other]\n[[rule]]\nwhen = {path = "/mcp"}\nredirect = "{other}/mcp"\n'
CREDENTIALS = [
    BearerCredential(token=Secret(CANARY)),
    ApiKeyCredential(name="X-API-Key", value=Secret(CANARY)),
    HeadersCredential(headers={"Cookie": Secret(f"session={CANARY}")}),
]


@pytest.mark.parametrize("credential", CREDENTIALS, ids=["bearer", "api-key", "cookie"])
def test_a_session_takes_no_credential_to_a_foreign_origin(lab: Lab, credential: Any) -> None:
    with lab.start(scenario(REDIRECTED)) as running:
        with pytest.raises(BaseExceptionGroup):
            listed(connector(running, credential=credential))
        seen = {record.server: CANARY in str(record.headers) for record in running.log}
        assert seen == {"server": True}


@pytest.mark.parametrize("credential", CREDENTIALS, ids=["bearer", "api-key", "cookie"])
def test_a_request_that_follows_a_redirect_leaves_credential_and_headers_behind(
    lab: Lab, credential: Any
) -> None:
    with lab.start(scenario(REDIRECTED)) as running:
        subject = connector(running, credential=credential, headers={"X-Tenant": "7"})

        async def follow() -> None:
            auth = OwnOriginAuth(subject, {})
            async with httpx2.AsyncClient(auth=auth, trust_env=False) as http:
                redirect = await http.post(subject.url, json={})
                assert redirect.next_request is not None
                await http.send(redirect.next_request)  # how the SDK follows: headers copied, auth run anew

        asyncio.run(follow())
        seen = {record.server: CANARY in str(record.headers) for record in running.log}
        assert seen == {"server": True, "other": False}
        assert "x-tenant" not in {name.lower() for name, _ in running.log[-1].headers}


def test_a_pin_decides_where_a_name_is(lab: Lab) -> None:
    with lab.start(scenario("[tls]\n")) as running:
        host = f"mcp.lab.test:{running.port}"
        network = NetworkSettings(
            ca_bundle=Path(running.places["ca"]), resolve={host: "127.0.0.1"}, trust_env=False
        )
        subject = connector(running, transport=HttpTransport(url=f"https://{host}/mcp"), network=network)
        assert "echo" in listed(subject)[1]
        assert {host} == {record.header("host") for record in running.log}


def test_the_name_server_of_the_connector_is_asked(lab: Lab) -> None:
    with lab.start(scenario('[dns]\n[dns.names."mcp.lab.test"]\naddresses = ["127.0.0.1"]\n')) as running:
        assert "echo" in listed(connector(running))[1]


def test_a_name_that_does_not_exist_is_a_connect_error(lab: Lab) -> None:
    with lab.start(scenario('[dns]\n[dns.names."mcp.lab.test"]\nrcode = "NXDOMAIN"\n')) as running:
        with pytest.raises(BaseExceptionGroup) as caught:
            listed(connector(running))
        assert [httpx2.ConnectError] == [type(leaf) for leaf in leaves(caught.value)]


@pytest.mark.parametrize("tls", ["", "[tls]\n"], ids=["http", "https"])
@pytest.mark.parametrize("dns", ["", "[dns]\n"], ids=["by-httpx2", "by-resolver"])
def test_the_proxy_of_the_connector_is_used(lab: Lab, tls: str, dns: str) -> None:
    with lab.start(scenario('[proxy]\nauth = "user:secret"\n' + tls + dns)) as running:
        assert "echo" in listed(connector(running))[1]


def test_the_proxy_of_the_environment_is_used_unless_the_connector_ignores_the_environment(lab: Lab) -> None:
    with lab.start(scenario('[proxy]\nbehaviour = "closed-port"\n')) as running:
        environ = {"HTTP_PROXY": running.places["proxy"]}
        assert "echo" in listed(connector(running, network=NetworkSettings(trust_env=False)), environ)[1]
        with pytest.raises(BaseExceptionGroup):
            listed(connector(running, network=NetworkSettings()), environ)


def test_the_trust_store_of_the_connector_decides(lab: Lab) -> None:
    with lab.start("healthy-modern-tls") as running:
        with pytest.raises(BaseExceptionGroup) as caught:
            listed(connector(running, network=NetworkSettings(trust_env=False)))
        assert [httpx2.ConnectError] == [type(leaf) for leaf in leaves(caught.value)]


def test_the_client_certificate_of_the_connector_is_presented(lab: Lab) -> None:
    with lab.start(scenario('[tls]\nclient_certificate = "required"\n')) as running:
        places = running.places
        network = NetworkSettings(
            ca_bundle=Path(places["ca"]), client_certificate=Path(places["client_cert"]), trust_env=False
        )
        assert "echo" in listed(connector(running, network=network))[1]


def test_an_unset_reference_is_one_sentence_and_nothing_is_sent(lab: Lab) -> None:
    with lab.start("healthy-modern") as running:
        subject = connector(running, credential=BearerCredential(token=Secret("${env:NOT_THERE}")))
        with pytest.raises(UsageError, match="NOT_THERE is not set"):
            listed(subject)
        assert [] == running.log


def test_what_fails_inside_the_block_reaches_the_caller(lab: Lab) -> None:
    with lab.start("healthy-modern") as running:

        async def call() -> None:
            async with open_session(connector(running), {}) as client:
                await client.call_tool("no-such-tool", {})

        with pytest.raises(BaseExceptionGroup) as caught:
            asyncio.run(call())
        assert ["MCPError"] == [type(leaf).__name__ for leaf in leaves(caught.value)]


def test_a_connector_costs_no_import_of_the_sdk_until_it_connects() -> None:
    code = (
        "import sys; from diagnose import Connector; Connector(url='http://127.0.0.1/mcp').connect;"
        "print(*[name for name in ('mcp', 'mcp_types', 'httpx2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "" == done.stdout.strip()
