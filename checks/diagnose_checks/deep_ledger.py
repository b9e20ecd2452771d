"""What the probes of an authorization server share: whom they ask about, and the list of what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from diagnose.connector import OAuth2Credential
from diagnose.context import Context
from diagnose.deep_plan import planned
from diagnose.records import record
from diagnose_checks.challenge import Challenges
from diagnose_checks.discovery_urls import canonical
from diagnose_checks.metadata_fetch import Document
from diagnose_checks.scope_lists import requested_scopes, scopes_in
from diagnose_checks.vetted_wires import VettedWires

__all__ = ["Ledger", "Subject", "subject_of"]

_OFFLINE = "offline_access"
_ENOUGH = 1.0
"""Seconds that a step must have left for one more request."""


@record
class Subject:
    """The authorization server that discovery found, and what a client of this endpoint would ask it for.

    ``scope_source`` says in words where ``scopes`` come from; ``asked_by_resource`` are those of the
    challenge or of the resource metadata alone.
    """

    issuer: str
    document_url: str
    server: Mapping[str, Any]
    resource: str | None
    scopes: tuple[str, ...]
    asked_by_resource: tuple[str, ...]
    scope_source: str
    known_scopes: tuple[str, ...] | None

    def endpoint(self, name: str) -> str | None:
        """An endpoint of the metadata, as far as it is text."""
        value = self.server.get(name)
        return value if isinstance(value, str) and value else None


def subject_of(
    ctx: Context, endpoint: str, challenges: Challenges, resource: Document | None, server: Document
) -> Subject:
    """What a client of ``endpoint`` reads out of the documents (MCP authorization, scope selection)."""
    credential = ctx.connector.credential
    configured = credential if isinstance(credential, OAuth2Credential) else None
    described = resource.value if resource is not None else {}
    named = described.get("resource")
    asked, source = requested_scopes(challenges, described)
    by_resource = asked or ()
    known = scopes_in(server.value)
    if configured is not None and configured.scope:
        asked, source = tuple(configured.scope.split()), "the scope of the connector's credential"
    scopes = asked or ()
    # SEP-2207, as the official SDK does it: refresh tokens are asked for where they are listed.
    if scopes and known is not None and _OFFLINE in known and _OFFLINE not in scopes:
        scopes = (*scopes, _OFFLINE)
    issuer = server.value.get("issuer")
    return Subject(
        issuer=issuer if isinstance(issuer, str) else server.url,
        document_url=server.url,
        server=server.value,
        resource=(configured.resource if configured is not None else None)
        or (named if isinstance(named, str) and named else canonical(endpoint)),
        scopes=scopes,
        asked_by_resource=by_resource,
        scope_source=source,
        known_scopes=known,
    )


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Every probe with its outcome, in the order in which they were sent."""

    ctx: Context
    wires: VettedWires
    entries: list[Mapping[str, Any]] = field(default_factory=list)

    def has_time(self) -> bool:
        return self.ctx.time_left() > _ENOUGH

    def sent(self, id: str, changed: str, outcome: str, exchange: int | None = None) -> None:
        """A request of the plan's row ``id`` that was sent; ``changed`` says what differs from the first."""
        entry = {"request": planned(id).request, "changed": changed or None, "outcome": outcome[:400]}
        self._add({**entry, "exchange": exchange})

    def not_sent(self, id: str, why: str) -> None:
        self._add({"request": planned(id).request, "outcome": f"not sent: {why}"[:400]})

    def _add(self, entry: Mapping[str, Any]) -> None:
        self.entries.append({name: value for name, value in entry.items() if value is not None})
