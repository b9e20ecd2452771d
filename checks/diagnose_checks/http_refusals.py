"""Which answer means which code: every row with its reason. What a row cannot prove, a contrast decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from diagnose.records import record
from diagnose.wire.http_wire import FailureKind
from diagnose.wire.recorder import Recorded
from diagnose.wire.rpc import RpcReply
from diagnose_checks.tls_port_words import explains_tls

__all__ = [
    "FAILURES",
    "NETWORK_LOGIN",
    "REFUSALS",
    "TLS_RECORDS",
    "Refusal",
    "challenge_page",
    "failure_code",
    "looks_like_login",
    "on_timeout",
    "page_title",
    "refusal_code",
]


@record
class Refusal:
    """A row: the answers it claims, their code, and why."""

    when: Callable[[RpcReply], bool]
    code: str
    why: str


def _status(*statuses: int) -> Callable[[RpcReply], bool]:
    return lambda reply: reply.status in statuses


def _between(low: int, high: int) -> Callable[[RpcReply], bool]:
    return lambda reply: low <= reply.http_status <= high


NETWORK_LOGIN = 511
"""RFC 6585 6: written by the network between, never by an origin server."""

TLS_RECORDS = (b"\x15\x03", b"\x16\x03")
"""How a TLS alert and a TLS handshake record begin (RFC 8446 5.1)."""

_CHALLENGE_WORDS = (
    "just a moment...",
    "/cdn-cgi/challenge-platform",
    "attention required! | cloudflare",
    "_incapsula_resource",
    "pardon our interruption",
    "captcha-delivery.com",
    "px-captcha",
    "awswafintegration",
    "checking your browser",
    "please enable js and disable any ad blocker",
)
_SIGN_IN_WORDS = re.compile(r"\b(sign[ -]?in|log[ -]?in|single sign-on)\b", re.IGNORECASE)
_PASSWORD_FIELD = re.compile(r"<input[^>]+type\s*=\s*[\"']?password", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_HTML_START = re.compile(r"^\s*(<!doctype html|<html|<head|<body)", re.IGNORECASE)


def _told_tls(reply: RpcReply) -> bool:
    return reply.status == 400 and explains_tls(reply.text)


# Header and value by which a hosting platform or a tunnel says that no program is behind the name.
_NOBODY_BEHIND = (
    ("ngrok-error-code", re.compile(r"ERR_NGROK_\d+")),
    ("x-vercel-error", re.compile(r"DEPLOYMENT_(NOT_FOUND|DELETED|DISABLED|PAUSED)")),
    ("x-railway-fallback", re.compile("true")),
    ("x-render-routing", re.compile("no-server|suspend.*")),
)


def _nobody_behind(reply: RpcReply) -> bool:
    marks = ((reply.header(name) or "", words) for name, words in _NOBODY_BEHIND)
    return reply.http_status >= 400 and any(words.fullmatch(value) for value, words in marks)


def challenge_page(reply: RpcReply) -> str | None:
    """The mark by which a bot challenge is known, or None."""
    mitigated = reply.header("cf-mitigated") or reply.header("x-amzn-waf-action")
    if mitigated and mitigated.lower() in ("challenge", "captcha"):
        return (
            f"header {'cf-mitigated' if reply.header('cf-mitigated') else 'x-amzn-waf-action'}: {mitigated}"
        )
    if reply.status not in (202, 403, 405, 429, 503) or "html" not in reply.content_type:
        return None
    text = reply.text.lower()
    return next((f"page text: {words}" for words in _CHALLENGE_WORDS if words in text), None)


def _html(reply: RpcReply) -> bool:
    return "html" in reply.content_type or (not reply.content_type and bool(_HTML_START.search(reply.text)))


def looks_like_login(text: str) -> str | None:
    """``password field`` or ``sign-in words``: how an HTML page shows that it wants a login, or None."""
    if _PASSWORD_FIELD.search(text):
        return "a password field"
    title = page_title(text)
    return f"the title {title!r}" if title and _SIGN_IN_WORDS.search(title) else None


def page_title(text: str) -> str:
    """The title of an HTML page, on one line."""
    found = _TITLE.search(text)
    return " ".join(found.group(1).split())[:120] if found else ""


REFUSALS: tuple[Refusal, ...] = (
    # The first row that claims the answer decides.
    Refusal(
        when=_status(204, 205), code="HTTP038", why="these carry no content, and a request has an answer"
    ),
    Refusal(
        when=lambda reply: _told_tls(reply) and reply.exchange.url.startswith("https://"),
        code="HTTP017",
        why="we spoke TLS: a gateway goes on in plain HTTP to a port behind it that wants TLS",
    ),
    Refusal(when=_told_tls, code="HTTP033", why="the TLS server itself says what it was sent"),
    Refusal(when=_nobody_behind, code="HTTP017", why="the platform answers because nothing is behind it"),
    Refusal(
        when=lambda reply: challenge_page(reply) is not None,
        code="HTTP012",
        why="a bot challenge names itself by header or by its page, whatever the status",
    ),
    Refusal(
        when=lambda reply: reply.status == 403 and "error code: 1010" in reply.text.lower(),
        code="HTTP013",
        why="1010 is the edge's ban of a client signature",
    ),
    Refusal(
        when=lambda reply: reply.status == 403 and _html(reply) and looks_like_login(reply.text) is not None,
        code="HTTP019",
        why="access proxies show their login page under 403",
    ),
    Refusal(when=_status(NETWORK_LOGIN), code="HTTP019", why="RFC 6585 6: the network wants a login"),
    Refusal(when=_status(403), code="HTTP011", why="without a Bearer challenge it is no login"),
    Refusal(when=_status(421), code="HTTP009", why="in nearly all field cases the Host guard of an MCP SDK"),
    Refusal(when=_status(406), code="HTTP014", why="both media types were in Accept"),
    Refusal(when=_status(415), code="HTTP021", why="application/json was sent"),
    Refusal(when=_status(413), code="HTTP037", why="the first message has a few hundred bytes"),
    Refusal(when=_status(429), code="HTTP015", why="one request was made"),
    Refusal(when=_status(404), code="HTTP001", why="no session id was sent, so it is no lost session"),
    Refusal(when=_status(410), code="HTTP023", why="410 says that it was there and is gone for good"),
    Refusal(when=_status(405), code="HTTP022", why="every MCP transport but HTTP+SSE takes POST"),
    Refusal(when=_status(400, 422), code="HTTP036", why="refused, and not in JSON-RPC"),
    Refusal(when=_status(502, 503, 504), code="HTTP017", why="RFC 9110 15.6: written by a gateway"),
    Refusal(when=_between(520, 530), code="HTTP017", why="the CDN's own codes for a broken origin"),
    Refusal(when=_between(500, 599), code="HTTP016", why="the server's own failure"),
    Refusal(
        when=lambda reply: 200 <= reply.http_status < 300 and _html(reply),
        code="HTTP018",
        why="a web page; whether it is a login or a catch-all is decided by contrast",
    ),
    Refusal(
        when=lambda reply: (
            200 <= reply.http_status < 300 and reply.content_type.startswith("application/json")
        ),
        code="HTTP028",
        why="JSON of another program",
    ),
    Refusal(
        when=lambda reply: 200 <= reply.http_status < 300 and reply.http_status != 204,
        code="HTTP020",
        why="a response MUST be application/json or text/event-stream",
    ),
)

FAILURES: Mapping[FailureKind, str] = {
    "dns": "HTTP025",  # a further connection of this step could not be made
    "tcp": "HTTP025",
    "tls": "HTTP025",
    "tls-alert": "HTTP025",
    "proxy": "HTTP025",  # judged before this table, as step 2's
    "closed": "HTTP025",
    "reset": "HTTP025",
    "not-http": "HTTP026",
    "headers-too-large": "HTTP027",
    "too-large": "HTTP030",
    "truncated": "HTTP029",
    "encoding": "HTTP032",
}
"""Broken exchanges. A missing client certificate and TLS on an http port are told apart by contrast."""


def refusal_code(reply: RpcReply) -> str:
    """The code of an answer that is no MCP answer; HTTP038 where no row claims it."""
    return next((row.code for row in REFUSALS if row.when(reply)), "HTTP038")


def failure_code(kind: FailureKind, exchange: Recorded) -> str:
    """The code of a broken exchange: a cut after the headers is a truncated body, whatever cut it."""
    if kind in ("closed", "reset") and exchange.status is not None:
        return "HTTP029"
    if kind == "not-http" and exchange.first_bytes[:2] in TLS_RECORDS:
        return "HTTP033"
    return FAILURES[kind]


def on_timeout(last: Recorded | None) -> str:
    """The code of a deadline inside step 4, from the last exchange.

    An event stream whose headers came and whose data did not is held back by something in between; the GET
    stream of HTTP+SSE owes its ``endpoint`` event at once. Everything else is an answer that did not come.
    """
    if last is None or last.status is None or not 200 <= last.status < 300:
        return "HTTP024"
    streaming = (last.header("content-type") or "").lower().startswith("text/event-stream")
    if streaming and last.method == "GET":
        return "HTTP040"
    return "HTTP031" if streaming and not last.body_size else "HTTP024"
