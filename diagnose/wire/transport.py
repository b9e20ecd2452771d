"""An httpx2 transport over a connection that somebody else opened.

``StagedTransport`` is public: stage a live stream and every httpx2 client, the official SDK's included,
runs on it. Connections beyond the staged one are dialled by the function given.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any

import httpcore2
import httpx2

from diagnose.wire.sockets import WireStream

__all__ = ["Dial", "StagedTransport"]

Dial = Callable[[str, int], Awaitable[WireStream]]
"""Opens a stream to host and port; it may already be secured (through a proxy tunnel it is not)."""


class _Backend(httpcore2.AsyncNetworkBackend):
    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._staged: dict[tuple[str, int], WireStream] = {}
        self.streams: list[WireStream] = []

    def stage(self, host: str, port: int, stream: WireStream) -> None:
        self._staged[_absolute(host), port] = stream

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        staged = self._staged.pop((_absolute(host), port), None)
        stream = staged if staged is not None else await self._dial(host, port)
        stream.expects = b"HTTP/"
        self.streams.append(stream)
        return stream

    def received(self) -> int:
        """Bytes read so far, over all connections."""
        return sum(stream.received for opened in self.streams for stream in _layers(opened))

    async def discard(self) -> None:
        for stream in self._staged.values():
            await stream.aclose()
        self._staged.clear()


def _absolute(host: str) -> str:
    """One spelling for a host with and without the dot of the root."""
    return host.lower().rstrip(".")


def _layers(stream: WireStream) -> Iterator[WireStream]:
    """A stream and the TLS that was put on top of it."""
    layer: WireStream | None = stream
    while layer is not None:
        yield layer
        layer = layer.successor


class _Body(httpx2.AsyncByteStream):
    def __init__(self, body: Any) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._body:
                yield chunk
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as problem:
            raise _translated(problem) from problem

    async def aclose(self) -> None:
        await self._body.aclose()


class StagedTransport(httpx2.AsyncBaseTransport):
    """HTTP/1.1 over streams that were opened, and timed, outside of it.

    ``forward_proxy`` is given where requests for plain ``http`` URLs go to a proxy in absolute form.
    """

    def __init__(
        self,
        dial: Dial,
        ssl_context: ssl.SSLContext,
        *,
        forward_proxy: httpx2.Proxy | None = None,
    ) -> None:
        self._backend = _Backend(dial)
        self._pool: httpcore2.AsyncConnectionPool
        if forward_proxy is None:
            self._pool = httpcore2.AsyncConnectionPool(ssl_context=ssl_context, network_backend=self._backend)
        else:
            self._pool = httpcore2.AsyncHTTPProxy(
                proxy_url=httpcore2.URL(
                    scheme=forward_proxy.url.raw_scheme,
                    host=forward_proxy.url.raw_host,
                    port=forward_proxy.url.port,
                    target=forward_proxy.url.raw_path,
                ),
                proxy_auth=forward_proxy.raw_auth,
                ssl_context=ssl_context,
                network_backend=self._backend,
            )

    @property
    def connections(self) -> int:
        """How many connections were taken so far, the staged ones included."""
        return len(self._backend.streams)

    @property
    def received(self) -> int:
        """Bytes read so far, over all connections."""
        return self._backend.received()

    @property
    def newest(self) -> WireStream | None:
        """The connection that was opened last, as HTTP uses it."""
        streams = self._backend.streams
        return list(_layers(streams[-1]))[-1] if streams else None

    def stage(self, host: str, port: int, stream: WireStream) -> None:
        """Hand over a live stream; the next request to that host and port runs on it."""
        self._backend.stage(host, port, stream)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, AsyncIterable)
        core_request = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            response = await self._pool.handle_async_request(core_request)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as problem:
            raise _translated(problem) from problem
        return httpx2.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response.stream),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()
        await self._backend.discard()


def _translated(problem: Exception) -> httpx2.TransportError:
    """The exception of the same name in httpx2; the two libraries keep the same tree."""
    kind = getattr(httpx2, type(problem).__name__, httpx2.TransportError)
    made = kind(str(problem))
    assert isinstance(made, httpx2.TransportError)
    return made
