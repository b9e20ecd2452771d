"""What came back for one JSON-RPC request, with everything that the wire showed kept.

Nothing is raised for what a server does wrong inside an HTTP 200: a reply lists its problems, and the
check that owns the symptom judges them. An HTTP error body is matched with its own POST, never by its id:
real servers answer ``"id":"server-error"`` or null (MCP Python SDK 1.30, TypeScript SDK 1.32).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from diagnose.records import record
from diagnose.wire.event_stream import Event, EventStream, EventTooLarge
from diagnose.wire.failure import ExchangeFailed
from diagnose.wire.recorder import Recorded
from diagnose.wire.server_requests import Respond
from diagnose.wire.strict_json import HostileJson, Parsed, parse

if TYPE_CHECKING:
    from diagnose.wire.http_wire import Live

__all__ = ["Problem", "ProblemKind", "RpcReply", "StreamReading", "judge_message", "read_reply"]

_MOST_SERVED = 8
_EVENTS_BEFORE_ANSWER = 64
_KEPT_TEXT = 4000
_FINISHING_S = 0.25
"""How long a stream may take to end after the response: it SHOULD end then, and an open one is legal."""

ProblemKind = Literal[
    "empty-body",
    "not-json",
    "hostile-json",
    "not-jsonrpc",
    "batch",
    "duplicate-member",
    "id-mismatch",
    "id-type",
    "result-and-error",
    "error-shape",
    "stream-ended",
    "event-flood",
    "event-too-large",
    "duplicate-response",
]


@record
class Problem:
    """Something in an answer that JSON-RPC or MCP forbids."""

    kind: ProblemKind
    detail: str


@record
class RpcReply:
    """What came back for one request.

    ``message`` is the JSON-RPC response, if there is one; ``others`` are messages that came before or
    after it on the same stream: notifications, and requests that the server made. ``status`` is None
    where the carrier has none (stdio).
    """

    method: str
    status: int | None
    content_type: str
    message: Mapping[str, Any] | None
    exchange: Recorded
    others: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[Problem, ...] = ()
    text: str = ""
    largest_event: int = 0
    streamed: bool = False
    last_event_id: str | None = None
    retry_ms: int | None = None

    @property
    def http_status(self) -> int:
        """The status of a reply that came over HTTP."""
        assert self.status is not None, "every HTTP answer has a status"
        return self.status

    @property
    def refused(self) -> bool:
        """Whether the carrier itself refused: an HTTP status that is no success."""
        return self.status is not None and self.status >= 300

    @property
    def result(self) -> Mapping[str, Any] | None:
        """The result object of a success, else None."""
        if self.message is None or "result" not in self.message:
            return None
        result = self.message["result"]
        return result if isinstance(result, Mapping) else None

    @property
    def error(self) -> Mapping[str, Any] | None:
        """The error object of a failure, else None."""
        if self.message is None:
            return None
        error = self.message.get("error")
        return error if isinstance(error, Mapping) else None

    @property
    def error_code(self) -> int | None:
        code = self.error.get("code") if self.error else None
        return code if isinstance(code, int) and not isinstance(code, bool) else None

    @property
    def error_message(self) -> str:
        return str(self.error.get("message", "")) if self.error else ""

    def problem(self, *kinds: ProblemKind) -> Problem | None:
        """The first problem of one of these kinds."""
        return next((problem for problem in self.problems if problem.kind in kinds), None)

    def header(self, name: str) -> str | None:
        return self.exchange.header(name)

    @property
    def server_requests(self) -> tuple[Mapping[str, Any], ...]:
        """Requests that the server made on our stream (sampling, elicitation, roots)."""
        return tuple(other for other in self.others if "method" in other and "id" in other)


async def read_reply(
    live: Live, method: str, request_id: int | None, respond: Respond | None = None
) -> RpcReply:
    """Read what answers a POST: one JSON document, an event stream, or nothing. Raises ExchangeFailed.

    ``request_id`` None is a notification, or a DELETE: nothing is waited for on a stream. ``respond`` is
    given the requests that the server makes on the stream before its response.
    """
    streamed = live.content_type == "text/event-stream" and live.status < 300
    if streamed and request_id is not None:
        return await _read_stream(live, method, request_id, respond)
    body = b"" if streamed else await _whole_body(live)
    message, problems = _read_document(body, request_id, live)
    return RpcReply(
        method=method,
        status=live.status,
        content_type=live.content_type,
        message=message,
        exchange=live.exchange,
        problems=problems,
        text=body[:_KEPT_TEXT].decode("utf-8", "replace"),
    )


async def _whole_body(live: Live) -> bytes:
    try:
        return (await live.read()).body
    except ExchangeFailed:
        if live.status < 300:
            raise
        # A refusal is told by its status; how its body was damaged must not hide that.
        return bytes(live.exchange.body)


def _read_document(
    body: bytes, request_id: int | None, live: Live
) -> tuple[Mapping[str, Any] | None, tuple[Problem, ...]]:
    if not body.strip():
        empty = request_id is not None and live.status != 202
        return None, (Problem(kind="empty-body", detail="the body is empty"),) if empty else ()
    if "json" not in live.content_type and live.status < 300:
        return None, ()
    try:
        parsed = parse(body)
    except HostileJson as problem:
        return None, (_unreadable(problem),)
    message, problems = judge_message(parsed.value, request_id if live.status < 300 else None)
    return message, (*problems, *_duplicates(parsed))


def _duplicates(parsed: Parsed) -> tuple[Problem, ...]:
    if not parsed.duplicates:
        return ()
    names = ", ".join(sorted(set(parsed.duplicates))[:8])
    return (Problem(kind="duplicate-member", detail=f"twice in one object: {names}"),)


def _unreadable(problem: HostileJson) -> Problem:
    return Problem(kind="not-json" if problem.syntax else "hostile-json", detail=str(problem))


def judge_message(value: Any, request_id: int | None) -> tuple[Mapping[str, Any] | None, tuple[Problem, ...]]:
    """A response and what is wrong with it; ``request_id`` None accepts any id."""
    if isinstance(value, list):
        return None, (Problem(kind="batch", detail="a JSON array (batches ended with 2025-06-18)"),)
    if not isinstance(value, Mapping) or value.get("jsonrpc") != "2.0":
        return None, (Problem(kind="not-jsonrpc", detail='no "jsonrpc": "2.0"'),)
    if "result" not in value and "error" not in value:
        return None, (Problem(kind="not-jsonrpc", detail="neither result nor error"),)
    problems: list[Problem] = []
    error = value.get("error")
    # Serializers that print empty members write "error": null beside a result; the runtime reads past it.
    failed = "error" in value and not ("result" in value and error is None)
    if "result" in value and failed:
        problems.append(Problem(kind="result-and-error", detail="both result and error"))
    if failed and not _is_error(error):
        problems.append(Problem(kind="error-shape", detail="error lacks an integer code or a message"))
    if request_id is not None and value.get("id") != request_id:
        problems.append(_id_problem(value, request_id))
    return value, tuple(problems)


def _is_error(error: Any) -> bool:
    return (
        isinstance(error, Mapping)
        and isinstance(error.get("code"), int)
        and not isinstance(error.get("code"), bool)
        and isinstance(error.get("message"), str)
    )


def _id_problem(value: Mapping[str, Any], request_id: int) -> Problem:
    got = value.get("id", "absent") if "id" in value else "absent"
    if got == str(request_id):
        return Problem(kind="id-type", detail=f'sent {request_id}, answered "{got}" as a string')
    return Problem(kind="id-mismatch", detail=f"sent {request_id}, answered {json.dumps(got)}")


async def _read_stream(live: Live, method: str, request_id: int, respond: Respond | None) -> RpcReply:
    """Read events until the response is there, then give the server a moment to end the stream."""
    reading = StreamReading(request_id=request_id)
    events = EventStream(limit=live.limit)
    try:
        async with aclosing(live.chunks()) as chunks:
            await _until(chunks, events, reading, respond)
            if reading.message is not None and not reading.flooded:
                await _finish(chunks, events, reading)
    except EventTooLarge as problem:
        reading.problems.append(Problem(kind="event-too-large", detail=str(problem)))
    except ExchangeFailed as problem:
        # After the response the stream owes us nothing; before it, a cut is the end of the stream.
        if not reading.answered and problem.kind != "truncated":
            raise
    message, problems = reading.outcome()
    if not reading.count and bytes(live.exchange.body[:64]).lstrip()[:1] in (b"{", b"["):
        problems = tuple(_labelled_stream(problem) for problem in problems)
    return RpcReply(
        method=method,
        status=live.status,
        content_type=live.content_type,
        message=message,
        exchange=live.exchange,
        others=tuple(reading.others),
        problems=problems,
        text=bytes(live.exchange.body[:_KEPT_TEXT]).decode("utf-8", "replace"),
        largest_event=reading.largest,
        streamed=True,
        last_event_id=reading.last_id,
        retry_ms=events.retry_ms,
    )


def _labelled_stream(problem: Problem) -> Problem:
    """The end of a stream that was none: a JSON document has no line that begins an event."""
    if problem.kind != "stream-ended":
        return problem
    detail = "the body is a JSON document under Content-Type: text/event-stream, so no event is in it"
    return Problem(kind=problem.kind, detail=detail)


async def _until(
    chunks: AsyncIterator[bytes], events: EventStream, reading: StreamReading, respond: Respond | None
) -> None:
    async for chunk in chunks:
        for event in events.feed(chunk):
            reading.take(event)
        if reading.answered or reading.flooded:
            return
        if respond is not None:
            for request in reading.unserved():
                await respond(request)


async def _finish(chunks: AsyncIterator[bytes], events: EventStream, reading: StreamReading) -> None:
    """Read to the end, so that the connection can serve the next request, but not for long."""
    try:
        async with asyncio.timeout(_FINISHING_S):
            async for chunk in chunks:
                for event in events.feed(chunk):
                    reading.take(event)
    except TimeoutError:
        return  # the stream stays open after the response; the connection is given up


@dataclass(slots=True, kw_only=True)
class StreamReading:
    """Events sorted into the response to one request and everything else."""

    request_id: int
    message: Mapping[str, Any] | None = None
    others: list[Mapping[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    largest: int = 0
    count: int = 0
    flooded: bool = False
    ignored: set[str] = field(default_factory=set)
    last_id: str | None = None
    _served: int = 0
    _stray: tuple[Mapping[str, Any], tuple[Problem, ...]] | None = None

    @property
    def answered(self) -> bool:
        """Whether the response with our id is there."""
        return self.message is not None

    def unserved(self) -> tuple[Mapping[str, Any], ...]:
        """The server's requests since the last time this was asked, up to a bound."""
        asked = tuple(other for other in self.others if isinstance(other.get("id"), str | int))
        fresh = asked[self._served : _MOST_SERVED]
        self._served += len(fresh)
        return fresh

    def take(self, event: Event) -> None:
        """Sort one event."""
        self.count += 1
        self.largest = max(self.largest, event.size)
        self.last_id = event.id or self.last_id
        if event.type != "message":
            self.ignored.add(event.type)  # no client listens to another type
            return
        if not event.data:
            return  # a priming event (2025-11-25)
        try:
            parsed = parse(event.data.encode())
        except HostileJson as problem:
            self.problems.append(_unreadable(problem))
            return
        self.sort(parsed)

    def sort(self, parsed: Parsed) -> None:
        """Sort one message that is read already."""
        value = parsed.value
        if isinstance(value, Mapping) and "method" in value and not {"result", "error"} & value.keys():
            self._other(value)
            return
        message, problems = judge_message(parsed.value, self.request_id)
        self._response(message, (*problems, *_duplicates(parsed)))

    def _other(self, value: Mapping[str, Any]) -> None:
        self.others.append(value)
        if len(self.others) > _EVENTS_BEFORE_ANSWER and self.message is None:
            self.flooded = True
            detail = f"{len(self.others)} messages and no response"
            self.problems.append(Problem(kind="event-flood", detail=detail))

    def _response(self, message: Mapping[str, Any] | None, problems: tuple[Problem, ...]) -> None:
        if self.message is not None and message is not None:
            detail = "a second response to one request"
            self.problems.append(Problem(kind="duplicate-response", detail=detail))
        elif message is not None and any(problem.kind == "id-mismatch" for problem in problems):
            self._stray = self._stray or (message, problems)  # ours may still come
        else:
            self.message = message
            self.problems.extend(problems)

    def outcome(self) -> tuple[Mapping[str, Any] | None, tuple[Problem, ...]]:
        """The response and all problems, once the stream has ended or was given up."""
        if self.message is None and self._stray is not None:
            message, problems = self._stray
            return message, (*self.problems, *problems)
        if self.message is None and not self.problems:
            seen = f"after {self.count} event{'' if self.count == 1 else 's'}"
            types = f" of type {', '.join(sorted(self.ignored))}" if self.ignored else ""
            detail = f"the stream ended {seen}{types}, none of them the response"
            return None, (Problem(kind="stream-ended", detail=detail),)
        return self.message, tuple(self.problems)
