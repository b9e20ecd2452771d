"""What the lab's authorization server grants, and how it refuses."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from diagnose_lab import Lab

from .authorizing import ASKED, authorize, landing, log_in, redeem, refresh, refusal, token
from .wire import ask, client, scenario

AUTH = "[server.auth]\n%s\n[authorization_server]\n"
SERVER = AUTH % ""
ENTRA = (
    "AADSTS9010010: The resource parameter provided in the request doesn't match with the requested scopes."
)


def test_a_resource_that_is_unknown_is_refused_at_both_endpoints(lab: Lab) -> None:
    with lab.start(scenario(SERVER + 'resources = ["{url}"]')) as running:
        found = landing(authorize(running, resource="https://x.example/"))
        assert ("invalid_target", "s-1", running.places["as"]) == (
            found["error"],
            found["state"],
            found["iss"],
        )
        assert "https://x.example/" in found["error_description"]
        code = landing(authorize(running, resource=running.url))["code"]
        assert (400, "invalid_target") == refusal(redeem(running, code, resource="https://x.example/"))
        assert "access_token" in log_in(running, resource=running.url)


@pytest.mark.parametrize(("where", "authorized"), [("authorize", False), ("token", True)])
def test_resources_can_be_checked_at_one_endpoint_only(lab: Lab, where: str, authorized: bool) -> None:
    toml = SERVER + f'resources = ["{{url}}"]\nresources_at = ["{where}"]'
    with lab.start(scenario(toml)) as running:
        unknown = {"resource": "https://x.example/"}
        assert authorized == ("code" in landing(authorize(running, **unknown)))
        granted = token(running, "client_credentials", client_id="c", **unknown)
        assert authorized == (granted.status_code == 400)


def test_a_server_that_needs_a_resource_leads_to_its_root_without_one(lab: Lab) -> None:
    with lab.start(scenario(SERVER + "resource_required = true")) as running:
        answer = authorize(running)
        assert (302, running.places["origin"] + "/") == (answer.status_code, answer.headers["location"])
        assert "code" in landing(authorize(running, resource=running.url))


@pytest.mark.parametrize(
    ("asked", "error", "description"),
    [
        ({"scope": "api://lab/mcp.read"}, None, None),
        ({"scope": "https://mcp.example/app/read openid", "resource": "https://mcp.example/"}, None, None),
        ({"scope": "api://lab/mcp.read", "resource": "https://mcp.example/mcp"}, "invalid_target", ENTRA),
        ({"scope": "openid", "resource": "https://mcp.example/mcp"}, "invalid_target", ENTRA),
        (
            {"scope": "openid mcp:tools"},
            "invalid_scope",
            "AADSTS650053: The application asked for scope 'mcp:tools' that doesn't exist on the resource"
            " '00000003-0000-0000-c000-000000000000'.",
        ),
    ],
)
def test_a_server_can_refuse_resource_and_scope_as_entra_does(
    lab: Lab, asked: dict[str, str], error: str | None, description: str | None
) -> None:
    with lab.start(scenario(SERVER + "entra = true")) as running:
        found = landing(authorize(running, **asked))
        answer = token(running, "client_credentials", client_id="c", **asked).json()
        for seen in (found, answer):
            assert (error, description) == (seen.get("error"), seen.get("error_description"))


def test_an_unknown_scope_is_refused_by_a_strict_server(lab: Lab) -> None:
    with lab.start(scenario(SERVER + "strict_scopes = true")) as running:
        assert "invalid_scope" == landing(authorize(running, scope="mcp:tools mcp:write"))["error"]
        assert "code" in landing(authorize(running, scope="mcp:tools"))
        answer = token(running, "client_credentials", client_id="c", scope="mcp:write")
        assert (400, "invalid_scope") == refusal(answer)


@pytest.mark.parametrize("way", ["page", "redirect"])
def test_a_login_form_approves_when_it_is_sent(lab: Lab, way: str) -> None:
    with lab.start(scenario(SERVER + f'login = "{way}"')) as running, client(running) as http:
        answer = authorize(running)
        if way == "redirect":
            assert answer.headers["location"].startswith(running.places["as"] + "/login?")
            answer = http.get(answer.headers["location"])
        assert (200, True) == (answer.status_code, f'action="{running.places["as"]}/login"' in answer.text)
        sent = http.post(running.places["as"] + "/login", data=ASKED | {"username": "u", "password": "p"})
        assert 200 == redeem(running, landing(sent)["code"]).status_code


def test_a_login_form_escapes_what_it_was_asked(lab: Lab) -> None:
    with lab.start(scenario(SERVER + 'login = "page"')) as running:
        assert "<b>" not in authorize(running, state='"><b>').text


def test_a_person_may_refuse(lab: Lab) -> None:
    with lab.start(scenario(SERVER + "approve = false")) as running:
        found = landing(authorize(running))
        assert ("access_denied", "s-1", False) == (found["error"], found["state"], "code" in found)


@pytest.mark.parametrize(
    ("toml", "state", "iss"),
    [
        ("", "s-1", "{as}"),
        ('iss = "missing"', "s-1", None),
        ('iss = "wrong"', "s-1", "https://other.example"),
        ('state = "missing"', None, "{as}"),
        ('state = "wrong"', "lab-state-of-another-request", "{as}"),
    ],
)
def test_state_and_issuer_of_the_response_can_be_wrong_or_missing(
    lab: Lab, toml: str, state: str | None, iss: str | None
) -> None:
    with lab.start(scenario(SERVER + toml)) as running:
        found = landing(authorize(running))
        expected = None if iss is None else iss.replace("{as}", running.places["as"])
        assert (state, expected) == (found.get("state"), found.get("iss"))


def test_a_kept_refresh_token_works_again_and_again(lab: Lab) -> None:
    with lab.start(scenario(SERVER + 'refresh = "keep"')) as running:
        renewal = log_in(running)["refresh_token"]
        answers = [refresh(running, renewal) for _ in "ab"]
        assert [200, 200] == [answer.status_code for answer in answers]
        assert [False, False] == ["refresh_token" in answer.json() for answer in answers]


def test_a_server_may_issue_no_refresh_token(lab: Lab) -> None:
    with lab.start(scenario(SERVER + 'refresh = "none"')) as running:
        assert "refresh_token" not in log_in(running)


def test_every_refresh_can_be_refused(lab: Lab) -> None:
    with lab.start(scenario(SERVER + 'refresh = "refused"')) as running:
        answer = refresh(running, log_in(running)["refresh_token"])
        assert (400, "invalid_grant") == refusal(answer)
        assert "The refresh token was revoked" == answer.json()["error_description"]


def test_a_refresh_token_may_be_known_from_the_start(lab: Lab) -> None:
    with lab.start(scenario(SERVER + 'refresh_tokens = ["lab-refresh-5c1d9e"]')) as running:
        granted = refresh(running, "lab-refresh-5c1d9e").json()
        bearer = f"Bearer {granted['access_token']}"
        assert (200, 200) == (
            ask(running, authorization=bearer).status_code,
            refresh(running, granted["refresh_token"]).status_code,
        )
        assert (400, "invalid_grant") == refusal(refresh(running, "lab-refresh-5c1d9e"))


def test_reuse_of_a_rotated_token_ends_its_whole_family(lab: Lab) -> None:
    toml = 'refresh_tokens = ["lab-refresh-5c1d9e"]\nrotated_tokens = ["lab-refresh-old"]\n'
    toml += "reuse_detection = true"
    with lab.start(scenario(SERVER + toml)) as running:
        other = log_in(running)["refresh_token"]
        reused = refresh(running, "lab-refresh-old")
        assert "The refresh token was already rotated: reuse detected" == reused.json()["error_description"]
        assert (400, "invalid_grant") == refusal(refresh(running, "lab-refresh-5c1d9e"))
        # Another login is another family: it lives, until one of its own tokens is used twice.
        new = refresh(running, other).json()["refresh_token"]
        assert (400, "invalid_grant") == refusal(refresh(running, other))
        assert (400, "invalid_grant") == refusal(refresh(running, new))


def test_a_refused_resource_does_not_spend_the_refresh_token(lab: Lab) -> None:
    toml = 'refresh_tokens = ["lab-refresh-5c1d9e"]\nresources = ["{url}"]'
    with lab.start(scenario(SERVER + toml)) as running:
        form = {"refresh_token": "lab-refresh-5c1d9e", "client_id": "c"}
        refused = token(running, "refresh_token", resource="https://x.example/", **form)
        assert (400, "invalid_target") == refusal(refused)
        assert 200 == token(running, "refresh_token", **form).status_code


def test_a_refresh_token_belongs_to_its_client(lab: Lab) -> None:
    with lab.start(scenario(SERVER)) as running:
        renewal = log_in(running)["refresh_token"]
        answer = token(running, "refresh_token", refresh_token=renewal, client_id="another")
        assert (400, "invalid_grant") == refusal(answer)
        assert 200 == refresh(running, renewal).status_code


def test_a_token_answer_can_be_patched(lab: Lab) -> None:
    toml = 'token_patch = {expires_in = "3600", extra = 1}\ntoken_remove = ["/token_type"]'
    with lab.start(scenario(SERVER + toml)) as running:
        granted = log_in(running)
        assert ("3600", 1, False) == (granted["expires_in"], granted["extra"], "token_type" in granted)


@pytest.mark.parametrize(
    ("mode", "kids", "verifies"),
    [
        ("published", ["lab-1"], True),
        ("other", ["lab-other-1", "lab-other-2"], False),
        ("same-kid", ["lab-1"], False),
        ("empty", [], False),
    ],
)
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_key_set_is_right_foreign_or_empty(
    lab: Lab, mode: str, kids: list[str], verifies: bool, algorithm: str
) -> None:
    toml = SERVER + f'jwks = "{mode}"\nalgorithm = "{algorithm}"'
    with lab.start(scenario(toml)) as running, client(running) as http:
        keys = http.get(running.places["as"] + "/jwks").json()["keys"]
        assert kids == [key["kid"] for key in keys]
        assert verifies == any(_verifies(running.env["LAB_TOKEN"], key, algorithm) for key in keys)


def _verifies(text: str, key: dict[str, Any], algorithm: str) -> bool:
    try:
        jwt.PyJWS().decode(text, jwt.PyJWK(key).key, algorithms=[algorithm])
    except jwt.InvalidSignatureError:
        return False
    return True


@pytest.mark.parametrize(("mode", "status", "kind"), [("missing", 404, None), ("html", 200, "text/html")])
def test_a_key_set_can_be_missing_or_a_page(lab: Lab, mode: str, status: int, kind: str | None) -> None:
    with lab.start(scenario(SERVER + f'jwks = "{mode}"')) as running, client(running) as http:
        answer = http.get(running.places["as"] + "/jwks")
        content_type = answer.headers.get("content-type")
        assert (status, kind) == (answer.status_code, content_type and content_type.partition(";")[0])


def test_an_assertion_is_accepted_by_the_list(lab: Lab) -> None:
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    with lab.start(scenario(SERVER + 'assertions = ["{assertion}"]')) as running:
        good, bad = (
            token(running, grant, assertion=text, client_id="c")
            for text in (running.places["assertion"], "lab-assertion-of-somebody-else")
        )
        assert (200, (400, "invalid_grant")) == (good.status_code, refusal(bad))
        assert jwt.get_unverified_header(running.places["assertion"])["typ"] == "oauth-id-jag+jwt"
    with lab.start(scenario(SERVER)) as running:
        assert 200 == token(running, grant, assertion="any", client_id="c").status_code


@pytest.mark.parametrize(
    ("toml", "description"),
    [
        ('token = "unknown-key"', "malformed or its signature is wrong"),
        ('token = "revoked"', "The access token was revoked"),
        ('key_set = "other"', "signature verification failed"),
    ],
)
def test_a_gate_refuses_a_token_whose_claims_are_good(lab: Lab, toml: str, description: str) -> None:
    with lab.start(scenario(AUTH % toml)) as running:
        answer = ask(running, authorization=f"Bearer {running.env['LAB_TOKEN']}")
        assert (401, "invalid_token") == refusal(answer)
        assert description in answer.headers["www-authenticate"]


def test_a_token_of_an_unknown_key_names_it(lab: Lab) -> None:
    with lab.start(scenario(AUTH % 'token = "unknown-key"')) as running:
        assert "lab-unknown" == jwt.get_unverified_header(running.env["LAB_TOKEN"])["kid"]


def test_only_the_token_that_was_handed_out_is_revoked(lab: Lab) -> None:
    with lab.start(scenario(AUTH % 'token = "revoked"')) as running:
        fresh = f"Bearer {log_in(running)['access_token']}"
        assert 200 == ask(running, authorization=fresh).status_code


def test_a_client_that_is_to_log_in_is_given_no_token(lab: Lab) -> None:
    with lab.start(scenario(AUTH % 'token = "login"')) as running:
        assert ((), False) == (running.args, "LAB_TOKEN" in running.env)
        issued = f"Bearer {log_in(running)['access_token']}"
        assert (401, 200) == (ask(running).status_code, ask(running, authorization=issued).status_code)


def test_a_fresh_and_a_lapsed_token_are_at_hand(lab: Lab) -> None:
    with lab.start(scenario(AUTH % 'token = "login"')) as running:
        fresh, lapsed = (
            ask(running, authorization=f"Bearer {running.places[name]}") for name in ("fresh", "lapsed")
        )
        assert (200, 401) == (fresh.status_code, lapsed.status_code)
        assert "expired" in lapsed.headers["www-authenticate"]
