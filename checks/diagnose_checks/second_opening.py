"""The first message once more, in step 6, with a credential that was got or renewed there.

What step 4 met was a closed door. What stands behind it shows only now, and is told by the same rule: a
plain refusal is asked again with ``initialize``, then as HTTP+SSE.
"""

from __future__ import annotations

import dataclasses

from diagnose.context import Context
from diagnose.step import Evidence, Fault
from diagnose.wire.http_wire import ExchangeFailed
from diagnose.wire.rpc import RpcChannel, RpcReply
from diagnose.wire.sse_channel import SseChannel
from diagnose_checks.acquisition_faults import unheard
from diagnose_checks.contrasts import answered
from diagnose_checks.endpoint_event import hide_stream_id, older_transport, warn_of_older_transport
from diagnose_checks.facts import HttpFacts
from diagnose_checks.http_outcome import Outcome
from diagnose_checks.opening import open_channel, say_first

__all__ = ["opened_again"]


async def opened_again(ctx: Context, http: HttpFacts) -> HttpFacts:
    """The endpoint as it answers the credential that the connector has now. Raises Fault."""
    channel = http._channel
    ctx.if_late(lambda: unheard("no complete answer before the step's deadline", None))
    try:
        if isinstance(channel, SseChannel):
            return _with(http, channel, await _stream_again(ctx, channel))
        again = _with(http, channel, await say_first(channel, step=ctx.step_id))
    except ExchangeFailed as problem:
        raise unheard(problem.detail, problem.exchange.id) from problem
    opening = _outcome(again)
    if not opening.plainly_refused:
        return again
    return await _older(ctx, again, opening) or again


async def _stream_again(ctx: Context, channel: SseChannel) -> RpcReply:
    reply = await channel.open(step=ctx.step_id)
    if reply.streamed and await channel.endpoint() is None:
        raise unheard(f"an event stream, and {channel.ended}", reply.exchange.id)
    hide_stream_id(ctx, channel)
    warn_of_older_transport(ctx, channel, reply)
    return reply


async def _older(ctx: Context, http: HttpFacts, opening: Outcome) -> HttpFacts | None:
    """What step 4 would have found of an older era or transport, had the door been open. Raises Fault."""
    tried: list[Evidence] = []
    if opening.method != "initialize":
        channel = open_channel(ctx, http._http, http._url, modern=False)
        reply = await answered(ctx, say_first(channel, step=ctx.step_id))
        if reply is not None:
            older = _with(http, channel, reply)
            if _outcome(older).reachable:
                # With the era pinned step 7 judges by the first answer: the runtime would not fall back.
                return None if ctx.connector.era == "modern" else older
            tried.append(_outcome(older).evidence(expected="an MCP answer, were it a server of an older era"))
    try:
        return await older_transport(ctx, http._http, http._url, opening, tried)
    except Fault as fault:
        fault.step = "http_reachability"
        raise


def _with(http: HttpFacts, channel: RpcChannel, reply: RpcReply) -> HttpFacts:
    return dataclasses.replace(
        http,
        status=reply.http_status,
        challenged=reply.status in (401, 403),
        _channel=channel,
        _opening=reply,
    )


def _outcome(http: HttpFacts) -> Outcome:
    return Outcome(url=http._url, method=http._opening.method, channel=http._channel, reply=http._opening)
