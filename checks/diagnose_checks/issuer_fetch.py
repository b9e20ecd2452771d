"""The certificate that a chain leaves out, fetched from where the chain says it is (RFC 5280 4.2.2.1)."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import h11
import httpcore2

from diagnose.context import Context
from diagnose.wire.dial import addresses_of
from diagnose.wire.reach import address_kind
from diagnose.wire.recorder import Recorded
from diagnose.wire.resolver import Address, ResolutionFailed
from diagnose.wire.sockets import ConnectFailed, connect_first
from diagnose_checks.certificate_chain import Certificate, read_certificate

__all__ = ["fetch_issuer"]

_LARGEST = 64 * 1024
_SECONDS = 3.0


async def fetch_issuer(ctx: Context, certificate: Certificate, *, private: bool) -> Certificate | None:
    """The issuer's certificate from the first caIssuers URL that gives one; at most 64 KiB and 3 s each.

    ``private`` allows addresses that are not on the public internet: those of a connector that is there
    itself. Only plain http is fetched, which is what RFC 5280 asks for: https would need the very chain.
    """
    for url in certificate.issuers_urls[:2]:
        try:
            async with asyncio.timeout(min(_SECONDS, ctx.time_left() * 0.5)):
                body = await _fetch(ctx, url, private=private)
        except (
            OSError,
            ValueError,
            TimeoutError,
            ConnectFailed,
            ResolutionFailed,
            httpcore2.NetworkError,
            h11.RemoteProtocolError,
        ):
            continue
        found = read_certificate(body)
        if found is not None and found.subject == certificate.issuer:
            return found
    return None


async def _fetch(ctx: Context, url: str, *, private: bool) -> bytes:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.username is not None:
        raise ValueError("only plain http URLs are fetched")
    addresses = await addresses_of(ctx.resolver, parts.hostname, parts.port or 80)
    if not all(_allowed(address, private=private) for address in addresses):
        raise ValueError("an address of the certificate's URL is not one that it may lead to")
    host = parts.netloc
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Host": host, "Accept": "application/pkix-cert, */*", "Connection": "close"}
    exchange = ctx.recorder.begin(ctx.step_id, "GET", url, headers)
    stream = await connect_first(addresses, log=[])
    exchange.peer = addresses[0].ip
    http = h11.Connection(h11.CLIENT)
    try:
        request = h11.Request(method="GET", target=target, headers=list(headers.items()))
        await stream.write((http.send(request) or b"") + (http.send(h11.EndOfMessage()) or b""))
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await stream.read(65536))
            elif isinstance(event, h11.Response):
                _note(exchange, event)
                if event.status_code != 200:
                    raise ValueError(f"HTTP {event.status_code}")
            elif isinstance(event, h11.Data):
                exchange.keep(bytes(event.data))
                if exchange.body_size > _LARGEST:
                    raise ValueError("larger than any certificate")
            elif not isinstance(event, h11.InformationalResponse):
                return bytes(exchange.body)
    finally:
        exchange.mark("receive")
        await stream.aclose()


def _note(exchange: Recorded, event: h11.Response) -> None:
    exchange.status = event.status_code
    exchange.reason = event.reason.decode("latin-1")
    exchange.http_version = "HTTP/1.1"
    exchange.response_headers = tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers
    )


def _allowed(address: Address, *, private: bool) -> bool:
    kind = address_kind(address.ip)
    return kind == "public" or (private and kind in ("loopback", "private", "shared"))
