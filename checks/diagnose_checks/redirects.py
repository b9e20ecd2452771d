"""Redirects are judged, not followed blindly.

The official client follows 307 and 308 (for a GET: any redirect) within the origin, on every single request
again; anything else it refuses. So does this step, and it says which URL to configure instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal
from urllib.parse import parse_qsl, urljoin, urlsplit

from diagnose.connector.address import Origin, origin_of
from diagnose.records import record
from diagnose.wire.http_wire import sendable
from diagnose.wire.recorder import Recorded

__all__ = ["MAX_HOPS", "Redirect", "RedirectKind", "redirect_of"]

MAX_HOPS = 5
"""As many as the official client follows."""

RedirectKind = Literal[
    "slash", "same-origin", "method", "login", "downgrade", "upgrade", "cross-origin", "unusable"
]

_STATUSES = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})

# Words by which login pages and identity providers give themselves away in a Location.
_LOGIN_PATH = re.compile(
    r"(^|[/_.-])(log[-_]?in|sign[-_]?in|sso|saml2?|oauth2|authorize|openid-connect|adfs|cdn-cgi/access)"
    r"([/_.?-]|$)",
    re.IGNORECASE,
)
_LOGIN_HOST = re.compile(
    r"(^|\.)(login|signin|sso|auth|accounts?|id|idp|identity|okta|onelogin|auth0|cloudflareaccess|"
    r"microsoftonline|pingidentity|duosecurity)\.",
    re.IGNORECASE,
)
_LOGIN_QUERY = frozenset(
    {"redirect_uri", "samlrequest", "returnto", "return_to", "redirect_url", "client_id", "next"}
)


@record
class Redirect:
    """One redirect answer: from where, to where, and of which kind."""

    status: int
    source: str
    location: str
    target: str
    kind: RedirectKind

    def followed(self, method: str) -> bool:
        """Whether the official client follows it for a request with this HTTP method."""
        if self.kind not in ("slash", "same-origin", "method", "login"):
            return False
        keeps = self.status in _KEEPS_METHOD or method == "GET"
        return keeps and origin_of(self.source) == origin_of(self.target) and self.kind != "login"


def redirect_of(exchange: Recorded) -> Redirect | None:
    """The redirect that an answer is, or None."""
    location = exchange.header("location")
    if exchange.status not in _STATUSES or not location:
        return None
    try:
        target = urljoin(exchange.url, location)
        kind = _kind(exchange.status, exchange.url, target) if sendable(target) else "unusable"
    except ValueError:
        return Redirect(
            status=exchange.status, source=exchange.url, location=location, target=location, kind="unusable"
        )
    return Redirect(status=exchange.status, source=exchange.url, location=location, target=target, kind=kind)


def _kind(status: int, source: str, target: str) -> RedirectKind:
    origin, there = origin_of(source), origin_of(target)
    if urlsplit(target).username is not None:
        return "unusable"  # a Location with credentials of its own is refused by the official client
    for kind, holds in _KINDS:
        if holds(status, origin, there, source, target):
            return kind
    return "same-origin"


def _leads_to_login(status: int, origin: Origin, there: Origin, source: str, target: str) -> bool:
    parts = urlsplit(target)
    named = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    fresh_path = parts.path if parts.path != urlsplit(source).path else ""
    if _LOGIN_PATH.search(fresh_path):
        return True
    if origin.host == there.host:
        return bool(named & _LOGIN_QUERY) and status not in _KEEPS_METHOD
    return bool(_LOGIN_HOST.search(there.host) or named & _LOGIN_QUERY)


def _downgrades(status: int, origin: Origin, there: Origin, source: str, target: str) -> bool:
    return (origin.scheme, there.scheme) == ("https", "http") and origin.host == there.host


def _upgrades(status: int, origin: Origin, there: Origin, source: str, target: str) -> bool:
    return (origin.scheme, there.scheme) == ("http", "https") and origin.host == there.host


def _leaves(status: int, origin: Origin, there: Origin, source: str, target: str) -> bool:
    return origin != there


def _changes_method(status: int, origin: Origin, there: Origin, source: str, target: str) -> bool:
    return status not in _KEEPS_METHOD


def _only_a_slash(status: int, origin: Origin, there: Origin, source: str, target: str) -> bool:
    one, other = urlsplit(source), urlsplit(target)
    bare = one.path.rstrip("/") == other.path.rstrip("/")
    return bare and one.path != other.path and one.query == other.query


_KINDS: tuple[tuple[RedirectKind, Callable[[int, Origin, Origin, str, str], bool]], ...] = (
    # The first that holds: a login page explains more than the host or the status does.
    ("downgrade", _downgrades),
    ("login", _leads_to_login),
    ("upgrade", _upgrades),
    ("cross-origin", _leaves),
    ("method", _changes_method),
    ("slash", _only_a_slash),
)
