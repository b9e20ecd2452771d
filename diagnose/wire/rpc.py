"""JSON-RPC 2.0 over Streamable HTTP, in both eras: what is sent, and through which door.

What comes back is read and judged in ``rpc_reply``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from diagnose.wire.envelope import LEGACY_VERSIONS, MODERN_VERSION, RpcChannel, encode, with_meta
from diagnose.wire.failure import ExchangeFailed
from diagnose.wire.http_wire import HttpWire
from diagnose.wire.rpc_reply import Problem, ProblemKind, RpcReply, StreamReading, judge_message, read_reply
from diagnose.wire.server_requests import answer_to

__all__ = [
    "ACCEPT",
    "LEGACY_VERSIONS",
    "MODERN_VERSION",
    "Problem",
    "ProblemKind",
    "RpcChannel",
    "RpcReply",
    "StreamReading",
    "StreamableChannel",
    "encode_header_value",
    "judge_message",
    "read_reply",
]

ACCEPT = "application/json, text/event-stream"
_MOST_RESUMPTIONS = 3
_LONGEST_RETRY_MS = 1000
_RESPONDING_S = 2.0


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
            body=encode(message),
            without=without,
            credential=credential,
        ) as live:
            respond = partial(self._respond, step) if self.era == "legacy" else None
            reply = await read_reply(live, method, request_id, respond)
        return await self._resumed(reply, request_id, step)

    async def _resumed(self, reply: RpcReply, request_id: int, step: str) -> RpcReply:
        """The response of a stream that the server ended early, to be polled for (2025-11-25, SEP-1699).

        Such a stream gave an event id; the client asks on with GET and ``Last-Event-ID``, a few times only.
        """
        for _ in range(_MOST_RESUMPTIONS):
            event_id = reply.last_event_id or ""
            # An id that no header may carry cannot be asked on with: the stream just ended.
            if self.era == "modern" or reply.problem("stream-ended") is None or not _fits_header(event_id):
                return reply
            await asyncio.sleep(min(reply.retry_ms or 0, _LONGEST_RETRY_MS) / 1000)
            headers = {**self._headers("", None), "Accept": "text/event-stream"}
            headers["Last-Event-ID"] = event_id
            async with self.http.open("GET", self.url, step=step, headers=headers) as live:
                further = await read_reply(live, reply.method, request_id)
            if not further.streamed:
                return reply
            reply = further
        return reply

    async def notify(
        self, method: str, *, step: str, extra_headers: Mapping[str, str] | None = None
    ) -> RpcReply:
        """Send a notification; the reply has a status and, on refusal, a body."""
        message = {"jsonrpc": "2.0", "method": method}
        headers = {**self._headers(method, None), **(extra_headers or {})}
        async with self.http.open("POST", self.url, step=step, headers=headers, body=encode(message)) as live:
            return await read_reply(live, method, None)

    async def _respond(self, step: str, request: Mapping[str, Any]) -> None:
        """Answer a request that the server made on our stream; what comes back for it decides nothing."""
        headers = self._headers("", None)
        body = encode(answer_to(request))
        with suppress(ExchangeFailed, TimeoutError):
            async with (
                asyncio.timeout(_RESPONDING_S),
                self.http.open("POST", self.url, step=step, headers=headers, body=body) as live,
            ):
                await read_reply(live, "response", None)

    async def end_session(self, *, step: str, body: bytes = b"") -> RpcReply:
        """DELETE the session (Streamable HTTP, session management); ``body`` is for a contrast."""
        headers = self._headers("", None)
        async with self.http.open("DELETE", self.url, step=step, headers=headers, body=body) as live:
            return await read_reply(live, "DELETE", None)

    def _params(self, params: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if self.era == "legacy":
            return params
        return with_meta(
            params,
            version=self.version,
            client_name=self.client_name,
            client_version=self.client_version,
        )

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
    if _fits_header(value) and not value.startswith("=?base64?"):
        return value
    import base64

    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def _fits_header(value: str) -> bool:
    return value != "" and value == value.strip() and all(0x20 <= ord(char) <= 0x7E for char in value)
