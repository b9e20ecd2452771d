"""The faults of step 4: every one carries the same arguments and both halves of its proof."""

from __future__ import annotations

from typing import Any

from diagnose.step import Evidence, Fault
from diagnose_checks.http_outcome import Outcome, status_line

__all__ = ["fault_of", "gateway_words"]

EXPECTED = "an MCP answer: JSON-RPC in application/json or text/event-stream, or 401"


def gateway_words(outcome: Outcome) -> str:
    """Who wrote the answer, as far as ``Server`` and ``Via`` say: ``nginx``, or ``an unnamed server``."""
    exchange = outcome.exchange
    server = exchange.header("server") if exchange is not None else None
    via = exchange.header("via") if exchange is not None else None
    named = ", ".join(word for word in (server, f"via {via}" if via else None) if word)
    return named or "an unnamed server"


def fault_of(
    code: str,
    outcome: Outcome,
    *contrasts: Evidence,
    confidence: str | None = None,
    actor: str | None = None,
    where: str | None = None,
    ruled_out: tuple[str, ...] = (),
    **args: object,
) -> Fault:
    """The fault ``code`` for one outcome; ``contrasts`` are the other halves of the proof."""
    exchange = outcome.exchange
    verb = exchange.method if exchange is not None else "POST"
    values: dict[str, Any] = {
        "status": status_line(exchange),
        "verb": verb,
        "message": outcome.method,
        "server": gateway_words(outcome),
        "seen": outcome.summary,
        **args,
    }
    return Fault(
        code,
        outcome.evidence(f"{verb} {outcome.method}" if verb != outcome.method else verb, EXPECTED),
        *contrasts,
        confidence=confidence,
        actor=actor,
        where=where or outcome.url,
        ruled_out=ruled_out,
        exchange=exchange.id if exchange is not None else None,
        **values,
    )
