"""Authorization server metadata (RFC 8414, OpenID Connect Discovery): found, honest about itself, usable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from diagnose.connector.address import Origin, origin_of
from diagnose.step import Evidence, Finding
from diagnose.wire.reach import address_kind
from diagnose_checks.difference import difference
from diagnose_checks.discovery_urls import server_metadata_urls
from diagnose_checks.metadata_fetch import Document, Reader
from diagnose_checks.resource_metadata import fault_of

__all__ = ["find_server_metadata", "judge_server", "server_absence", "server_earlier_faults"]

_DOCUMENT = "authorization server metadata"
# After these the same host will not do better; the SDKs stop at a 5xx as well.
_FINAL = frozenset(("found", "server error", "unreachable", "no answer", "refused"))
_CODES: Mapping[str, str] = {
    "refused": "AUTH016",
    "unreachable": "AUTH022",
    "no answer": "AUTH022",
    "server error": "AUTH011",
    "not JSON": "AUTH010",
}


async def find_server_metadata(reader: Reader, issuer: str) -> tuple[Document, ...]:
    """Ask the candidates in their order until one gives a document or the host shows that none will."""
    asked: list[Document] = []
    for url in server_metadata_urls(issuer):
        document = await reader.get(url)
        asked.append(document)
        if document.outcome in _FINAL:
            break
    return tuple(asked)


def server_absence(asked: tuple[Document, ...], issuer: str) -> Finding:
    """Why there is no authorization server metadata, given what every candidate answered."""
    decisive = next((document for document in reversed(asked) if document.outcome in _CODES), None)
    if decisive is not None:
        return fault_of(_CODES[decisive.outcome], decisive, asked, document=_DOCUMENT)
    return Finding(
        code="AUTH009",
        args={"issuer": issuer, "tried": ", ".join(document.url for document in asked)},
        evidence=tuple(document.evidence(_DOCUMENT) for document in asked),
        where=issuer,
        exchange=asked[-1].exchange,
    )


def server_earlier_faults(asked: tuple[Document, ...]) -> list[Finding]:
    """A candidate with 200 and no JSON before the one that worked: clients that parse it stop there."""
    if not asked or asked[-1].outcome != "found":
        return []
    broken = next((document for document in asked[:-1] if document.outcome == "not JSON"), None)
    return [fault_of("AUTH010", broken, asked, document=_DOCUMENT, severity="warning")] if broken else []


def judge_server(document: Document, issuer: str | None, own: Origin, *, loopback: bool) -> list[Finding]:
    """What is wrong with a document that was found; ``issuer`` None leaves the identity out (2025-03-26)."""
    found: list[Finding] = []
    if issuer is not None:
        found += _identity(document, issuer)
    found += _endpoints(document, own, loopback=loopback)
    found += _pkce(document)
    return found


def _identity(document: Document, issuer: str) -> list[Finding]:
    """RFC 8414 3.3: identical to the identifier that the URL was built from, compared as text."""
    observed = document.value.get("issuer")
    if isinstance(observed, str):
        apart = difference(issuer, observed)
        if apart is None:
            return []
        text, words = observed, apart.words
    else:
        text, words = ("absent" if observed is None else repr(observed)[:200]), "issuer is REQUIRED"
    evidence = Evidence(
        label="/issuer", expected=issuer, observed=text, where=document.url, exchange=document.exchange
    )
    return [
        Finding(
            code="AUTH012",
            args={
                "issuer": text,
                "expected": issuer,
                "document_url": document.url,
                "difference": words,
            },
            evidence=(evidence,),
            where=f"{document.url}#/issuer",
            exchange=document.exchange,
        )
    ]


def _endpoints(document: Document, own: Origin, *, loopback: bool) -> list[Finding]:
    for name in ("authorization_endpoint", "token_endpoint", "registration_endpoint"):
        if name not in document.value and not _needed(name, document.value):
            continue
        why = _unusable(document.value.get(name), own, document, loopback=loopback)
        if why is None:
            continue
        observed = repr(document.value[name])[:300] if name in document.value else "absent"
        evidence = Evidence(
            label=f"/{name}",
            expected="an absolute https URL",
            observed=observed,
            where=document.url,
            exchange=document.exchange,
        )
        return [
            Finding(
                code="AUTH014",
                args={"name": name, "value": observed, "why": why, "document_url": document.url},
                evidence=(evidence,),
                where=f"{document.url}#/{name}",
                exchange=document.exchange,
            )
        ]
    return []


def _needed(name: str, value: Mapping[str, Any]) -> bool:
    # RFC 8414 2: without grant_types_supported the authorization code grant is offered.
    grants = value.get("grant_types_supported")
    by_code = not isinstance(grants, list) or "authorization_code" in grants
    return name == "token_endpoint" or (name == "authorization_endpoint" and by_code)


def _unusable(value: object, own: Origin, document: Document, *, loopback: bool) -> str | None:
    if not isinstance(value, str) or not value:
        return "it is absent" if value is None else "it is no text"
    try:
        origin, parts = origin_of(value), urlsplit(value)
    except ValueError:
        return "it is no absolute http(s) URL"
    if parts.fragment:
        return "it has a fragment (RFC 6749 3.1)"
    if parts.username is not None or parts.password is not None:
        return "it holds a user name or a password"
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


def _pkce(document: Document) -> list[Finding]:
    """MCP authorization, security considerations: a client must refuse where S256 is not advertised."""
    methods = document.value.get("code_challenge_methods_supported")
    by_code = _needed("authorization_endpoint", document.value)
    if (isinstance(methods, list) and "S256" in methods) or not by_code:
        return []
    observed = "absent" if methods is None else repr(methods)[:200]
    evidence = Evidence(
        label="/code_challenge_methods_supported",
        expected='an array with "S256"',
        observed=observed,
        where=document.url,
        exchange=document.exchange,
    )
    return [
        Finding(
            code="AUTH013",
            args={"document_url": document.url, "observed": observed},
            evidence=(evidence,),
            where=f"{document.url}#/code_challenge_methods_supported",
            exchange=document.exchange,
        )
    ]
