"""Step 7: do both speak MCP, and which era?"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import step
from diagnose_checks.facts import HttpFacts, InitFacts, TokenFacts
from diagnose_checks.opening import open_channel, say_first

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
    reply = http._opening
    channel = http._channel
    if reply.result is None and channel.era == "modern":
        channel = open_channel(ctx, http._http, http._url, modern=False)
        reply = await say_first(channel, step=ctx.step_id)
    result = reply.result or {}
    if channel.era == "legacy":
        channel.session_id = reply.header("mcp-session-id")
        channel.version = str(result.get("protocolVersion", channel.version))
        await channel.notify("notifications/initialized", step=ctx.step_id)
    return InitFacts(
        era=channel.era,
        protocol_version=channel.version,
        capabilities=result.get("capabilities", {}),
        _channel=channel,
    )
