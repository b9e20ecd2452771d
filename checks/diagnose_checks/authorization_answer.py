"""What an authorization endpoint says to a request that carries nothing real.

Three ways to refuse exist, and providers take all of them: an error in the redirect to the client (RFC 6749
4.1.2.1), an error page, and a redirect to an error page. A page that asks for a login is an acceptance as far
as anybody can see without logging in, and no more than that.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from html import unescape
from typing import Any, Literal
from urllib.parse import parse_qsl, urljoin, urlsplit

from diagnose.connector.address import Origin, origin_of
from diagnose.records import record
from diagnose.wire.http_wire import Answer
from diagnose.wire.strict_json import HostileJson, parse
from diagnose_checks.authorization_request import AuthorizationRequest
from diagnose_checks.vetted_wires import Unanswered

__all__ = ["About", "AuthorizationReply", "about", "read_reply"]

About = Literal["client", "redirect", "resource", "scope", "other"]
Kind = Literal["approved", "login", "refused", "elsewhere", "failed", "no answer"]

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_LONGEST = 300

# Error codes of RFC 6749, RFC 7591, RFC 8707 and those that providers made up, before any words.
_CODES: Mapping[str, About] = {
    "invalid_client": "client",
    "unknown_client": "client",
    "invalid_redirect_uri": "redirect",
    "redirect_uri_mismatch": "redirect",  # Google, GitHub
    "redirect_mismatch": "redirect",  # Cognito
    "invalid_target": "resource",
    "invalid_scope": "scope",
}
# Words of error pages, in this order: a page about a redirect URI often names the client as well.
_WORDS: tuple[tuple[re.Pattern[str], About], ...] = (
    (re.compile(r"AADSTS9010010|invalid_target"), "resource"),  # Entra ID
    (re.compile(r"AADSTS650053|AADSTS70011|invalid_scope"), "scope"),
    (re.compile(r"AADSTS(?:50011|500113|900971)|redirect_uri_mismatch|redirect_mismatch"), "redirect"),
    (re.compile(r"AADSTS(?:700016|70001|700038|90013)\b|invalid_client"), "client"),
    (
        re.compile(
            r"(?i)(?:redirect|callback)[ _-]?ur[il]\b.{0,160}(?:match|regist|invalid|not allowed|permitted|"
            r"configured|white-?list|allow-?list|missing in|must be|unknown)|"
            r"(?:match|unregistered|invalid|unknown|unauthorized)\b.{0,60}(?:redirect|callback)[ _-]?ur[il]\b"
        ),
        "redirect",
    ),
    (
        re.compile(
            r"(?i)(?:unknown|invalid|unrecogni[sz]ed|unregistered|no such) (?:oauth ?2?(?:\.0)? )?"
            r"(?:client|application)\b|"
            r"\b(?:client|application)(?: ?id)?\b.{0,120}(?:not found|unknown|not exist|not registered|"
            r"not recogni[sz]ed|unregistered|is invalid)"
        ),
        "client",
    ),
)
_UNSEEN = ("script", "style")
_MOST_TEXT = 20_000
# What a page with status 200 must hold to be an error: error codes, never mere words of a login page.
_MARKS = re.compile(
    r"AADSTS\d{5,7}:|\b(?:redirect_uri_mismatch|invalid_client|invalid_redirect_uri|invalid_target|"
    r"invalid_scope)\b|redirect_uri did not match",
    re.IGNORECASE,
)


@record
class AuthorizationReply:
    """``login`` is accepted as far as the login page; ``elsewhere`` a redirect out of the flow."""

    kind: Kind
    detail: str
    about: About = "other"
    error: str | None = None
    description: str = ""
    status: int | None = None
    exchange: int | None = None
    iss: str | None = None
    state: str | None = None
    returned: bool = False
    """The answer led to the redirect URI: the server trusts client and redirect URI."""

    @property
    def accepted(self) -> bool:
        return self.kind in ("approved", "login")


def read_reply(
    answer: Answer | Unanswered, request: AuthorizationRequest, endpoint_of_mcp: Origin
) -> AuthorizationReply:
    """The reply to ``request``; every byte of it is the server's and only looked at."""
    if isinstance(answer, Unanswered):
        said = f"HTTP {answer.status}, {answer.detail}" if answer.status is not None else answer.detail
        return AuthorizationReply(
            kind="no answer", detail=said[:_LONGEST], status=answer.status, exchange=answer.exchange
        )
    location = answer.header("location")
    if answer.status in _REDIRECTS and location:
        return _redirected(answer, location, request, endpoint_of_mcp)
    text, error = _text_of(answer)
    said = f"HTTP {answer.status}"
    if answer.status == 200 and error is None and _MARKS.search(text) is None:
        return _reply("login", f"{said}, a page: accepted up to the login", answer)
    subject = about(error, text)
    shown = f"{said}: {text[:_LONGEST]}" if text else said
    # A server that is broken, absent or guarded says nothing of the request, unless it says it in words.
    broken = answer.status >= 500 or answer.status == 429 or answer.status in (404, 405)
    if subject == "other" and (broken or (answer.status in (401, 403) and error is None)):
        return _reply("failed", shown, answer)
    return _reply("refused", shown, answer, about=subject, error=error, description=text[:_LONGEST])


def about(error: str | None, text: str) -> About:
    """What a refusal is about, by its code, else by its words."""
    if error is not None and error in _CODES:
        return _CODES[error]
    return next((subject for pattern, subject in _WORDS if pattern.search(text)), "other")


def _redirected(
    answer: Answer, location: str, request: AuthorizationRequest, endpoint_of_mcp: Origin
) -> AuthorizationReply:
    try:
        target = urljoin(request.url, location)
        parts = urlsplit(target)
        given = dict(parse_qsl(parts.query)) | dict(parse_qsl(parts.fragment))
        place = target.partition("?")[0].partition("#")[0]
        origin = origin_of(target) if parts.scheme in ("http", "https") else None
    except ValueError:
        return _reply("failed", f"HTTP {answer.status} to what is no URL", answer)
    back = place == request.redirect_uri.partition("?")[0]
    where = "the redirect URI" if back else place[:200]
    error = given.get("error")
    description = given.get("error_description", "")[:_LONGEST]
    words = " ".join((description, _decoded(given.get("authError", ""))))
    if error is not None or "authError" in given:
        told = ": ".join(part for part in (error, description) if part) or "an error page"
        return _reply(
            "refused",
            f"HTTP {answer.status} to {where}, {told}",
            answer,
            about=about(error, words),
            error=error,
            description=description or words.strip()[:_LONGEST],
            given=given,
            returned=back,
        )
    if back:
        approved = "code" in given
        said = "a code, which is thrown away" if approved else "neither a code nor an error"
        kind: Kind = "approved" if approved else "failed"
        return _reply(kind, f"HTTP {answer.status} back with {said}", answer, given=given, returned=True)
    if origin == endpoint_of_mcp and parts.path in ("", "/") and not given:
        return _reply("elsewhere", f"HTTP {answer.status} to {where}, out of the flow", answer)
    return _reply("login", f"HTTP {answer.status} to {where}: accepted up to the login", answer)


def _reply(
    kind: Kind,
    detail: str,
    answer: Answer,
    *,
    about: About = "other",
    error: str | None = None,
    description: str = "",
    given: Mapping[str, str] | None = None,
    returned: bool = False,
) -> AuthorizationReply:
    given = given or {}
    return AuthorizationReply(
        kind=kind,
        detail=detail,
        about=about,
        error=error[:100] if error else None,
        description=description,
        status=answer.status,
        exchange=answer.exchange.id,
        iss=given.get("iss") if returned else None,
        state=given.get("state") if returned else None,
        returned=returned,
    )


def _text_of(answer: Answer) -> tuple[str, str | None]:
    """The visible words of a page, and the error code of a JSON answer."""
    try:
        value: Any = parse(answer.body).value
    except HostileJson:
        value = None
    if isinstance(value, Mapping):
        error = value.get("error")
        code = error if isinstance(error, str) else None
        words = [value.get(name) for name in ("error", "error_description", "message", "detail")]
        return " ".join(" ".join(word for word in words if isinstance(word, str)).split()), code
    text = answer.text
    entra = re.search(r"AADSTS\d{5,7}:[^\"<]{0,300}", text)  # it stands in a script of the page
    visible = " ".join(unescape(_visible(text)).split())[:_MOST_TEXT]
    return (f"{entra.group()} {visible}" if entra else visible), None


def _visible(page: str) -> str:
    """The text between the tags, scripts and styles left out; in one pass, for the page may be hostile."""
    first, *pieces = page.split("<")
    words, unseen = [first], ""
    for piece in pieces:
        tag, _, text = piece.partition(">")
        name = tag.lstrip("/").partition(" ")[0].lower()
        if unseen:
            if tag.startswith("/") and name.strip() == unseen:
                unseen = ""
            else:
                continue
        elif name in _UNSEEN:
            unseen = name
            continue
        words.append(text)
    return " ".join(words)


def _decoded(value: str) -> str:
    """Google's ``authError``: base64 around a message whose words can be read."""
    try:
        raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return ""
    return " ".join(re.findall(r"[\x20-\x7e]{4,}", raw.decode("latin-1")))
