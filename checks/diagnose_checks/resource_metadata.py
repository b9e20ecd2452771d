"""Protected resource metadata (RFC 9728): found where a client looks, and about the URL that is in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from diagnose.connector.address import origin_of
from diagnose.step import Evidence, Finding
from diagnose_checks.challenge import Challenges
from diagnose_checks.difference import difference
from diagnose_checks.discovery_urls import canonical, resource_metadata_urls
from diagnose_checks.endpoint_urls import judge_other_urls
from diagnose_checks.metadata_fetch import Document, Reader

__all__ = [
    "absence",
    "earlier_faults",
    "find_resource_metadata",
    "is_absolute",
    "judge_resource",
    "observed_in",
    "servers_of",
]

_MOST_SERVERS = 20

# The outcome that decides when no candidate gave a document: the one that says most about the cause.
_DECISIVE: tuple[tuple[str, str], ...] = (
    ("refused", "AUTH016"),  # the one URL the server named is one that no careful client fetches
    ("server error", "AUTH005"),  # 5xx is not absence
    ("no answer", "AUTH005"),
    ("unreachable", "AUTH005"),
    ("not JSON", "AUTH004"),
)


async def find_resource_metadata(
    reader: Reader, endpoint: str, named_by_challenge: str | None
) -> tuple[Document, ...]:
    """Ask the candidates in their order until one gives a document."""
    asked: list[Document] = []
    for url in resource_metadata_urls(endpoint, named_by_challenge):
        document = await reader.get(url)
        asked.append(document)
        silent = document.outcome == "no answer" and origin_of(url) == origin_of(endpoint)
        if document.outcome == "found" or silent:
            break  # a host that hangs at one place is not asked for the next
    return tuple(asked)


def absence(asked: tuple[Document, ...], challenges: Challenges, *, named: bool) -> Finding:
    """Why there is no protected resource metadata, given what every candidate answered."""
    for outcome, code in _DECISIVE:
        decisive = next((document for document in asked if document.outcome == outcome), None)
        if decisive is not None:
            return fault_of(code, decisive, asked, document="protected resource metadata")
    evidence = [document.evidence("protected resource metadata") for document in asked]
    tried = ", ".join(document.url for document in asked)
    if not challenges.found:
        silent = Evidence(label="WWW-Authenticate", expected="a Bearer challenge", observed="absent")
        evidence.insert(0, silent)
        return Finding(code="AUTH001", args={"tried": tried}, evidence=tuple(evidence))
    source = "the challenge names a URL" if named else "the challenge names no URL"
    place = asked[1 if named and len(asked) > 1 else 0].url
    args = {"tried": tried, "source": source, "place": place}
    return Finding(code="AUTH002", args=args, evidence=tuple(evidence))


def fault_of(
    code: str, decisive: Document, asked: tuple[Document, ...], *, document: str, severity: str | None = None
) -> Finding:
    """A finding about one candidate that was there and could not be used; the others are evidence too."""
    others = tuple(other for other in asked if other is not decisive)
    expected = "an https URL that may be fetched" if code == "AUTH016" else "200 with a JSON object"
    return Finding(
        code=code,
        args={
            "document": document,
            "target": decisive.asked or decisive.url,
            "detail": decisive.detail.removeprefix("not fetched: "),
            "progress": f"{decisive.url}: {decisive.detail}",
        },
        evidence=(
            decisive.evidence(document, expected=expected),
            *(other.evidence(f"{document}, other candidate") for other in others),
        ),
        severity=severity,
        where=decisive.asked or decisive.url,
        exchange=decisive.exchange,
    )


def earlier_faults(asked: tuple[Document, ...], *, named: bool) -> list[Finding]:
    """Candidates before the one that worked at which a strict client stops already."""
    if not asked or asked[-1].outcome != "found":
        return []
    for position, document in enumerate(asked[:-1]):
        for outcome, code in _DECISIVE:
            if document.outcome == outcome:
                severity = None if code == "AUTH016" else "warning"
                return [
                    fault_of(code, document, asked, document="protected resource metadata", severity=severity)
                ]
        if named and position == 0:
            args = {"target": document.url, "detail": document.detail, "found": asked[-1].url}
            return [
                Finding(
                    code="AUTH025",
                    args=args,
                    evidence=(document.evidence("resource_metadata of the challenge"),),
                    where="WWW-Authenticate, resource_metadata",
                    exchange=document.exchange,
                )
            ]
    return []


def servers_of(value: Mapping[str, Any]) -> tuple[str, ...]:
    """The authorization servers that the document names, as far as they are text."""
    listed = value.get("authorization_servers")
    if not isinstance(listed, list):
        return ()
    return tuple(item for item in listed if isinstance(item, str))[:_MOST_SERVERS]


def judge_resource(document: Document, endpoint: str) -> list[Finding]:
    """What is wrong with a document that was found: its form, and the resource it is about."""
    broken = _broken_member(document.value)
    if broken is not None:
        pointer, what, observed = broken
        return [
            Finding(
                code="AUTH006",
                args={"document_url": document.url, "pointer": pointer, "what": what},
                evidence=(_member(document, pointer, what, observed),),
                where=f"{document.url}#{pointer}",
                exchange=document.exchange,
            )
        ]
    return [*_resource(document, endpoint), *judge_other_urls(document, "protected resource metadata")]


def _member(document: Document, pointer: str, expected: str, observed: str) -> Evidence:
    return Evidence(
        label=pointer, expected=expected, observed=observed, where=document.url, exchange=document.exchange
    )


def _broken_member(value: Mapping[str, Any]) -> tuple[str, str, str] | None:
    resource = value.get("resource")
    if not isinstance(resource, str) or not resource:
        return "/resource", "the URL of the MCP endpoint (REQUIRED)", observed_in(value, "resource")
    listed = value.get("authorization_servers")
    if not isinstance(listed, list) or not listed:
        return (
            "/authorization_servers",
            "an array with at least one issuer URL",
            observed_in(value, "authorization_servers"),
        )
    for index, issuer in enumerate(listed):
        if not isinstance(issuer, str) or not is_absolute(issuer):
            return f"/authorization_servers/{index}", "an absolute URL", repr(issuer)[:200]
    return None


def observed_in(value: Mapping[str, Any], name: str) -> str:
    """A member of a document as it is written there, or the word that it is absent."""
    return repr(value[name])[:200] if name in value else "absent"


def is_absolute(text: str) -> bool:
    """Whether the text is a URL of its own; which schemes may be fetched is another question."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme) and (bool(parts.netloc) or parts.scheme not in ("http", "https"))


def _resource(document: Document, endpoint: str) -> list[Finding]:
    """RFC 9728 3.3: the value must be identical to the URL in use; its parent is what the SDKs let pass.

    Identical as every client's URL type writes it: that alone is no difference of the server's making.
    """
    resource = str(document.value["resource"])
    endpoint = canonical(endpoint)
    apart = difference(endpoint, resource)
    if apart is None or endpoint == canonical(resource):
        return []
    evidence = _member(document, "/resource", endpoint, resource)
    code = "AUTH008" if _is_parent(resource, endpoint) and not apart.slash_only else "AUTH007"
    return [
        Finding(
            code=code,
            args={"resource": resource, "document_url": document.url, "difference": apart.words},
            evidence=(evidence,),
            where=f"{document.url}#/resource",
            exchange=document.exchange,
        )
    ]


def _is_parent(resource: str, endpoint: str) -> bool:
    try:
        parent, child = urlsplit(resource), urlsplit(endpoint)
    except ValueError:
        return False
    if (parent.scheme, parent.netloc) != (child.scheme, child.netloc) or parent.query:
        return False
    if child.query and parent.path == child.path:
        return True  # the SDKs compare origin and path, and leave the query out
    return child.path.startswith(parent.path.rstrip("/") + "/")
