"""``--deep`` and ``--register``: what is asked, what it proves, and what no probe ever carries."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from diagnose_checks.authorization_answer import about, read_reply
from diagnose_checks.authorization_request import AuthorizationRequest, loopback_forms
from diagnose_lab import Lab, load, names
from hypothesis import given
from hypothesis import strategies as st
from scenario_runs import Outcome, run

from diagnose.connector.address import origin_of
from diagnose.deep_plan import PLAN, announced
from diagnose.wire.http_wire import Answer
from diagnose.wire.recorder import Recorder

MINE = [name for name in names() if name.startswith(("auth-deep-", "auth-register-"))]
REQUEST = AuthorizationRequest(
    endpoint="https://as.example.com/authorize",
    client_id="client",
    redirect_uri="http://127.0.0.1:3118/callback",
    state="made-up-state",
    verifier="made-up-verifier",
    resource="https://mcp.example.com/mcp",
    scopes=("mcp:tools",),
)


def asked(outcome: Outcome, path: str) -> list[Any]:
    """The requests to one path of the authorization server."""
    return [seen for seen in outcome.requests if seen.server == "as" and seen.path.endswith(path)]


def query(seen: Any) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(seen.target).query))


def probes(outcome: Outcome) -> list[dict[str, Any]]:
    step = next(step for step in outcome.report["steps"] if step["id"] == "auth_discovery")
    listed = step["facts"].get("probes", [])
    assert isinstance(listed, list)
    return listed


def finding(outcome: Outcome, code: str) -> dict[str, Any]:
    step = next(step for step in outcome.report["steps"] if step["id"] == "auth_discovery")
    return next(found for found in step["findings"] if found["code"] == code)


@pytest.mark.parametrize("name", MINE)
def test_nothing_is_sent_that_the_plan_does_not_list(lab: Lab, name: str) -> None:
    outcome = run(lab, name)
    kinds = {"/authorize": "authorization request", "/token": "token request", "/register": "registration"}
    for path, row in kinds.items():
        most = next(planned.most for planned in PLAN if planned.id == row)
        assert len(asked(outcome, path)) <= most
    assert {entry["request"] for entry in probes(outcome)} <= {planned.request for planned in PLAN}
    posts = [
        seen for seen in outcome.requests if seen.server == "as" and seen.method not in ("GET", "DELETE")
    ]
    assert {seen.path.rpartition("/")[2] for seen in posts} <= {"token", "register"}


@pytest.mark.parametrize("name", MINE)
def test_no_probe_carries_a_cookie_a_bearer_token_or_a_real_code(lab: Lab, name: str) -> None:
    outcome = run(lab, name)
    probed = [seen for seen in outcome.requests if seen.server == "as" and seen.method != "DELETE"]
    assert [] == [seen.path for seen in probed if seen.header("cookie") is not None]
    shown = {(seen.header("authorization") or "Basic").partition(" ")[0] for seen in probed}
    assert shown <= {"Basic"}
    states = {query(seen)["state"] for seen in asked(outcome, "/authorize")}
    codes = {seen.form["code"] for seen in asked(outcome, "/token")}
    assert set() == states & codes
    assert all(len(code) == 43 for code in codes)


@pytest.mark.parametrize("name", MINE)
def test_no_login_is_opened_and_no_redirect_is_followed(lab: Lab, name: str) -> None:
    outcome = run(lab, name)
    assert [] == asked(outcome, "/login")
    assert [] == [seen.path for seen in outcome.requests if seen.server == "server" and seen.path == "/"]


@pytest.mark.parametrize("name", [name for name in MINE if "--deep" not in load(name).run.args])
def test_register_alone_asks_for_registrations_only(lab: Lab, name: str) -> None:
    outcome = run(lab, name)
    assert [] == asked(outcome, "/authorize") + asked(outcome, "/token")
    assert [] != asked(outcome, "/register")


def test_deep_alone_registers_nothing(lab: Lab) -> None:
    assert [] == asked(run(lab, "auth-deep-login-page"), "/register")


def test_a_secret_goes_to_the_token_endpoint_of_its_issuer_and_nowhere_else(lab: Lab) -> None:
    outcome = run(lab, "auth-deep-secret-good")
    holders = [seen.path for seen in outcome.requests if seen.header("authorization") is not None]
    assert ["/token"] == holders
    secret = outcome.env["LAB_CLIENT_SECRET"]
    assert secret not in outcome.stdout + outcome.stderr


def test_the_client_signs_with_its_key_and_the_assertion_is_not_shown(lab: Lab) -> None:
    outcome = run(lab, "auth-deep-key-good")
    (request,) = asked(outcome, "/token")
    assert request.form["client_assertion"] not in outcome.stdout
    assert "invalid_grant" in probes(outcome)[-1]["outcome"]


def test_a_refused_redirect_uri_and_the_accepted_one_are_both_evidence(lab: Lab) -> None:
    found = finding(run(lab, "auth-deep-redirect-form"), "AUTH040")
    observed = [(it["label"], it["observed"].partition(":")[0]) for it in found["evidence"]]
    assert ("redirect_uri=http://localhost:3118/callback", "login") in observed
    assert "refused" == observed[0][1]
    assert "certain" == found["confidence"]


def test_an_unknown_client_is_asked_about_once(lab: Lab) -> None:
    outcome = run(lab, "auth-deep-client-unknown")
    assert 1 == len(asked(outcome, "/authorize"))
    assert "certain" == finding(outcome, "AUTH047")["confidence"]


def test_a_refused_resource_is_proven_by_the_request_without_it(lab: Lab) -> None:
    outcome = run(lab, "auth-deep-resource-unknown")
    first, without = asked(outcome, "/authorize")
    changed = {name for name in query(first) if query(first)[name] != query(without).get(name)}
    assert {"resource"} == changed
    assert "certain" == finding(outcome, "AUTH041")["confidence"]


def test_a_refused_scope_is_proven_by_the_request_without_it(lab: Lab) -> None:
    outcome = run(lab, "auth-deep-scope-offline")
    first, without = asked(outcome, "/authorize")
    assert "mcp:tools offline_access" == query(first)["scope"]
    assert "mcp:tools" == query(without)["scope"]


def test_every_loopback_form_is_tried_where_the_first_one_is_accepted(lab: Lab) -> None:
    tried = [query(seen)["redirect_uri"] for seen in asked(run(lab, "auth-deep-approved"), "/authorize")]
    assert tried[:4] == list(loopback_forms("http://localhost:3118/callback"))


def test_what_was_registered_is_removed_again(lab: Lab) -> None:
    outcome = run(lab, "auth-register-open")
    removed = [seen for seen in outcome.requests if seen.method == "DELETE"]
    assert 2 == len(removed)
    outcomes = [entry["outcome"] for entry in probes(outcome) if entry["request"].startswith("DELETE")]
    assert ["removed: HTTP 204", "removed: HTTP 204"] == outcomes
    tokens = [(seen.header("authorization") or "").removeprefix("Bearer ") for seen in removed]
    assert all(tokens)
    assert [] == [token for token in tokens if token in outcome.stdout]


def test_a_client_of_this_run_asks_where_the_connector_has_none(lab: Lab) -> None:
    outcome = run(lab, "auth-register-open")
    clients = {query(seen)["client_id"] for seen in asked(outcome, "/authorize")}
    assert 1 == len(clients)
    assert clients == {seen.form["client_id"] for seen in asked(outcome, "/token")}


def test_a_client_asks_for_no_secret_and_is_asked_for_none(lab: Lab) -> None:
    outcome = run(lab, "auth-register-public-unlisted")
    methods = [json.loads(seen.body)["token_endpoint_auth_method"] for seen in asked(outcome, "/register")]
    assert ["none", "none"] == methods
    answers = [
        entry["outcome"] for entry in probes(outcome) if entry["request"].startswith("POST to the token")
    ]
    assert 1 == len(answers)
    assert "invalid_grant" in answers[0]


def test_a_listed_method_is_asked_for_only_where_a_public_client_is_refused(lab: Lab) -> None:
    outcome = run(lab, "auth-register-secret-only")
    methods = [json.loads(seen.body)["token_endpoint_auth_method"] for seen in asked(outcome, "/register")]
    assert ["none", "client_secret_post", "client_secret_post"] == methods


def test_what_cannot_be_removed_is_named(lab: Lab) -> None:
    found = finding(run(lab, "auth-register-left-behind"), "AUTH053")
    assert "info" == found["severity"]
    assert "HTTP 405" in found["cause"]


def test_the_token_of_a_registration_stays_with_the_origin_that_gave_it(lab: Lab) -> None:
    outcome = run(lab, "auth-register-removal-elsewhere")
    assert [] == [seen.path for seen in outcome.requests if seen.server == "other"]
    assert "another origin" in finding(outcome, "AUTH053")["cause"]
    assert "lab-registration-token-5f0c" not in outcome.stdout


def test_a_token_for_a_made_up_code_is_thrown_away_unseen(lab: Lab) -> None:
    outcome = run(lab, "auth-deep-code-accepted")
    assert "lab-token-for-anybody-51c0" not in outcome.stdout


def test_where_a_document_is_wrong_nobody_is_asked(lab: Lab) -> None:
    outcome = run(lab, "auth-deep-documents-broken")
    assert ["not sent", "not sent"] == [entry["outcome"].partition(":")[0] for entry in probes(outcome)]
    assert [] == asked(outcome, "/authorize") + asked(outcome, "/token")


def test_without_a_client_id_the_facts_say_why_nothing_was_asked(lab: Lab) -> None:
    first = probes(run(lab, "auth-deep-no-client"))[0]
    assert "GET the authorization endpoint" == first["request"]
    assert "not sent: the connector has no OAuth credential, so no client id" == first["outcome"]


def test_a_silent_endpoint_does_not_hold_the_step(lab: Lab) -> None:
    outcome = run(lab, "auth-deep-authorize-silent")
    assert "no answer" == probes(outcome)[0]["outcome"].partition(":")[0]
    assert "not sent: the step's time was over" == probes(outcome)[-1]["outcome"]


def test_the_closing_note_lists_what_was_ruled_out_and_whom_to_ask(lab: Lab) -> None:
    found = finding(run(lab, "auth-deep-login-page"), "AUTH054")
    assert "info" == found["severity"]
    assert [] != [line for line in found["ruled_out"] if line.startswith("token endpoint")]
    assert "address ranges" in found["fix"]


def test_what_may_be_sent_is_said_before_it_is_sent(lab: Lab) -> None:
    outcome = run(lab, "auth-register-open", "--quiet")
    assert "" == outcome.stderr
    said = run(lab, "auth-register-open").stderr
    assert "\n".join(announced("--deep", "--register")) + "\n" == said


def test_a_run_without_the_flags_announces_nothing(lab: Lab) -> None:
    assert "" == run(lab, "healthy-oauth").stderr


# What providers really say, and what it is about.
ENTRA = {
    "redirect": "AADSTS50011: The redirect URI 'x' specified in the request does not match",
    "client": "AADSTS700016: Application with identifier 'x' was not found in the directory",
    "resource": "AADSTS9010010: The resource parameter provided in the request doesn't match",
    "scope": "AADSTS650053: The application asked for scope 'mcp.read' that doesn't exist",
}
SAYINGS = [
    *((subject, "invalid_request", text) for subject, text in ENTRA.items()),
    (
        "redirect",
        None,
        "redirect_uri did not match any configured URIs",
    ),
    ("redirect", None, "Error 400: redirect_uri_mismatch You can't sign in to this app"),
    ("redirect", None, "Invalid parameter: redirect_uri"),
    ("redirect", "invalid_request", "Redirect URI 'http://127.0.0.1/callback' not registered for client"),
    ("redirect", "redirect_mismatch", ""),
    (
        "redirect",
        None,
        "The 'redirect_uri' parameter must be a Login redirect URI in the app",
    ),
    (
        "redirect",
        "invalid_request",
        "redirect_uri did not match any registered redirect_uris",
    ),
    (
        "redirect",
        None,
        "Callback URL mismatch: it is not in the list of allowed callback URLs",
    ),
    ("client", "invalid_request", "Client ID 'abc' not found"),
    ("client", None, "Client not found."),
    ("client", None, "Unknown client: abc"),
    ("client", "invalid_client", "client is invalid"),
    ("client", None, "Error 401: invalid_client The OAuth client was not found."),
    ("resource", "invalid_target", ""),
    (
        "resource",
        "invalid_request",
        "AADSTS9010010: The resource parameter provided in the request doesn't match",
    ),
    ("scope", "invalid_scope", "not allowed to request scope 'offline_access'"),
    (
        "scope",
        None,
        "AADSTS650053: The application asked for scope 'mcp.read' that doesn't exist on the resource",
    ),
    ("other", "access_denied", "The resource owner denied the request"),
    ("other", "unauthorized_client", "The client may not use this grant"),
    ("other", None, "Something went wrong"),
]


@pytest.mark.parametrize(("subject", "error", "text"), SAYINGS)
def test_a_refusal_is_about_one_thing(subject: str, error: str | None, text: str) -> None:
    assert subject == about(error, text)


def answer(status: int, body: bytes, *headers: tuple[str, str]) -> Answer:
    exchange = Recorder().begin("auth_discovery", "GET", REQUEST.url, {})
    exchange.response_headers = headers
    return Answer(status=status, reason="", headers=headers, body=body, exchange=exchange)


MCP = origin_of("https://mcp.example.com/mcp")
GOOGLE = "Cg9yZWRpcmVjdF91cmlfbWlzbWF0Y2g"  # a length, and "redirect_uri_mismatch" without its last letters


@pytest.mark.parametrize(
    ("kind", "status", "location"),
    [
        ("login", 302, "/login?next=x"),
        ("login", 303, "https://idp.example.net/sso?state=1"),
        ("approved", 302, "http://127.0.0.1:3118/callback?code=x&state=made-up-state"),
        ("refused", 302, "http://127.0.0.1:3118/callback?error=invalid_scope&state=made-up-state"),
        ("refused", 302, "https://as.example.com/error?error=redirect_mismatch"),
        ("refused", 302, f"https://accounts.example.com/signin/oauth/error?authError={GOOGLE}"),
        ("elsewhere", 302, "https://mcp.example.com/"),
        ("failed", 302, "http://127.0.0.1:3118/callback"),
        ("failed", 302, "https://[broken"),
        ("login", 302, "javascript:alert(1)"),
        ("login", 302, "//evil.example/-rf"),
    ],
)
def test_a_redirect_is_read_and_not_followed(kind: str, status: int, location: str) -> None:
    assert kind == read_reply(answer(status, b"", ("location", location)), REQUEST, MCP).kind


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("login", 200, b"<form>Sign in. Unknown client? Ask your administrator.</form>"),
        (
            "login",
            200,
            b"<script>known = ['redirect_uri_mismatch', 'invalid_client']</script><p>Sign in</p>",
        ),
        ("refused", 200, b"<p>redirect_uri did not match any configured URIs</p>"),
        ("refused", 400, b'{"error": "invalid_request", "error_description": "Client ID \'x\' not found"}'),
        ("refused", 404, b"client not found"),
        ("failed", 404, b"<h1>Not Found</h1>"),
        ("failed", 403, b"<h1>Access denied by the firewall</h1>"),
        ("failed", 502, b""),
        ("refused", 400, b"<h1>Something went wrong</h1>"),
    ],
)
def test_a_page_is_a_login_or_a_refusal(kind: str, status: int, body: bytes) -> None:
    assert kind == read_reply(answer(status, body), REQUEST, MCP).kind


@given(st.integers(100, 599), st.binary(max_size=300), st.text(max_size=80))
def test_no_answer_makes_the_reader_raise(status: int, body: bytes, location: str) -> None:
    assert read_reply(answer(status, body, ("location", location)), REQUEST, MCP).detail


def test_a_page_of_unclosed_tags_is_read_in_one_pass() -> None:
    page = b"<script" * 40_000 + b"<" * 100_000
    assert "login" == read_reply(answer(200, page), REQUEST, MCP).kind


@pytest.mark.parametrize(
    ("configured", "forms"),
    [
        (
            "http://127.0.0.1:80/callback",
            ["127.0.0.1:80/callback", "localhost:80/callback", "[::1]:80/callback", "127.0.0.1:81/callback"],
        ),
        ("http://localhost/cb", ["localhost/cb", "127.0.0.1/cb", "[::1]/cb", "localhost:33418/cb"]),
        (
            "http://[::1]:65535/",
            ["[::1]:65535/", "127.0.0.1:65535/", "localhost:65535/", "[::1]:65534/"],
        ),
    ],
)
def test_a_loopback_redirect_uri_has_three_hosts_and_another_port(configured: str, forms: list[str]) -> None:
    assert [f"http://{form}" for form in forms] == list(loopback_forms(configured))


def test_a_redirect_uri_elsewhere_is_tried_first_and_loopback_after_it() -> None:
    first, *others = loopback_forms("https://client.example/callback")
    assert "https://client.example/callback" == first
    assert 4 == len(others)


def test_parameters_of_the_authorization_endpoint_itself_stay() -> None:
    request = AuthorizationRequest(
        endpoint="https://as.example.com/authorize?tenant=a",
        client_id="a b",
        redirect_uri="http://127.0.0.1/",
        state="s",
        verifier="v",
        resource=None,
        scopes=(),
    )
    assert request.url.startswith(
        "https://as.example.com/authorize?tenant=a&response_type=code&client_id=a+b&"
    )
    assert "resource" not in request.url
    assert "scope" not in request.url


def test_the_report_holds_no_state_that_could_be_taken_for_a_secret(lab: Lab) -> None:
    report = json.dumps(run(lab, "auth-deep-approved").report)
    assert "code=[redacted]" in report


def test_the_secret_of_a_stored_login_stays_in_its_store(lab: Lab) -> None:
    outcome = run(lab, "auth-deep-stored-client-confidential")
    (request,) = asked(outcome, "/token")
    assert "lab-gone-7a2b" == request.form["client_id"]
    everything = [seen.target + str(seen.headers) + seen.body.decode() for seen in outcome.requests]
    assert [] == [text for text in everything if "lab-stored-secret-51c09e7a" in text]
    assert "lab-stored-secret-51c09e7a" not in outcome.stdout


def test_a_stored_token_goes_to_the_endpoint_and_to_no_authorization_server(lab: Lab) -> None:
    outcome = run(lab, "auth-deep-next-login")
    holders = {seen.server for seen in outcome.requests if seen.header("authorization") is not None}
    assert {"server"} == holders


def test_a_good_token_makes_of_a_login_that_would_fail_a_warning(lab: Lab) -> None:
    found = finding(run(lab, "auth-deep-next-login"), "AUTH040")
    assert ("warning", "certain") == (found["severity"], found["confidence"])


@pytest.mark.parametrize(
    ("name", "more", "confidence"),
    [
        ("auth-register-client-forgotten", (), "likely"),
        ("auth-deep-stored-client-forgotten", (), "likely"),
        ("auth-deep-stored-client-forgotten", ("--register",), "certain"),
    ],
)
def test_a_client_was_certainly_forgotten_if_it_was_registered_and_a_new_one_is(
    lab: Lab, name: str, more: tuple[str, ...], confidence: str
) -> None:
    assert confidence == finding(run(lab, name, *more), "AUTH045")["confidence"]
