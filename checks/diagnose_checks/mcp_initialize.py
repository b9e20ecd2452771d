"""Step 7: do both speak MCP, and which era?

The first message went out in step 4, as the runtime's does; here its answer is read. Only where that answer
does not settle the era is anything more sent, in the order that the specification gives for fallback.
"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import step
from diagnose.wire.rpc import RpcReply, StreamableChannel
from diagnose.wire.sse_channel import SseChannel
from diagnose_checks.facts import HttpFacts, InitFacts, TokenFacts
from diagnose_checks.init_codes import INIT_CODES
from diagnose_checks.legacy_opening import agree_legacy
from diagnose_checks.modern_opening import decide_era
from diagnose_checks.opening import say_first
from diagnose_checks.rpc_faults import exchange_faults
from diagnose_checks.sse_handshake import agree_over_sse

__all__ = ["mcp_initialize"]


@step(
    "mcp_initialize",
    gives=InitFacts,
    needs=(HttpFacts, TokenFacts),
    codes=("INIT",),
    on_timeout="INIT019",
    deadline=15,
)
async def mcp_initialize(ctx: Context, http: HttpFacts, token: TokenFacts) -> InitFacts:
    """Agree on an era and a version."""
    http = token._opened or http
    if isinstance(http._channel, SseChannel):
        return await agree_over_sse(ctx, http, http._channel)
    reply = await _first_answer(ctx, http)
    if reply.method == "initialize":
        return await agree_legacy(ctx, http, http._channel, reply)
    return await decide_era(ctx, http, reply)


async def _first_answer(ctx: Context, http: HttpFacts) -> RpcReply:
    """The answer that is there, or a new one where the door was still closed in step 4."""
    if not http.challenged:
        return http._opening
    assert isinstance(http._channel, StreamableChannel), "only Streamable HTTP is challenged and goes on"
    with exchange_faults(INIT_CODES, http.opened_with):
        return await say_first(http._channel, step=ctx.step_id)
