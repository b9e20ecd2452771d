"""Under ``--deep``: what a client with OAuth finds around an endpoint that let it in without a credential.

Some clients look for metadata on every connection. What they find makes them demand a login that nobody
needs, or stop over an answer that is no clean 404. GET only, nothing is registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from diagnose.records import record
from diagnose.step import Evidence, Finding
from diagnose_checks.discovery_urls import legacy_server_metadata_url, resource_metadata_urls
from diagnose_checks.metadata_fetch import Document, Reader
from diagnose_checks.resource_metadata import is_absolute, servers_of
from diagnose_checks.server_metadata import find_server_metadata

__all__ = ["Surroundings", "look_around"]

_SILENT = frozenset(("no answer", "unreachable"))
"""Whoever does not answer there is not asked again: the endpoint works, and that is what counts."""


@record
class Surroundings:
    """Every place that was asked, with its subject, and the findings."""

    asked: tuple[tuple[str, Document], ...]
    findings: tuple[Finding, ...]


async def look_around(reader: Reader, endpoint: str) -> Surroundings:
    """Ask the places at which such clients look, as long as the host answers."""
    places = [("resource", url) for url in resource_metadata_urls(endpoint, None)]
    places.append(("authorization server", legacy_server_metadata_url(endpoint)))
    places.append(("registration", _registration_url(endpoint)))
    asked: list[tuple[str, Document]] = []
    for subject, url in places:
        asked.append((subject, await reader.get(url)))
        if asked[-1][1].outcome in _SILENT:
            return Surroundings(asked=tuple(asked), findings=())
    told = next((document for _, document in asked[:-1] if _is_metadata(document.value)), None)
    if told is not None:
        servers = await _servers_behind(reader, told)
        asked += [("authorization server", document) for document in servers]
        value = servers[-1].value if servers else told.value
        return Surroundings(asked=tuple(asked), findings=tuple(_claims(told, value, endpoint)))
    return Surroundings(asked=tuple(asked), findings=tuple(_unclean(asked, endpoint)))


def _registration_url(endpoint: str) -> str:
    """Where a client registers that found no metadata at all (revision 2025-03-26, default endpoints)."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc}/register"


def _is_metadata(value: Mapping[str, Any]) -> bool:
    return "authorization_servers" in value or "token_endpoint" in value or "authorization_endpoint" in value


async def _servers_behind(reader: Reader, told: Document) -> tuple[Document, ...]:
    servers = servers_of(told.value)
    if not servers or not is_absolute(servers[0]) or not servers[0].startswith(("https://", "http://")):
        return ()
    return await find_server_metadata(reader, servers[0])


def _claims(told: Document, server: Mapping[str, Any], endpoint: str) -> list[Finding]:
    """Metadata without a way to a client id: a client that believes it cannot go on."""
    if server.get("registration_endpoint") or server.get("client_id_metadata_document_supported") is True:
        return []
    evidence = (
        Evidence(
            label="first request, without a credential",
            expected="HTTP 401",
            observed="answered",
            where=endpoint,
        ),
        told.evidence("metadata of an endpoint that is open", expected="404"),
        Evidence(
            label="/registration_endpoint",
            expected="the URL of RFC 7591 registration",
            observed="absent",
            where=told.url,
        ),
    )
    return [
        Finding(
            code="AUTH034",
            args={"document_url": told.url},
            evidence=evidence,
            where=told.url,
            exchange=told.exchange,
        )
    ]


def _unclean(asked: list[tuple[str, Document]], endpoint: str) -> list[Finding]:
    """Answers that are neither metadata nor a clean refusal, which clients take for a broken login."""
    wrong = [document for subject, document in asked if _misleads(subject, document)]
    if not wrong:
        return []
    places = ", ".join(f"{document.url} ({document.detail[:80]})" for document in wrong)
    return [
        Finding(
            code="AUTH035",
            args={"places": places},
            evidence=tuple(
                document.evidence("a place where no metadata is", expected="404") for document in wrong
            ),
            where=wrong[0].url,
            exchange=wrong[0].exchange,
        )
    ]


def _misleads(subject: str, document: Document) -> bool:
    if subject == "registration":
        # A sign-up page of people is none of a client's business: only what a POST would meet.
        return document.status == 405 or document.outcome == "found"
    return document.status in (200, 405)
