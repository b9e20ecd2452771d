"""HTTP+SSE (2024-11-05): one GET stream carries every answer, each request is a POST answered with 202.

The stream's first event is ``endpoint``: the URL, often relative, that takes the POSTs. One background task
reads the stream from its first byte to its close, because a connection must be read where it was opened.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urljoin

from diagnose.connector.address import origin_of
from diagnose.wire.event_stream import Event, EventStream, EventTooLarge
from diagnose.wire.http_wire import ExchangeFailed, HttpWire, Live, sendable
from diagnose.wire.rpc_reply import Problem, RpcReply, StreamReading, read_reply
from diagnose.wire.server_requests import answer_to

__all__ = ["SSE_HEADERS", "SseChannel"]

SSE_HEADERS: Mapping[str, str] = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
"""What httpx2 adds to an event-stream request, so that the server sees what the runtime sends."""

_KEPT_TEXT = 4000
_KEPT_UNASKED = 64


@dataclass(slots=True, kw_only=True)
class SseChannel:
    """The channel of one GET stream.

    ``endpoint_event`` is the event's data as it came, ``endpoint_url`` the same resolved against ``url`` (the
    SSE URL). Nothing may be posted while :attr:`same_origin` is false.
    """

    http: HttpWire
    url: str
    version: str
    era: Literal["legacy", "modern"] = "legacy"
    session_id: str | None = None
    endpoint_event: str | None = None
    endpoint_url: str | None = None
    first_event: str | None = None
    _next_id: int = 0
    _task: asyncio.Task[None] | None = None
    _opened: asyncio.Future[RpcReply] | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: str | None = None
    _reading: StreamReading | None = None
    _answer_text: str = ""
    _unasked: list[Event] = field(default_factory=list)

    @property
    def same_origin(self) -> bool:
        """Whether the endpoint lies on the origin of the stream, as every client demands."""
        if self.endpoint_url is None or not sendable(self.endpoint_url):
            return False
        try:
            return origin_of(self.endpoint_url) == origin_of(self.url)
        except ValueError:
            return False

    @property
    def ended(self) -> str | None:
        """Why the stream is over, or None while it is open."""
        return self._ended

    async def open(self, *, step: str) -> RpcReply:
        """Send the GET, again after a refusal. The reply is the stream's headers, or the whole refusal.

        Raises ExchangeFailed.
        """
        self._ended = None
        self._opened = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._read(step))
        return await asyncio.shield(self._opened)

    async def endpoint(self) -> str | None:
        """Wait for the ``endpoint`` event; None where the stream ended without it. The caller bounds it."""
        while self.endpoint_event is None and self._ended is None:
            await self._waited()
        return self.endpoint_event

    async def begun(self) -> bool:
        """Wait for the first event of any type; false where the stream ended without one."""
        while self.first_event is None and self._ended is None:
            await self._waited()
        return self.first_event is not None

    async def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        step: str,
        name: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
        without: tuple[str, ...] = (),
        credential: bool = True,
    ) -> RpcReply:
        """Post one request and wait for its response on the stream. Raises ExchangeFailed.

        ``name`` is mirrored by later transports only. The exchange of the reply is the POST.
        """
        self._next_id += 1
        reading = StreamReading(request_id=self._next_id)
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": self._next_id, "method": method}
        if params is not None:
            message["params"] = params
        self._reading, self._answer_text = reading, ""
        for event in self._unasked:
            reading.take(event)
        self._unasked.clear()
        try:
            posted = await self._post(
                message,
                method,
                step,
                extra_headers=extra_headers or {},
                without=without,
                credential=credential,
            )
            if posted.http_status >= 300 or posted.message is not None:
                return posted
            while not (reading.answered or reading.flooded or reading.problems or self._ended):
                asked = reading.unserved()
                for request in asked:
                    await self._respond(request, step)
                if not asked:  # while one was answered, news may have come
                    await self._waited()
        finally:
            self._reading = None
        posted.exchange.mark("receive")
        return self._reply(posted, reading)

    async def notify(
        self, method: str, *, step: str, extra_headers: Mapping[str, str] | None = None
    ) -> RpcReply:
        """Post a notification; nothing comes on the stream for it."""
        message = {"jsonrpc": "2.0", "method": method}
        return await self._post(
            message, method, step, extra_headers=extra_headers or {}, without=(), credential=True
        )

    async def end_session(self, *, step: str, body: bytes = b"") -> RpcReply:
        """Close the stream, which is how this transport ends; nothing is sent, ``body`` neither."""
        assert self._opened is not None
        opened = await self._opened
        await self.aclose()
        return opened

    async def aclose(self) -> None:
        """Stop reading and close the stream."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(self._task, return_exceptions=True)

    async def _respond(self, request: Mapping[str, Any], step: str) -> None:
        """Answer a request that the server made on the stream; what comes back for it decides nothing."""
        with suppress(ExchangeFailed):
            await self._post(
                answer_to(request), "response", step, extra_headers={}, without=(), credential=True
            )

    async def _post(
        self,
        message: Mapping[str, Any],
        method: str,
        step: str,
        *,
        extra_headers: Mapping[str, str],
        without: tuple[str, ...],
        credential: bool,
    ) -> RpcReply:
        assert self.endpoint_url is not None
        assert self.same_origin, "the endpoint event's origin is checked before anything is posted"
        # The same two headers that the official client sends here; it adds no version and no session.
        headers = {"Accept": "*/*", "Content-Type": "application/json", **extra_headers}
        async with self.http.open(
            "POST",
            self.endpoint_url,
            step=step,
            headers=headers,
            body=json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode(),
            without=without,
            credential=credential,
        ) as live:
            return await read_reply(live, method, None)

    def _reply(self, posted: RpcReply, reading: StreamReading) -> RpcReply:
        message, problems = reading.outcome()
        if message is None and self._ended and not reading.problems:
            problems = (Problem(kind="stream-ended", detail=self._ended),)
        return replace(
            posted,
            status=posted.status,
            content_type="text/event-stream",
            message=message,
            others=tuple(reading.others),
            problems=problems,
            text=self._answer_text or posted.text,
            largest_event=reading.largest,
            streamed=True,
        )

    async def _read(self, step: str) -> None:
        assert self._opened is not None
        try:
            async with self.http.open("GET", self.url, step=step, headers=SSE_HEADERS) as live:
                if live.status != 200 or live.content_type != "text/event-stream":
                    self._opened.set_result(await read_reply(live, "GET", None))
                    return
                self._opened.set_result(_headers_only(live))
                await self._follow(live)
        except ExchangeFailed as problem:
            if not self._opened.done():
                self._opened.set_exception(problem)
            self._ended = f"the event stream broke: {problem.detail}"
        except EventTooLarge as problem:
            self._ended = f"the event stream was given up: {problem}"
        except Exception as problem:
            # Whoever waits must get it: the cancelled future below would end the whole run instead.
            if self._opened.done():
                raise
            self._opened.set_exception(problem)
        finally:
            self._ended = self._ended or "the server ended the event stream"
            self._news.set()
            if not self._opened.done():
                self._opened.cancel()

    async def _follow(self, live: Live) -> None:
        events = EventStream(limit=live.limit)
        async for chunk in live.chunks():
            for event in events.feed(chunk):
                self._take(event)
            self._news.set()

    def _take(self, event: Event) -> None:
        if self.first_event is None:
            self.first_event = event.type
        if event.type == "endpoint" and self.endpoint_event is None:
            self.endpoint_event = event.data
            self.endpoint_url = _resolved(self.url, event.data)
        elif self._reading is not None:
            self._reading.take(event)
            if self._reading.answered and not self._answer_text:
                self._answer_text = event.data[:_KEPT_TEXT]
        elif event.type == "message" and len(self._unasked) < _KEPT_UNASKED:
            self._unasked.append(event)

    async def _waited(self) -> None:
        self._news.clear()
        await self._news.wait()


def _resolved(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference)
    except ValueError:
        return reference  # no URL: it has no origin either, and nothing is posted to it


def _headers_only(live: Live) -> RpcReply:
    return RpcReply(
        method="GET",
        status=live.status,
        content_type=live.content_type,
        message=None,
        exchange=live.exchange,
        streamed=True,
    )
