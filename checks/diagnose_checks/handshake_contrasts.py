"""A handshake that ends before any certificate is judged: what is there, and what it objects to."""

from __future__ import annotations

import re
import ssl
from contextlib import suppress

import httpcore2

from diagnose.context import Context
from diagnose.step import Evidence, Fault
from diagnose.wire.handshake import Handshake
from diagnose.wire.sockets import describe, secure
from diagnose.wire.trust import permissive, unverified
from diagnose_checks.alerts import alert_meaning, alert_name, alert_of_reason
from diagnose_checks.client_certificates import certificate_fault
from diagnose_checks.facts import TcpFacts
from diagnose_checks.routes import UNREACHABLE, dialled_host, same_route, within
from diagnose_checks.server_clock import plain_request, read_some
from diagnose_checks.tls_port_words import explains_tls

__all__ = ["broken_handshake", "identified", "looks_like_tls", "silent_handshake"]

_REFUSED = re.compile(rb"HTTP/1\.[01] 400 ")
_PROTOCOL_VERSION = 70
_VERSION_REASONS = frozenset({"UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION", "VERSION_TOO_LOW"})
# Alerts that a server sends about a client certificate only (RFC 8446 6.2).
_ABOUT_CERTIFICATES = frozenset({42, 43, 44, 45, 46, 48, 116})
_GREETINGS: tuple[tuple[bytes, str], ...] = (
    (b"SSH-", "an SSH server"),
    (b"220 ", "a mail or FTP server"),
    (b"* OK", "an IMAP server"),
    (b"+OK", "a POP3 server"),
    (b"RFB ", "a VNC server"),
    (b"-ERR", "a Redis or POP3 server"),
)


def looks_like_tls(first_bytes: bytes) -> bool:
    """Whether bytes begin with a TLS record: type 20 to 24, major version 3 (RFC 8446 5.1)."""
    return len(first_bytes) >= 2 and 20 <= first_bytes[0] <= 24 and first_bytes[1] == 3


def identified(first_bytes: bytes) -> str:
    """What the first bytes of a service say that it is."""
    known = next((name for greeting, name in _GREETINGS if first_bytes.startswith(greeting)), None)
    if known is None and first_bytes[4:5] == b"\x0a" and first_bytes[3:4] == b"\x00":
        known = "a MySQL server"
    return known or "a service of another protocol"


async def broken_handshake(ctx: Context, tcp: TcpFacts, problem: BaseException, seen: Handshake) -> Fault:
    """The fault behind a handshake that failed without a verification error."""
    reason = getattr(problem, "reason", None) or ""
    alert = seen.alert if seen.alert is not None else alert_of_reason(reason)
    if seen.certificate_requested or alert in _ABOUT_CERTIFICATES:
        seen.alert = alert
        return certificate_fault(ctx, seen, ended=describe(problem))
    if alert == _PROTOCOL_VERSION or reason in _VERSION_REASONS:
        return await _old_version(ctx, tcp, alert, reason)
    if seen.first_bytes and not looks_like_tls(seen.first_bytes):
        return await _not_tls(ctx, tcp, seen.first_bytes)
    if alert is None and isinstance(problem, ConnectionError | ssl.SSLEOFError):
        return await _cut(ctx, tcp, problem, seen)
    said = alert_name(alert) if alert is not None else f"an error on this side: {reason or describe(problem)}"
    return Fault("TLS013", _handshake(ctx, said), alert=said, meaning=alert_meaning(alert))


def _handshake(ctx: Context, observed: str) -> Evidence:
    return Evidence(
        label=f"answer to the TLS ClientHello for {dialled_host(ctx)}",
        expected="a ServerHello and a certificate",
        observed=observed,
    )


async def _old_version(ctx: Context, tcp: TcpFacts, alert: int | None, reason: str) -> Fault:
    said = alert_name(alert) if alert is not None else reason
    evidence = [_handshake(ctx, said)]
    version = await _version_with(ctx, tcp, permissive())
    if version is not None:
        evidence.append(
            Evidence(
                label="the same handshake with TLS 1.0 and 1.1 allowed as well",
                expected="TLSv1.2 or TLSv1.3",
                observed=version,
            )
        )
    return Fault("TLS011", *evidence, alert=said, spoken=version or "a version that could not be found out")


async def _version_with(
    ctx: Context, tcp: TcpFacts, context: ssl.SSLContext, *, named: bool = True
) -> str | None:
    """The version of a handshake with ``context``; None where it fails."""
    try:
        async with within(ctx, 0.3):
            plain = await same_route(ctx, tcp._stream.address, tcp._proxy)
            stream = await secure(plain, context, dialled_host(ctx) if named else None)
    except UNREACHABLE:
        return None
    peer = stream.ssl_object
    await stream.aclose()
    return peer.version() if peer is not None else None


async def _not_tls(ctx: Context, tcp: TcpFacts, first_bytes: bytes) -> Fault:
    said = _handshake(ctx, repr(first_bytes[:80]))
    answer = await _plain_answer(ctx, tcp)
    if first_bytes.startswith(b"HTTP/") or _is_plain_http(answer):
        return _plain_http(ctx, said, answer or first_bytes)
    return Fault("TLS014", said, what=identified(first_bytes), first_bytes=repr(first_bytes[:40]))


async def _plain_answer(ctx: Context, tcp: TcpFacts) -> bytes:
    """What a plain HTTP request on a new connection is answered with; of a 400 its body as well."""
    answer = b""
    with suppress(*UNREACHABLE, httpcore2.NetworkError):
        async with within(ctx, 0.3):
            stream = await same_route(ctx, tcp._stream.address, tcp._proxy)
            try:
                await stream.write(plain_request(ctx))
                answer = await read_some(stream, until=b"\r\n\r\n")
                if _REFUSED.match(answer) and not explains_tls(answer.decode("latin-1")):
                    answer += await read_some(stream, until=b"</html>")
            finally:
                await stream.aclose()
    return answer


def _is_plain_http(answer: bytes) -> bool:
    """Whether HTTP was answered, and not by a TLS server that says in plain HTTP what it wants."""
    return answer.startswith(b"HTTP/") and not explains_tls(answer.decode("latin-1"))


def _plain_http(ctx: Context, said: Evidence, answer: bytes) -> Fault:
    line = answer.split(b"\r\n", 1)[0].decode("latin-1")
    contrast = Evidence(
        label="a plain HTTP request to the same port", expected="no HTTP on a TLS port", observed=line
    )
    plain = ctx.connector.url.replace("https://", "http://", 1)
    return Fault("TLS009", said, contrast, line=line, plain_url=plain.partition("?")[0])


async def _cut(ctx: Context, tcp: TcpFacts, problem: BaseException, seen: Handshake) -> Fault:
    """The connection was reset or closed without a word: say what can be said, and how sure it is."""
    how = "reset" if isinstance(problem, ConnectionResetError) else "closed"
    said = _handshake(ctx, f"connection {how} after {seen.received} bytes, without a TLS alert")
    answer = await _plain_answer(ctx, tcp)
    if _is_plain_http(answer):
        return _plain_http(ctx, said, answer)
    evidence = [said]
    findings: list[str] = []
    nameless = await _version_with(ctx, tcp, unverified(), named=False)
    evidence.append(_contrast("the same handshake without a server name (SNI)", nameless))
    if nameless is not None:
        findings.append("without the server name it goes through: something filters by name")
    older = unverified()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    version = await _version_with(ctx, tcp, older)
    evidence.append(_contrast("the same handshake with TLS 1.2 at most", version))
    if version is not None and nameless is None:
        findings.append("with TLS 1.2 it goes through: something on the way does not bear TLS 1.3")
    return Fault(
        "TLS010",
        *evidence,
        confidence="likely" if findings else "possible",
        how=how,
        narrowed="; ".join(findings) or "neither another TLS version nor leaving out the server name helps",
    )


async def silent_handshake(ctx: Context, tcp: TcpFacts) -> Fault | None:
    """For a port that answers a ClientHello with nothing: whether it waits for the end of an HTTP request."""
    answer = await _plain_answer(ctx, tcp)
    if not _is_plain_http(answer):
        return None
    return _plain_http(ctx, _handshake(ctx, "silence"), answer)


def _contrast(label: str, version: str | None) -> Evidence:
    return Evidence(
        label=label, expected="the same end", observed=f"{version} agreed" if version else "the same end"
    )
