"""Why the second request was refused: the contrasts of step 8, sent on its failure path only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from diagnose.context import Context
from diagnose.step import Evidence, Fault
from diagnose.wire.rpc import RpcReply, StreamableChannel
from diagnose_checks.contrasts import answered
from diagnose_checks.facts import InitFacts
from diagnose_checks.init_codes import let_go
from diagnose_checks.opening import say_first
from diagnose_checks.replicas import answers, instances, repeat, tally
from diagnose_checks.rpc_faults import said, seen, symptom
from diagnose_checks.session_refusals import Refusal, session_refusal

__all__ = ["prove_refusal", "replicas_fault"]

_METHOD_NOT_FOUND = -32601
_STATE: tuple[Refusal, ...] = ("not-initialized", "missing-id", "unknown-session")


async def prove_refusal(
    ctx: Context, init: InitFacts, method: str, reply: RpcReply, refusal: Refusal
) -> None:
    """Raise the Fault that the contrasts prove; return where the refusal is not about the session."""
    if refusal == "credential":
        if reply.status == 403 and method == "tools/list" and reply.header("www-authenticate") is None:
            return  # nobody speaks of a credential, so it is a refusal like any other: step 9 says which
        raise _credential(reply, method)
    replies = [reply, *await repeat(ctx, init._channel, method)]
    if any(session_refusal(other) is None for other in replies):
        raise replicas_fault(init, method, replies)
    if refusal == "version-header":
        await _prove_version_header(ctx, init, method, reply)
    if init.era == "modern":
        if refusal in _STATE:
            raise await _state_required(ctx, init, method, reply)
        return
    if refusal == "not-initialized":
        raise await _not_initialized(ctx, init, method, reply)
    if not init._session_id and ctx.transport_name != "sse":
        if refusal in _STATE:
            raise _no_id(reply, method, sent=False)
        return
    if refusal == "missing-id" and init._channel.session_id is not None:
        raise _no_id(reply, method, sent=True)
    if refusal == "unexplained" and method != "ping" and await _known_to_ping(ctx, init):
        return
    raise await _not_honoured(ctx, init, method, replies)


async def _known_to_ping(ctx: Context, init: InitFacts) -> bool:
    """Whether another request of the same session is served: then the refusal is about this one.

    A JSON-RPC error about ping itself serves as well: whoever dispatches it knows the session.
    """
    reply = await answered(ctx, init._channel.call("ping", step=ctx.step_id))
    if reply is None:
        return False
    return symptom(reply) is None or (reply.error_code == _METHOD_NOT_FOUND and not reply.refused)


_KEPT_SESSIONS = (
    "sessions are kept in the memory of one process, and the load balancer spreads requests over several"
)
_MIXED_BUILDS = (
    "this era has no sessions, so nothing in the request can matter: "
    "different builds answer behind one address"
)


def replicas_fault(init: InitFacts, method: str, replies: Sequence[RpcReply]) -> Fault:
    """Some answers know the session and some do not: one finding with the ratio."""
    modern = init.era == "modern"
    known = sum(session_refusal(reply) is None for reply in replies)
    named = instances(replies)
    counts = ", ".join(f"{count} x HTTP {status}" for status, count in tally(replies).items())
    return Fault(
        "SESS001",
        answers(f"the same {method}, repeated", replies, "the same answer each time"),
        *((named,) if named is not None else ()),
        exchange=replies[0].exchange.id,
        method=method,
        accepted=known,
        total=len(replies),
        counts=counts,
        what="what they serve" if modern else "the session",
        reading=_MIXED_BUILDS if modern else _KEPT_SESSIONS,
    )


def _credential(reply: RpcReply, method: str) -> Fault:
    return Fault(
        "SESS011",
        seen(f"answer to {method}", reply, "an answer: the same credential opened the connection"),
        exchange=reply.exchange.id,
        method=method,
        status=reply.status,
        challenge=reply.header("www-authenticate") or "none",
    )


async def _prove_version_header(ctx: Context, init: InitFacts, method: str, reply: RpcReply) -> None:
    if init.era == "modern":
        return
    contrast = await answered(
        ctx, init._channel.call(method, step=ctx.step_id, without=("MCP-Protocol-Version",))
    )
    if contrast is None or session_refusal(contrast) is not None:
        return
    raise Fault(
        "SESS012",
        seen(
            f"answer to {method}",
            reply,
            f"the version {init.protocol_version} that the server itself agreed on",
        ),
        seen("the same request without MCP-Protocol-Version (the contrast)", contrast),
        exchange=reply.exchange.id,
        method=method,
        version=init.protocol_version,
        refusal=said(reply),
    )


async def _state_required(ctx: Context, init: InitFacts, method: str, reply: RpcReply) -> Fault:
    minted = init._opened.header("mcp-session-id") if init._opened is not None else None
    more: tuple[Evidence, ...] = ()
    if minted is not None:
        echo = {"Mcp-Session-Id": minted}
        contrast = await answered(ctx, init._channel.call(method, step=ctx.step_id, extra_headers=echo))
        more = (seen("the same request with the minted Mcp-Session-Id (the contrast)", contrast),)
    return Fault(
        "SESS008",
        seen(f"answer to {method}", reply, "an answer: every modern request stands alone"),
        *more,
        exchange=reply.exchange.id,
        method=method,
        refusal=said(reply),
    )


async def _not_initialized(ctx: Context, init: InitFacts, method: str, reply: RpcReply) -> Fault:
    """Was the announcement lost, or does the server forget every request?"""
    channel = init._channel
    announced = await answered(ctx, channel.notify("notifications/initialized", step=ctx.step_id))
    again = await answered(ctx, channel.call(method, step=ctx.step_id))
    helped = again is not None and session_refusal(again) is None
    first = init._announced[0] if init._announced else None
    refused = first is not None and first.refused
    evidence = [
        seen(f"answer to {method}", reply, "an answer: the server has been initialized"),
        seen("notifications/initialized once more (the contrast)", announced),
        seen(f"{method} once more after it", again),
    ]
    if first is not None:
        evidence.insert(1, seen("answer to notifications/initialized", first, "HTTP 202"))
    return Fault(
        "SESS010" if helped or refused else "SESS005",
        *evidence,
        confidence=None if helped or (not refused and again is not None) else "likely",
        exchange=reply.exchange.id,
        method=method,
        refusal=said(reply),
        afterwards="also after a second announcement"
        if again is not None
        else "and after a second announcement it got no answer",
        announced=first.status if first is not None else "not sent",
        session="the session id of initialize was sent"
        if channel.session_id is not None
        else "initialize gave no session id",
    )


def _no_id(reply: RpcReply, method: str, *, sent: bool) -> Fault:
    sentence = (
        "the id that initialize returned was sent in Mcp-Session-Id, and the server did not get it: "
        "something between here and there removes that header"
        if sent
        else "initialize returned no Mcp-Session-Id header, so there is none to send: the server does not "
        "issue it, or something on the way removes it from the answer"
    )
    return Fault(
        "SESS004",
        seen(f"answer to {method}", reply, "an answer"),
        Evidence(
            label="Mcp-Session-Id",
            expected="the same id in the answer to initialize and in later requests",
            observed="sent with this request" if sent else "absent from the answer to initialize",
        ),
        confidence="likely" if sent else None,
        exchange=reply.exchange.id,
        method=method,
        refusal=said(reply),
        reading=sentence,
    )


async def _not_honoured(ctx: Context, init: InitFacts, method: str, replies: Sequence[RpcReply]) -> Fault:
    more: tuple[Evidence, ...] = ()
    outcome = "a second session was not tried"
    if isinstance(init._channel, StreamableChannel):
        contrast = await answered(ctx, _second_session(ctx, init._channel, method))
        if contrast is not None:
            works = session_refusal(contrast) is None
            outcome = (
                "a second session, opened for the contrast, works"
                if works
                else "a second session, opened for the contrast, is refused in the same way"
            )
            more = (seen(f"{method} in a new session (the contrast)", contrast),)
    return Fault(
        "SESS002",
        answers("the same request with the session, repeated", replies, "an answer each time"),
        *more,
        exchange=replies[0].exchange.id,
        method=method,
        refusal=said(replies[0]),
        total=len(replies),
        outcome=outcome,
    )


async def _second_session(ctx: Context, channel: StreamableChannel, method: str) -> RpcReply:
    """The answer in a session of its own, or to the initialize that gave none. Raises ExchangeFailed."""
    other = replace(channel, session_id=None)
    opened = await say_first(other, step=ctx.step_id)
    if symptom(opened) is not None:
        return opened
    session = opened.header("mcp-session-id")
    if session is not None:
        ctx.redactor.register(session)
    other.session_id = session if session and session.isascii() and session.isprintable() else None
    try:
        await other.notify("notifications/initialized", step=ctx.step_id)
        return await other.call(method, step=ctx.step_id)
    finally:
        await let_go(ctx, other, opened)
