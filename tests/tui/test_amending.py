"""What was typed becomes a connector, or a refusal beside its field; a credential stays with its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from diagnose_tui.amending import (
    Draft,
    Pair,
    Refused,
    amended,
    left_behind,
    pairs_of,
    shown_proxy,
    shown_url,
    shown_vector,
)
from diagnose_tui.entries import Edited
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnose.connector import (
    ApiKeyCredential,
    BasicCredential,
    BearerCredential,
    Connector,
    HttpTransport,
    NetworkSettings,
    NoCredential,
    OAuth2Credential,
    Secret,
    Source,
    StdioTransport,
)
from diagnose.display import display
from diagnose.options import Options

URL = "https://mcp.example.com/mcp"
CANARY = "canaryX9f2b7c1d4e5"
ENVIRON = {"TOKEN": "lab-token", "REGION": "eu"}
BEARER = BearerCredential(token=Secret(CANARY))
STDIO = StdioTransport(
    command="npx",
    args=("-y", "my server", "--api-key", CANARY),
    env={"API_KEY": Secret(CANARY), "LEVEL": Secret("debug")},
    cwd="/srv",
)


def over_http(**more: Any) -> Connector:
    given: dict[str, Any] = {
        "url": URL,
        "headers": {"Cookie": CANARY, "X-Region": "eu", "X-Tenant": "${env:REGION}"},
        "credential": BEARER,
        "source": Source(format="Cursor", file="mcp.json", line=3),
    }
    return Connector(**{**given, **more})


def process() -> Connector:
    return Connector(name="files", transport=STDIO)


def untouched(connector: Connector, options: Options | None = None) -> Draft:
    """The draft of a form that nobody touched."""
    options = options or Options()
    stdio = connector.stdio
    same: dict[str, Any] = {
        "era": connector.era,
        "sample": options.sample,
        "timeout": f"{options.timeout:g}",
        "kind": "none" if connector.credential.type == "none" else "kept",
    }
    if stdio is not None:
        line, _ = shown_vector(stdio)
        return Draft(
            **same,
            command=line,
            cwd=display(stdio.cwd or ""),
            inherits=stdio.inherits,
            pairs=pairs_of(stdio.env),
        )
    return Draft(
        **same,
        url=shown_url(connector) or "",
        transport=connector.transport.type,
        proxy=shown_proxy(connector) or "",
        ca_bundle=str(connector.network.ca_bundle or ""),
        pairs=pairs_of(connector.headers),
    )


def used(connector: Connector, environ: Mapping[str, str] = ENVIRON, **changes: Any) -> Edited:
    return amended(connector, Options(), replace(untouched(connector), **changes), environ=environ)


def refused(connector: Connector, environ: Mapping[str, str] = ENVIRON, **changes: Any) -> dict[str, str]:
    with pytest.raises(Refused) as caught:
        used(connector, environ, **changes)
    for problem in caught.value.problems.values():
        assert CANARY not in str(problem)
    return {place: problem.code for place, problem in caught.value.problems.items()}


@pytest.mark.parametrize(
    "connector",
    [
        over_http(),
        process(),
        Connector(url=f"{URL}?token={CANARY}"),
        over_http(network=NetworkSettings(proxy=f"http://me:{CANARY}@p:1", ca_bundle=Path("ca.pem"))),
        over_http(network=NetworkSettings(proxy="")),
        Connector(
            name="p", transport=StdioTransport(command="a\nb", args=("\u202e", "[redacted]"), cwd="\x07")
        ),
    ],
)
def test_a_form_that_nobody_touched_changes_nothing(connector: Connector) -> None:
    assert connector is used(connector).connector


def test_nothing_secret_stands_in_the_form() -> None:
    for connector in (over_http(), process(), Connector(url=f"{URL}?token={CANARY}")):
        draft = untouched(connector)
        shown = (draft.url, draft.command, draft.proxy, *(pair.typed for pair in draft.pairs))
        assert CANARY not in " ".join(shown)
        assert CANARY not in repr(draft)


def test_what_was_in_the_open_is_shown_and_a_reference_too() -> None:
    assert [("Cookie", ""), ("X-Region", "eu"), ("X-Tenant", "${env:REGION}")] == [
        (pair.name, pair.shown) for pair in pairs_of(over_http().headers)
    ]


def test_headers_are_changed_added_and_left_out() -> None:
    old = over_http()
    cookie, region, _ = pairs_of(old.headers)
    made = used(
        old,
        pairs=(
            cookie,
            replace(region, typed="us"),
            Pair(name=""),
            Pair(name=" X-New ", typed="${env:TOKEN}"),
        ),
    ).connector
    assert ["Cookie", "X-Region", "X-New"] == list(made.headers)
    sent = made.authorize(URL, ENVIRON).headers
    assert (CANARY, "us", "lab-token") == (sent["Cookie"], sent["X-Region"], sent["X-New"])
    assert old.source == made.source
    assert BEARER == made.credential


@pytest.mark.parametrize(
    ("kind", "proof", "expected"),
    [
        ("none", {}, NoCredential()),
        ("bearer", {"token": "${env:TOKEN}"}, BearerCredential(token=Secret("${env:TOKEN}"))),
        ("bearer", {"token": ""}, BEARER),
        (
            "api_key",
            {"name": "X-Key", "value": "k"},
            ApiKeyCredential(name="X-Key", value=Secret("k")),
        ),
        (
            "basic",
            {"username": "me", "password": "p:q"},
            BasicCredential(username="me", password=Secret("p:q")),
        ),
        ("oauth2", {"client_id": "", "scope": "", "issuer": ""}, OAuth2Credential()),
        (
            "oauth2",
            {"client_id": "c", "scope": "a b", "issuer": "https://as.example.com"},
            OAuth2Credential(client_id="c", scope="a b", issuer="https://as.example.com"),
        ),
    ],
)
def test_a_credential_is_typed_anew(kind: str, proof: dict[str, str], expected: Any) -> None:
    assert expected == used(over_http(headers={}), kind=kind, proof=proof).connector.credential


def test_a_connector_without_a_credential_still_has_named_none() -> None:
    silent = Connector(url=URL)
    made = used(silent, era="modern").connector
    assert "modern" == made.era
    assert "credential" not in made.model_fields_set


def test_another_origin_gets_nothing_of_the_old_one() -> None:
    certified = NetworkSettings(client_certificate=Path("client.pem"), client_key=Path("key.pem"))
    old = over_http(network=certified)
    made = used(old, url="https://other.example.com/mcp").connector
    assert {"X-Region": "eu"} == made.authorize(made.url, ENVIRON).headers
    assert NoCredential() == made.credential
    assert (None, None) == (made.network.client_certificate, made.network.client_key)
    assert "other.example.com" == made.name
    assert (
        "the bearer credential",
        "the header Cookie",
        "the header X-Tenant",
        "the client certificate",
    ) == left_behind(old)


@pytest.mark.parametrize("kind", ["bearer", "basic", "api_key"])
def test_another_origin_needs_a_secret_of_its_own(kind: str) -> None:
    proof = {"token": "", "username": "me", "name": "X", "password": "", "value": ""}
    assert {"credential": "CFG006"} == refused(
        over_http(), url="https://other.example.com/", kind=kind, proof=proof
    )


def test_what_is_typed_for_another_origin_goes_there() -> None:
    left = Pair(name="Cookie", left=True)
    made = used(
        over_http(),
        url="http://mcp.example.com/mcp",
        kind="bearer",
        proof={"token": "new"},
        pairs=(left, Pair(name="X-Tenant", typed="${env:REGION}", left=True)),
    ).connector
    assert {"Authorization": "Bearer new", "X-Tenant": "eu"} == made.authorize(made.url, ENVIRON).headers


def test_another_path_of_the_same_origin_keeps_everything() -> None:
    made = used(over_http(), url="https://mcp.example.com:443/other").connector
    assert BEARER == made.credential
    assert CANARY == made.authorize(made.url, ENVIRON).headers["Cookie"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"url": "mcp.example.com"}, {"url": "CFG001"}),
        ({"url": "https://me:pw@h/mcp"}, {"url": "CFG006"}),
        ({"kind": "bearer", "proof": {"token": "<your-token>"}}, {"credential": "CFG016"}),
        ({"kind": "bearer", "proof": {"token": f"{CANARY}\n"}}, {"credential": "CFG007"}),
        ({"kind": "bearer", "proof": {"token": "${env:UNSET}"}}, {"credential": "CFG003"}),
        ({"kind": "bearer", "proof": {"token": "${env:}"}}, {"credential": "CFG009"}),
        ({"kind": "api_key", "proof": {"name": "a b", "value": "k"}}, {"credential": "CFG004"}),
        ({"kind": "basic", "proof": {"username": "a:b", "password": "p"}}, {"credential": "CFG006"}),
        ({"kind": "oauth2", "proof": {"issuer": "as.example.com"}}, {"credential": "CFG006"}),
        ({"pairs": (Pair(name="a b", typed="x"),)}, {"pair0": "CFG004"}),
        ({"pairs": (Pair(name="A", typed="x"), Pair(name="a", typed="y"))}, {"pair1": "CFG004"}),
        ({"pairs": (Pair(name="A"),)}, {"pair0": "CFG006"}),
        ({"pairs": (Pair(name="", typed=CANARY),)}, {"pair0": "CFG004"}),
        ({"pairs": (Pair(name="A", typed="Bearer"),)}, {"pair0": "CFG003"}),
        ({"pairs": (Pair(name="Host", typed="x"),)}, {"pairs": "CFG004"}),
        ({"pairs": (Pair(name="Authorization", typed="Bearer x"),)}, {"credential": "CFG019"}),
        ({"timeout": "soon"}, {"timeout": "CFG006"}),
        ({"timeout": "0"}, {"timeout": "CFG006"}),
        ({"tool": "a", "sample": "never"}, {"tool": "CFG006"}),
        ({"tool": "a", "arguments": "[1]"}, {"arguments": "CFG012"}),
        ({"tool": "a", "arguments": "{"}, {"arguments": "CFG012"}),
        ({"arguments": '{"a": 1}'}, {"arguments": "CFG006"}),
        ({"proxy": "socks5://h:1"}, {"proxy": "CFG008"}),
        ({"ca_bundle": "/nonexistent/ca.pem"}, {"ca_bundle": "CFG005"}),
    ],
)
def test_what_cannot_be_used_is_refused_beside_its_field(
    changes: dict[str, Any], expected: dict[str, str]
) -> None:
    assert expected == refused(over_http(), **changes)


def test_every_refusal_is_told_at_once() -> None:
    places = refused(over_http(), url="ftp://h", timeout="x", arguments="{", proxy="socks5://h")
    assert {"url", "timeout", "arguments", "proxy"} == places.keys()


def test_route_and_options_are_changed(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    made = used(
        over_http(),
        transport="sse",
        era="legacy",
        proxy="direct",
        ca_bundle=str(bundle),
        timeout="2.5",
        tool="search",
        arguments='{"query": "tea"}',
    )
    assert HttpTransport(type="sse", url=URL) == made.connector.transport
    assert ("legacy", "", bundle) == (
        made.connector.era,
        made.connector.network.proxy,
        made.connector.network.ca_bundle,
    )
    assert (2.5, "search", {"query": "tea"}) == (
        made.options.timeout,
        made.options.tool,
        made.options.arguments,
    )


def test_a_process_is_changed_and_its_hidden_words_stay() -> None:
    level = next(pair for pair in pairs_of(STDIO.env) if pair.name == "LEVEL")
    made = used(
        process(),
        command="npx -y 'other server' --api-key '[redacted]' --more",
        cwd="",
        inherits="none",
        pairs=(replace(level, typed="info"), Pair(name="TOKEN", typed="${env:TOKEN}")),
    ).connector
    stdio = made.stdio
    assert stdio is not None
    assert ("npx", "-y", "other server", "--api-key", CANARY, "--more") == stdio.argv
    assert (None, "none") == (stdio.cwd, stdio.inherits)
    assert {"LEVEL": "info", "TOKEN": "lab-token"} == {
        name: value.resolve(ENVIRON, where=name) for name, value in stdio.env.items()
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"command": ""}, {"command": "CFG006"}),
        ({"command": "npx 'open"}, {"command": "CFG006"}),
        ({"command": "npx --api-key=[redacted]"}, {"command": "CFG006"}),
        ({"command": "a [redacted] [redacted]"}, {"command": "CFG006"}),
        ({"command": "''"}, {"command": "CFG006"}),
        ({"pairs": (Pair(name="A-B", typed="x"),)}, {"pair0": "CFG009"}),
        ({"pairs": (Pair(name="A", typed="x"), Pair(name="A", typed="y"))}, {"pair1": "CFG006"}),
    ],
)
def test_a_process_that_cannot_be_started_so_is_refused(
    changes: dict[str, Any], expected: dict[str, str]
) -> None:
    assert expected == refused(process(), **changes)


@settings(deadline=None)
@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_any_text_makes_a_connector_or_a_refusal(one: str, two: str, three: str) -> None:
    changes: dict[str, Any] = {
        "url": one,
        "proxy": two,
        "ca_bundle": three,
        "tool": two,
        "arguments": three,
        "timeout": one,
        "kind": "bearer",
        "proof": {"token": three},
        "pairs": (Pair(name=one, typed=two), Pair(name=two, typed=three)),
    }
    try:
        assert used(over_http(), **changes)
    except Refused as problem:
        assert problem.problems  # noqa: PT017
