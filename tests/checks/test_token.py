"""Token validity: judged by the refusal and by what the token says; no secret ever comes out."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from diagnose_checks.claims import LARGEST, read_token
from diagnose_checks.presented import presented
from diagnose_lab import Lab, Running, Scenario, load, names
from hypothesis import given
from hypothesis import strategies as st
from scenario_runs import environment, keep_login, run

from diagnose import Connector, OAuth2Credential, diagnose_sync
from diagnose.connector import ApiKeyCredential, BasicCredential, BearerCredential, HeadersCredential, Secret
from diagnose.model import Report

MINE = [
    name
    for name in names()
    if name.startswith("token-") and not name.startswith("token-acquired") and load(name).run.command == "run"
]
SPENDING = [
    name
    for name in MINE
    if "--refresh" in load(name).run.args and name not in ("token-refresh-borrowed", "token-no-refresh-own")
]
CANARY = "c4n4ry+/Vx9=Qw2"


def jwt(claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    """An unsigned token with these claims: enough for whoever only reads it."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part(header or {'alg': 'RS256'})}.{part(claims)}.c2lnbmF0dXJl"


def test_a_jwt_shows_its_chosen_claims_and_nothing_else() -> None:
    reading = read_token(jwt({"iss": "i", "aud": ["a"], "sub": "somebody", "email": "x@y", "exp": 0}))
    shown = reading.shown()
    assert shown == {
        "verified": False,
        "alg": "RS256",
        "iss": "i",
        "aud": ["a"],
        "exp": "1970-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("sk-live-123", "opaque"),
        ("a.b.c", "no JSON objects"),
        ("a.b.c.d.e", "encrypted"),
        ("x" * (LARGEST + 1), "not looked at"),
    ],
)
def test_what_cannot_be_read_is_said_to_be_opaque(token: str, words: str) -> None:
    reading = read_token(token)
    assert "opaque" == reading.form
    assert words in reading.note
    assert reading.shown() is None


@given(st.text(max_size=300))
def test_no_token_makes_the_reading_raise(token: str) -> None:
    reading = read_token(token)
    reading.shown()


@given(
    st.dictionaries(
        st.sampled_from(("exp", "nbf", "iat", "aud", "scope", "scp", "iss")),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            ),
            max_leaves=6,
        ),
    )
)
def test_no_claim_makes_the_reading_raise(claims: dict[str, Any]) -> None:
    reading = read_token(jwt(claims))
    json.dumps(reading.shown())
    assert reading.time("exp") is None or isinstance(reading.time("exp"), float)
    assert all(isinstance(audience, str) for audience in reading.audiences)


URL = "https://mcp.example.com/mcp"


@pytest.mark.parametrize(
    ("connector", "kind", "place"),
    [
        (Connector(url=URL), "none", "nowhere"),
        (
            Connector(url=URL, credential=BearerCredential(token=Secret("t"))),
            "bearer",
            "the Authorization header",
        ),
        (
            Connector(url=URL, credential=BasicCredential(username="u", password=Secret("p"))),
            "basic",
            "the Authorization header",
        ),
        (
            Connector(url=URL, credential=OAuth2Credential(access_token=Secret("t"))),
            "oauth2",
            "the Authorization header",
        ),
        (
            Connector(url=URL, credential=ApiKeyCredential(name="X-Key", value=Secret("k"))),
            "api key",
            "the header X-Key",
        ),
        (
            Connector(
                url=URL,
                credential=ApiKeyCredential.model_validate({"name": "k", "in": "query", "value": "v"}),
            ),
            "query",
            "the query parameter k",
        ),
        (Connector(url=URL, headers={"X-API-Key": Secret("k")}), "api key", "the header X-API-Key"),
        (Connector(url=URL, headers={"X-Tenant": Secret("t")}), "none", "nowhere"),
        (Connector(url=URL + "?api_key=k"), "query", "the query parameter api_key"),
        (Connector(url=URL + "?page=2"), "none", "nowhere"),
        (
            Connector(url=URL, credential=HeadersCredential(headers={"Authorization": Secret("abc")})),
            "other scheme",
            "the Authorization header",
        ),
    ],
)
def test_what_was_shown_at_the_door_is_recognised(connector: Connector, kind: str, place: str) -> None:
    shown = presented(connector, {})
    assert (kind, place) == (shown.kind, shown.place)


def test_a_bare_value_is_never_taken_for_the_name_of_a_scheme() -> None:
    credential = HeadersCredential(headers={"Authorization": Secret(CANARY)})
    shown = presented(Connector(url=URL, credential=credential), {})
    assert shown.scheme is None
    assert CANARY not in repr(shown)


@pytest.mark.parametrize("name", MINE)
def test_a_scenario_shows_all_and_only_what_it_says(lab: Lab, name: str) -> None:
    expect = load(name).expect
    assert expect is not None
    found = {code for _, code in run(lab, name).findings("error", "warning")}
    assert {*filter(None, [expect.code]), *expect.also} == found


def forms(token: str) -> set[str]:
    """Every spelling in which a token could come out."""
    inner = token.removeprefix("Bearer ")
    made = {
        inner,
        quote(inner, safe=""),
        base64.b64encode(inner.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(inner.encode()).decode().rstrip("="),
        inner[::-1],
    }
    if inner.count(".") == 2:
        made |= {part for part in inner.split(".")[1:] if part}
    return made


def tokens_of(running: Running) -> set[str]:
    found = {value for name, value in running.env.items() if name.startswith("LAB_")}
    found |= {argument.rpartition(" ")[2] for argument in running.args if ": " in argument}
    if "token=" in running.url:
        found.add(running.url.partition("token=")[2])
    if running.stored is not None:
        found |= {
            str(running.stored.get(name, "")) for name in ("access_token", "refresh_token", "client_secret")
        }
    return {token for token in found if len(token) >= 12 and "{{" not in token}


@pytest.mark.parametrize("output", ["--json", "--format=text", "--format=markdown", "--format=har"])
@pytest.mark.parametrize("name", MINE)
def test_no_token_comes_out_in_any_spelling(
    lab: Lab, name: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from diagnose.cli import main

    running = lab.start(name)
    try:
        env = {**running.env, "DIAGNOSE_KEYRING": "off"}
        keep_login(running, env)
        with environment(env):
            code = main(["run", running.url, output, "-vv", *running.args])
        printed = "".join(capsys.readouterr())
    finally:
        running.stop()
    assert code in (0, 1)
    assert printed
    for token in tokens_of(running):
        for form in forms(token):
            assert form not in printed


@pytest.mark.parametrize(
    "name", ["token-in-query", "token-rejected", "token-rejected-key", "token-doubled-bearer"]
)
def test_the_canary_is_really_sent(lab: Lab, name: str) -> None:
    """Else the test above would prove nothing."""
    from diagnose.cli import main

    running = lab.start(name)
    try:
        with environment(running.env):
            main(["run", running.url, "--json", *running.args])
        tokens = tokens_of(running)
        sent = "".join(f"{record.target} {record.headers}" for record in running.log)
    finally:
        running.stop()
    assert tokens
    assert not [token for token in tokens if token not in sent]


@pytest.mark.parametrize("name", [name for name in MINE if name not in SPENDING])
def test_no_token_request_and_no_registration_is_ever_sent(lab: Lab, name: str) -> None:
    requests = run(lab, name).requests
    assert requests
    for record in requests:
        assert not record.path.endswith(("/token", "/register", "/authorize"))


def test_a_healthy_run_sends_no_contrast(lab: Lab) -> None:
    outcome = run(lab, "healthy-oauth")
    assert [] == [item for item in outcome.report["exchanges"] if item["step"] == "token_validity"]


def oauth2(lab: Lab, flavour: str, **credential: Any) -> Report:
    """A run against a protected server with a stored OAuth token of this flavour."""
    scenario: Scenario = load("healthy-oauth")
    assert scenario.server.auth is not None
    auth = replace(scenario.server.auth, token=flavour)
    running = lab.start(replace(scenario, server=replace(scenario.server, auth=auth)))
    try:
        token = OAuth2Credential(access_token=Secret(running.env["LAB_TOKEN"]), **credential)
        report = diagnose_sync(Connector(url=running.url, credential=token))
        for secret in (running.env["LAB_TOKEN"], CANARY):
            assert secret not in report.to_json()
        assert not [record for record in running.log if record.path == "/token"]
        return report
    finally:
        running.stop()


def test_an_expired_oauth_token_without_a_refresh_token_needs_a_new_login(lab: Lab) -> None:
    assert "TOK004" == oauth2(lab, "expired").verdict.code


def test_an_expired_oauth_token_with_a_refresh_token_is_the_clients_fault(lab: Lab) -> None:
    report = oauth2(lab, "expired", refresh_token=Secret(CANARY))
    assert ("TOK005", "client_vendor") == (report.verdict.code, report.verdict.actor)


def test_an_opaque_oauth_token_is_judged_by_its_stored_expiry(lab: Lab) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    report = oauth2(lab, "garbage", expires_at=past)
    assert "TOK004" == report.verdict.code


def test_a_stored_expiry_in_the_past_is_no_fault_while_the_token_is_accepted(lab: Lab) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    report = oauth2(lab, "opaque", expires_at=past)
    assert "passed" == report.verdict.status


def test_a_stored_expiry_close_by_is_a_warning(lab: Lab) -> None:
    soon = datetime.fromtimestamp(time.time() + 60, UTC)
    report = oauth2(lab, "opaque", expires_at=soon)
    assert ["TOK011"] == [finding.code for finding in report.step("token_validity").findings]


def test_a_valid_oauth_token_gets_no_finding(lab: Lab) -> None:
    assert "passed" == oauth2(lab, "valid").verdict.status


def test_a_refusal_that_nothing_explains_lists_what_was_ruled_out(lab: Lab) -> None:
    outcome = run(lab, "token-rejected-valid")
    step = next(step for step in outcome.report["steps"] if step["id"] == "token_validity")
    ruled_out = " ".join(step["findings"][0]["ruled_out"])
    for words in ("not expired", "aud names this server", "iss is the authorization server", "scheme Bearer"):
        assert words in ruled_out


@pytest.mark.parametrize(
    ("name", "confidence"),
    [
        ("token-wrong-audience", "certain"),
        ("token-wrong-audience-unsaid", "likely"),
        ("token-not-for-this-resource", "certain"),
        ("token-not-for-this-resource-opaque", "likely"),
        ("token-missing-scope", "certain"),
        ("token-missing-scope-401", "likely"),
        ("token-expired", "certain"),
        ("token-expired-opaque", "likely"),
        ("token-key-for-bearer", "certain"),
        ("token-basic-for-bearer", "likely"),
        ("token-doubled-bearer", "certain"),
    ],
)
def test_a_verdict_is_as_sure_as_its_proof(lab: Lab, name: str, confidence: str) -> None:
    assert confidence == run(lab, name).report["verdict"]["confidence"]


def test_the_fix_names_the_setting_of_the_identity_provider_that_issued_the_token(lab: Lab) -> None:
    fix = run(lab, "token-wrong-audience-keycloak").report["verdict"]["fix"]
    assert "In Keycloak: Client scopes" in fix


def test_a_missing_scope_is_the_reason_only_after_all_else_is_ruled_out(lab: Lab) -> None:
    report = run(lab, "token-missing-scope-401").report
    ruled_out = " ".join(report["steps"][5]["findings"][0]["ruled_out"])
    for words in ("not expired", "aud names this server", "iss is the authorization", "signature verifies"):
        assert words in ruled_out


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"scope": "mcp:tools"}, "TOK002"),
        ({"aud": "https://elsewhere.example"}, "TOK006"),
        ({"iss": "https://elsewhere.example"}, "TOK007"),
    ],
)
def test_a_scope_in_a_challenge_is_no_reason_while_another_one_is_left(
    lab: Lab, claims: dict[str, Any], code: str
) -> None:
    # The SDKs name their scopes in every challenge.
    scenario = load("token-missing-scope-401")
    assert scenario.server.auth is not None
    auth = replace(scenario.server.auth, claims=claims)
    running = lab.start(replace(scenario, server=replace(scenario.server, auth=auth)))
    try:
        token = BearerCredential(token=Secret(running.env["LAB_TOKEN"]))
        report = diagnose_sync(Connector(url=running.url, credential=token))
    finally:
        running.stop()
    assert code == report.verdict.code
