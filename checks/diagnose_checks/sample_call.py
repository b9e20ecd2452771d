"""Step 10: does a tool answer?"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose.wire.http_wire import ExchangeFailed
from diagnose.wire.recorder import Recorded
from diagnose.wire.rpc import RpcReply
from diagnose_checks.arguments import mirrored_headers
from diagnose_checks.call_answer import CALL_CODES, judge_call, judge_probe, waits_for_client
from diagnose_checks.call_result import content_types, estimated_tokens
from diagnose_checks.facts import CallFacts, InitFacts, SessionFacts, ToolFacts
from diagnose_checks.rpc_faults import exchange_faults
from diagnose_checks.sample_plan import NoCall, Plan, plan_call
from diagnose_checks.structured import judge_structured

__all__ = ["sample_call"]

_NAME_SHOWN = 256
_TOKENS_CAP = 25_000
"""Above this the most widespread hosts cut a result off or refuse it."""


def _timed_out(last: Recorded | None) -> str:
    return "CALL022" if last is not None and waits_for_client(last) else "CALL008"


@step(
    "sample_call",
    gives=CallFacts,
    needs=(InitFacts, SessionFacts),
    wants=(ToolFacts,),
    codes=("CALL", "STDIO"),
    on_timeout=_timed_out,
    deadline=30,
    patience=60,
    # A call that was made is not made again for the sake of the teardown.
    about=frozenset({"endpoint", "network", "credential", "era", "depth", "call"}),
)
async def sample_call(
    ctx: Context, init: InitFacts, session: SessionFacts, tools: ToolFacts | None
) -> CallFacts:
    """Make one safe call, or prove dispatch with a name that cannot exist. One attempt, never a retry."""
    plan = plan_call(ctx, tools)
    if isinstance(plan, NoCall):
        ctx.not_applicable(plan.reason)
        return CallFacts(note=plan.reason)
    facts = CallFacts(
        tool=None if plan.is_probe else plan.name[:_NAME_SHOWN],
        how_chosen=plan.how,
        arguments=None if plan.is_probe else plan.arguments,
        refused=plan.refused or None,
    )
    if ctx.connector.stdio is not None:
        _expect_full_pipe(ctx, session, plan, facts)
    reply = await _call(ctx, session, plan, facts)
    if reply is None:
        return replace(facts, note="the answer was larger than what is read")
    facts = _timed(facts, reply)
    if plan.is_probe:
        return replace(facts, note=judge_probe(ctx, reply, plan, facts, init.era))
    return await _judged(ctx, init, reply, plan, facts)


def _expect_full_pipe(ctx: Context, session: SessionFacts, plan: Plan, facts: CallFacts) -> None:
    """A call that never ends may be a server that waits for a child whose output nobody reads."""
    # What watches processes is loaded for processes alone.
    from diagnose.wire.stdio_channel import StdioChannel
    from diagnose_checks.stdio_ends import blocked_child

    channel = session._channel
    assert isinstance(channel, StdioChannel), "a process is spoken to over its pipes"
    ctx.if_late(lambda: blocked_child(ctx, channel, plan.name, facts))


async def _call(ctx: Context, session: SessionFacts, plan: Plan, facts: CallFacts) -> RpcReply | None:
    """The reply; None where it passed the byte limit, which is a warning and not a fault of the protocol."""
    channel = session._channel
    more: dict[str, Any] = {}
    if channel.era == "modern" and plan.tool is not None:
        headers = mirrored_headers(plan.tool.get("inputSchema"), plan.arguments)
        more = {"extra_headers": headers} if headers else {}
    params = {"name": plan.name, "arguments": dict(plan.arguments)}
    try:
        with exchange_faults(
            {name: code for name, code in CALL_CODES.items() if name != "answer-too-large"},
            "tools/call",
            facts=facts,
            tool=plan.name,
        ):
            reply = await channel.call("tools/call", params, step=ctx.step_id, name=plan.name, **more)
    except Fault as fault:
        cause = fault.__cause__
        if not isinstance(cause, ExchangeFailed) or cause.kind != "too-large":
            raise
        _beyond_limit(ctx, plan, cause.exchange)
        return None
    if reply.problem("event-too-large") is not None:
        _beyond_limit(ctx, plan, reply.exchange)
        return None
    return reply


def _beyond_limit(ctx: Context, plan: Plan, exchange: Recorded) -> None:
    _warn_large(ctx, plan, exchange, exchange.body_size, f"more than {exchange.body_size // 4}")


def _timed(facts: CallFacts, reply: RpcReply) -> CallFacts:
    marks = reply.exchange.marks
    return replace(
        facts,
        first_byte_ms=marks.get("wait"),
        total_ms=marks.get("receive"),
        result_bytes=len(json.dumps(reply.result).encode()) if reply.result is not None else None,
    )


async def _judged(ctx: Context, init: InitFacts, reply: RpcReply, plan: Plan, facts: CallFacts) -> CallFacts:
    result = judge_call(ctx, reply, plan, facts, init.era)
    if result is None:
        return replace(facts, note="the call ended without a result; the warning says why")
    tokens = estimated_tokens(result)
    facts = replace(
        facts,
        is_error=result.get("isError") is True,
        content_types=content_types(result),
        estimated_tokens=tokens,
    )
    if tokens > _TOKENS_CAP:
        _warn_large(ctx, plan, reply.exchange, facts.result_bytes or 0, f"about {tokens}")
    compared = await judge_structured(ctx, reply, plan.tool, plan.name, result, facts)
    return replace(facts, structured_content=compared)


def _warn_large(ctx: Context, plan: Plan, exchange: Recorded, size: int, tokens: str) -> None:
    evidence = Evidence(
        label=f"result of {plan.name[:80]}",
        expected=f"at most {_TOKENS_CAP} tokens",
        observed=f"{size} bytes, {tokens} tokens",
        exchange=exchange.id,
    )
    ctx.warn("CALL012", evidence, exchange=exchange.id, tool=plan.name, size=size, tokens=tokens)
