"""A certificate that the runtime refuses: which of the look-alikes it is, proven by further handshakes.

OpenSSL's verify code says where the verification stopped, not why. "Unable to get local issuer certificate"
is a private authority, an intermediate that the server forgot, TLS inspection, or a poor local store; each
has its own contrast.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Mapping
from typing import Any

from diagnose.context import Context
from diagnose.step import Evidence, Fault
from diagnose.wire.handshake import presented_chain
from diagnose.wire.reach import address_kind
from diagnose.wire.sockets import secure
from diagnose.wire.trust import TrustStore, empty_directory, other_stores, runtime_store, unverified
from diagnose_checks.certificate_chain import (
    Certificate,
    inspection_product,
    names_match,
    read_certificate,
    read_chain,
)
from diagnose_checks.certificate_faults import Refusal, expired, not_yet_valid, self_signed, wrong_host
from diagnose_checks.facts import TcpFacts
from diagnose_checks.issuer_fetch import fetch_issuer
from diagnose_checks.refused_chain import chain_of_refusal
from diagnose_checks.routes import UNREACHABLE, dialled_host, same_route, within
from diagnose_checks.server_clock import server_date

__all__ = ["refused_certificate"]

_EXPIRED, _NOT_YET, _WRONG_HOST, _SELF_SIGNED, _UNTRUSTED = range(5)
# X509_V_ERR_* of OpenSSL.
_KINDS: Mapping[int, int] = {
    2: _UNTRUSTED,
    9: _NOT_YET,
    10: _EXPIRED,
    18: _SELF_SIGNED,
    19: _UNTRUSTED,
    20: _UNTRUSTED,
    21: _UNTRUSTED,
    62: _WRONG_HOST,
    64: _WRONG_HOST,
}
_MOST_ISSUERS = 3


async def refused_certificate(
    ctx: Context, tcp: TcpFacts, store: TrustStore, problem: ssl.SSLCertVerificationError
) -> Fault:
    """The fault behind a verification error. Opens further connections; no credential goes over them."""
    refusal = await _refusal(ctx, tcp, store, problem)
    fault = await _fault(ctx, tcp, store, problem, refusal)
    fault.shown = chain_of_refusal(refusal, fault.finding.code)
    return fault


async def _refusal(
    ctx: Context, tcp: TcpFacts, store: TrustStore, problem: ssl.SSLCertVerificationError
) -> Refusal:
    code = getattr(problem, "verify_code", 0)
    chain, date = await _presented(ctx, tcp, clock=code in (9, 10))
    return Refusal(
        host=dialled_host(ctx),
        store=store.label,
        said=getattr(problem, "verify_message", "") or problem.reason or str(problem),
        chain=chain,
        now=ctx.clock(),
        server_date=date,
    )


async def _fault(
    ctx: Context,
    tcp: TcpFacts,
    store: TrustStore,
    problem: ssl.SSLCertVerificationError,
    refusal: Refusal,
) -> Fault:
    code = getattr(problem, "verify_code", 0)
    kind = _KINDS.get(code, _seen_in(refusal) if code not in _KINDS and not _openssl(problem) else None)
    if kind == _EXPIRED:
        return expired(refusal)
    if kind == _NOT_YET:
        return not_yet_valid(refusal)
    if kind == _WRONG_HOST:
        return wrong_host(refusal)
    if kind in (_SELF_SIGNED, _UNTRUSTED):
        return await _untrusted(ctx, tcp, store, refusal, alone=kind == _SELF_SIGNED)
    return Fault("TLS019", *refusal.evidence(), reason=refusal.said, subject=refusal.subject)


def _openssl(problem: ssl.SSLCertVerificationError) -> bool:
    # The stores of macOS and Windows have codes of their own, which are negative or very large.
    return 0 < getattr(problem, "verify_code", 0) < 1000


def _seen_in(refusal: Refusal) -> int:
    """What the chain itself shows, for a verifier whose codes are not OpenSSL's."""
    if any(certificate.not_after < refusal.now for certificate in refusal.chain):
        return _EXPIRED
    if any(certificate.not_before > refusal.now for certificate in refusal.chain):
        return _NOT_YET
    if refusal.chain and not names_match(refusal.host, refusal.chain[0].names):
        return _WRONG_HOST
    return _SELF_SIGNED if len(refusal.chain) == 1 and refusal.chain[0].self_issued else _UNTRUSTED


async def _presented(ctx: Context, tcp: TcpFacts, *, clock: bool) -> tuple[tuple[Certificate, ...], Any]:
    """The chain, read over a handshake that trusts nothing; with ``clock``, the server's Date as well."""
    try:
        async with within(ctx):
            plain = await same_route(ctx, tcp._stream.address, tcp._proxy)
            stream = await secure(plain, unverified(), dialled_host(ctx))
    except UNREACHABLE:
        return (), None
    try:
        peer = stream.ssl_object
        chain = read_chain(presented_chain(peer)) if peer is not None else ()
        date = await server_date(ctx, stream) if clock else None
    finally:
        await stream.aclose()
    return chain, date


async def _untrusted(
    ctx: Context, tcp: TcpFacts, store: TrustStore, refusal: Refusal, *, alone: bool
) -> Fault:
    if empty_directory(store):
        reason = "holds no certificate under the hashed name that OpenSSL looks for (run openssl rehash)"
        return Fault("ENV001", *refusal.evidence(), variable="SSL_CERT_DIR", path=store.path, reason=reason)
    minted = None if alone else await _minted_for_invented_name(ctx, tcp)
    product = inspection_product(refusal.chain)
    if product is None and tcp._proxy is None and address_kind(tcp._stream.address.ip) == "loopback":
        minted = None  # nothing stands between this machine and itself: the server issues by name
    other = await _trusted_elsewhere(ctx, tcp)
    if not alone and (minted is not None or product is not None):
        return _interception(refusal, minted, product, other)
    if other is not None:
        contrast = Evidence(
            label=f"the same handshake with {other}", expected="refused, too", observed="verified"
        )
        return Fault(
            "TLS015", *refusal.evidence(), contrast, store=store.label, other=other, issuer=refusal.issuer
        )
    if alone:
        return self_signed(refusal)
    return await _missing_or_private(ctx, tcp, store, refusal)


async def _minted_for_invented_name(ctx: Context, tcp: TcpFacts) -> str | None:
    """A name that cannot exist, where the other end presents a certificate made for it: an interceptor."""
    name = f"connector-diagnose-{secrets.token_hex(4)}.invalid"
    try:
        async with within(ctx, 0.3):
            plain = await same_route(ctx, tcp._stream.address, tcp._proxy)
            stream = await secure(plain, unverified(), name)
    except UNREACHABLE:
        return None
    peer = stream.ssl_object
    chain = read_chain(presented_chain(peer)) if peer is not None else ()
    await stream.aclose()
    return name if chain and name in chain[0].names else None


def _interception(refusal: Refusal, minted: str | None, product: str | None, other: str | None) -> Fault:
    contrasts = [
        Evidence(
            label="issuer of the certificate",
            expected="a public certification authority",
            observed=refusal.issuer
            + (f" ({product} signs inspected traffic under this name)" if product else ""),
        )
    ]
    if minted is not None:
        contrasts.append(
            Evidence(
                label=f"handshake asking for {minted}, which cannot exist",
                expected="the same certificate, or none",
                observed="a certificate made for this very name",
            )
        )
    return Fault(
        "TLS007",
        *refusal.evidence(),
        *contrasts,
        # A server that issues by name looks the same, and so does a company's own authority by its name.
        confidence=None if minted is not None and product is not None else "likely",
        product=product or "A TLS-inspecting proxy",
        issuer=refusal.issuer,
        store=refusal.store,
        other=f"{other} trusts it" if other else "no other store on this machine trusts it",
    )


async def _trusted_elsewhere(ctx: Context, tcp: TcpFacts) -> str | None:
    """The label of another store on this machine with which the same handshake verifies."""
    for store in other_stores(ctx.connector.network, ctx.environ):
        if await _verifies(ctx, tcp, store.context):
            return store.label
    return None


async def _verifies(ctx: Context, tcp: TcpFacts, context: ssl.SSLContext) -> bool:
    try:
        async with within(ctx, 0.3):
            plain = await same_route(ctx, tcp._stream.address, tcp._proxy)
            stream = await secure(plain, context, dialled_host(ctx))
    except UNREACHABLE:
        return False
    await stream.aclose()
    return True


async def _missing_or_private(ctx: Context, tcp: TcpFacts, store: TrustStore, refusal: Refusal) -> Fault:
    last = refusal.last()
    if last is None:
        return _private(refusal, confidence="likely")
    if last.self_issued:  # its own root came along and is not trusted: nothing is missing
        return _private(refusal, confidence=None)
    anchored = _intermediate_in(store.context, last)
    if anchored is not None:  # the store has the authority above, and not that one's own issuer
        return _private(refusal, confidence=None, issuer=anchored.short_issuer)
    private = tcp._proxy is None and address_kind(tcp._stream.address.ip) != "public"
    fetched = await _fetched_issuers(ctx, last, private=private)
    if fetched:
        completed = runtime_store(ctx.connector.network, ctx.environ).context
        completed.load_verify_locations(cadata=b"".join(certificate.der for certificate in fetched))
        # Otherwise the fetched certificate would itself count as trusted (Python 3.13 sets the flag).
        completed.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        if await _verifies(ctx, tcp, completed):
            return _missing(refusal, last, fetched[0])
        return _private(refusal, confidence=None, issuer=fetched[-1].short)
    if last.issuer_organisation is not None and last.issuer_organisation in _organisations(store.context):
        return _missing(refusal, last, None)
    return _private(refusal, confidence="likely")


async def _fetched_issuers(ctx: Context, last: Certificate, *, private: bool) -> list[Certificate]:
    found: list[Certificate] = []
    while len(found) < _MOST_ISSUERS and not last.self_issued:
        issuer = await fetch_issuer(ctx, last, private=private)
        if issuer is None:
            break
        found.append(issuer)
        last = issuer
    return found


def _organisations(context: ssl.SSLContext) -> frozenset[str]:
    """The organisations of the loaded roots; a directory store loads none before it needs one."""
    roots: list[Any] = context.get_ca_certs()
    return frozenset(
        value
        for root in roots
        for part in root.get("subject", ())
        for key, value in part
        if key == "organizationName"
    )


def _missing(refusal: Refusal, last: Certificate, fetched: Certificate | None) -> Fault:
    if fetched is not None:
        contrast = Evidence(
            label=f"the same handshake with {fetched.short} added, from {last.issuers_urls[0]}",
            expected="refused, too, if the authority were unknown here",
            observed="verified",
        )
        how = f"with it added, fetched from {last.issuers_urls[0]}, the same handshake verifies"
    else:
        contrast = Evidence(
            label=f"roots of {last.issuer_organisation} in {refusal.store}",
            expected="none, if the authority were unknown here",
            observed="at least one",
        )
        how = (
            f"the store trusts a root of {last.issuer_organisation}, and the certificate names no place "
            "from which its issuer could be fetched for proof"
        )
    return Fault(
        "TLS005",
        *refusal.evidence(),
        contrast,
        confidence=None if fetched is not None else "likely",
        missing=last.short_issuer,
        how=how,
        sent=len(refusal.chain),
    )


def _intermediate_in(context: ssl.SSLContext, last: Certificate) -> Certificate | None:
    """The certificate of the store that issued ``last``, or is it, where it is no root.

    Without X509_V_FLAG_PARTIAL_CHAIN such a certificate ends no path; Python sets the flag from 3.13 on.
    """
    listed: list[Any] = context.get_ca_certs()
    ders = context.get_ca_certs(binary_form=True)
    for shown, der in zip(listed, ders, strict=False):
        if shown.get("subject") == shown.get("issuer"):
            continue
        found = read_certificate(der)
        if found is not None and (found.subject == last.issuer or found.fingerprint == last.fingerprint):
            return found
    return None


def _private(refusal: Refusal, *, confidence: str | None, issuer: str | None = None) -> Fault:
    return Fault(
        "TLS001",
        *refusal.evidence(),
        confidence=confidence,
        issuer=issuer or refusal.issuer,
        store=refusal.store,
        subject=refusal.subject,
    )
