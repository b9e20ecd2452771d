"""What the probes of an authorization server share: whom they ask about, and the list of what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from diagnose.context import Context
from diagnose.deep_plan import planned
from diagnose.records import record
from diagnose_checks.vetted_wires import VettedWires

__all__ = ["Ledger", "Subject"]

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
