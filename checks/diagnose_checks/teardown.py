"""Step 11: does it let go? Never the verdict of a run: what is found here is a warning."""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import Evidence, step
from diagnose.wire.http_wire import ExchangeFailed
from diagnose.wire.rpc import RpcChannel, RpcReply
from diagnose_checks.contrasts import answered
from diagnose_checks.facts import InitFacts, SessionFacts, TeardownFacts
from diagnose_checks.rpc_faults import said, seen

__all__ = ["teardown"]

_BEFORE_SENDING = frozenset({"dns", "tcp", "tls", "proxy"})
_UNREACHED = (
    "the connection before was closed, and no new one could be made, so nothing was sent",
    "Find out in the log of the server why its process ended or stopped listening during this run.",
)
_UNANSWERED = (
    "it was sent, and the connection ended",
    "Answer DELETE before the connection is closed.",
)
_NOT_JUDGED = "refused; whether the server ends sessions could not be seen in this run"
_LETS_GO = {
    404: "the server had forgotten the session already, which is legal",
    405: "the server lets no client end a session, which is legal",
}


@step(
    "teardown",
    gives=TeardownFacts,
    needs=(InitFacts,),
    wants=(SessionFacts,),
    codes=("DOWN",),
    on_timeout="DOWN002",
    deadline=3,
    always=True,
)
async def teardown(ctx: Context, init: InitFacts, session: SessionFacts | None) -> TeardownFacts:
    """End the session where there is one."""
    channel = init._channel
    if ctx.transport_name == "sse":
        await channel.end_session(step=ctx.step_id)
        return TeardownFacts(how="event stream closed")
    if channel.era == "modern" or channel.session_id is None:
        return TeardownFacts(how="connection closed, nothing sent")
    try:
        reply = await channel.end_session(step=ctx.step_id)
    except ExchangeFailed as problem:
        evidence = Evidence(
            label="answer to DELETE",
            expected="2xx, 404 or 405",
            observed=f"{problem.exchange.progress()}: {problem.detail}",
            exchange=problem.exchange.id,
        )
        reading, advice = _UNREACHED if problem.kind in _BEFORE_SENDING else _UNANSWERED
        ctx.warn(
            "DOWN005",
            evidence,
            exchange=problem.exchange.id,
            detail=problem.detail,
            reading=reading,
            advice=advice,
        )
        return TeardownFacts(how="DELETE, connection lost")
    unasked = session is None and reply.status not in _LETS_GO and reply.refused
    if unasked or reply.status == 429:
        # A session that was never honoured cannot be ended either, and a rate limit says nothing of sessions.
        return TeardownFacts(how="DELETE", status=reply.status, note=_NOT_JUDGED)
    return await _judge(ctx, channel, reply)


async def _judge(ctx: Context, channel: RpcChannel, reply: RpcReply) -> TeardownFacts:
    status = reply.status or 0
    if status in _LETS_GO:
        return TeardownFacts(how="DELETE", status=status, note=_LETS_GO[status])
    if status < 300:
        if ctx.options.deep:
            await _must_be_gone(ctx, channel, reply)
        return TeardownFacts(how="DELETE", status=status)
    evidence = seen("answer to DELETE", reply, "2xx, 404 or 405")
    if status == 400 and (with_body := await _with_body(ctx, channel)) is not None:
        contrast = seen("the same with the body {} (the contrast)", with_body)
        ctx.warn("DOWN003", evidence, contrast, exchange=reply.exchange.id, refusal=said(reply))
    else:
        ctx.warn("DOWN001", evidence, exchange=reply.exchange.id, status=status, refusal=said(reply))
    return TeardownFacts(how="DELETE", status=status)


async def _with_body(ctx: Context, channel: RpcChannel) -> RpcReply | None:
    """The answer to a DELETE with a body, where the body is what was missing."""
    reply = await answered(ctx, channel.end_session(step=ctx.step_id, body=b"{}"))
    return reply if reply is not None and not reply.refused else None


async def _must_be_gone(ctx: Context, channel: RpcChannel, ended: RpcReply) -> None:
    reply = await answered(ctx, channel.call("ping", step=ctx.step_id))
    if reply is not None and not reply.refused and reply.result is not None:
        ctx.warn(
            "DOWN004",
            seen("answer to DELETE", ended),
            seen("ping with the deleted session id", reply, "HTTP 404"),
            exchange=reply.exchange.id,
            status=ended.status,
        )
