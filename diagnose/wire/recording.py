"""Watches somebody else's requests: a transport that records what an httpx2 client sends and gets.

It reads with the limits of our own wire, because the client above it may have none: what passes the limit
ends the answer with a read error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx2

from diagnose.redact import Redactor
from diagnose.wire.http_wire import ExchangeFailed, Live
from diagnose.wire.recorder import Recorded, Recorder
from diagnose.wire.sockets import describe

__all__ = ["RecordingTransport"]

_CHANGED_BY_DECODING = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class RecordingTransport(httpx2.AsyncBaseTransport):
    """Sends through ``inner`` and records under :attr:`step`, which its owner sets as things go on."""

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        recorder: Recorder,
        redactor: Redactor,
        *,
        step: str,
        body_limit: int,
    ) -> None:
        self.step = step
        self.exchanges: list[Recorded] = []
        self._inner = inner
        self._recorder = recorder
        self._redactor = redactor
        self._body_limit = body_limit

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        exchange = self._recorder.begin(self.step, request.method, str(request.url), {}, body)
        exchange.request_headers = _pairs(request.headers)
        self.exchanges.append(exchange)
        try:
            response = await self._inner.handle_async_request(request)
        except httpx2.TransportError as problem:
            exchange.error = describe(problem)
            exchange.mark("wait")
            raise
        exchange.mark("wait")
        exchange.status = response.status_code
        exchange.reason = response.extensions.get("reason_phrase", b"").decode("latin-1")
        exchange.http_version = response.extensions.get("http_version", b"").decode("latin-1")
        exchange.response_headers = _pairs(response.headers)
        session = exchange.header("mcp-session-id")
        if session:
            self._redactor.register(session)
        kept = [pair for pair in exchange.response_headers if pair[0].lower() not in _CHANGED_BY_DECODING]
        return httpx2.Response(
            status_code=response.status_code,
            headers=kept,
            stream=_Bounded(Live(response, exchange, limit=self._body_limit), response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, live: Live, response: httpx2.Response) -> None:
        self._live = live
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async with aclosing(self._live.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ExchangeFailed as problem:
            kind = httpx2.RemoteProtocolError if problem.kind == "truncated" else httpx2.ReadError
            raise kind(problem.detail) from problem

    async def aclose(self) -> None:
        await self._response.aclose()


def _pairs(headers: httpx2.Headers) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.raw)
