"""The way to the server, and the same way once more: contrasts must differ in one thing only."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from diagnose.context import Context
from diagnose.step import Fault
from diagnose.wire.dial import ProxyRefused, addresses_of, open_tunnel
from diagnose.wire.proxies import ProxyRoute
from diagnose.wire.resolver import Address, ResolutionFailed
from diagnose.wire.sockets import ConnectFailed, WireStream, connect, connect_first, secure
from diagnose.wire.trust import runtime_store

__all__ = ["UNREACHABLE", "brief", "dialled_host", "reachable", "same_route", "to_proxy", "within"]

UNREACHABLE = (OSError, ConnectFailed, ResolutionFailed, ProxyRefused, TimeoutError)
"""What a contrast may end in; ssl.SSLError is an OSError."""

_LONGEST_CONTRAST = 2.0


def dialled_host(ctx: Context) -> str:
    """The host exactly as the URL spells it: a trailing dot counts in DNS, in SNI and in certificates."""
    return (urlsplit(ctx.connector.url).hostname or ctx.origin.host).lower()


def within(ctx: Context, share: float = 0.5) -> asyncio.Timeout:
    """A bound for one contrast: it may not eat the time that the step has left."""
    return asyncio.timeout(min(_LONGEST_CONTRAST, ctx.time_left() * share))


async def to_proxy(ctx: Context, stream: WireStream, proxy: ProxyRoute) -> WireStream:
    """The stream as the proxy wants it. Raises ssl.SSLError or OSError where it is an https one."""
    if not proxy.secure:
        return stream
    store = runtime_store(ctx.connector.network, ctx.environ)
    secured = await secure(stream, store.context, proxy.host)
    # Towards the origin of a plain http URL the proxy itself is the other end of TLS; else a tunnel follows.
    return WireStream(secured.inner, address=stream.address, secured=ctx.origin.scheme == "http")


async def same_route(ctx: Context, address: Address, proxy: ProxyRoute | None) -> WireStream:
    """A new connection to the address that the run uses, tunnelled where the run is. Raises UNREACHABLE."""
    stream = await connect(address)
    if proxy is None or ctx.origin.scheme == "http":
        return stream
    try:
        return await open_tunnel(
            await to_proxy(ctx, stream, proxy), dialled_host(ctx), ctx.origin.port, proxy
        )
    except BaseException:
        await stream.aclose()
        raise


async def reachable(ctx: Context, address: Address) -> bool:
    """Whether a TCP connection to ``address`` opens; it is closed again at once."""
    try:
        async with within(ctx):
            stream = await connect(address)
    except (OSError, TimeoutError):
        return False
    await stream.aclose()
    return True


async def tunnels(ctx: Context, proxy: ProxyRoute) -> str | None:
    """The proxy's address where CONNECT through it reaches the connector's host, else None."""
    try:
        async with within(ctx, 0.8):
            addresses = await addresses_of(ctx.resolver, proxy.host, proxy.port)
            stream = await connect_first(addresses, log=[])
            try:
                inner = await to_proxy(ctx, stream, proxy)
                await open_tunnel(inner, dialled_host(ctx), ctx.origin.port, proxy)
            finally:
                await stream.aclose()
    except (*UNREACHABLE, Fault):
        return None
    return str(stream.address)


def brief(problem: BaseException) -> str:
    """What an exception says, or its kind where it says nothing."""
    return str(problem) or type(problem).__name__
