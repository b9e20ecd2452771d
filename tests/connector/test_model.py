"""The connector: short forms, refusals in one sentence, and no secret in any rendering."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from diagnose.connector import (
    ApiKeyCredential,
    BasicCredential,
    BearerCredential,
    Connector,
    HeadersCredential,
    NetworkSettings,
    OAuth2Credential,
    SampleCall,
    Secret,
    Source,
    ToolPolicy,
)
from diagnose.errors import UsageError

CANARY = "canary-c2d8e7b1"
URL = "https://mcp.example.com/mcp"
OTHER = "https://other.example.com/mcp"

CREDENTIALS = {
    "bearer": BearerCredential(token=Secret(CANARY)),
    "basic": BasicCredential(username="u", password=Secret(CANARY)),
    "api_key": ApiKeyCredential(name="X-API-Key", value=Secret(CANARY)),
    "query": ApiKeyCredential.model_validate({"name": "key", "in": "query", "value": CANARY}),
    "headers": HeadersCredential(headers={"X-One": Secret(CANARY)}),
    "oauth2": OAuth2Credential(access_token=Secret(CANARY), refresh_token=Secret(CANARY + "-refresh")),
}


def test_a_url_is_enough_for_a_connector() -> None:
    subject = Connector(url="https://mcp.example.com:8443/mcp")
    assert ("mcp.example.com:8443", "auto", "none", "auto") == (
        subject.name,
        subject.transport.type,
        subject.credential.type,
        subject.era,
    )


def test_userinfo_in_the_url_becomes_a_basic_credential_and_leaves_the_url() -> None:
    subject = Connector(url=f"https://u:{CANARY}@mcp.example.com/mcp")
    assert URL == subject.url
    assert isinstance(subject.credential, BasicCredential)
    assert {"Authorization": "Basic dTpjYW5hcnktYzJkOGU3YjE="} == dict(subject.authorize(URL, {}).headers)


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_no_rendering_of_a_connector_shows_a_secret(kind: str) -> None:
    subject = Connector(url=URL, credential=CREDENTIALS[kind], headers={"X-Tenant": Secret(CANARY)})
    applied = subject.authorize(URL, {})
    shown = [
        repr(subject),
        str(subject),
        subject.model_dump_json(),
        repr(subject.model_dump()),
        repr(subject.credential.describe()),
        repr(applied),
    ]
    assert [] == [text for text in shown if CANARY in text]


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_every_secret_of_a_connector_is_named_for_redaction(kind: str) -> None:
    secrets = Connector(url=URL, credential=CREDENTIALS[kind]).secrets({})
    assert any(CANARY == secret for secret in secrets)
    assert ("refresh" in kind or kind == "oauth2") == (f"{CANARY}-refresh" in secrets)


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_a_round_trip_over_json_keeps_the_shape_and_reveals_nothing(kind: str) -> None:
    subject = Connector(url=URL, credential=CREDENTIALS[kind])
    again = Connector.model_validate_json(subject.model_dump_json(by_alias=True))
    assert (subject.name, subject.transport, type(subject.credential)) == (
        again.name,
        again.transport,
        type(again.credential),
    )
    assert CANARY not in str(again.secrets({}))


def test_a_connector_of_references_survives_a_round_trip_unchanged() -> None:
    subject = Connector(
        url=URL,
        name="docs",
        credential=BearerCredential(token=Secret("${env:TOKEN}")),
        headers={"X-Tenant": "${env:TENANT}"},
        tools=ToolPolicy(exclude=("drop",), requires_confirmation=("send",)),
        network=NetworkSettings(ca_bundle=Path("ca.pem"), resolve={"a:1": "127.0.0.1"}),
        sample=SampleCall(tool="echo", arguments={"text": "x"}),
        source=Source(format="mcp.json", file="mcp.json", line=3),
        era="legacy",
    )
    assert subject == Connector.model_validate_json(subject.model_dump_json(by_alias=True))
    assert subject == pickle.loads(pickle.dumps(subject))  # noqa: S301 - our own bytes


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_a_credential_goes_to_its_own_origin_and_to_no_other(kind: str) -> None:
    subject = Connector(url=URL, credential=CREDENTIALS[kind], headers={"X-Tenant": "7"})
    own, foreign = subject.authorize(URL + "/deeper?x=1", {}), subject.authorize(OTHER, {})
    assert own.secrets()
    assert ({}, {}, None) == (dict(foreign.headers), dict(foreign.query), foreign.token)


@pytest.mark.parametrize(
    "url",
    ["http://mcp.example.com/mcp", "https://mcp.example.com:8443/mcp", "https://mcp.example.com.evil.test/"],
)
def test_another_scheme_port_or_suffix_is_another_origin(url: str) -> None:
    assert () == Connector(url=URL, credential=CREDENTIALS["bearer"]).authorize(url, {}).secrets()


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"url": URL, "name": ""}, "name"),
        ({"url": URL, "surprise": CANARY}, "surprise"),
        ({"url": URL, "era": CANARY}, "era"),
        ({"url": URL, "credential": {"type": "bearer", "token": [CANARY]}}, "credential.bearer.token"),
        ({"url": URL, "credential": {"type": CANARY}}, "credential"),
        ({"url": URL, "credential": {"type": "basic", "password": CANARY}}, "credential.basic.username"),
        ({"url": URL, "headers": {"X": {"value": CANARY}}}, "headers.X"),
        ({"name": "x"}, "transport"),
    ],
)
def test_a_wrong_value_is_refused_by_its_place_and_without_being_quoted(
    values: dict[str, Any], where: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Connector.model_validate(values)
    assert where in str(caught.value)
    assert CANARY not in str(caught.value).replace("'" + CANARY + "'", "", str(values).count("'type'"))


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection"])
def test_a_header_that_belongs_to_http_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"CFG004 the header {name} is set by HTTP itself"):
        Connector(url=URL, headers={name: "x"})


@pytest.mark.parametrize("url", ["mcp.example.com/mcp", "wss://mcp.example.com/mcp", "https://"])
def test_an_unusable_url_is_a_usage_error_in_one_sentence(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Connector(url=url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value", [f"{CANARY}\n", f" {CANARY}", f"{CANARY}\r\nX: y", f"\x00{CANARY}", f"“{CANARY}”"]
)
@pytest.mark.parametrize("kind", ["bearer", "api_key", "headers", "oauth2", "own"])
def test_a_value_that_no_header_can_carry_is_refused_without_being_quoted(kind: str, value: str) -> None:
    credentials: dict[str, Any] = {
        "bearer": {"type": "bearer", "token": value},
        "api_key": {"type": "api_key", "name": "X-Key", "value": value},
        "headers": {"type": "headers", "headers": {"X-Key": value}},
        "oauth2": {"type": "oauth2", "access_token": value},
        "own": {"type": "none"},
    }
    subject = Connector(
        url=URL, credential=credentials[kind], headers={"X-Own": value} if kind == "own" else {}
    )
    with pytest.raises(UsageError, match="CFG007") as caught:
        subject.authorize(URL, {})
    assert CANARY not in str(caught.value)


def test_an_unset_reference_names_the_variable_and_the_place() -> None:
    subject = Connector(url=URL, headers={"X-Tenant": "${env:TENANT}"})
    with pytest.raises(UsageError, match=r"TENANT is not set \(header X-Tenant\)"):
        subject.authorize(URL, {})


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("X-Tenant", "acme", False),
        ("X-Tenant", "${env:TENANT}", True),
        ("X-Api-Key", "acme", True),
        ("Cookie", "acme", True),
        ("X-Session-Id", "acme", True),
    ],
)
def test_a_header_is_secret_by_its_name_or_because_its_value_was_not_written_in_the_open(
    name: str, value: str, secret: bool
) -> None:
    subject = Connector(url=URL, headers={name: value})
    assert secret == ("acme" in subject.secrets({"TENANT": "acme"}))


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        (ToolPolicy(), {"a", "b"}),
        (ToolPolicy(include=("a",)), {"a"}),
        (ToolPolicy(exclude=("a",)), {"b"}),
        (ToolPolicy(include=("a", "b"), exclude=("b",)), {"a"}),
        (ToolPolicy(include=()), set()),
    ],
)
def test_the_tool_policy_excludes_before_it_includes(policy: ToolPolicy, allowed: set[str]) -> None:
    assert allowed == {name for name in ("a", "b") if policy.allows(name)}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (Source(), "command line"),
        (Source(format="mcp.json", file="a.json"), "a.json"),
        (Source(format="mcp.json", file="a.json", line=3), "a.json:3"),
    ],
)
def test_a_source_says_where_to_fix_the_connector(source: Source, text: str) -> None:
    assert text == str(source)


def test_a_connector_cannot_be_changed_after_it_was_made() -> None:
    subject = Connector(url=URL)
    with pytest.raises(ValidationError, match="frozen"):
        subject.name = "other"
