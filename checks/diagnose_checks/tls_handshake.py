"""Step 3: is it who it says?"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import ssl
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose.wire.handshake import Handshake, presented
from diagnose.wire.sockets import WireStream, secure
from diagnose.wire.trust import TrustStore, TrustStoreUnreadable, runtime_store, unreadable_in_environment
from diagnose_checks.certificate_dates import (
    alternative_names,
    common_name,
    days_until,
    expires_soon,
    moment_of,
    shown_moment,
)
from diagnose_checks.chain_facts import chain_of_pass
from diagnose_checks.client_certificates import judged
from diagnose_checks.facts import TcpFacts, TlsFacts
from diagnose_checks.routes import dialled_host

__all__ = ["tls_handshake"]

_PATIENCE = 0.5
"""The part of the step's time after which a port that says nothing is asked in plain HTTP."""


@step("tls", gives=TlsFacts, needs=(TcpFacts,), codes=("TLS",), on_timeout="TLS012", deadline=5)
async def tls_handshake(ctx: Context, tcp: TcpFacts) -> TlsFacts:
    """Complete a TLS handshake with the trust settings the runtime would use."""
    try:
        if ctx.origin.scheme == "http":
            unreadable_in_environment(ctx.connector.network, ctx.environ)
            _note_open_credential(ctx, tcp)
            ctx.not_applicable("plain HTTP")
            return TlsFacts(_stream=tcp._stream, _proxy=tcp._proxy)
        store = runtime_store(ctx.connector.network, ctx.environ)
    except TrustStoreUnreadable as problem:
        raise _unreadable(problem) from problem
    ctx.trust_store = store.label
    stream, seen = await _secured(ctx, tcp, store)
    facts = _facts(ctx, stream, store, tcp)
    facts = replace(facts, client_certificate_requested=seen.certificate_requested or None)
    _note_expiry(ctx, facts)
    return facts


def _unreadable(problem: TrustStoreUnreadable) -> Fault:
    evidence = Evidence(
        label=f"{problem.variable}={problem.path}",
        expected="a readable store of PEM certificates",
        observed=problem.detail,
    )
    return Fault("ENV001", evidence, variable=problem.variable, path=problem.path, reason=problem.detail)


async def _secured(ctx: Context, tcp: TcpFacts, store: TrustStore) -> tuple[WireStream, Handshake]:
    seen = Handshake()
    ctx.if_late(lambda: _silent(ctx, seen))
    began = time.monotonic()
    try:
        stream = await _handshake(ctx, tcp, store, seen)
    except ssl.SSLCertVerificationError as problem:
        from diagnose_checks.trust_contrasts import refused_certificate

        raise await refused_certificate(ctx, tcp, store, problem) from problem
    except (ssl.SSLError, OSError) as problem:
        from diagnose_checks.handshake_contrasts import broken_handshake

        raise await broken_handshake(ctx, tcp, problem, seen) from problem
    ctx.closing.push_async_callback(stream.aclose)
    if seen.certificate_requested and _version(stream) == "TLSv1.3":
        with seen.watching(store.context):
            fault = await judged(ctx, stream, seen, began)
        if fault is not None:
            raise fault
    return stream, seen


async def _handshake(ctx: Context, tcp: TcpFacts, store: TrustStore, seen: Handshake) -> WireStream:
    """The handshake; where it stays without one byte of an answer, plain HTTP is tried meanwhile."""
    work = asyncio.ensure_future(secure(tcp._stream, store.context, dialled_host(ctx), record=seen))
    try:
        await asyncio.wait({work}, timeout=ctx.time_left() * _PATIENCE)
        if not work.done() and not seen.received:
            from diagnose_checks.handshake_contrasts import silent_handshake

            fault = await silent_handshake(ctx, tcp)
            if fault is not None and not work.done():
                raise fault
        return await work
    finally:
        work.cancel()


def _silent(ctx: Context, seen: Handshake) -> Fault:
    observed = f"{seen.received} bytes and then silence" if seen.received else "not one byte"
    evidence = Evidence(
        label=f"answer to the TLS ClientHello for {dialled_host(ctx)}",
        expected="a ServerHello and a certificate",
        observed=observed,
    )
    return Fault("TLS012", evidence, got=observed)


def _version(stream: WireStream) -> str | None:
    return stream.ssl_object.version() if stream.ssl_object is not None else None


def _facts(ctx: Context, stream: WireStream, store: TrustStore, tcp: TcpFacts) -> TlsFacts:
    peer = stream.ssl_object
    assert peer is not None
    cipher = peer.cipher()
    leaf = peer.getpeercert(binary_form=True)
    shown: Any = peer.getpeercert() or {}
    if not shown and leaf:
        shown = _read_again(leaf)
    until = moment_of(shown.get("notAfter"))
    return TlsFacts(
        version=peer.version(),
        cipher=cipher[0] if cipher else None,
        alpn=peer.selected_alpn_protocol(),
        subject=common_name(shown.get("subject", ())),
        issuer=common_name(shown.get("issuer", ())),
        names=alternative_names(shown) or None,
        not_before=shown_moment(moment_of(shown.get("notBefore"))),
        not_after=shown_moment(until),
        days_left=days_until(until, ctx.clock()) if until is not None else None,
        fingerprint_sha256=hashlib.sha256(leaf).hexdigest() if leaf else None,
        trust_store=store.label,
        chain=chain_of_pass(presented(peer), ctx.clock()) or None,
        _stream=stream,
        _proxy=tcp._proxy,
        _store=store,
    )


def _read_again(leaf: bytes) -> dict[str, Any]:
    """The leaf in the form of getpeercert, which is empty where the operating system did the verifying."""
    from diagnose_checks.certificate_chain import read_certificate

    found = read_certificate(leaf)
    if found is None:
        return {}
    return {
        "subject": ((("commonName", found.short),),),
        "issuer": ((("commonName", found.short_issuer),),),
        "subjectAltName": tuple(("DNS", name) for name in found.names),
        "notBefore": found.not_before.strftime("%b %d %H:%M:%S %Y GMT"),
        "notAfter": found.not_after.strftime("%b %d %H:%M:%S %Y GMT"),
    }


def _note_expiry(ctx: Context, facts: TlsFacts) -> None:
    if facts.not_before is None or facts.not_after is None or facts.days_left is None:
        return
    begin, end = datetime.fromisoformat(facts.not_before), datetime.fromisoformat(facts.not_after)
    if expires_soon(begin, end, ctx.clock()):
        evidence = Evidence(
            label="end of the certificate's validity",
            expected="more than 14 days away",
            observed=f"{facts.not_after}, in {facts.days_left} days",
        )
        ctx.warn("TLS016", evidence, not_after=facts.not_after, days=facts.days_left)


def _note_open_credential(ctx: Context, tcp: TcpFacts) -> None:
    """Warn where a credential travels in the open; a loopback address never leaves the machine."""
    if not ctx.connector.secrets(ctx.environ) or _stays_here(ctx, tcp):
        return
    sent = ctx.connector.credential.describe().get("sent_in", "the connector's headers")
    through = f"through the proxy {tcp._proxy}" if tcp._proxy is not None else f"to {tcp.peer}"
    evidence = Evidence(
        label="credential", expected="sent over https", observed=f"{sent}, over http {through}"
    )
    secure_url = ctx.connector.url.replace("http://", "https://", 1).partition("?")[0]
    ctx.warn("TLS017", evidence, sent_in=sent, through=through, secure_url=secure_url)


def _stays_here(ctx: Context, tcp: TcpFacts) -> bool:
    # Behind a proxy the address is the proxy's business; only a name that is this machine's own tells.
    host = tcp._stream.address.ip if tcp._proxy is None else ctx.origin.host
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
