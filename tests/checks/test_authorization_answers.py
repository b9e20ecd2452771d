"""What an authorization server answers to a made-up request, read without following it."""

from __future__ import annotations

import pytest
from diagnose_checks.authorization_answer import about, read_reply
from diagnose_checks.authorization_request import AuthorizationRequest, loopback_forms
from hypothesis import given
from hypothesis import strategies as st

from diagnose.connector.address import origin_of
from diagnose.wire.http_wire import Answer
from diagnose.wire.recorder import Recorder

REQUEST = AuthorizationRequest(
    endpoint="https://as.example.com/authorize",
    client_id="client",
    redirect_uri="http://127.0.0.1:3118/callback",
    state="made-up-state",
    verifier="made-up-verifier",
    resource="https://mcp.example.com/mcp",
    scopes=("mcp:tools",),
)


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
