"""TCP and TLS as separate awaits, in the stream type that httpcore2 takes over."""

from __future__ import annotations

import asyncio
import errno
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

import anyio
import anyio.abc
import anyio.streams.tls
import httpcore2

from diagnose.records import record
from diagnose.wire.handshake import Handshake
from diagnose.wire.resolver import Address

__all__ = [
    "NO_ANSWER",
    "Attempt",
    "ConnectFailed",
    "WireStream",
    "connect",
    "connect_first",
    "describe",
    "secure",
]

NO_ANSWER = "no answer"
"""The ``error`` of an attempt that was given up before anything came back."""

# RFC 8305 5, and the delay of anyio.connect_tcp, on which httpx2 runs.
_STAGGER = 0.25
_GRACE = 1.0
# How often a wait looks at what came in below the data: session tickets and the like.
_GLANCE = 0.05


@record
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
        self.expects: bytes = b""
        self._peeked: bytes | None = None

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        found = self._attribute(anyio.streams.tls.TLSAttribute.ssl_object)
        return found if isinstance(found, ssl.SSLObject) else None

    async def peek(self, seconds: float, *, enough: Callable[[], bool] = lambda: False) -> bytes | None:
        """What arrives within ``seconds``, kept for ``read``; None for nothing, empty for an end of stream.

        Ends early when ``enough`` holds. Raises httpcore2.ReadError.
        """
        until = time.monotonic() + seconds
        while self._peeked is None and not enough() and (left := until - time.monotonic()) > 0:
            try:
                self._peeked = await self.read(65536, min(left, _GLANCE))
            except httpcore2.ReadTimeout:
                continue
        return self._peeked

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._peeked is not None:
            kept, rest = self._peeked[:max_bytes], self._peeked[max_bytes:]
            self._peeked = rest or None
            return kept
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
            # Another protocol's greeting may never end a line: say so now instead of waiting for the rest.
            if not self.expects.startswith(chunk[: len(self.expects)]):
                raise httpcore2.RemoteProtocolError(f"the first bytes are {chunk[:16]!r}")
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
        try:
            with anyio.fail_after(timeout):
                self.successor = await secure(self, ssl_context, server_hostname)
        except TimeoutError as problem:
            raise httpcore2.ConnectTimeout(str(problem)) from problem
        except (ssl.SSLError, OSError) as problem:
            raise httpcore2.ConnectError(describe(problem)) from problem
        return self.successor

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self.ssl_object
        if info == "client_addr":
            return self._attribute(anyio.abc.SocketAttribute.local_address)
        if info == "server_addr":
            return self._attribute(anyio.abc.SocketAttribute.remote_address)
        if info == "socket":
            return self._attribute(anyio.abc.SocketAttribute.raw_socket)
        if info == "is_readable":
            return _readable(self._attribute(anyio.abc.SocketAttribute.raw_socket))
        return None

    def _attribute(self, key: Any) -> Any:
        return self._stream.extra(key, None)  # noqa: S610 - anyio's word, not Django's

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


def _runtime_order(addresses: Iterable[Address]) -> list[Address]:
    """The first IPv6 address, then the first IPv4 one, then the rest: what anyio does under httpx2."""
    rest = list(addresses)
    first = [next((address for address in rest if address.family == family), None) for family in (6, 4)]
    if None in first:
        return rest
    leading = [address for address in first if address is not None]
    return leading + [address for address in rest if address not in leading]


async def connect_first(addresses: Iterable[Address], *, log: list[Attempt]) -> WireStream:
    """Connect as the runtime does: a new address after each refusal and after each 250 ms of silence.

    ``log`` receives every attempt, also under a deadline. Raises ConnectFailed where no address answers.
    """
    waiting = _runtime_order(addresses)
    race = _Race(log)
    try:
        while waiting or race.running:
            if waiting:
                race.start(waiting.pop(0))
            winner = await race.step(_STAGGER if waiting else None)
            if winner is not None:
                # An address that is only slow is not a broken one: the silent ones get a moment more.
                await race.settle(_GRACE)
                return race.take()
    finally:
        await race.end()
    raise ConnectFailed(tuple(log))


class _Race:
    """Connects that run side by side; the first one that succeeds is kept, the others are recorded."""

    def __init__(self, log: list[Attempt]) -> None:
        self.running: dict[asyncio.Task[WireStream], tuple[Address, float]] = {}
        self._log = log
        self._winner: WireStream | None = None

    def start(self, address: Address) -> None:
        self.running[asyncio.ensure_future(connect(address))] = (address, time.monotonic())

    async def step(self, seconds: float | None) -> WireStream | None:
        """Wait for the next outcome, at most ``seconds``; the stream that won, if any."""
        done, _ = await asyncio.wait(self.running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await self._note(task)
        return self._winner

    async def settle(self, seconds: float) -> None:
        if self.running:
            done, _ = await asyncio.wait(self.running, timeout=seconds)
            for task in done:
                await self._note(task)

    def take(self) -> WireStream:
        winner, self._winner = self._winner, None
        assert winner is not None
        return winner

    async def end(self) -> None:
        """Cancel and record what still runs, and close a winner that nobody took."""
        for task, (address, began) in self.running.items():
            task.cancel()
            self._record(address, began, NO_ANSWER)
        for outcome in await asyncio.gather(*self.running, return_exceptions=True):
            if isinstance(outcome, WireStream):
                await outcome.aclose()
        if self._winner is not None:
            await self._winner.aclose()

    async def _note(self, task: asyncio.Task[WireStream]) -> None:
        address, began = self.running.pop(task)
        problem = task.exception()
        if isinstance(problem, OSError):
            self._record(address, began, _symbol(problem))
        elif problem is not None:
            raise problem
        else:
            self._record(address, began, None)
            if self._winner is None:
                self._winner = task.result()
            else:
                await task.result().aclose()

    def _record(self, address: Address, began: float, error: str | None) -> None:
        elapsed = round((time.monotonic() - began) * 1000, 1)
        self._log.append(Attempt(address=str(address), duration_ms=elapsed, error=error))


def _symbol(problem: OSError) -> str:
    """The errno's POSIX symbol, also where Windows has its own number for it."""
    for kind, symbol in (
        (ConnectionRefusedError, "ECONNREFUSED"),
        (ConnectionResetError, "ECONNRESET"),
        (TimeoutError, "ETIMEDOUT"),
    ):
        if isinstance(problem, kind):
            return symbol
    return errno.errorcode.get(problem.errno or 0, type(problem).__name__).removeprefix("WSA")


async def secure(
    stream: WireStream,
    context: ssl.SSLContext,
    server_hostname: str | None,
    *,
    record: Handshake | None = None,
) -> WireStream:
    """Complete a TLS handshake on ``stream``; on failure it is closed. ``record`` receives what was seen.

    Raises ssl.SSLError, or ConnectionError where the peer closed or reset without a TLS alert.
    """
    seen = record if record is not None else Handshake()
    # A context can be shared, and shows its messages to one watcher only: to whom it was asked for.
    watched = seen.watching(context) if record is not None else nullcontext()
    try:
        with watched:
            secured = await anyio.streams.tls.TLSStream.wrap(
                seen.tap(stream.inner),
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
    secured.transport_stream = stream.inner
    return WireStream(secured, address=stream.address, secured=True)


def describe(problem: BaseException) -> str:
    """The most specific words that an exception or one of its causes has."""
    seen: BaseException | None = problem
    text = ""
    while seen is not None:
        text = str(seen) or text
        seen = seen.__cause__
    return text or type(problem).__name__
