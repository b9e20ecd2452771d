"""The URLs inside metadata that a client would open or post to: usable, on a host it can reach, harmless.

Nothing here is fetched. A client that hands such a URL to a shell or a browser runs what a stranger wrote
(CVE-2025-6514), so what could only be meant for that is named and never repeated as something to click.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from diagnose.connector.address import Origin, origin_of
from diagnose.step import Evidence, Finding
from diagnose.wire.reach import Reach, address_kind
from diagnose_checks.metadata_fetch import Document

__all__ = ["ENDPOINTS", "harmful", "is_public_name", "judge_endpoints", "judge_other_urls", "needed"]

ENDPOINTS = ("authorization_endpoint", "token_endpoint", "registration_endpoint")
_LONGEST = 2048
_UNUSABLE = re.compile(r"[^\x21-\x7e]|[\\\"<>^`{|}]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HARMLESS_SCHEMES = frozenset(("http", "https", "urn", "mailto"))
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*|[0-9a-f:.]*:[0-9a-f:.%]*")
_URL_MEMBER = re.compile(r"(_uri|_url|_endpoint|_documentation)$")
_MOST_MEMBERS = 200
# RFC 6761, RFC 6762, RFC 8375, ICANN 2024 (.internal): names that mean something inside one network only.
_INNER_SUFFIXES = ("localhost", "local", "internal", "home.arpa", "lan", "intranet")


def needed(name: str, value: Mapping[str, Any]) -> bool:
    """Whether the document must have this endpoint.

    RFC 8414 2: without ``grant_types_supported`` the authorization code grant is offered.
    """
    grants = value.get("grant_types_supported")
    by_code = not isinstance(grants, list) or "authorization_code" in grants
    return name == "token_endpoint" or (name == "authorization_endpoint" and by_code)


def harmful(text: str) -> str | None:
    """Why no client may open ``text``, judged by its text; None for a URL that is only a URL."""
    if len(text) > _LONGEST:
        return f"it is longer than {_LONGEST} characters"
    if text.startswith("-"):
        return "it begins with a dash, as an option of a command does"
    if _UNUSABLE.search(text):
        return "it holds characters that no URL may hold (RFC 3986 2)"
    if "$(" in text:
        return "it holds $(, which a shell would run"
    scheme = _SCHEME.match(text)
    if scheme is not None and scheme.group(1).lower() not in _HARMLESS_SCHEMES:
        return f"its scheme is {scheme.group(1)[:20]}, not https"
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").lower().rstrip(".")
    except ValueError:
        return "it is no URL"
    if parts.username is not None or parts.password is not None:
        return "it holds a user name or a password"
    if host and not _HOST.fullmatch(host):
        return "its host is no name and no address"
    return None


def is_public_name(host: str) -> bool:
    """Whether somebody elsewhere could reach ``host``, judged by its text."""
    try:
        return address_kind(host) == "public"
    except ValueError:
        name = host.rstrip(".").lower()
    return "." in name and not any(name == end or name.endswith(f".{end}") for end in _INNER_SUFFIXES)


def judge_endpoints(document: Document, own: Origin, reach: Reach) -> list[Finding]:
    """The first of the three endpoints that a client cannot use, and why."""
    for name in ENDPOINTS:
        if name not in document.value and not needed(name, document.value):
            continue
        value = document.value.get(name)
        inner = _inner_host(value, document, reach)
        if inner is not None:
            return [_endpoint("AUTH036", document, name, "a host that a client can reach", host=inner)]
        why = _unusable(value, own, document, loopback=reach.own == "loopback")
        if why is not None:
            return [_endpoint("AUTH014", document, name, "an absolute https URL", why=why)]
    return list(_left_behind(document, own))


def judge_other_urls(document: Document, subject: str) -> list[Finding]:
    """The first other member that holds what no client may open; the three endpoints are judged apart."""
    for name, value in list(document.value.items())[:_MOST_MEMBERS]:
        if name in ENDPOINTS or not isinstance(value, str) or not _URL_MEMBER.search(name):
            continue
        why = harmful(value)
        if why is not None:
            return [_endpoint("AUTH038", document, name, "an https URL", why=why, subject=subject)]
    return []


def _inner_host(value: object, document: Document, reach: Reach) -> str | None:
    """The host of an endpoint that nobody outside can reach, although connector and issuer are public."""
    if reach.own != "public" or not isinstance(value, str) or harmful(value):
        return None
    issuer = document.value.get("issuer")
    try:
        host = origin_of(value).host
        home = origin_of(issuer if isinstance(issuer, str) else document.url).host
    except ValueError:
        return None
    return host if is_public_name(home) and not is_public_name(host) else None


def _left_behind(document: Document, own: Origin) -> Iterator[Finding]:
    """Endpoints on the MCP host although the issuer is elsewhere: where 2025-03-26 had them."""
    issuer = document.value.get("issuer")
    try:
        if not isinstance(issuer, str) or origin_of(issuer) == own:
            return
        for name in ENDPOINTS:
            value = document.value.get(name)
            if isinstance(value, str) and origin_of(value) == own:
                yield _endpoint("AUTH037", document, name, "an endpoint of the issuer", issuer=issuer)
                return
    except ValueError:
        return


def _endpoint(code: str, document: Document, name: str, expected: str, **args: object) -> Finding:
    present = name in document.value
    observed = repr(document.value[name])[:300] if present else "absent"
    evidence = Evidence(
        label=f"/{name}",
        expected=expected,
        observed=observed,
        where=document.url,
        exchange=document.exchange,
    )
    return Finding(
        code=code,
        args={"name": name, "value": observed, "document_url": document.url, **args},
        evidence=(evidence,),
        where=f"{document.url}#/{name}",
        exchange=document.exchange,
    )


def _unusable(value: object, own: Origin, document: Document, *, loopback: bool) -> str | None:
    if not isinstance(value, str) or not value:
        return "it is absent" if value is None else "it is no text"
    why = harmful(value)
    if why is not None:
        return why
    try:
        origin, parts = origin_of(value), urlsplit(value)
    except ValueError:
        return "it is no absolute http(s) URL"
    if parts.fragment:
        return "it has a fragment (RFC 6749 3.1)"
    if origin.scheme == "https":
        return None
    # Plain http is for development: the connector on loopback, the endpoint there too or where we just were.
    if loopback and (origin in (own, origin_of(document.url)) or _is_loopback(origin.host)):
        return None
    return "it is plain http"


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return address_kind(host) == "loopback"
    except ValueError:
        return False
