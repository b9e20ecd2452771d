"""Step 4's tables: which answer means which code, which redirect is followed, where else to look."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from diagnose_checks.cors_exposure import exposes
from diagnose_checks.http_outcome import Outcome, bearer_challenge, speaks_mcp, status_line
from diagnose_checks.http_refusals import (
    REFUSALS,
    challenge_page,
    failure_code,
    looks_like_login,
    on_timeout,
    refusal_code,
)
from diagnose_checks.redirects import redirect_of
from diagnose_checks.sibling_paths import MAX_SIBLINGS, moved_address, sibling_paths
from hypothesis import given
from hypothesis import strategies as st

from diagnose.wire.recorder import Recorded
from diagnose.wire.rpc import Problem, RpcReply

JSON = "application/json"
STREAM = "text/event-stream"
ERROR: dict[str, object] = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "m"}}


def recorded(
    status: int | None, *headers: tuple[str, str], method: str = "POST", url: str = "https://h/mcp"
) -> Recorded:
    return Recorded(
        id=1,
        step="http_reachability",
        method=method,
        url=url,
        request_headers=(),
        status=status,
        response_headers=headers,
    )


def reply(
    status: int,
    content_type: str = "",
    *headers: tuple[str, str],
    text: str = "",
    message: dict[str, object] | None = None,
    problems: tuple[Problem, ...] = (),
) -> RpcReply:
    exchange = recorded(status, ("content-type", content_type), *headers)
    exchange.keep(text.encode())
    return RpcReply(
        method="server/discover",
        status=status,
        content_type=content_type,
        message=message,
        exchange=exchange,
        problems=problems,
        text=text,
    )


NOT_RPC = (Problem(kind="not-jsonrpc", detail="d"),)


@pytest.mark.parametrize("status", [400, 404, 405, 422])
def test_a_json_rpc_error_with_a_client_error_proves_an_endpoint(status: int) -> None:
    assert speaks_mcp(reply(status, JSON, message=ERROR))


@pytest.mark.parametrize("status", [403, 406, 413, 415, 421, 429, 500, 502, 503])
def test_refusals_of_http_stay_with_step_4_even_in_json_rpc(status: int) -> None:
    assert not speaks_mcp(reply(status, JSON, message=ERROR))


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, JSON, message={"jsonrpc": "2.0", "id": 1, "result": {}}),
        reply(200, JSON, text="{", problems=(Problem(kind="not-json", detail="d"),)),
        reply(200, JSON, problems=(Problem(kind="empty-body", detail="d"),)),
        reply(200, JSON, text='{"id": 1, "result": {}}', problems=NOT_RPC),
        reply(200, JSON, text='[{"jsonrpc": "2.0"}]', problems=(Problem(kind="batch", detail="d"),)),
        reply(200, STREAM),
        reply(202),
    ],
)
def test_what_is_wrong_inside_a_json_rpc_answer_belongs_to_step_7(answer: RpcReply) -> None:
    assert speaks_mcp(answer)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply(200, JSON, text='{"status": "ok"}', problems=NOT_RPC), "HTTP028"),
        (reply(200, JSON, text='"pong"', problems=NOT_RPC), "HTTP028"),
        (reply(200, "text/html", text="<html>"), "HTTP018"),
        (reply(200, "", text="<!doctype html>"), "HTTP018"),
        (reply(200, "text/plain", text="{}"), "HTTP020"),
        (reply(200, ""), "HTTP020"),
        (reply(204), "HTTP038"),
        (reply(205), "HTTP038"),
        (reply(300), "HTTP038"),
        (reply(304), "HTTP038"),
        (reply(400, text="no"), "HTTP036"),
        (reply(400, "text/html", text="The plain HTTP request was sent to HTTPS port"), "HTTP017"),
        (reply(404, "text/html", ("ngrok-error-code", "ERR_NGROK_3200")), "HTTP017"),
        (reply(403, "text/html", text="<title>Sign In</title>"), "HTTP019"),
        (reply(511, "text/html"), "HTTP019"),
        (reply(402), "HTTP038"),
        (reply(403), "HTTP011"),
        (reply(403, "text/plain", text="error code: 1010"), "HTTP013"),
        (reply(403, "text/html", ("cf-mitigated", "challenge")), "HTTP012"),
        (reply(503, "text/html", text="<title>Just a moment...</title>"), "HTTP012"),
        (reply(404), "HTTP001"),
        (reply(405), "HTTP022"),
        (reply(406), "HTTP014"),
        (reply(407), "HTTP038"),
        (reply(410), "HTTP023"),
        (reply(413), "HTTP037"),
        (reply(415), "HTTP021"),
        (reply(421), "HTTP009"),
        (reply(429), "HTTP015"),
        (reply(500), "HTTP016"),
        (reply(501), "HTTP016"),
        (reply(502), "HTTP017"),
        (reply(521), "HTTP017"),
        (reply(530), "HTTP017"),
        (reply(599), "HTTP016"),
        (reply(999), "HTTP038"),
    ],
)
def test_an_answer_that_is_no_mcp_answer_has_one_code(answer: RpcReply, code: str) -> None:
    assert not speaks_mcp(answer)
    assert code == refusal_code(answer)


def test_every_row_of_the_table_says_why() -> None:
    assert all(row.why and row.code.startswith("HTTP") for row in REFUSALS)


@given(
    status=st.integers(100, 999),
    kind=st.sampled_from(("", JSON, STREAM, "text/html", "x/y")),
    text=st.text(max_size=40),
)
def test_any_answer_at_all_gets_a_code(status: int, kind: str, text: str) -> None:
    assert refusal_code(reply(status, kind, text=text)).startswith("HTTP")


@pytest.mark.parametrize(
    ("value", "challenges"),
    [
        ('Bearer realm="x"', True),
        ("bearer", True),
        ('Basic realm="x", Bearer error="invalid_token"', True),
        ('Basic realm="Bearer of news"', False),
        ("BearerX", False),
        ("", False),
    ],
)
def test_a_bearer_challenge_is_known_by_its_scheme(value: str, challenges: bool) -> None:
    assert challenges is bearer_challenge(recorded(403, ("WWW-Authenticate", value)))


@pytest.mark.parametrize(
    ("answer", "challenged"),
    [
        (reply(401), True),
        (reply(403, "", ("www-authenticate", "Bearer")), True),
        (reply(403), False),
        (reply(404, "", ("www-authenticate", "Bearer")), False),
    ],
)
def test_a_locked_door_is_no_fault_of_step_4(answer: RpcReply, challenged: bool) -> None:
    outcome = Outcome(url="https://h/mcp", method="server/discover", reply=answer)
    assert challenged is outcome.challenged
    assert challenged is outcome.reachable


@pytest.mark.parametrize(
    ("exchange", "code"),
    [
        (None, "HTTP024"),
        (recorded(None), "HTTP024"),
        (recorded(200, ("content-type", JSON)), "HTTP024"),
        (recorded(200, ("content-type", STREAM)), "HTTP031"),
        (recorded(200, ("content-type", STREAM), method="GET"), "HTTP040"),
        (recorded(500, ("content-type", STREAM)), "HTTP024"),
    ],
)
def test_a_deadline_is_told_by_how_far_the_answer_got(exchange: Recorded | None, code: str) -> None:
    assert code == on_timeout(exchange)


def test_a_stream_that_sends_something_is_not_held_back() -> None:
    exchange = recorded(200, ("content-type", STREAM))
    exchange.keep(b": ping\n\n")
    assert "HTTP024" == on_timeout(exchange)


def test_a_reset_after_the_headers_is_a_truncated_body() -> None:
    assert "HTTP029" == failure_code("reset", recorded(200))
    assert "HTTP025" == failure_code("reset", recorded(None))


def test_a_tls_record_for_a_plain_request_is_told_by_its_first_bytes() -> None:
    exchange = recorded(None)
    exchange.first_bytes = b"\x15\x03\x01\x00\x02\x02\x46"
    assert "HTTP033" == failure_code("not-http", exchange)


@pytest.mark.parametrize(
    ("status", "location", "kind", "followed"),
    [
        (307, "/mcp/", "slash", True),
        (308, "https://h/mcp/", "slash", True),
        (307, "/v2/mcp", "same-origin", True),
        (307, "/mcp/?x=1", "same-origin", True),
        (301, "/mcp/", "method", False),
        (303, "/elsewhere", "method", False),
        (302, "/login?next=/mcp", "login", False),
        (302, "https://team.cloudflareaccess.com/cdn-cgi/access/login/x", "login", False),
        (307, "https://login.example/authorize?client_id=1", "login", False),
        (307, "http://h/mcp/", "downgrade", False),
        (307, "https://other/mcp", "cross-origin", False),
        (307, "https://h:8443/mcp", "cross-origin", False),
        (307, "https://user:pw@h/mcp/", "unusable", False),
        (307, "javascript:alert(1)", "unusable", False),
        (307, "http://[::1/", "unusable", False),
        (307, "/oauth/mcp", "same-origin", True),
    ],
)
def test_a_redirect_is_judged_before_it_is_followed(
    status: int, location: str, kind: str, followed: bool
) -> None:
    hop = redirect_of(recorded(status, ("location", location)))
    assert hop is not None
    assert (kind, followed) == (hop.kind, hop.followed("POST"))


def test_a_get_keeps_its_method_whatever_the_redirect_says() -> None:
    hop = redirect_of(recorded(301, ("location", "/stream"), method="GET"))
    assert hop is not None
    assert hop.followed("GET")


def test_a_redirect_to_https_is_not_followed_with_a_credential_of_http() -> None:
    hop = redirect_of(recorded(308, ("location", "https://h/mcp"), url="http://h/mcp"))
    assert hop is not None
    assert ("upgrade", False) == (hop.kind, hop.followed("POST"))


@given(
    start=st.sampled_from(
        ("", "//", "/\\", "https://", "http://", "https://h", "http://h", "https://h:8443/")
    ),
    rest=st.text(max_size=60),
)
def test_no_location_leads_a_request_off_its_origin(start: str, rest: str) -> None:
    hop = redirect_of(recorded(307, ("location", start + rest)))
    if hop is not None and hop.followed("POST"):
        there = urlsplit(hop.target)
        assert ("https", "h", None) == (there.scheme, there.hostname, there.username)
        assert there.port in (None, 443)


@pytest.mark.parametrize(
    ("path", "paths"),
    [
        ("/", ("/mcp", "/mcp/", "/sse", "/api/mcp")),
        ("", ("/mcp", "/mcp/", "/sse", "/api/mcp")),
        ("/mcp", ("/mcp/", "/sse", "/api/mcp", "/v1/mcp")),
        ("/mcp/", ("/mcp", "/sse", "/api/mcp", "/v1/mcp")),
        ("/sse", ("/sse/", "/mcp", "/api/mcp", "/v1/mcp")),
        ("/v1/sse", ("/v1/sse/", "/v1/mcp", "/mcp", "/sse")),
        ("/tools", ("/tools/", "/tools/mcp", "/mcp", "/sse")),
    ],
)
def test_the_likeliest_other_paths_are_tried_first(path: str, paths: tuple[str, ...]) -> None:
    assert paths == sibling_paths(path)


@given(path=st.text(alphabet="/abmcps", max_size=20))
def test_guesses_are_few_and_never_the_path_itself(path: str) -> None:
    guesses = sibling_paths(path)
    assert len(guesses) == len(set(guesses)) <= MAX_SIBLINGS
    assert path not in guesses


def test_a_retired_address_is_known_with_and_without_its_slash() -> None:
    moved = moved_address("https://mcp.atlassian.com/v1/sse/")
    assert moved is not None
    assert "https://mcp.atlassian.com/v1/mcp" == moved.url
    assert moved_address("https://mcp.example.com/v1/sse") is None


def test_a_login_page_shows_itself_by_its_form_before_its_title() -> None:
    assert "a password field" == looks_like_login('<title>Sign in</title><input id=x TYPE = "Password">')
    assert "the title 'Log in - Acme'" == looks_like_login("<title>\n Log in - Acme</title>")
    assert looks_like_login("<title>Acme</title>") is None


def test_challenge_words_count_only_in_a_page() -> None:
    assert challenge_page(reply(403, "text/plain", text="Just a moment...")) is None
    assert challenge_page(reply(200, "text/html", text="Just a moment...")) is None


def test_a_status_without_a_phrase_gets_the_registered_one() -> None:
    assert "404 Not Found" == status_line(recorded(404))
    assert "599" == status_line(recorded(599))
    assert "no status" == status_line(recorded(None))


@pytest.mark.parametrize(
    ("headers", "exposed"),
    [
        ((), False),
        ((("Access-Control-Expose-Headers", "X-A, mcp-session-ID"),), True),
        (
            (("Access-Control-Expose-Headers", "X-A"), ("Access-Control-Expose-Headers", "Mcp-Session-Id")),
            True,
        ),
        ((("Access-Control-Expose-Headers", "*"),), True),
        ((("Access-Control-Expose-Headers", "*"), ("Access-Control-Allow-Credentials", "true")), False),
    ],
)
def test_a_script_may_read_only_what_is_exposed(headers: tuple[tuple[str, str], ...], exposed: bool) -> None:
    assert exposed is exposes(recorded(200, *headers))
