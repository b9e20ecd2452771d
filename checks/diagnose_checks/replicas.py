"""Several replicas behind one address, told from one that refuses: the same request, again and again.

Every repetition asks for its connection to be closed, so the next one is dialled anew and may reach another
replica. Sent on the failure path, and under ``--deep``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from diagnose.context import Context
from diagnose.step import Evidence
from diagnose.wire.rpc import RpcChannel, RpcReply
from diagnose_checks.contrasts import answered
from diagnose_checks.init_codes import FRESH_CONNECTION
from diagnose_checks.rpc_faults import said
from diagnose_checks.session_refusals import session_refusal

__all__ = ["REPEATS", "answers", "ask_again", "instances", "repeat", "tally"]

REPEATS = 4
_OF_ONE_ANSWER = frozenset(
    {"date", "content-length", "content-type", "transfer-encoding", "connection", "cache-control", "allow"}
    | {"mcp-session-id", "x-accel-buffering", "set-cookie", "x-request-id", "vary", "keep-alive"}
)


async def ask_again(ctx: Context, channel: RpcChannel, method: str) -> RpcReply | None:
    """The same request once more, its connection closed afterwards; None where it got no answer."""
    return await answered(ctx, channel.call(method, step=ctx.step_id, extra_headers=FRESH_CONNECTION))


async def repeat(ctx: Context, channel: RpcChannel, method: str, times: int = REPEATS) -> list[RpcReply]:
    """The answers to the same request, one after another, each on its own connection."""
    replies = [await ask_again(ctx, channel, method) for _ in range(times)]
    return [reply for reply in replies if reply is not None]


def tally(replies: Sequence[RpcReply]) -> dict[str, int]:
    """How often each status came, for instance ``{"200": 2, "404": 3}``."""
    counts: dict[str, int] = {}
    for reply in replies:
        counts[str(reply.status)] = counts.get(str(reply.status), 0) + 1
    return dict(sorted(counts.items()))


def instances(replies: Sequence[RpcReply]) -> Evidence | None:
    """Headers that tell those who accept from those who refuse: the names of the replicas, if they show."""
    accepted = [_headers(reply) for reply in replies if session_refusal(reply) is None]
    refused = [_headers(reply) for reply in replies if session_refusal(reply) is not None]
    lines: list[str] = []
    for name in sorted({name for headers in (*accepted, *refused) for name in headers} - _OF_ONE_ANSWER):
        here = {headers.get(name, "absent") for headers in accepted}
        there = {headers.get(name, "absent") for headers in refused}
        if here and there and not here & there:
            lines.append(f"{name}: {', '.join(sorted(here))} accepts; {', '.join(sorted(there))} refuses")
    return Evidence(label="headers that differ", observed="\n".join(lines[:4])) if lines else None


def _headers(reply: RpcReply) -> Mapping[str, str]:
    return {name.lower(): value for name, value in reply.exchange.response_headers}


def answers(label: str, replies: Sequence[RpcReply], expected: str) -> Evidence:
    """All answers in their order, as one piece of evidence."""
    return Evidence(
        label=label,
        expected=expected,
        observed="\n".join(said(reply, limit=120) for reply in replies),
        exchange=replies[-1].exchange.id,
    )
