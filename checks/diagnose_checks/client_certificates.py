"""Client certificates: what a server that asks for one does when it gets none, or a wrong one.

TLS 1.3 ends the client's handshake before the server has judged the client's certificate, so that its alert
arrives with the first read (RFC 8446 4.4.2.4). Whoever writes first sees a reset instead of the alert.
"""

from __future__ import annotations

import ssl
import time

import httpcore2

from diagnose.context import Context
from diagnose.step import Evidence, Fault
from diagnose.wire.handshake import Handshake
from diagnose.wire.rpc import RpcReply
from diagnose.wire.sockets import WireStream, secure
from diagnose.wire.trust import runtime_store
from diagnose_checks.alerts import alert_name
from diagnose_checks.facts import TlsFacts
from diagnose_checks.routes import UNREACHABLE, dialled_host, same_route, within

__all__ = ["certificate_fault", "client_certificate_alert", "judged", "told_of_certificate"]

_LONGEST_WAIT = 1.0
_TOLD = (
    "no required ssl certificate was sent",  # nginx, which lets the handshake pass and says it in HTTP
    "the ssl certificate error",  # nginx, a certificate that does not verify
    "403.7 - forbidden",  # IIS
)
_ROUND_TRIPS = 4


def certificate_fault(
    ctx: Context, seen: Handshake, *, step: str | None = None, ended: str = "closed the connection"
) -> Fault:
    """The server asked for a client certificate and refused what it got."""
    own = ctx.connector.network.client_certificate
    said = alert_name(seen.alert) if seen.alert is not None else ended
    evidence = (
        Evidence(
            label="client certificate",
            expected="one that the server accepts: it sent a CertificateRequest",
            observed="none is configured" if own is None else f"sent from {own}",
        ),
        Evidence(
            label="what the server did after the client's last handshake message",
            expected="nothing, or session tickets",
            observed=said,
        ),
    )
    return Fault(
        "TLS008" if own is None else "TLS018",
        *evidence,
        confidence=None if seen.alert is not None else "likely",
        step=step,
        alert=said,
        certificate=own or "none",
    )


async def judged(ctx: Context, stream: WireStream, seen: Handshake, began: float) -> Fault | None:
    """After a TLS 1.3 handshake with a CertificateRequest: wait until the server has judged our answer.

    Its alert is a fault; its session tickets mean that it goes on. The wait is a few round trips and ends
    without a verdict where neither comes: then the first exchange shows it.
    """
    if seen.ticket:
        return None
    trips = (time.monotonic() - began) * _ROUND_TRIPS
    verdict = await _read(stream, seen, min(max(trips, 0.2), _LONGEST_WAIT, ctx.time_left() / 2))
    return certificate_fault(ctx, seen, ended=verdict) if verdict is not None else None


async def client_certificate_alert(ctx: Context, tls: TlsFacts) -> Fault | None:
    """Whether the server ended the first exchange because of the client certificate.

    For step 4, when the first exchange over https dies with an alert, a reset or a close: the handshake is
    repeated on the same route and read before anything is written. The fault belongs to step tls. None
    where the server did not ask for a certificate, or did not object to it.
    """
    if ctx.origin.scheme != "https":
        return None
    seen = Handshake()
    store = runtime_store(ctx.connector.network, ctx.environ)
    try:
        async with within(ctx):
            plain = await same_route(ctx, tls._stream.address, tls._proxy)
            stream = await secure(plain, store.context, dialled_host(ctx), record=seen)
    except UNREACHABLE:
        return certificate_fault(ctx, seen, step="tls") if seen.certificate_requested else None
    try:
        with seen.watching(store.context):
            verdict = await _read(stream, seen, min(2 * _LONGEST_WAIT, ctx.time_left() / 2))
    finally:
        await stream.aclose()
    if verdict is None or not seen.certificate_requested:
        return None
    return certificate_fault(ctx, seen, step="tls", ended=verdict)


def told_of_certificate(ctx: Context, tls: TlsFacts, reply: RpcReply) -> Fault | None:
    """A refusal in HTTP that names the client certificate; the handshake asked for one."""
    if not tls.client_certificate_requested or reply.status not in (400, 403):
        return None
    words = next((words for words in _TOLD if words in reply.text.lower()), None)
    if words is None:
        return None
    seen = Handshake()
    seen.certificate_requested = True
    return certificate_fault(ctx, seen, step="tls", ended=f'it answers HTTP {reply.status}, "{words}"')


async def _read(stream: WireStream, seen: Handshake, seconds: float) -> str | None:
    """How the server ended the connection within ``seconds``; None where it did not."""
    try:
        chunk = await stream.peek(seconds, enough=lambda: seen.ticket)
    except (httpcore2.ReadError, ssl.SSLError) as problem:
        return f"broke the connection ({problem})"
    return "closed the connection" if chunk == b"" else None
