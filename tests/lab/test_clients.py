"""Which clients the lab's authorization server knows, where it sends them, and how they register."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from diagnose_lab import Lab, Running

from .authorizing import ASKED, CALLBACK, authorize, landing, redeem, refusal, signed, token
from .wire import client, scenario

SERVER = "[server.auth]\n[authorization_server]\n"
CONFIDENTIAL = SERVER + 'clients = [{id = "lab-client", secret = "{client_secret}"%s}]\n'
DOCUMENT = "https://client.example/metadata.json"
_OWN_METHODS = ', methods = ["%s"]'


def register(running: Running, **metadata: Any) -> httpx2.Response:
    asked = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"} | metadata
    with client(running) as http:
        return http.post(running.places["as"] + "/register", json=asked)


def test_an_unknown_client_gets_a_page_and_no_redirect(lab: Lab) -> None:
    with lab.start(scenario(SERVER + 'clients = ["another"]')) as running:
        answer = authorize(running)
        assert (400, False) == (answer.status_code, "location" in answer.headers)
        assert answer.headers["content-type"].startswith("text/html")
        assert "invalid_client: unknown client" in answer.text
        assert (401, "invalid_client") == refusal(
            token(running, "client_credentials", client_id="lab-client")
        )


def test_a_client_that_is_written_as_text_is_public_and_may_use_any_redirect_uri(lab: Lab) -> None:
    with lab.start(scenario(SERVER + 'clients = ["lab-client"]')) as running:
        code = landing(authorize(running))["code"]
        assert 200 == redeem(running, code).status_code


def test_any_client_passes_where_none_is_named(lab: Lab) -> None:
    with lab.start(scenario(SERVER)) as running:
        assert "code" in landing(authorize(running, client_id="whoever"))


@pytest.mark.parametrize(
    ("removed", "status"),
    [("/code_challenge_methods_supported", 302), ("/client_id_metadata_document_supported", 400)],
)
def test_the_url_of_a_client_document_is_known_while_the_metadata_says_so(
    lab: Lab, removed: str, status: int
) -> None:
    with lab.start(scenario(SERVER + f'clients = []\nremove = ["{removed}"]')) as running:
        assert status == authorize(running, client_id=DOCUMENT).status_code


def test_a_code_belongs_to_the_client_that_asked_for_it(lab: Lab) -> None:
    with lab.start(scenario(SERVER)) as running:
        code = landing(authorize(running))["code"]
        assert (400, "invalid_grant") == refusal(redeem(running, code, client_id="another"))


@pytest.mark.parametrize(
    ("toml", "uri", "status"),
    [
        (f'redirects = ["{CALLBACK}"]', CALLBACK, 302),
        (f'redirects = ["{CALLBACK}"]', CALLBACK.replace("3118", "3119"), 400),
        ('redirects = ["http://127.0.0.1:*/callback"]', CALLBACK, 302),
        ('redirects = ["http://127.0.0.1:*/callback"]', "http://localhost:3118/callback", 400),
        ('redirects = ["http://[::1]:*/callback?x=1"]', "http://[::1]:7/callback?x=1", 302),
        ('redirects = ["x:/"]\nclients = [{id = "lab-client", redirects = ["*"]}]', CALLBACK, 302),
        ('clients = [{id = "lab-client", redirects = []}]', CALLBACK, 400),
    ],
)
def test_a_redirect_uri_is_accepted_by_pattern(lab: Lab, toml: str, uri: str, status: int) -> None:
    with lab.start(scenario(SERVER + toml)) as running:
        answer = authorize(running, redirect_uri=uri)
        assert (status, status == 302) == (answer.status_code, "location" in answer.headers)
        assert (status == 400) == ("redirect_uri did not match any configured URIs" in answer.text)


@pytest.mark.parametrize(
    ("methods", "used", "expected"),
    [
        ("", "client_secret_basic", 200),
        ("", "client_secret_post", 200),
        ("", "none", 401),
        ("", "private_key_jwt", 401),
        ("client_secret_post", "client_secret_basic", 401),
        ("client_secret_basic", "client_secret_basic", 200),
        ("private_key_jwt", "private_key_jwt", 200),
        ("none", "none", 200),
    ],
)
def test_a_client_must_authenticate_with_a_method_that_is_its_own(
    lab: Lab, methods: str, used: str, expected: int
) -> None:
    toml = CONFIDENTIAL % (_OWN_METHODS % methods if methods else "")
    with lab.start(scenario(toml)) as running:
        secret = running.places["client_secret"]
        ways: dict[str, tuple[Any, dict[str, str]]] = {
            "client_secret_basic": (httpx2.BasicAuth("lab-client", secret), {}),
            "client_secret_post": (None, {"client_id": "lab-client", "client_secret": secret}),
            "private_key_jwt": (None, signed(running)),
            "none": (None, {"client_id": "lab-client"}),
        }
        auth, form = ways[used]
        answer = token(running, "client_credentials", auth, **form)
        assert (expected, expected == 401) == (
            answer.status_code,
            answer.json().get("error") == "invalid_client",
        )


def test_a_wrong_secret_is_refused_with_a_challenge(lab: Lab) -> None:
    with lab.start(scenario(CONFIDENTIAL % "")) as running:
        answer = token(running, "client_credentials", httpx2.BasicAuth("lab-client", "guessed"))
        assert (401, "invalid_client") == refusal(answer)
        assert answer.headers["www-authenticate"].startswith("Basic")
        posted = token(running, "client_credentials", client_id="lab-client", client_secret="guessed")
        assert (401, "invalid_client") == refusal(posted)


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({}, 200),
        ({"aud": "{as}/token"}, 200),
        ({"aud": "https://other.example"}, 401),
        ({"iss": "another"}, 401),
        ({"sub": "another"}, 401),
        ({"exp": 1}, 401),
    ],
)
def test_a_client_assertion_must_name_client_and_server_and_be_in_time(
    lab: Lab, claims: dict[str, Any], status: int
) -> None:
    toml = SERVER + 'clients = [{id = "lab-client", methods = ["private_key_jwt"]}]'
    with lab.start(scenario(toml)) as running:
        changes = {
            name: value.replace("{as}", running.places["as"]) if isinstance(value, str) else value
            for name, value in claims.items()
        }
        form = signed(running, **changes)
        assert status == token(running, "client_credentials", client_id="lab-client", **form).status_code


def test_the_private_key_of_the_client_is_for_its_owner_alone(lab: Lab) -> None:
    with lab.start(scenario(SERVER)) as running:
        assert 0 == Path(running.places["client_key"]).stat().st_mode & 0o077


@pytest.mark.parametrize(
    ("mode", "uri", "status", "error"),
    [
        ("open", CALLBACK, 201, None),
        ("closed", CALLBACK, 401, "invalid_token"),
        ("forbidden", CALLBACK, 403, "access_denied"),
        ("loopback-refused", CALLBACK, 400, "invalid_redirect_uri"),
        ("loopback-refused", "https://app.example/cb", 201, None),
        ("https-refused", CALLBACK, 201, None),
        ("https-refused", "https://app.example/cb", 400, "invalid_redirect_uri"),
    ],
)
def test_registration_is_open_closed_or_picky(
    lab: Lab, mode: str, uri: str, status: int, error: str | None
) -> None:
    with lab.start(scenario(SERVER + f'register = "{mode}"')) as running:
        answer = register(running, redirect_uris=[uri])
        assert (status, error) == (answer.status_code, answer.json().get("error"))


def test_registration_can_be_missing_or_a_page(lab: Lab) -> None:
    with lab.start(scenario(SERVER + 'register = "missing"')) as running:
        assert 404 == register(running).status_code
    with lab.start(scenario(SERVER + 'register = "html"')) as running:
        answer = register(running)
        assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])


def test_a_client_that_registered_is_known_with_its_redirect_uris_on_any_loopback_port(lab: Lab) -> None:
    with lab.start(scenario(SERVER + "clients = []")) as running:
        assert 400 == authorize(running).status_code
        issued = register(running).json()
        moved = CALLBACK.replace("3118", "4000")
        for uri, status in ((CALLBACK, 302), (moved, 302), ("http://127.0.0.1:1/elsewhere", 400)):
            asked = authorize(running, client_id=issued["client_id"], redirect_uri=uri)
            assert status == asked.status_code


def test_a_client_that_registered_must_use_its_secret(lab: Lab) -> None:
    with lab.start(scenario(SERVER + "clients = []")) as running:
        issued = register(running, token_endpoint_auth_method="client_secret_basic").json()
        good = httpx2.BasicAuth(issued["client_id"], issued["client_secret"])
        assert 200 == token(running, "client_credentials", good).status_code
        assert 401 == token(running, "client_credentials", client_id=issued["client_id"]).status_code


def test_a_registration_is_forgotten_with_its_own_token_only(lab: Lab) -> None:
    with lab.start(scenario(SERVER + "clients = []")) as running, client(running) as http:
        issued = register(running).json()
        where = issued["registration_client_uri"]
        wrong = {"authorization": "Bearer guessed"}
        assert 401 == http.delete(where, headers=wrong).status_code
        assert 302 == authorize(running, client_id=issued["client_id"]).status_code
        own = {"authorization": f"Bearer {issued['registration_access_token']}"}
        assert [204, 401] == [http.delete(where, headers=own).status_code for _ in "ab"]
        assert 400 == authorize(running, client_id=issued["client_id"]).status_code


def test_the_log_shows_the_fields_of_a_form(lab: Lab) -> None:
    with lab.start(scenario(SERVER)) as running:
        token(running, "client_credentials", client_id=ASKED["client_id"])
        assert {"grant_type": "client_credentials", "client_id": "lab-client"} == running.log[-1].form
