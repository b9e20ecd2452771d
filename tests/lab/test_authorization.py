"""Protected servers, and the authorization server behind them."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from diagnose_lab import Lab, Running
from pydantic import AnyUrl

from .wire import ask, client, scenario

OAUTH = "[server.auth]\n[authorization_server]\n"


def with_token(running: Running) -> httpx2.Response:
    return ask(running, authorization=f"Bearer {running.env['LAB_TOKEN']}")


@pytest.mark.parametrize(
    ("token", "status", "error"),
    [
        ("valid", 200, None),
        ("expiring", 200, None),
        ("opaque", 200, None),
        ("expired", 401, "invalid_token"),
        ("not-yet-valid", 401, "invalid_token"),
        ("wrong-audience", 401, "invalid_token"),
        ("wrong-issuer", 401, "invalid_token"),
        ("garbage", 401, "invalid_token"),
        ("alg-none", 401, "invalid_token"),
        ("missing-scope", 403, "insufficient_scope"),
    ],
)
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_token_is_judged_by_its_flavour(
    lab: Lab, token: str, status: int, error: str | None, algorithm: str
) -> None:
    toml = f'[server.auth]\ntoken = "{token}"\n[authorization_server]\nalgorithm = "{algorithm}"'
    with lab.start(scenario(toml)) as running:
        answer = with_token(running)
        assert (status, error) == (answer.status_code, answer.json().get("error"))
        assert error is None or f'error="{error}"' in answer.headers["www-authenticate"]


def test_a_refusal_leads_to_the_metadata_of_resource_and_server(lab: Lab) -> None:
    with lab.start(scenario(OAUTH)) as running, client(running) as http:
        refusal = ask(running)
        url = refusal.headers["www-authenticate"].split('resource_metadata="')[1].split('"')[0]
        resource = http.get(url).json()
        issuer = resource["authorization_servers"][0]
        server = http.get(f"{issuer}/.well-known/oauth-authorization-server").json()
    assert (401, running.url, issuer) == (refusal.status_code, resource["resource"], server["issuer"])
    assert ["S256"] == server["code_challenge_methods_supported"]


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("", "/.well-known/oauth-authorization-server"),
        ("", "/.well-known/openid-configuration"),
        ("/tenant", "/.well-known/oauth-authorization-server/tenant"),
        ("/tenant", "/.well-known/openid-configuration/tenant"),
        ("/tenant", "/tenant/.well-known/openid-configuration"),
    ],
)
def test_server_metadata_lies_where_the_path_of_the_issuer_puts_it(lab: Lab, path: str, url: str) -> None:
    toml = f'[server.auth]\n[authorization_server]\npath = "{path}"\n'
    toml += 'metadata = ["rfc8414", "oidc", "oidc-suffix"]'
    with lab.start(scenario(toml)) as running, client(running) as http:
        assert running.places["as"] == http.get(running.places["as_origin"] + url).json()["issuer"]


def test_metadata_can_be_patched_and_moved(lab: Lab) -> None:
    toml = '[server.auth.prm]\nat = ["root"]\npatch = {resource = "https://x.example"}\n'
    toml += 'remove = ["/scopes_supported"]\n'
    toml += (
        '[authorization_server]\npatch = {issuer = "{as}/"}\nremove = ["/code_challenge_methods_supported"]'
    )
    with lab.start(scenario(toml)) as running, client(running) as http:
        resource = http.get(running.places["prm"]).json()
        server = http.get(running.places["as"] + "/.well-known/oauth-authorization-server").json()
    assert ("https://x.example", False) == (resource["resource"], "scopes_supported" in resource)
    assert (running.places["as"] + "/", False) == (
        server["issuer"],
        "code_challenge_methods_supported" in server,
    )
    assert running.places["prm"].endswith("/.well-known/oauth-protected-resource")


@pytest.mark.parametrize(
    ("challenge", "headers"),
    [
        ("false", []),
        ("'Bearer'", ["Bearer"]),
        ("['Basic realm=\"x\"', 'Bearer scope=\"a\"']", ['Basic realm="x"', 'Bearer scope="a"']),
    ],
)
def test_a_challenge_can_be_replaced_or_removed(lab: Lab, challenge: str, headers: list[str]) -> None:
    with lab.start(scenario(f"[server.auth]\nchallenge = {challenge}\n[authorization_server]")) as running:
        assert headers == ask(running).headers.get_list("www-authenticate")


def test_a_tool_can_want_a_scope_of_its_own(lab: Lab) -> None:
    toml = '[server.auth]\ncall_scopes = {add = ["mcp:write"]}\n[authorization_server]'
    with lab.start(scenario(toml)) as running:
        token = f"Bearer {running.env['LAB_TOKEN']}"
        params = {"name": "add", "arguments": {"a": 1, "b": 1}}
        refusal = ask(running, "tools/call", params, authorization=token)
        assert (200, 403) == (ask(running, authorization=token).status_code, refusal.status_code)
        assert 'scope="mcp:tools mcp:write"' in refusal.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("accept", "token", "status"), [("anything", "garbage", 200), ("nothing", "valid", 401)]
)
def test_a_server_may_accept_anything_or_nothing(lab: Lab, accept: str, token: str, status: int) -> None:
    toml = f'[server.auth]\naccept = "{accept}"\ntoken = "{token}"\n[authorization_server]'
    with lab.start(scenario(toml)) as running:
        assert status == with_token(running).status_code


def test_a_method_can_be_exempt(lab: Lab) -> None:
    with lab.start(
        scenario('[server.auth]\nexempt = ["server/discover"]\n[authorization_server]')
    ) as running:
        assert (200, 401) == (ask(running).status_code, ask(running, "tools/list").status_code)


def test_an_answer_of_the_authorization_server_is_a_rule_away(lab: Lab) -> None:
    toml = (
        OAUTH
        + '[[rule]]\nwhen = {on = "as", path = "/token"}\nstatus = 400\njson = {error = "invalid_grant"}'
    )
    with lab.start(scenario(toml)) as running, client(running) as http:
        answer = http.post(running.places["as"] + "/token", data={"grant_type": "client_credentials"})
        assert (400, "invalid_grant") == (answer.status_code, answer.json()["error"])
        assert running.log[-1].server == "as"


def test_an_authorization_server_can_be_dead_or_behind_tls(lab: Lab) -> None:
    toml = '[server.auth]\n[authorization_server]\nbehaviour = "closed-port"'
    with (
        lab.start(scenario(toml)) as running,
        client(running) as http,
        pytest.raises(httpx2.ConnectError),
    ):
        http.get(running.places["as"])
    with lab.start(scenario("[server.auth]\n[authorization_server]\ntls = true")) as running:
        assert running.places["as"].startswith("https://")
        with client(running) as http:
            assert http.get(running.places["as"] + "/jwks").status_code == 200


class Memory:
    """The SDK's token storage, in memory."""

    def __init__(self) -> None:
        self.tokens: Any = None
        self.information: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.information

    async def set_client_info(self, client_info: Any) -> None:
        self.information = client_info


async def log_in_and_list(url: str) -> list[str]:
    """The SDK's own OAuth flow: discovery, registration, authorization code with PKCE."""
    from mcp import Client
    from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared.auth import OAuthClientMetadata

    landed: dict[str, list[str]] = {}

    async def open_browser(where: str) -> None:
        async with httpx2.AsyncClient(trust_env=False) as browser:
            answer = await browser.get(where)
        landed.update(parse_qs(urlsplit(answer.headers["location"]).query))

    async def callback() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(code=landed["code"][0], state=landed["state"][0], iss=landed["iss"][0])

    metadata = OAuthClientMetadata(redirect_uris=[AnyUrl("http://127.0.0.1:1/callback")], client_name="test")
    auth = OAuthClientProvider(url, metadata, Memory(), open_browser, callback)
    async with (
        httpx2.AsyncClient(auth=auth, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http)) as session,
    ):
        return [tool.name for tool in (await session.list_tools()).tools]


def test_the_sdk_client_logs_in(lab: Lab) -> None:
    with lab.start(scenario(OAUTH)) as running:
        assert "echo" in asyncio.run(log_in_and_list(running.url))
        assert {"/register", "/authorize", "/token"} <= {record.path for record in running.log}
        assert [] == running.errors


def test_a_refresh_token_works_once(lab: Lab) -> None:
    with lab.start(scenario(OAUTH)) as running, client(running) as http:
        issuer = running.places["as"]
        # The challenge is the S256 of the verifier "v" (RFC 7636 4.2).
        asked = {
            "client_id": "c",
            "redirect_uri": "http://127.0.0.1:1/cb",
            "code_challenge": "TJRIXgwhrmxBzh3-e2v6zupato5AokdvUCCOUm9QYIA",
            "code_challenge_method": "S256",
        }
        location = http.get(f"{issuer}/authorize", params=asked).headers["location"]
        code = parse_qs(urlsplit(location).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": "v"}
        granted = http.post(f"{issuer}/token", data=form | {"redirect_uri": asked["redirect_uri"]}).json()
        renewal = {"grant_type": "refresh_token", "refresh_token": granted["refresh_token"]}
        assert [200, 400] == [http.post(f"{issuer}/token", data=renewal).status_code for _ in range(2)]
