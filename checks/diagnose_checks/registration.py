"""How a client gets its client id (MCP authorization, client registration): configured, CIMD, or DCR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diagnose.connector import Connector, OAuth2Credential
from diagnose.step import Evidence, Finding
from diagnose_checks.metadata_fetch import Document

__all__ = ["judge_registration", "registration_routes"]


def registration_routes(connector: Connector, value: Mapping[str, Any]) -> dict[str, bool]:
    """The routes in the order in which a client takes them."""
    credential = connector.credential
    return {
        "configured_client_id": isinstance(credential, OAuth2Credential) and bool(credential.client_id),
        "client_id_metadata_document": value.get("client_id_metadata_document_supported") is True,
        "dynamic_client_registration": isinstance(value.get("registration_endpoint"), str)
        and bool(value["registration_endpoint"]),
    }


def judge_registration(document: Document, routes: Mapping[str, bool]) -> list[Finding]:
    """AUTH015 where no route is open; a note where the only one is deprecated."""
    issuer = str(document.value.get("issuer", document.url))
    args = {"document_url": document.url, "issuer": issuer}
    if not any(routes.values()):
        evidence = (
            Evidence(
                label="/client_id_metadata_document_supported",
                expected="true, or a registration_endpoint, or a client id in the connector",
                observed=repr(document.value.get("client_id_metadata_document_supported", "absent"))[:100],
                where=document.url,
                exchange=document.exchange,
            ),
            Evidence(
                label="/registration_endpoint",
                expected="the URL of RFC 7591 registration",
                observed=repr(document.value.get("registration_endpoint", "absent"))[:200],
                where=document.url,
                exchange=document.exchange,
            ),
        )
        place, exchange = document.url, document.exchange
        return [Finding(code="AUTH015", args=args, evidence=evidence, where=place, exchange=exchange)]
    if not routes["configured_client_id"] and not routes["client_id_metadata_document"]:
        only = Evidence(
            label="/client_id_metadata_document_supported",
            expected="true",
            observed=repr(document.value.get("client_id_metadata_document_supported", "absent"))[:100],
            where=document.url,
            exchange=document.exchange,
        )
        place, exchange = document.url, document.exchange
        return [Finding(code="AUTH020", args=args, evidence=(only,), where=place, exchange=exchange)]
    return []
