"""``structuredContent`` against the tool's ``outputSchema``, as the official SDKs compare them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from diagnose.context import Context
from diagnose.step import Evidence, Fault
from diagnose.wire.rpc import RpcReply
from diagnose_checks.facts import CallFacts
from diagnose_checks.schema_bounds import excess
from diagnose_checks.schema_match import Mismatch, Undecided, first_mismatch
from diagnose_checks.schema_process import BUDGET, mismatch_in_process
from diagnose_checks.schema_shape import dialect_of, first_flaw

__all__ = ["compare", "judge_structured"]

_LARGEST = 1024 * 1024
_KEPT_FOR_THE_REPORT = 0.5
"""Seconds of the step that an evaluation must leave: its deadline would look like a silent server."""


async def judge_structured(
    ctx: Context,
    reply: RpcReply,
    tool: Mapping[str, Any] | None,
    name: str,
    result: Mapping[str, Any],
    facts: CallFacts,
) -> str | None:
    """In words how the two compare; None without a schema. Raises Fault CALL004 or CALL005."""
    schema = tool.get("outputSchema") if tool is not None else None
    if not isinstance(schema, Mapping) or result.get("isError", False):
        return None
    if "structuredContent" not in result:
        missing = Evidence(
            label=f"result of {name[:80]}",
            expected="structuredContent, because the tool declares an outputSchema",
            observed=f"only {', '.join(result)}",
            where="/result/structuredContent",
            exchange=reply.exchange.id,
        )
        raise Fault(
            "CALL004",
            missing,
            facts=facts,
            where="/result/structuredContent",
            exchange=reply.exchange.id,
            tool=name,
        )
    try:
        mismatch = await compare(schema, result["structuredContent"], ctx)
    except Undecided as problem:
        return f"not evaluated: {problem}"
    if mismatch is None:
        return "conforms to the outputSchema"
    raise _mismatch(mismatch, reply, name, facts)


async def compare(schema: Mapping[str, Any], value: Any, ctx: Context) -> Mismatch | None:
    """Where ``value`` does not fit. Raises Undecided for a schema that cannot be evaluated safely."""
    over = excess(schema)
    if over is not None:
        raise Undecided(f"the schema is too complex (more than {over.limit})")
    dialect = dialect_of(schema)
    if dialect is None:
        raise Undecided("the schema names a dialect that is not known here")
    if first_flaw(schema, dialect) is not None:
        raise Undecided("the schema is not valid")
    if len(json.dumps(value)) > _LARGEST:
        raise Undecided(f"the value is larger than {_LARGEST} bytes")
    # draft-04 takes 1.0 for no integer; its own implementation decides.
    if dialect != "draft-04":
        try:
            return first_mismatch(schema, value)
        except Undecided:
            await asyncio.sleep(0)
    seconds = min(BUDGET, ctx.time_left() - _KEPT_FOR_THE_REPORT)
    if seconds <= 0:
        raise Undecided("no time was left")
    return await mismatch_in_process(schema, value, environ=ctx.environ, seconds=seconds)


def _mismatch(mismatch: Mismatch, reply: RpcReply, name: str, facts: CallFacts) -> Fault:
    where = f"/result/structuredContent{mismatch.pointer}"
    evidence = Evidence(
        label=f"structuredContent of {name[:80]}, by {mismatch.keyword}",
        expected=mismatch.expected,
        observed=mismatch.observed,
        where=where,
        exchange=reply.exchange.id,
    )
    return Fault(
        "CALL005",
        evidence,
        facts=facts,
        where=where,
        exchange=reply.exchange.id,
        tool=name,
        pointer=where,
        expected=mismatch.expected,
        observed=mismatch.observed,
    )
