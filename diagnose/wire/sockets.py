"""TCP and TLS as separate awaits, in the stream type that httpcore2 takes over."""

from __future__ import annotations

import errno
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.abc
import anyio.streams.tls
import httpcore2

from diagnose.wire.resolver import Address

__all__ = ["Attempt", "ConnectFailed", "WireStream", "connect", "connect_first", "secure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One connect to one address and how it ended; ``error`` is the errno's symbol."""

    address: str
    duration_ms: float
    error: str | None = None


class ConnectFailed(Exception):
    """No address could be connected; every attempt is kept."""

    def __init__(self, attempts: tuple[Attempt, ...]) -> None:
        super().__init__("; ".join(f"{attempt.address}: {attempt.error}" for attempt in attempts))
        self.attempts = attempts

    @property
    def errors(self) -> frozenset[str]:
        return frozenset(attempt.error or "" for attempt in self.attempts)


class WireStream(httpcore2.AsyncNetworkStream):
    """A live connection that DNS, TCP and TLS steps made and that HTTP goes on with.

    ``start_tls`` on a stream that is already ``secured`` towards its origin gives the stream itself, which
    is how an httpcore2 pool accepts a handshake that was done before it came into being. A tunnel through a
    TLS proxy is not secured in that sense.
    """

    def __init__(self, stream: anyio.abc.ByteStream, *, address: Address, secured: bool = False) -> None:
        self._stream = stream
        self.address = address
        self.secured = secured
        self.received = 0
        self.first_bytes = b""
        self.successor: WireStream | None = None

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        found = self._stream.extra(anyio.streams.tls.TLSAttribute.ssl_object, None)
        return found if isinstance(found, ssl.SSLObject) else None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            with anyio.fail_after(timeout):
                chunk = await self._stream.receive(max_bytes)
        except anyio.EndOfStream:
            return b""
        except TimeoutError as problem:
            raise httpcore2.ReadTimeout(str(problem)) from problem
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError, OSError) as problem:
            raise httpcore2.ReadError(describe(problem)) from problem
        if not self.received:
            self.first_bytes = chunk[:64]
        self.received += len(chunk)
        return chunk

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        try:
            with anyio.fail_after(timeout):
                await self._stream.send(buffer)
        except TimeoutError as problem:
            raise httpcore2.WriteTimeout(str(problem)) from problem
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError, OSError) as problem:
            raise httpcore2.WriteError(describe(problem)) from problem

    async def aclose(self) -> None:
        # A peer that never answers close_notify must not hold us back (RFC 8446 6.1 asks for no answer).
        with anyio.CancelScope(shield=True):
            await anyio.aclose_forcefully(self._stream)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        if self.secured:
            return self
        with anyio.fail_after(timeout):
            self.successor = await secure(self, ssl_context, server_hostname)
            return self.successor

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self.ssl_object
        if info == "client_addr":
            return self._stream.extra(anyio.abc.SocketAttribute.local_address, None)
        if info == "server_addr":
            return self._stream.extra(anyio.abc.SocketAttribute.remote_address, None)
        if info == "socket":
            return self._stream.extra(anyio.abc.SocketAttribute.raw_socket, None)
        if info == "is_readable":
            return _readable(self._stream.extra(anyio.abc.SocketAttribute.raw_socket, None))
        return None

    @property
    def inner(self) -> anyio.abc.ByteStream:
        """The stream below, for a TLS handshake on top of it."""
        return self._stream


def _readable(sock: Any) -> bool:
    """Whether bytes or an EOF wait: on an idle HTTP/1.1 connection, that it has been closed."""
    import select

    if sock is None or sock.fileno() < 0:
        return True
    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(sock.fileno(), select.POLLIN)
        return bool(poller.poll(0))
    return bool(select.select([sock.fileno()], [], [], 0)[0])


async def connect(address: Address) -> WireStream:
    """Connect to one address. Raises OSError with its errno."""
    try:
        stream = await anyio.connect_tcp(address.ip, address.port)
    except OSError as problem:
        # anyio wraps the one failure of the one address; the errno is in its cause.
        cause = problem.__cause__
        raise cause if isinstance(cause, OSError) else problem from None
    return WireStream(stream, address=address)


async def connect_first(addresses: Iterable[Address], *, log: list[Attempt]) -> WireStream:
    """Connect to the first address that answers; ``log`` receives every attempt, also under a deadline.

    Raises ConnectFailed where none does.
    """
    for address in addresses:
        began = time.monotonic()
        error: str | None = "cancelled"
        try:
            stream = await connect(address)
        except OSError as problem:
            error = errno.errorcode.get(problem.errno or 0, type(problem).__name__)
        else:
            error = None
            return stream
        finally:
            elapsed = (time.monotonic() - began) * 1000
            log.append(Attempt(address=str(address), duration_ms=round(elapsed, 1), error=error))
    raise ConnectFailed(tuple(log))


async def secure(
    stream: WireStream, context: ssl.SSLContext, server_hostname: str | None
) -> WireStream:
    """Complete a TLS handshake on ``stream``; on failure it is closed.

    Raises ssl.SSLError, or ConnectionError where the peer closed or reset without a TLS alert.
    """
    try:
        secured = await anyio.streams.tls.TLSStream.wrap(
            stream.inner,
            ssl_context=context,
            hostname=server_hostname,
            standard_compatible=False,
            server_side=False,
        )
    except anyio.EndOfStream as problem:
        await stream.aclose()
        raise ConnectionAbortedError("the peer closed the connection during the TLS handshake") from problem
    except anyio.BrokenResourceError as problem:
        await stream.aclose()
        cause = problem.__cause__
        if isinstance(cause, ssl.SSLError):
            raise cause from None
        raise ConnectionResetError(describe(problem)) from problem
    except BaseException:
        await stream.aclose()
        raise
    return WireStream(secured, address=stream.address, secured=True)


def describe(problem: BaseException) -> str:
    """The most specific words that an exception or one of its causes has."""
    seen: BaseException | None = problem
    text = ""
    while seen is not None:
        text = str(seen) or text
        seen = seen.__cause__
    return text or type(problem).__name__
