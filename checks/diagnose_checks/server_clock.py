"""What time the server thinks it is: the contrast for certificates that are out of date."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore2

from diagnose.context import Context
from diagnose.wire.sockets import WireStream
from diagnose_checks.routes import dialled_host, within

__all__ = ["date_in", "plain_request", "read_some", "server_date"]

_ENOUGH = 8192


def plain_request(ctx: Context) -> bytes:
    """A GET for the root, without any credential and without the connector's path."""
    host = dialled_host(ctx)
    shown = f"[{host}]" if ":" in host else host
    lines = (
        "GET / HTTP/1.1",
        f"Host: {shown}:{ctx.origin.port}",
        "User-Agent: connector-diagnose",
        "Accept: */*",
        "Connection: close",
    )
    return "\r\n".join(lines).encode("ascii", "replace") + b"\r\n\r\n"


async def read_some(stream: WireStream, *, until: bytes) -> bytes:
    """What arrives until ``until`` is in it, the stream ends or 8 KiB are here; the caller bounds it."""
    found = b""
    while until not in found and len(found) < _ENOUGH:
        chunk = await stream.read(4096)
        if not chunk:
            break
        found += chunk
    return found


async def server_date(ctx: Context, stream: WireStream) -> datetime | None:
    """The Date header of an answer on ``stream``, or None."""
    try:
        async with within(ctx, 0.4):
            await stream.write(plain_request(ctx))
            return date_in(await read_some(stream, until=b"\r\n\r\n"))
    except (httpcore2.NetworkError, TimeoutError):
        return None


def date_in(head: bytes) -> datetime | None:
    """The Date of a raw answer head."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"date":
            try:
                found = parsedate_to_datetime(value.strip().decode("ascii", "replace"))
            except ValueError:
                return None
            return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return None
