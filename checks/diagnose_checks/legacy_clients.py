"""Under ``--deep``: would a client of revision 2025-03-26, which asks the MCP host itself, find its way?"""

from __future__ import annotations

from diagnose.connector.address import origin_of
from diagnose.step import Finding
from diagnose_checks.discovery_urls import legacy_server_metadata_url
from diagnose_checks.metadata_fetch import Reader

__all__ = ["judge_legacy_clients"]


async def judge_legacy_clients(reader: Reader, endpoint: str, issuer: str) -> list[Finding]:
    """AUTH033, where the authorization server is elsewhere and the MCP host does not lead to it."""
    try:
        if origin_of(issuer) == origin_of(endpoint):
            return []
    except ValueError:
        return []
    document = await reader.get(legacy_server_metadata_url(endpoint))
    if document.outcome == "found":
        return []
    return [
        Finding(
            code="AUTH033",
            args={"issuer": issuer, "target": document.url, "detail": document.detail},
            evidence=(document.evidence("authorization server metadata on the MCP host"),),
            where=document.url,
            exchange=document.exchange,
        )
    ]
