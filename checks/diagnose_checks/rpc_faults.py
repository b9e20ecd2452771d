"""What a reply shows, reduced to one symptom; and the codes that a step gives to symptoms.

Steps 7 to 10 read replies of the same shape. What a symptom means depends on the step, so each step brings
a table from symptom to code; how a symptom is recognised, and its evidence, is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from diagnose.context import Context
from diagnose.records import record
from diagnose.step import Evidence, Facts, Fault
from diagnose.wire.http_wire import ExchangeFailed
from diagnose.wire.rpc import ProblemKind, RpcReply
from diagnose_checks.proxy_contrasts import next_tunnel_refused

__all__ = [
    "Codes",
    "Observed",
    "Symptom",
    "exchange_faults",
    "fault_of",
    "judge_reply",
    "oddities",
    "said",
    "seen",
    "symptom",
    "warn_oddities",
]

Symptom = (
    ProblemKind
    | Literal[
        "accepted",  # 202 to a request
        "http-error",  # a status that is no success, and no JSON-RPC error behind it
        "content-type",  # a success that is neither JSON nor an event stream
        "jsonrpc-error",  # a well-formed JSON-RPC error, at any status
        "result-shape",  # "result" is there and is no object
        "connection-lost",  # the exchange ended before the answer did
        "answer-too-large",  # the body passed our limit
        "encoding",  # the body could not be decoded
        "no-answer",  # the time was up (never from a reply; for tables of deadlines)
    ]
)
Codes = Mapping[Symptom, str]

# A table may leave out the narrower symptom where the wider one says the same.
_WIDER: Mapping[Symptom, Symptom] = {
    "hostile-json": "not-json",
    "empty-body": "not-json",
    "not-jsonrpc": "not-json",
    "content-type": "http-error",
    "result-and-error": "not-jsonrpc",
    "error-shape": "not-jsonrpc",
    "result-shape": "not-jsonrpc",
    "event-flood": "stream-ended",
    "event-too-large": "answer-too-large",
    "encoding": "connection-lost",
    "answer-too-large": "connection-lost",
    "batch": "not-jsonrpc",
}
# Every official client reads past these; they are findings, not failures.
_TOLERATED: tuple[ProblemKind, ...] = ("id-type", "duplicate-member", "duplicate-response")
_LOST: Mapping[str, Symptom] = {"too-large": "answer-too-large", "encoding": "encoding"}


@record
class Observed:
    """One symptom of one reply, in words and as evidence."""

    kind: Symptom
    detail: str
    evidence: tuple[Evidence, ...]


def said(reply: RpcReply, *, limit: int = 300) -> str:
    """What came back, in one line: the status, and the error, the result's keys or the text."""
    if reply.error is not None:
        rest = f"JSON-RPC error {reply.error.get('code')}: {reply.error_message}"
    elif reply.result is not None:
        rest = "a JSON-RPC result"
    else:
        rest = " ".join(reply.text.split())[:limit] or "an empty body"
    if reply.status is None:
        return rest
    kind = f" {reply.content_type}" if reply.content_type else ""
    return f"HTTP {reply.status}{kind}, {rest}"


def seen(
    label: str, reply: RpcReply | None, expected: str | None = None, *, where: str | None = None
) -> Evidence:
    """An answer as evidence; None is a contrast that got none."""
    return Evidence(
        label=label,
        expected=expected,
        observed=said(reply) if reply is not None else "no answer, which proves nothing",
        where=where,
        exchange=reply.exchange.id if reply is not None else None,
    )


def symptom(reply: RpcReply) -> Observed | None:
    """What makes a reply unusable, or None for one with a result. The first that applies decides."""
    found = _decisive(reply)
    if found is None:
        return None
    kind, detail, expected = found
    return Observed(kind=kind, detail=detail, evidence=(seen(f"answer to {reply.method}", reply, expected),))


def _decisive(reply: RpcReply) -> tuple[Symptom, str, str] | None:
    wanted = f"one JSON-RPC response to {reply.method}"
    broken = next((problem for problem in reply.problems if problem.kind not in _TOLERATED), None)
    # An error body belongs to its own POST whatever id it carries, and many error bodies are no JSON at all.
    if reply.refused and (reply.error is None or broken is not None):
        return "http-error", f"HTTP {reply.status}", wanted
    if broken is not None:
        return broken.kind, broken.detail, wanted
    if reply.error is not None:
        detail = f"{reply.error.get('code')}: {reply.error_message}"
        return "jsonrpc-error", detail, f"a result of {reply.method}"
    if reply.result is not None:
        return None
    if reply.message is not None:
        return "result-shape", "the result is no JSON object", "a JSON object in result"
    if reply.status == 202:
        return "accepted", "HTTP 202 Accepted, which is for notifications", wanted
    return (
        "content-type",
        f"Content-Type: {reply.content_type or 'none'}",
        "application/json or text/event-stream",
    )


def oddities(reply: RpcReply) -> tuple[Observed, ...]:
    """What is wrong with a reply although every official client reads past it."""
    return tuple(
        Observed(
            kind=problem.kind,
            detail=problem.detail,
            evidence=(
                Evidence(
                    label=f"answer to {reply.method}", observed=problem.detail, exchange=reply.exchange.id
                ),
            ),
        )
        for problem in reply.problems
        if problem.kind in _TOLERATED
    )


def _code(codes: Codes, kind: Symptom) -> str:
    seen: Symptom | None = kind
    while seen is not None:
        if seen in codes:
            return codes[seen]
        seen = _WIDER.get(seen)
    return codes["http-error"]


def fault_of(
    reply: RpcReply,
    observed: Observed,
    codes: Codes,
    *evidence: Evidence,
    facts: Facts | None = None,
    confidence: str | None = None,
    **args: Any,
) -> Fault:
    """The Fault of a symptom by the step's table, falling back to the wider symptom, then to http-error.

    Its template arguments always are: method, status, content_type, carried, detail, error_code,
    error_message, advice (for an HTTP status), and what the caller adds. Pages of codes in such a table
    may use all of them.
    """
    return Fault(
        _code(codes, observed.kind),
        *observed.evidence,
        *evidence,
        facts=facts,
        confidence=confidence,
        exchange=reply.exchange.id,
        **{**_arguments(reply, observed), **args},
    )


def _carried(reply: RpcReply) -> str:
    """What brought the answer, in words."""
    if reply.status is None:
        return "a line on stdout"
    return f"HTTP {reply.status} with {reply.content_type or 'no content type'}"


def _advice(status: int | None, retry_after: str | None) -> str:
    """What to change for an HTTP status that came after others had passed."""
    if status == 429:
        wait = f"Retry-After: {retry_after}" if retry_after else "no Retry-After was sent"
        return (
            "Allow a burst of ten requests per client on the server or gateway whose rate limit this is: "
            f"a normal start takes three to six. As a user, wait ({wait}) and run this again."
        )
    return (
        "Find the exchange by its UTC time in the log of the server, then of each proxy before it, and "
        "remove the rule or repair the handler that answers it."
    )


def _arguments(reply: RpcReply, observed: Observed) -> dict[str, Any]:
    error = reply.error or {}
    return {
        "method": reply.method,
        "status": reply.status,
        "content_type": reply.content_type or "none",
        "carried": _carried(reply),
        "detail": observed.detail,
        "error_code": error.get("code", "none"),
        "error_message": reply.error_message or "none",
        "advice": _advice(reply.status, reply.header("retry-after")),
    }


def judge_reply(
    reply: RpcReply, codes: Codes, *evidence: Evidence, facts: Facts | None = None, **args: Any
) -> Mapping[str, Any]:
    """The result object of a reply. Raises the Fault that ``codes`` names for what is wrong with it."""
    observed = symptom(reply)
    if observed is not None:
        raise fault_of(reply, observed, codes, *evidence, facts=facts, **args)
    result = reply.result
    assert result is not None, "a reply without a symptom has a result"
    return result


def warn_oddities(ctx: Context, reply: RpcReply, codes: Codes) -> None:
    """Warn of what clients read past. Only the symptoms that ``codes`` names."""
    for observed in oddities(reply):
        if observed.kind in codes:
            ctx.warn(
                codes[observed.kind],
                *observed.evidence,
                severity="warning",
                exchange=reply.exchange.id,
                **_arguments(reply, observed),
            )


@contextmanager
def exchange_faults(
    codes: Codes, method: str, *evidence: Evidence, facts: Facts | None = None, **args: Any
) -> Iterator[None]:
    """Turn an exchange that failed below JSON-RPC into the step's Fault, with the same arguments."""
    try:
        yield
    except ExchangeFailed as problem:
        if problem.kind == "proxy":
            raise next_tunnel_refused(problem) from problem
        exchange = problem.exchange
        lost = Evidence(
            label=f"answer to {method}",
            expected=f"one JSON-RPC response to {method}",
            observed=f"{exchange.progress()}, then: {problem.detail}",
            exchange=exchange.id,
        )
        arguments: dict[str, Any] = {
            "method": method,
            "status": exchange.status or "none",
            "content_type": exchange.header("content-type") or "none",
            "carried": "nothing" if exchange.process is not None else f"HTTP {exchange.status or 'none'}",
            "detail": problem.detail.rstrip("."),
            "error_code": "none",
            "error_message": "none",
            "advice": _advice(exchange.status, exchange.header("retry-after")),
        }
        code = _code(codes, _LOST.get(problem.kind, "connection-lost"))
        raise Fault(
            code, lost, *evidence, facts=facts, exchange=exchange.id, **{**arguments, **args}
        ) from problem
