"""The first message and what carries it: the wire after TLS, and the channel on top of it."""

from __future__ import annotations

import ssl

import httpx2

from diagnose.context import Context
from diagnose.version import VERSION
from diagnose.wire.dial import Dialler
from diagnose.wire.http_wire import HttpWire
from diagnose.wire.rpc import LEGACY_VERSIONS, MODERN_VERSION, RpcChannel, RpcReply, StreamableChannel
from diagnose.wire.transport import StagedTransport
from diagnose_checks.facts import TlsFacts
from diagnose_checks.first_words import initialize_params

__all__ = [
    "dialler",
    "initialize_params",
    "open_channel",
    "runtime_user_agent",
    "say_first",
    "user_agent",
    "wire_over",
]


def user_agent() -> str:
    """Ours, so that it can be found in a server's log, with the runtime's library behind it."""
    return f"connector-diagnose/{VERSION} {runtime_user_agent()}"


def runtime_user_agent() -> str:
    """What the runtime's HTTP library calls itself: the official client adds nothing to it."""
    return f"python-httpx2/{httpx2.__version__}"


def dialler(ctx: Context, tls: TlsFacts) -> Dialler:
    """What opens connections beyond the first one, on the same route."""
    return Dialler(
        resolver=ctx.resolver,
        network=ctx.connector.network,
        environ=ctx.environ,
        store=tls._store,
        scheme=ctx.origin.scheme,
    )


def wire_over(ctx: Context, tls: TlsFacts) -> HttpWire:
    """An HTTP wire whose first connection is the one that the steps before have opened."""
    origin, proxy, store = ctx.origin, tls._proxy, tls._store
    forward = proxy if proxy is not None and origin.scheme == "http" else None
    transport = StagedTransport(
        dialler(ctx, tls),
        store.context if store is not None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        forward_proxy=httpx2.Proxy(str(forward), auth=(forward.username, forward.password or ""))
        if forward is not None and forward.username is not None
        else (httpx2.Proxy(str(forward)) if forward is not None else None),
    )
    host, port = (forward.host, forward.port) if forward is not None else (origin.host, origin.port)
    transport.stage(host, port, tls._stream)
    wire = HttpWire(
        transport,
        ctx.recorder,
        authorize=lambda url: ctx.connector.authorize(url, ctx.environ),
        user_agent=user_agent(),
        body_limit=ctx.options.limits.body,
    )
    ctx.closing.push_async_callback(wire.aclose)
    return wire


def open_channel(ctx: Context, wire: HttpWire, url: str, *, modern: bool) -> StreamableChannel:
    """A channel of one era, ready for its first message."""
    return StreamableChannel(
        http=wire,
        url=url,
        era="modern" if modern else "legacy",
        version=MODERN_VERSION if modern else LEGACY_VERSIONS[0],
        client_version=VERSION,
    )


async def say_first(channel: RpcChannel, *, step: str) -> RpcReply:
    """``server/discover`` on a modern channel, ``initialize`` on a legacy one. Raises ExchangeFailed."""
    if channel.era == "modern":
        return await channel.call("server/discover", step=step)
    return await channel.call("initialize", initialize_params(channel.version), step=step)
