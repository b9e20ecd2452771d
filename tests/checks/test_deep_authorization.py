"""``--deep`` and ``--register``: what is asked, what it proves, and what no probe ever carries."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from diagnose_checks.authorization_request import loopback_forms
from diagnose_lab import Lab, load, names
from scenario_runs import Outcome, run

from diagnose.deep_plan import PLAN, announced

MINE = [name for name in names() if name.startswith(("auth-deep-", "auth-register-"))]


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
