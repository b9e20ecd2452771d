"""Step 1: where is it?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from diagnose.context import Context
from diagnose.records import record
from diagnose.step import Evidence, Fault, step
from diagnose.wire.dial import addresses_of
from diagnose.wire.proxies import ProxyRoute, effective_proxy, unused_proxy
from diagnose.wire.resolver import (
    Address,
    Explanation,
    Reason,
    ResolutionFailed,
    SystemResolver,
    explain,
)
from diagnose_checks.facts import DnsFacts
from diagnose_checks.routes import dialled_host, tunnels

__all__ = ["dns_lookup", "name_flaw"]

_CODES: Mapping[Reason, str] = {
    "nxdomain": "DNS001",
    "no-address": "DNS002",
    "no-answer": "DNS003",
    "servfail": "DNS004",
    "refused": "DNS005",
    "invalid-name": "DNS006",
    "temporary": "DNS008",
    "resolves": "DNS008",
}
_PATIENCE = 0.5
"""The part of the step's time after which a silent getaddrinfo is explained while it still runs."""


@record
class _Target:
    """The name to look up and what named it."""

    host: str
    port: int
    setting: str

    def arguments(self) -> dict[str, Any]:
        return {"name": self.host, "setting": self.setting}


@step(
    "dns",
    gives=DnsFacts,
    codes=("DNS",),
    on_timeout="DNS003",
    deadline=5,
    about=frozenset({"endpoint", "network"}),
)
async def dns_lookup(ctx: Context) -> DnsFacts:
    """Resolve the host as the runtime does; behind a proxy, the proxy's host."""
    proxy = effective_proxy(ctx.origin, ctx.connector.network, ctx.environ)
    if proxy is not None:
        ctx.proxies["effective"] = str(proxy)
        # A proxy can echo what it was sent into its error page, which is evidence.
        if proxy.password is not None:
            ctx.redactor.register(proxy.password, f"{proxy.username}:{proxy.password}")
    target = _target(ctx, proxy)
    try:
        addresses = await _resolved(ctx, target)
    except ResolutionFailed as problem:
        raise await _fault(ctx, target, proxy, problem) from problem
    return DnsFacts(
        host=target.host,
        addresses=tuple(address.ip for address in addresses),
        source=ctx.resolver.source,
        via_proxy=str(proxy) if proxy else None,
        _addresses=addresses,
        _proxy=proxy,
    )


def _target(ctx: Context, proxy: ProxyRoute | None) -> _Target:
    if proxy is not None:
        return _Target(host=proxy.host, port=proxy.port, setting=f"the proxy setting {proxy.source}")
    return _Target(host=dialled_host(ctx), port=ctx.origin.port, setting="the URL")


async def _resolved(ctx: Context, target: _Target) -> tuple[Address, ...]:
    """Wait for the resolver; when it stays silent, ask the name servers meanwhile what is wrong."""
    lookup = asyncio.ensure_future(addresses_of(ctx.resolver, target.host, target.port))
    told: list[Explanation] = []
    ctx.if_late(lambda: _silence(ctx, target, told))
    try:
        await asyncio.wait({lookup}, timeout=ctx.time_left() * _PATIENCE)
        if not lookup.done() and ctx.resolver.source == SystemResolver.source:
            told.append(await explain(target.host, lifetime=ctx.time_left() * _PATIENCE))
        return await lookup
    finally:
        lookup.cancel()


def _silence(ctx: Context, target: _Target, told: list[Explanation]) -> Fault:
    evidence = [
        Evidence(
            label=f"addresses of {target.host}, asked with {ctx.resolver.source}",
            expected="an answer",
            observed="no answer before the deadline",
        ),
        *(_said(explanation) for explanation in told),
    ]
    silent = not told or told[0].reason == "no-answer"
    return Fault(
        "DNS003",
        *evidence,
        confidence=None if silent else "likely",
        progress=f"{ctx.resolver.source} gave no answer about {target.host} ({target.setting})",
    )


async def _fault(ctx: Context, target: _Target, proxy: ProxyRoute | None, problem: ResolutionFailed) -> Fault:
    evidence = [
        Evidence(
            label=f"addresses of {target.host}, asked with {problem.source}",
            expected="at least one IPv4 or IPv6 address",
            observed=problem.detail,
        )
    ]
    if proxy is None and problem.reason != "invalid-name":
        found = await _through_unused_proxy(ctx, evidence)
        if found is not None:
            return found
    reason, confidence, who = problem.reason, None, problem.source
    if problem.source == SystemResolver.source and reason != "invalid-name":
        told = await explain(target.host, lifetime=min(2.0, ctx.time_left() * 0.8))
        evidence.append(_said(told))
        reason, confidence = _agreed(problem.reason, told.reason)
        who = _who(told)
    return Fault(
        _CODES[reason],
        *evidence,
        confidence=confidence,
        who=who,
        flaw=name_flaw(target.host),
        detail=problem.detail,
        progress=f"no answer from {who} about {target.host} ({target.setting})",
        **target.arguments(),
    )


def _agreed(local: Reason, told: Reason) -> tuple[Reason, str | None]:
    """What getaddrinfo and the name servers say together, and how sure that is."""
    if told in ("temporary", "invalid-name"):
        # Nobody could be asked. EAI_NONAME stands for itself, EAI_AGAIN says nothing more.
        return local, "likely" if local == "nxdomain" else None
    if told == "resolves":
        return "resolves", "likely"
    if told == "no-answer" and local == "nxdomain":
        # glibc says EAI_AGAIN to silence; macOS and musl say EAI_NONAME to it as well.
        return "no-answer", "likely"
    return told, None


def _said(told: Explanation) -> Evidence:
    return Evidence(
        label=f"the same question to {_who(told)}", expected="A or AAAA records", observed=told.detail
    )


def _who(told: Explanation) -> str:
    return f"name server {', '.join(told.nameservers)}" if told.nameservers else "the rules for special names"


async def _through_unused_proxy(ctx: Context, evidence: list[Evidence]) -> Fault | None:
    unused = unused_proxy(ctx.origin, ctx.connector.network, ctx.environ)
    if unused is None or await tunnels(ctx, unused.route) is None:
        return None
    contrast = Evidence(
        label=f"CONNECT {ctx.origin.host}:{ctx.origin.port} through {unused.route} ({unused.route.source})",
        expected="200, although no address can be looked up from here",
        observed="200: the proxy resolves the name and reaches the server",
    )
    return Fault(
        "DNS007",
        *evidence,
        contrast,
        proxy=unused.route,
        variable=unused.route.source,
        because=unused.because,
    )


def name_flaw(host: str) -> str:
    """What keeps ``host`` from being a name at all (RFC 1035 2.3.4), in words."""
    labels = host.rstrip(".").split(".")
    longest = max(labels, key=len)
    if len(longest) > 63:
        return f"the label {longest[:20]}… has {len(longest)} characters, 63 are allowed"
    if "" in labels:
        return "it has an empty label: two dots in a row, or one at the beginning"
    if len(host.rstrip(".")) > 253:
        return f"it has {len(host)} characters, 253 are allowed"
    return "it has a character that no host name can hold"
