"""From the outcome of the first message to the one fault that it proves."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import replace

from diagnose.step import Evidence, Fault
from diagnose.wire.resolver import ResolutionFailed
from diagnose.wire.sockets import ConnectFailed, secure
from diagnose.wire.trust import unverified
from diagnose_checks.client_certificates import client_certificate_alert, told_of_certificate
from diagnose_checks.http_contrasts import CONTRASTS
from diagnose_checks.http_faults import fault_of
from diagnose_checks.http_outcome import Outcome
from diagnose_checks.http_probe import Probe
from diagnose_checks.http_refusals import TLS_RECORDS, failure_code, on_timeout, refusal_code
from diagnose_checks.opening import dialler
from diagnose_checks.proxy_contrasts import next_tunnel_refused, proxy_refusal
from diagnose_checks.redirects import MAX_HOPS, Redirect, RedirectKind, redirect_of

__all__ = ["follow", "judged"]

_HANDSHAKE_S = 1.0
"""What a TLS handshake may take as a contrast; a server that waits for HTTP would never answer it."""

_ONLY_HTTP2 = (
    "answers an HTTP/1.1 request in HTTP/2, which no MCP client begins with",
    "Let the server or the gateway before it take HTTP/1.1 on this port as well, or set the connector's URL "
    "to a port that does: a gRPC port or an h2c upstream does not.",
)
_ANOTHER_SERVICE = (
    "does not speak HTTP",
    "Correct the port of the connector's URL: another service listens on this one.",
)
_REDIRECTS: Mapping[RedirectKind, str] = {
    "login": "HTTP005",
    "downgrade": "HTTP004",
    "upgrade": "HTTP006",
    "cross-origin": "HTTP006",
    "unusable": "HTTP006",
    "method": "HTTP008",
}
_WHY_ELSEWHERE: Mapping[RedirectKind, str] = {
    "upgrade": "the same host over https",
    "cross-origin": "another origin",
    "unusable": "an address that no client may use",
}


async def follow(probe: Probe) -> Outcome:
    """Send the first message, and again where a redirect leads that the official client follows.

    Leaves the last URL in ``probe.url``. Raises Fault HTTP007 for a loop or too many hops.
    """
    hops: list[Redirect] = []
    outcome = await probe.ask()
    while (hop := _followed(outcome)) is not None:
        if len(hops) == MAX_HOPS or hop.target in {earlier.source for earlier in hops} | {hop.source}:
            chain = " -> ".join([*(earlier.source for earlier in hops), hop.source, hop.target])
            raise fault_of(
                "HTTP007", outcome, Evidence(label="hops", observed=chain), hops=len(hops) + 1, chain=chain
            )
        hops.append(hop)
        probe.url = hop.target
        outcome = await probe.ask()
    if hops:
        _warn_of(probe, hops)
    return outcome


def _followed(outcome: Outcome) -> Redirect | None:
    hop = redirect_of(outcome.exchange) if outcome.exchange is not None else None
    verb = outcome.exchange.method if outcome.exchange is not None else "POST"
    return hop if hop is not None and hop.followed(verb) else None


def _warn_of(probe: Probe, hops: list[Redirect]) -> None:
    only_slash = all(hop.kind == "slash" for hop in hops)
    evidence = Evidence(
        label="Location",
        expected=f"an answer at {hops[0].source}",
        observed=" -> ".join(f"{hop.status} {hop.location}" for hop in hops),
        where=hops[0].source,
    )
    probe.ctx.warn(
        "HTTP003" if only_slash else "HTTP041",
        evidence,
        target=hops[-1].target,
        redirect_status=hops[0].status,
    )


async def judged(probe: Probe, outcome: Outcome, *also: Evidence) -> Fault | Outcome:
    """The fault that an unusable outcome proves, or another outcome with which the run can go on.

    ``also`` are contrasts that were already made.
    """
    if outcome.failure is not None:
        return await _broken(probe, outcome)
    if outcome.reply is None:
        recorded = outcome.exchange
        progress = recorded.progress() if recorded is not None else "no answer"
        seconds = f"{outcome.waited_s or 0:.1f}"
        return fault_of(on_timeout(recorded), outcome, *also, seconds=seconds, progress=progress)
    exchange = outcome.reply.exchange
    by_proxy = await proxy_refusal(
        probe.ctx, probe.tls._proxy, outcome.reply.http_status, exchange.response_headers
    )
    if by_proxy is not None:
        return by_proxy
    about_certificate = told_of_certificate(probe.ctx, probe.tls, outcome.reply)
    if about_certificate is not None:
        return about_certificate
    hop = redirect_of(exchange)
    if hop is not None:
        return await _redirected(probe, outcome, hop)
    code = refusal_code(outcome.reply)
    if code == "HTTP033":
        return await _tls_on_http_port(probe, outcome)
    contrast = CONTRASTS.get(code)
    decided = await contrast(probe, outcome) if contrast is not None else fault_of(code, outcome)
    if isinstance(decided, Fault) and also:
        return _with(decided, also)
    return decided


def _with(fault: Fault, also: tuple[Evidence, ...]) -> Fault:
    """The same fault with earlier contrasts between what was refused and what was tried after them."""
    first, *later = fault.finding.evidence
    fault.finding = replace(fault.finding, evidence=(first, *also, *later))
    return fault


async def _redirected(probe: Probe, outcome: Outcome, hop: Redirect) -> Fault:
    code = _REDIRECTS.get(hop.kind, "HTTP008")
    location = Evidence(label="Location, not followed", observed=hop.location, where=hop.source)
    if code != "HTTP008":
        elsewhere = _WHY_ELSEWHERE.get(hop.kind, "")
        return fault_of(code, outcome, location, target=hop.target, elsewhere=elsewhere)
    other = await probe.contrast(url=hop.target)
    evidence = other.evidence(f"the same POST to {hop.target}", "an MCP answer, if that is the endpoint")
    confidence = "certain" if other.reachable else "likely"
    there = "answers as MCP does" if other.reachable else f"gives {other.summary}"
    return fault_of(code, outcome, location, evidence, confidence=confidence, target=hop.target, there=there)


async def _broken(probe: Probe, outcome: Outcome) -> Fault:
    failure = outcome.failure
    assert failure is not None
    if failure.kind == "proxy":
        return next_tunnel_refused(failure)
    code = failure_code(failure.kind, failure.exchange)
    below = await _below_http(probe, outcome) if failure.exchange.status is None else None
    if below is not None:
        return below
    if code == "HTTP033":
        return _speaks_only_tls(outcome, "does not complete", confidence="likely")
    limit = probe.ctx.options.limits.body
    received = failure.exchange.body_size
    first = failure.exchange.first_bytes
    evidence = (Evidence(label="first bytes", observed=repr(first[:48])[2:-1]),) if code == "HTTP026" else ()
    reading, advice = _ONLY_HTTP2 if _http2_frame(first) else _ANOTHER_SERVICE
    ended = "reset the connection" if failure.kind == "reset" else "closed the connection"
    return fault_of(
        code,
        outcome,
        *evidence,
        detail=failure.detail.rstrip("."),
        kind=failure.kind,
        reading=reading,
        advice=advice,
        limit=limit,
        received=received,
        ended=ended,
    )


def _http2_frame(first: bytes) -> bool:
    """Whether bytes begin with an HTTP/2 SETTINGS or GOAWAY frame on stream 0 (RFC 9113 4.1, 3.4)."""
    return len(first) >= 9 and first[3] in (4, 7) and first[5:9] == bytes(4)


async def _below_http(probe: Probe, outcome: Outcome) -> Fault | None:
    """What TLS has to do with an exchange that died without an answer, if anything."""
    failure = outcome.failure
    assert failure is not None
    if probe.ctx.origin.scheme == "https":
        ended = failure.kind in ("tls-alert", "reset", "closed")
        return await client_certificate_alert(probe.ctx, probe.tls) if ended else None
    first = failure.exchange.first_bytes
    silent = failure.kind in ("closed", "reset") and not first
    if probe.tls._proxy is not None or not (silent or first[:2] in TLS_RECORDS):
        return None
    spoken = await _speaks_tls(probe)
    return _speaks_only_tls(outcome, spoken) if spoken is not None else None


async def _tls_on_http_port(probe: Probe, outcome: Outcome) -> Fault:
    spoken = await _speaks_tls(probe)
    return _speaks_only_tls(outcome, spoken or "not needed: the answer says so itself")


def _speaks_only_tls(outcome: Outcome, spoken: str, *, confidence: str | None = None) -> Fault:
    evidence = Evidence(label="TLS handshake on a new connection to the same port", observed=spoken)
    secure_url = outcome.url.replace("http://", "https://", 1)
    return fault_of(
        "HTTP033", outcome, evidence, confidence=confidence, secure_url=secure_url, handshake=spoken
    )


async def _speaks_tls(probe: Probe) -> str | None:
    """The version of a handshake on a new connection; nothing is trusted and nothing sent over it."""
    origin = probe.ctx.origin
    try:
        async with asyncio.timeout(min(_HANDSHAKE_S, probe.ctx.time_left() * 0.4)):
            stream = await dialler(probe.ctx, probe.tls)(origin.host, origin.port)
            secured = await secure(stream, unverified(), origin.host)
    except ssl.SSLError as problem:
        # An alert is TLS as well; anything else that is no TLS fails the handshake, too.
        return f"a TLS alert, {problem.reason}" if "ALERT" in (problem.reason or "") else None
    except (ResolutionFailed, ConnectFailed, OSError, TimeoutError):
        return None
    version = secured.ssl_object.version() if secured.ssl_object is not None else None
    await secured.aclose()
    return f"completes, {version}"
