"""Step 1: where is it?"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose.wire.dial import addresses_of
from diagnose.wire.proxies import effective_proxy
from diagnose.wire.resolver import ResolutionFailed
from diagnose_checks.facts import DnsFacts

__all__ = ["dns_lookup"]


@step("dns", gives=DnsFacts, codes=("DNS",), on_timeout="DNS003", deadline=5)
async def dns_lookup(ctx: Context) -> DnsFacts:
    """Resolve the host as the runtime does; behind a proxy, the proxy's host."""
    proxy = effective_proxy(ctx.origin, ctx.connector.network, ctx.environ)
    host, port = (proxy.host, proxy.port) if proxy else (ctx.origin.host, ctx.origin.port)
    try:
        addresses = await addresses_of(ctx.resolver, host, port)
    except ResolutionFailed as problem:
        raise Fault("DNS001", Evidence(label=f"addresses of {host}", observed=problem.detail)) from problem
    if proxy:
        ctx.proxies["effective"] = str(proxy)
    return DnsFacts(
        host=host,
        addresses=tuple(address.ip for address in addresses),
        source=ctx.resolver.source,
        via_proxy=str(proxy) if proxy else None,
        _addresses=addresses,
        _proxy=proxy,
    )
