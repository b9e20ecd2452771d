"""How a client gets its client id (MCP authorization, client registration): configured, CIMD, or DCR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from diagnose.connector import Connector, OAuth2Credential
from diagnose.step import Evidence, Finding
from diagnose_checks.endpoint_urls import harmful
from diagnose_checks.metadata_fetch import Document
from diagnose_checks.resource_metadata import observed_in

__all__ = ["connecting_clients", "judge_registration", "registration_routes"]

_CONFIGURED = "configured_client_id"
_DOCUMENT = "client_id_metadata_document"
_DYNAMIC = "dynamic_client_registration"

# Which clients each route lets in, and which stay outside where it is not open.
_CLIENTS: tuple[tuple[str, str, str | None], ...] = (
    (_CONFIGURED, "this connector, with its client id", None),
    (
        _DOCUMENT,
        "clients known by the URL of a client ID metadata document",
        "clients whose only identity is a client ID metadata document",
    ),
    (_DYNAMIC, "clients that register themselves", "clients that can only register themselves"),
)
_BEFOREHAND = "clients that the administrator of the authorization server registers beforehand"


def registration_routes(connector: Connector, value: Mapping[str, Any]) -> dict[str, bool]:
    """The routes in the order in which a client takes them, each with whether it is open."""
    credential = connector.credential
    return {
        _CONFIGURED: isinstance(credential, OAuth2Credential) and bool(credential.client_id),
        _DOCUMENT: value.get("client_id_metadata_document_supported") is True,
        _DYNAMIC: isinstance(value.get("registration_endpoint"), str)
        and bool(value["registration_endpoint"]),
    }


def connecting_clients(routes: Mapping[str, bool]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who can get a client id by these routes and who cannot, in words."""
    can = (*(inside for route, inside, _ in _CLIENTS if routes[route]), _BEFOREHAND)
    cannot = tuple(outside for route, _, outside in _CLIENTS if outside and not routes[route])
    return can, cannot


def judge_registration(
    document: Document, routes: Mapping[str, bool], credential: object = None
) -> list[Finding]:
    """AUTH015 where no route is open; notes where the only one is deprecated, or often missed by clients."""
    own = _own_document(document, routes, credential)
    if not any(routes.values()):
        return [_about(document, "AUTH015", _supports(document), _registers(document)), *own]
    if not routes[_CONFIGURED] and not routes[_DOCUMENT]:
        return [_about(document, "AUTH020", _supports(document, "true")), *own]
    if not routes[_DOCUMENT] and not routes[_DYNAMIC]:
        return [_about(document, "AUTH031", _supports(document), _registers(document)), *own]
    return own


def _own_document(document: Document, routes: Mapping[str, bool], credential: object) -> list[Finding]:
    """AUTH032: the metadata document that is this connector's identity, where it is not configured by id."""
    if not isinstance(credential, OAuth2Credential) or credential.client_id is not None:
        return []
    url = credential.client_id_metadata_url
    if url is None:
        return []
    why = _malformed(url)
    if why is not None:
        form = Evidence(label="client_id_metadata_url", expected="https://HOST/PATH", observed=url)
        return [_about(document, "AUTH032", form, url=url, why=why, severity="error")]
    if not routes[_DOCUMENT] and routes[_DYNAMIC]:
        why = "the authorization server does not support such documents, so the client registers itself"
        return [_about(document, "AUTH032", _supports(document, "true"), url=url, why=why)]
    return []


def _malformed(url: str) -> str | None:
    """draft-ietf-oauth-client-id-metadata-document 3: https, a path, no fragment, no credentials."""
    why = harmful(url)
    if why is not None:
        return why
    parts = urlsplit(url)
    if parts.scheme != "https":
        return "it is no https URL"
    if parts.path in ("", "/"):
        return "it has no path"
    if parts.fragment:
        return "it has a fragment"
    if {".", ".."} & set(parts.path.split("/")):
        return "its path has a dot segment"
    return None


def _supports(
    document: Document, expected: str = "true, or a registration_endpoint, or a client id in the connector"
) -> Evidence:
    return Evidence(
        label="/client_id_metadata_document_supported",
        expected=expected,
        observed=observed_in(document.value, "client_id_metadata_document_supported"),
        where=document.url,
        exchange=document.exchange,
    )


def _registers(document: Document) -> Evidence:
    return Evidence(
        label="/registration_endpoint",
        expected="the URL of RFC 7591 registration",
        observed=observed_in(document.value, "registration_endpoint"),
        where=document.url,
        exchange=document.exchange,
    )


def _about(
    document: Document, code: str, *evidence: Evidence, severity: str | None = None, **args: object
) -> Finding:
    issuer = str(document.value.get("issuer", document.url))
    return Finding(
        code=code,
        args={"document_url": document.url, "issuer": issuer, **args},
        evidence=evidence,
        severity=severity,
        where=document.url,
        exchange=document.exchange,
    )
