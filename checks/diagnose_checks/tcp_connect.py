"""Step 2: does it pick up?"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose.wire.dial import open_tunnel
from diagnose.wire.sockets import Attempt, ConnectFailed, connect_first
from diagnose_checks.facts import DnsFacts, TcpFacts

__all__ = ["tcp_connect"]


@step("tcp", gives=TcpFacts, needs=(DnsFacts,), codes=("TCP",), on_timeout="TCP002", deadline=5)
async def tcp_connect(ctx: Context, dns: DnsFacts) -> TcpFacts:
    """Connect to the first address that answers; through a proxy, open the tunnel."""
    log: list[Attempt] = []
    try:
        stream = await connect_first(dns._addresses, log=log)
    except ConnectFailed as problem:
        raise Fault("TCP001", Evidence(label="connect", observed=str(problem))) from problem
    ctx.closing.push_async_callback(stream.aclose)
    tunnelled = None
    if dns._proxy is not None and ctx.origin.scheme == "https":
        stream = await open_tunnel(stream, ctx.origin.host, ctx.origin.port, dns._proxy)
        tunnelled = True
    return TcpFacts(
        peer=str(stream.address),
        attempts=tuple(log),
        via_proxy=dns.via_proxy,
        tunnelled=tunnelled,
        _stream=stream,
        _proxy=dns._proxy,
    )
