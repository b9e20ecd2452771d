"""Authorization server metadata (RFC 8414, OpenID Connect Discovery): found, honest about itself, usable."""

from __future__ import annotations

from collections.abc import Mapping

from diagnose.connector.address import Origin
from diagnose.step import Evidence, Finding
from diagnose.wire.reach import Reach
from diagnose_checks.difference import difference
from diagnose_checks.discovery_urls import server_metadata_urls
from diagnose_checks.endpoint_urls import judge_endpoints, judge_other_urls, needed
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


def judge_server(document: Document, issuer: str | None, own: Origin, reach: Reach) -> list[Finding]:
    """What is wrong with a document that was found; ``issuer`` None leaves the identity out (2025-03-26)."""
    found: list[Finding] = []
    if issuer is not None:
        found += _identity(document, issuer)
    found += judge_endpoints(document, own, reach)
    found += _pkce(document)
    found += judge_other_urls(document, _DOCUMENT)
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


def _pkce(document: Document) -> list[Finding]:
    """MCP authorization, security considerations: a client must refuse where S256 is not advertised."""
    methods = document.value.get("code_challenge_methods_supported")
    by_code = needed("authorization_endpoint", document.value)
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
