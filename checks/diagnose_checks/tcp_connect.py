"""Step 2: does it pick up?"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any

from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose.wire.proxies import UnusedProxy, unused_proxy
from diagnose.wire.resolver import Address
from diagnose.wire.sockets import NO_ANSWER, Attempt, ConnectFailed, WireStream, connect_first
from diagnose_checks.facts import DnsFacts, TcpFacts
from diagnose_checks.loopback_contrasts import container_host, other_family
from diagnose_checks.proxy_contrasts import open_through, proxy_unreachable
from diagnose_checks.routes import dialled_host, to_proxy, tunnels

__all__ = ["decisive", "tcp_connect"]

_MEANING: Mapping[str, str] = {
    "ECONNREFUSED": "refused: the machine is there, nothing listens on the port",
    "ECONNRESET": "reset while connecting",
    "ENETUNREACH": "no route to this network from here",
    "EHOSTUNREACH": "no route to this host",
    "EADDRNOTAVAIL": "this machine has no address of that family",
    "EACCES": "forbidden by this machine",
    "EPERM": "forbidden by this machine's firewall",
    "ETIMEDOUT": "no answer",
    NO_ANSWER: "no answer, neither a yes nor a no",
}
# The first row that one of the errors is in decides: a refusal is an answer, silence is a firewall's way,
# and an unreachable address next to either is only the family that this machine does not have.
_DECIDES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"ECONNREFUSED", "ECONNRESET"}), "TCP001"),
    (frozenset({"ETIMEDOUT", NO_ANSWER}), "TCP002"),
)
_DIRECT_SHARE = 0.5
"""The part of the time that a direct connect gets where a proxy could still be asked afterwards."""


def decisive(errors: frozenset[str]) -> str:
    """The code of connects that all failed with ``errors``."""
    return next((code for among, code in _DECIDES if errors & among), "TCP003")


@step("tcp", gives=TcpFacts, needs=(DnsFacts,), codes=("TCP",), on_timeout="TCP002", deadline=5)
async def tcp_connect(ctx: Context, dns: DnsFacts) -> TcpFacts:
    """Connect to the first address that answers; through a proxy, open the tunnel."""
    log: list[Attempt] = []
    unused = None
    if dns._proxy is None:
        unused = unused_proxy(ctx.origin, ctx.connector.network, ctx.environ)
    stream = await _connected(ctx, dns, unused, log)
    ctx.closing.push_async_callback(stream.aclose)
    _note_failed_addresses(ctx, log)
    tunnelled = None
    if dns._proxy is not None:
        try:
            stream = await to_proxy(ctx, stream, dns._proxy)
        except (ssl.SSLError, OSError) as problem:
            raise proxy_unreachable(dns._proxy, f"TLS with it fails: {problem}") from problem
        if ctx.origin.scheme == "https":
            stream = await open_through(ctx, stream, dns._proxy)
            tunnelled = True
    return TcpFacts(
        peer=str(stream.address),
        attempts=tuple(log),
        via_proxy=dns.via_proxy,
        tunnelled=tunnelled,
        _stream=stream,
        _proxy=dns._proxy,
    )


async def _connected(
    ctx: Context, dns: DnsFacts, unused: UnusedProxy | None, log: list[Attempt]
) -> WireStream:
    ctx.if_late(lambda: _unconnected(ctx, dns, log))
    try:
        async with asyncio.timeout(ctx.time_left() * _DIRECT_SHARE if unused is not None else None):
            return await connect_first(dns._addresses, log=log)
    except (ConnectFailed, TimeoutError) as problem:
        if dns._proxy is None:
            found = await _contrasts(ctx, dns, unused, log)
            if found is not None:
                raise found from problem
        raise _unconnected(ctx, dns, log) from problem


async def _contrasts(
    ctx: Context, dns: DnsFacts, unused: UnusedProxy | None, log: list[Attempt]
) -> Fault | None:
    if unused is not None and await tunnels(ctx, unused.route) is not None:
        return _proxy_not_used(ctx, unused, log)
    if all(_is_loopback(address) for address in dns._addresses):
        other = await other_family(ctx, dns._addresses)
        if other is not None:
            return _family(ctx, dns, log, listening=other)
        host = await container_host(ctx)
        if host is not None:
            name, address = host
            contrast = Evidence(label=f"the same port on {name}", expected="refused, too", observed="open")
            return Fault("TCP006", *_evidence(log), contrast, other=name, address=address)
    return None


def _unconnected(ctx: Context, dns: DnsFacts, log: list[Attempt]) -> Fault:
    errors = frozenset(attempt.error or "" for attempt in log)
    if dns._proxy is not None:
        why = "; ".join(f"{attempt.address}: {_told(attempt)}" for attempt in log)
        return proxy_unreachable(dns._proxy, why or "no answer")
    return Fault(decisive(errors), *_evidence(log), **_arguments(ctx, log))


def _arguments(ctx: Context, log: list[Attempt]) -> dict[str, Any]:
    return {
        "name": dialled_host(ctx),
        "addresses": ", ".join(attempt.address for attempt in log) or "no address",
        "reason": "; ".join(dict.fromkeys(_told(attempt) for attempt in log)) or "no answer",
        "waited": f"{max((attempt.duration_ms for attempt in log), default=0) / 1000:.1f}",
    }


def _evidence(log: list[Attempt]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            label=f"TCP connect to {attempt.address}",
            expected="open",
            observed=f"{attempt.error or 'open'} after {attempt.duration_ms:.0f} ms",
        )
        for attempt in log
    )


def _told(attempt: Attempt) -> str:
    return _MEANING.get(attempt.error or "", attempt.error or "open")


def _proxy_not_used(ctx: Context, unused: UnusedProxy, log: list[Attempt]) -> Fault:
    contrast = Evidence(
        label=f"CONNECT {ctx.origin.host}:{ctx.origin.port} through {unused.route} ({unused.route.source})",
        expected="the same failure",
        observed="200: the proxy reaches the server",
    )
    return Fault(
        "TCP015",
        *_evidence(log),
        contrast,
        proxy=unused.route,
        variable=unused.route.source,
        because=unused.because,
    )


def _family(ctx: Context, dns: DnsFacts, log: list[Attempt], *, listening: Address) -> Fault:
    contrast = Evidence(label=f"TCP connect to {listening}", expected="refused, too", observed="open")
    return Fault("TCP004", *_evidence(log), contrast, **_family_arguments(dns.host, log, str(listening)))


def _family_arguments(name: str, log: list[Attempt], listening: str) -> dict[str, Any]:
    refused = ", ".join(attempt.address for attempt in log if attempt.error is not None)
    return {"name": name, "refused": refused, "listening": listening}


def _note_failed_addresses(ctx: Context, log: list[Attempt]) -> None:
    """Warn about addresses that did not connect although another one did."""
    failed = [attempt for attempt in log if attempt.error is not None]
    # Without a route of that family the address is not broken, this machine is just not on that internet.
    failed = [attempt for attempt in failed if attempt.error not in ("ENETUNREACH", "EADDRNOTAVAIL")]
    if not failed:
        return
    working = next(attempt.address for attempt in log if attempt.error is None)
    addresses = [attempt.address.rpartition(":")[0].strip("[]") for attempt in log]
    if (
        all(ipaddress.ip_address(ip).is_loopback for ip in addresses)
        and len({":" in ip for ip in addresses}) > 1
    ):
        arguments = _family_arguments(dialled_host(ctx), failed, working)
        ctx.warn("TCP004", *_evidence(log), severity="warning", **arguments)
        return
    refused = all(attempt.error in ("ECONNREFUSED", "ECONNRESET") for attempt in failed)
    only_ipv6 = all(attempt.address.startswith("[") for attempt in failed) and not working.startswith("[")
    ctx.warn(
        "TCP005",
        *_evidence(log),
        # Only a refusal comes from the server's machine for certain; silence may be this network's own.
        confidence=None if refused else "possible",
        actor="network_admin" if only_ipv6 and not refused else None,
        failed=", ".join(f"{attempt.address} ({_told(attempt)})" for attempt in failed),
        working=working,
    )


def _is_loopback(address: Address) -> bool:
    return ipaddress.ip_address(address.ip.partition("%")[0]).is_loopback
