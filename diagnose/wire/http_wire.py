"""One HTTP exchange at a time, recorded, bounded and with the credential on its own origin only.

Redirects are never followed here: a redirect is an observation. Content codings beyond one layer of gzip
or deflate are refused, and the byte limit counts what comes out of the decoder (security: a 408 KB gzip
body can hold 400 MB).
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx2

from diagnose.connector.address import Origin, origin_of
from diagnose.connector.credential import Applied
from diagnose.records import record
from diagnose.wire.dial import ProxyRefused
from diagnose.wire.failure import ExchangeFailed, FailureKind
from diagnose.wire.recorder import Recorded, Recorder
from diagnose.wire.resolver import ResolutionFailed
from diagnose.wire.sockets import ConnectFailed, WireStream, describe
from diagnose.wire.transport import StagedTransport

__all__ = ["Answer", "ExchangeFailed", "FailureKind", "HttpWire", "Live", "media_type", "sendable"]

_IDENTITY = frozenset({"", "identity"})
# Window bits of zlib; servers send "deflate" with and without the zlib header that RFC 9110 8.4.1.2 asks for.
_ZLIB_BITS = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}
_PIECE = 256 * 1024


@record
class Answer:
    """A complete answer: status, headers as pairs, and the decoded body."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    exchange: Recorded

    def header(self, name: str) -> str | None:
        return self.exchange.header(name)

    def header_all(self, name: str) -> tuple[str, ...]:
        return tuple(value for key, value in self.headers if key.lower() == name.lower())

    @property
    def content_type(self) -> str:
        """The media type without parameters, in lower case; empty where none was sent."""
        return media_type(self.header("content-type"))

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def sendable(url: str) -> bool:
    """Whether a request can be made to ``url`` at all: what a stranger names as one may be anything."""
    try:
        return bool(httpx2.URL(url).host)
    except (httpx2.InvalidURL, ValueError, UnicodeError):
        return False


def media_type(value: str | None) -> str:
    """The media type of a Content-Type value, without parameters, in lower case."""
    return (value or "").partition(";")[0].strip().lower()


class Live:
    """An answer whose headers are here and whose body is still coming."""

    def __init__(self, response: httpx2.Response, exchange: Recorded, *, limit: int) -> None:
        self._response = response
        self._limit = limit
        self.exchange = exchange
        self.status = response.status_code

    def header(self, name: str) -> str | None:
        return self.exchange.header(name)

    @property
    def content_type(self) -> str:
        return media_type(self.header("content-type"))

    @property
    def limit(self) -> int:
        """Bytes of the decoded body that are read at most."""
        return self._limit

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The decoded body, piece by piece. Raises ExchangeFailed."""
        decoder = self._decoder()
        size = 0
        try:
            assert isinstance(self._response.stream, httpx2.AsyncByteStream)
            async for raw in self._response.stream:
                for piece in decoder.pieces(raw):
                    size += len(piece)
                    self.exchange.keep(piece)
                    if size > self._limit:
                        raise self._failed("too-large", f"the decoded body passes {self._limit} bytes")
                    yield piece
            if decoder.unfinished:
                raise self._failed("truncated", "the compressed body ends before it is complete")
        except httpx2.RemoteProtocolError as problem:
            raise self._failed("truncated", describe(problem)) from problem
        except (httpx2.NetworkError, httpx2.TimeoutException) as problem:
            raise self._failed("reset", describe(problem)) from problem
        except zlib.error as problem:
            detail = f"Content-Encoding: {self.header('content-encoding')}, but the body is not: {problem}"
            raise self._failed("encoding", detail) from problem
        finally:
            self.exchange.mark("receive")

    async def read(self) -> Answer:
        """The whole body. Raises ExchangeFailed."""
        body = b"".join([chunk async for chunk in self.chunks()])
        return self._answer(body)

    def _answer(self, body: bytes) -> Answer:
        return Answer(
            status=self.status,
            reason=self.exchange.reason,
            headers=self.exchange.response_headers,
            body=body,
            exchange=self.exchange,
        )

    def _decoder(self) -> _Decoder:
        codings = [part.strip().lower() for part in (self.header("content-encoding") or "").split(",")]
        codings = [coding for coding in codings if coding not in _IDENTITY]
        if len(codings) > 1 or (codings and codings[0] not in _ZLIB_BITS):
            raise self._failed("encoding", f"Content-Encoding: {', '.join(codings)}")
        return _Decoder(_ZLIB_BITS[codings[0]] if codings else ())

    def _failed(self, kind: FailureKind, detail: str) -> ExchangeFailed:
        self.exchange.error = detail
        return ExchangeFailed(kind, detail, self.exchange)


class _Decoder:
    """One content coding, or none. Output comes in small pieces: a few bytes can hold megabytes."""

    def __init__(self, window_bits: tuple[int, ...]) -> None:
        self._choices = window_bits
        self._inflate: Any = None

    @property
    def unfinished(self) -> bool:
        """Whether a compressed body began and did not reach its end."""
        return self._inflate is not None and not self._inflate.eof

    def pieces(self, raw: bytes) -> Iterator[bytes]:
        """The output that ``raw`` completes. Raises zlib.error."""
        if not self._choices:
            yield from ((raw,) if raw else ())
            return
        first = self._begin(raw) if self._inflate is None and raw else None
        if first is not None:
            yield first
            raw = self._inflate.unconsumed_tail
        # What follows the end of the compressed data is no part of the body, and zlib would hoard it.
        while raw and not self._inflate.eof:
            piece = self._inflate.decompress(raw, _PIECE)
            raw = self._inflate.unconsumed_tail
            if piece:
                yield piece

    def _begin(self, raw: bytes) -> bytes:
        for bits in self._choices[:-1]:
            self._inflate = zlib.decompressobj(bits)
            try:
                return bytes(self._inflate.decompress(raw, _PIECE))
            except zlib.error:
                continue
        self._inflate = zlib.decompressobj(self._choices[-1])
        return bytes(self._inflate.decompress(raw, _PIECE))


class HttpWire:
    """Sends requests over a staged transport and keeps a record of each."""

    def __init__(
        self,
        transport: StagedTransport,
        recorder: Recorder,
        *,
        authorize: Callable[[str], Applied],
        user_agent: str,
        body_limit: int,
    ) -> None:
        self.transport = transport
        self.recorder = recorder
        self.body_limit = body_limit
        self._authorize = authorize
        self.user_agent = user_agent
        # httpx2's client keeps cookies, and so production does: a balancer may find a session's replica by
        # one. Theirs go by host (RFC 6265), ours by origin.
        self._cookies: dict[Origin, httpx2.Cookies] = {}

    @asynccontextmanager
    async def open(
        self,
        method: str,
        url: str,
        *,
        step: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        credential: bool = True,
        without: tuple[str, ...] = (),
        limit: int | None = None,
    ) -> AsyncIterator[Live]:
        """Send one request and give the answer as soon as its headers are here.

        ``credential=False`` leaves out the credential, the connector's headers and every cookie, also the
        answer's; ``without`` names headers to leave out, for contrasts. Raises ExchangeFailed.
        """
        target, sent = self._prepared(url, headers or {}, body, credential=credential, without=without)
        exchange = self.recorder.begin(step, method, target, sent, body)
        request = httpx2.Request(
            method, target, headers=sent, content=body or None, extensions={"trace": _tracer(exchange)}
        )
        response = await self._send(request, exchange, keep_cookies=credential)
        live = Live(response, exchange, limit=limit or self.body_limit)
        try:
            yield live
        finally:
            await response.aclose()

    async def fetch(self, method: str, url: str, **request: Any) -> Answer:
        """Send one request and read the whole answer. Takes what ``open`` takes. Raises ExchangeFailed."""
        async with self.open(method, url, **request) as live:
            return await live.read()

    def _prepared(
        self, url: str, headers: Mapping[str, str], body: bytes, *, credential: bool, without: tuple[str, ...]
    ) -> tuple[str, dict[str, str]]:
        applied = self._authorize(url) if credential else Applied()
        left_out = {name.lower() for name in without}
        # What httpx2 sends by default, in its order: an edge that judges clients by it must see the same.
        merged = {
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            "Connection": "keep-alive",
            "User-Agent": self.user_agent,
        }
        for source in (applied.headers, headers):
            for name, value in source.items():
                spelled = next((known for known in merged if known.lower() == name.lower()), name)
                merged[spelled] = value
        if body:
            merged["Content-Length"] = str(len(body))
        cookie = self._cookie(url) if credential else None
        if cookie is not None and not any(name.lower() == "cookie" for name in merged):
            merged["Cookie"] = cookie
        kept = {name: value for name, value in merged.items() if name.lower() not in left_out}
        return _with_query(url, applied.query), {"Host": _host(url), **kept}

    def _cookie(self, url: str) -> str | None:
        kept = self._cookies.get(origin_of(url)) if self._cookies else None
        if kept is None:
            return None
        request = httpx2.Request("GET", url)
        kept.set_cookie_header(request)
        return request.headers.get("cookie")

    async def _send(
        self, request: httpx2.Request, exchange: Recorded, *, keep_cookies: bool
    ) -> httpx2.Response:
        def failed(kind: FailureKind, problem: BaseException) -> ExchangeFailed:
            exchange.error = describe(problem)
            exchange.mark("wait")
            return ExchangeFailed(kind, exchange.error, exchange)

        exchange.watch(lambda: self.transport.received)
        try:
            response = await self.transport.handle_async_request(request)
        except ResolutionFailed as problem:
            raise failed("dns", problem) from problem
        except ConnectFailed as problem:
            raise failed("tcp", problem) from problem
        except ProxyRefused as problem:
            raise failed("proxy", problem) from problem
        except (httpx2.NetworkError, httpx2.RemoteProtocolError, ssl.SSLError, OSError) as problem:
            raise failed(_kind(problem), problem) from problem
        finally:
            exchange.settle()
            newest = self.transport.newest  # also of an exchange that a deadline ends
            if newest is not None:
                exchange.peer, exchange.first_bytes = newest.address.ip, newest.first_bytes
        exchange.mark("wait")
        exchange.status = response.status_code
        stream = response.extensions.get("network_stream")
        if isinstance(stream, WireStream):
            exchange.peer = stream.address.ip
        reason = response.extensions.get("reason_phrase", b"")
        exchange.reason = reason.decode("latin-1")
        exchange.http_version = response.extensions.get("http_version", b"").decode("latin-1")
        exchange.response_headers = tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw
        )
        cookies = response.headers.get_list("set-cookie")
        # One outside ASCII could not be sent back: no header may carry it.
        if keep_cookies and cookies and all(cookie.isascii() for cookie in cookies):
            response.request = request
            self._cookies.setdefault(origin_of(str(request.url)), httpx2.Cookies()).extract_cookies(response)
        return response

    async def aclose(self) -> None:
        await self.transport.aclose()


def _kind(problem: BaseException) -> FailureKind:
    chain: list[BaseException] = []
    seen: BaseException | None = problem
    while seen is not None and seen not in chain:
        chain.append(seen)
        seen = seen.__cause__ or seen.__context__
    text = " ".join(str(item) for item in chain)
    if any(isinstance(item, ssl.SSLCertVerificationError) for item in chain):
        return "tls"
    if any(isinstance(item, ssl.SSLError) and "ALERT" in (item.reason or "") for item in chain):
        return "tls-alert"
    if any(isinstance(item, ssl.SSLError) for item in chain):
        return "tls"
    if "disconnected without sending" in text:
        return "closed"
    if "too long" in text or "too large" in text:
        return "headers-too-large"
    if isinstance(problem, httpx2.RemoteProtocolError):
        return "not-http"
    return "reset"


def _tracer(exchange: Recorded) -> Callable[[str, dict[str, Any]], Any]:
    phases = {
        "connection.connect_tcp.complete": "connect",
        "connection.start_tls.complete": "tls",
        "http11.send_request_body.complete": "send",
    }

    async def trace(name: str, _: dict[str, Any]) -> None:
        if name in phases:
            exchange.mark(phases[name])

    return trace


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _with_query(url: str, extra: Mapping[str, str]) -> str:
    if not extra:
        return url
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in extra]
    return urlunsplit(parts._replace(query=urlencode([*query, *extra.items()])))
