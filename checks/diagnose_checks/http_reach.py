"""Step 4: is an MCP endpoint behind this URL?"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose.wire.http_wire import ExchangeFailed
from diagnose_checks.facts import HttpFacts, TlsFacts
from diagnose_checks.opening import open_channel, say_first, wire_over

__all__ = ["http_reachability"]


@step(
    "http_reachability",
    gives=HttpFacts,
    needs=(TlsFacts,),
    codes=("HTTP",),
    on_timeout="HTTP024",
    deadline=10,
)
async def http_reachability(ctx: Context, tls: TlsFacts) -> HttpFacts:
    """Send the first message of the era and see whether something that speaks MCP answers."""
    wire = wire_over(ctx, tls)
    channel = open_channel(ctx, wire, ctx.connector.url, modern=ctx.connector.era != "legacy")
    try:
        reply = await say_first(channel, step=ctx.step_id)
    except ExchangeFailed as problem:
        raise Fault("HTTP025", Evidence(label="answer", observed=problem.detail)) from problem
    ctx.transport_name = "streamable-http"
    return HttpFacts(
        transport="streamable-http",
        opened_with=reply.method,
        status=reply.status,
        content_type=reply.content_type,
        challenged=reply.status == 401,
        server=reply.header("server"),
        via=reply.header("via"),
        _url=channel.url,
        _http=wire,
        _channel=channel,
        _opening=reply,
    )
