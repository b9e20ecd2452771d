"""JSON-RPC 2.0 over Streamable HTTP, in both eras, with everything that the wire showed kept.

Nothing is raised for what a server does wrong inside an HTTP 200: a reply lists its problems, and the
check that owns the symptom judges them. An HTTP error body is matched with its own POST, never by its id:
real servers answer ``"id":"server-error"`` or null (MCP Python SDK 1.30, TypeScript SDK 1.32).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from diagnose.wire.event_stream import Event, EventStream, EventTooLarge
from diagnose.wire.http_wire import ExchangeFailed, HttpWire, Live
from diagnose.wire.recorder import Recorded
from diagnose.wire.strict_json import HostileJson, parse

__all__ = [
    "ACCEPT",
    "LEGACY_VERSIONS",
    "MODERN_VERSION",
    "Problem",
    "ProblemKind",
    "RpcChannel",
    "RpcReply",
    "StreamableChannel",
    "encode_header_value",
    "judge_message",
]

MODERN_VERSION = "2026-07-28"
LEGACY_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Newest first; the first is what we offer."""

ACCEPT = "application/json, text/event-stream"
_META = "io.modelcontextprotocol/"
_EVENTS_BEFORE_ANSWER = 64
_KEPT_TEXT = 4000

ProblemKind = Literal[
    "empty-body",
    "not-json",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something in an answer that JSON-RPC or MCP forbids."""

    kind: ProblemKind
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcReply:
    """What came back for one request.

    ``message`` is the JSON-RPC response, if there is one; ``others`` are messages that came before or
    after it on the same stream: notifications, and requests that the server made.
    """

    method: str
    status: int
    content_type: str
    message: Mapping[str, Any] | None
    exchange: Recorded
    others: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[Problem, ...] = ()
    text: str = ""
    largest_event: int = 0
    streamed: bool = False

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


class RpcChannel(Protocol):
    """What the MCP checks speak through, whatever carries it. Calls raise ExchangeFailed."""

    era: Literal["legacy", "modern"]
    version: str
    session_id: str | None

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, step: str, **options: Any
    ) -> RpcReply: ...

    async def notify(self, method: str, *, step: str) -> RpcReply: ...


@dataclass(slots=True, kw_only=True)
class StreamableChannel:
    """Streamable HTTP. ``era`` decides envelope and headers; the session id is set by whoever read it."""

    http: HttpWire
    url: str
    era: Literal["legacy", "modern"]
    version: str
    session_id: str | None = None
    client_name: str = "connector-diagnose"
    client_version: str = "0"
    handshake: bool = True
    _next_id: int = field(default=0)

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
        """Send one request and wait for its response; ``name`` is mirrored in ``Mcp-Name``.

        ``extra_headers``, ``without`` and ``credential`` change one thing for a contrast.
        """
        self._next_id += 1
        request_id = self._next_id
        message = {"jsonrpc": "2.0", "id": request_id, "method": method}
        body_params = self._params(params)
        if body_params is not None:
            message["params"] = body_params
        headers = {**self._headers(method, name), **(extra_headers or {})}
        async with self.http.open(
            "POST",
            self.url,
            step=step,
            headers=headers,
            body=_encode(message),
            without=without,
            credential=credential,
        ) as live:
            return await read_reply(live, method, request_id)

    async def notify(self, method: str, *, step: str) -> RpcReply:
        """Send a notification; the reply has a status and, on refusal, a body."""
        message = {"jsonrpc": "2.0", "method": method}
        async with self.http.open(
            "POST", self.url, step=step, headers=self._headers(method, None), body=_encode(message)
        ) as live:
            return await read_reply(live, method, None)

    async def end_session(self, *, step: str) -> RpcReply:
        """DELETE the session (Streamable HTTP, session management)."""
        async with self.http.open("DELETE", self.url, step=step, headers=self._headers("", None)) as live:
            return await read_reply(live, "DELETE", None)

    def _params(self, params: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if self.era == "legacy":
            return params
        return {
            **(params or {}),
            "_meta": {
                f"{_META}protocolVersion": self.version,
                f"{_META}clientInfo": {"name": self.client_name, "version": self.client_version},
                f"{_META}clientCapabilities": {},
            },
        }

    def _headers(self, method: str, name: str | None) -> dict[str, str]:
        headers = {"Accept": ACCEPT, "Content-Type": "application/json"}
        if self.era == "modern":
            headers["MCP-Protocol-Version"] = self.version
            headers["Mcp-Method"] = method
            if name is not None:
                headers["Mcp-Name"] = encode_header_value(name)
            return headers
        if self.session_id is not None:
            headers["Mcp-Session-Id"] = self.session_id
        # The version header did not exist before 2025-06-18, and no version is agreed before initialize ends.
        if method != "initialize" and self.version >= "2025-06-18":
            headers["MCP-Protocol-Version"] = self.version
        return headers


def encode_header_value(value: str) -> str:
    """A mirrored value as a header may carry it: as it is, or in the base64 sentinel form.

    Specification 2026-07-28, Streamable HTTP, value encoding: anything but visible ASCII, and any value
    with blanks at its ends or that looks encoded, goes as ``=?base64?...?=``.
    """
    plain = all(0x20 <= ord(char) <= 0x7E for char in value) and value == value.strip() and value != ""
    if plain and not value.startswith("=?base64?"):
        return value
    import base64

    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def _encode(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


async def read_reply(live: Live, method: str, request_id: int | None) -> RpcReply:
    """Read what answers a POST: one JSON document, an event stream, or nothing. Raises ExchangeFailed."""
    if live.content_type == "text/event-stream" and live.status < 300 and request_id is not None:
        return await _read_stream(live, method, request_id)
    body = (await live.read()).body
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


def _read_document(
    body: bytes, request_id: int | None, live: Live
) -> tuple[Mapping[str, Any] | None, tuple[Problem, ...]]:
    if not body.strip():
        return None, (Problem(kind="empty-body", detail="the body is empty"),) if request_id else ()
    if "json" not in live.content_type and live.status < 300:
        return None, ()
    try:
        parsed = parse(body)
    except HostileJson as problem:
        return None, (Problem(kind="not-json", detail=str(problem)),)
    message, problems = judge_message(parsed.value, request_id if live.status < 300 else None)
    if parsed.duplicates:
        detail = "twice in one object: " + ", ".join(parsed.duplicates)
        problems = (*problems, Problem(kind="duplicate-member", detail=detail))
    return message, problems


def judge_message(
    value: Any, request_id: int | None
) -> tuple[Mapping[str, Any] | None, tuple[Problem, ...]]:
    """A response and what is wrong with it; ``request_id`` None accepts any id."""
    if isinstance(value, list):
        return None, (Problem(kind="batch", detail="a JSON array (batches ended with 2025-06-18)"),)
    if not isinstance(value, Mapping) or value.get("jsonrpc") != "2.0":
        return None, (Problem(kind="not-jsonrpc", detail='no "jsonrpc": "2.0"'),)
    if "result" not in value and "error" not in value:
        return None, (Problem(kind="not-jsonrpc", detail="neither result nor error"),)
    problems: list[Problem] = []
    if "result" in value and "error" in value:
        problems.append(Problem(kind="result-and-error", detail="both result and error"))
    error = value.get("error")
    if "error" in value and not _is_error(error):
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


async def _read_stream(live: Live, method: str, request_id: int) -> RpcReply:
    """Read events until the response is there, then let the server finish the stream."""
    collected = StreamReading(request_id=request_id)
    events = EventStream(limit=live_limit(live))
    try:
        async for chunk in live.chunks():
            for event in events.feed(chunk):
                collected.take(event)
            if collected.flooded:
                break
    except EventTooLarge as problem:
        collected.problems.append(Problem(kind="event-too-large", detail=str(problem)))
    except ExchangeFailed as problem:
        # After the response the stream owes us nothing; before it, its end is the failure.
        if collected.message is None and problem.kind != "truncated":
            raise
    if collected.message is None and not collected.problems:
        collected.problems.append(
            Problem(kind="stream-ended", detail=f"the stream ended after {collected.count} events, none of them the response")
        )
    return RpcReply(
        method=method,
        status=live.status,
        content_type=live.content_type,
        message=collected.message,
        exchange=live.exchange,
        others=tuple(collected.others),
        problems=tuple(collected.problems),
        text=bytes(live.exchange.body[:_KEPT_TEXT]).decode("utf-8", "replace"),
        largest_event=collected.largest,
        streamed=True,
    )


def live_limit(live: Live) -> int:
    """Events may be as large as a body may: what a strict client refuses is a finding, not our crash."""
    return live._limit  # noqa: SLF001 - the two classes are one reader in two files


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

    def take(self, event: Event) -> None:
        self.count += 1
        self.largest = max(self.largest, event.size)
        if event.type != "message" or not event.data:
            return  # a priming event, or a type that no client listens to
        try:
            value = parse(event.data.encode()).value
        except HostileJson as problem:
            self.problems.append(Problem(kind="not-json", detail=str(problem)))
            return
        if isinstance(value, Mapping) and "method" in value:
            self.others.append(value)
            if len(self.others) > _EVENTS_BEFORE_ANSWER and self.message is None:
                self.flooded = True
                detail = f"{len(self.others)} messages and no response"
                self.problems.append(Problem(kind="event-flood", detail=detail))
            return
        message, problems = judge_message(value, self.request_id)
        if self.message is not None and message is not None:
            self.problems.append(Problem(kind="duplicate-response", detail="a second response to one request"))
            return
        self.message = message
        self.problems.extend(problems)
