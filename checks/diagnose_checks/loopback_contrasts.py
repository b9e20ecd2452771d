"""Contrasts for a loopback address that refuses: the other family, and the host of this container."""

from __future__ import annotations

import asyncio
import ipaddress

from diagnose.context import Context
from diagnose.wire.resolver import Address, ResolutionFailed
from diagnose_checks.routes import reachable

__all__ = ["container_host", "other_family"]

_LOOPBACK = ("127.0.0.1", "::1")
# What Docker and Podman call the machine that a container runs on.
_HOST_NAMES = ("host.docker.internal", "host.containers.internal")
_LOOK_UP = 0.5
"""Seconds for a name that is in the hosts file or a local resolver where it exists at all."""


async def other_family(ctx: Context, tried: tuple[Address, ...]) -> Address | None:
    """The loopback address of a family that was not tried and where the port is open."""
    families = {address.family for address in tried}
    for ip in _LOOPBACK:
        address = Address(ip=ip, port=ctx.origin.port)
        if address.family not in families and await reachable(ctx, address):
            return address
    return None


async def container_host(ctx: Context) -> tuple[str, Address] | None:
    """Name and address of the container's host where the same port is open there.

    Only a private address counts: some resolvers answer any name with an address of their own.
    """
    for name in _HOST_NAMES:
        try:
            async with asyncio.timeout(min(_LOOK_UP, ctx.time_left())):
                addresses = await ctx.resolver.resolve(name, ctx.origin.port)
        except (ResolutionFailed, TimeoutError):
            continue
        for address in addresses:
            if not ipaddress.ip_address(address.ip.partition("%")[0]).is_global and await reachable(
                ctx, address
            ):
                return name, address
    return None
