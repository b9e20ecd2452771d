"""JSON-RPC over the standard streams of a process, in both eras: one message a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from diagnose.wire.envelope import encode, with_meta
from diagnose.wire.failure import ExchangeFailed
from diagnose.wire.process import ServerProcess
from diagnose.wire.recorder import Recorded, Recorder
from diagnose.wire.rpc_reply import Problem, RpcReply, StreamReading
from diagnose.wire.server_requests import answer_to
from diagnose.wire.stdout_lines import Line

__all__ = ["Noise", "Pending", "StdioChannel"]

_TICK = 0.25
_STRAY_S = 1.0
"""How long our own answer may still take once one with a wrong id is there."""
_MOST_NOISE = 50
_MOST_UNASKED = 64
_MOST_BROKEN = 500
"""More lines than an answer to an opening has when it is printed over many."""
_KEPT_TEXT = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """A line on stdout that is no message, and what was going on when it came."""

    line: Line
    during: str
    after_ms: float


@dataclass(slots=True, kw_only=True)
class Pending:
    """A request that was sent and is not answered yet. ``broken`` are lines that may be parts of it."""

    method: str
    request_id: int
    exchange: Recorded
    reading: StreamReading
    broken: list[Line] = field(default_factory=list)
    late: list[Problem] = field(default_factory=list)
    text: str = ""
    stray_at: float | None = None
    replied: bool = False
    """Whether its reply has the second responses already."""


@dataclass(slots=True, kw_only=True)
class StdioChannel:
    """The channel of one process. ``unasked`` are messages that belong to no request of ours."""

    process: ServerProcess
    recorder: Recorder
    now: Callable[[], float]
    era: Literal["legacy", "modern"]
    version: str
    session_id: str | None = None
    client_name: str = "connector-diagnose"
    client_version: str = "0"
    noise: list[Noise] = field(default_factory=list)
    noise_count: int = 0
    noise_told: bool = False
    unasked: list[Mapping[str, Any]] = field(default_factory=list)
    first_message_at: float | None = None
    _next_id: int = 0
    _given_up: dict[int, Pending] = field(default_factory=dict)
    _answered: dict[int, Pending] = field(default_factory=dict)

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
        """Send one request and wait for its response. Raises ExchangeFailed."""
        pending = self.send(method, params, step=step)
        try:
            while True:
                reply = await self.answer(pending, within=_TICK)
                if reply is not None:
                    return reply
        finally:
            self.give_up(pending)

    async def notify(
        self, method: str, *, step: str, extra_headers: Mapping[str, str] | None = None
    ) -> RpcReply:
        """Send a notification; nothing answers it."""
        exchange = self._record({"jsonrpc": "2.0", "method": method}, method, step)
        exchange.mark("send")
        return RpcReply(method=method, status=None, content_type="", message=None, exchange=exchange)

    async def end_session(self, *, step: str, body: bytes = b"") -> RpcReply:
        """Nothing is said at the end: a client closes stdin, which is the teardown step's to do."""
        raise NotImplementedError("a process is ended, not a session")

    def send(self, method: str, params: Mapping[str, Any] | None = None, *, step: str) -> Pending:
        """Write one request. Raises ExchangeFailed where stdin is closed and nothing more will come."""
        self._next_id += 1
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": self._next_id, "method": method}
        if self.era == "modern":
            message["params"] = with_meta(
                params,
                version=self.version,
                client_name=self.client_name,
                client_version=self.client_version,
            )
        elif params is not None:
            message["params"] = params
        exchange = self._record(message, method, step)
        return Pending(
            method=method,
            request_id=self._next_id,
            exchange=exchange,
            reading=StreamReading(request_id=self._next_id),
        )

    async def answer(self, pending: Pending, *, within: float) -> RpcReply | None:
        """The reply, or None where it has not come within so many seconds. Raises ExchangeFailed."""
        if not self.process.lines:
            await self.process.news(within)
        self._drain(pending)
        reading = pending.reading
        if reading.answered or reading.flooded or reading.problems or self._stray_for_too_long(pending):
            self._drain(pending)
            self.give_up(pending)
            return self._reply(pending)
        if self.process.ended and not self.process.lines:
            await self.process.settled()
            kind: Literal["closed", "truncated"] = "truncated" if self.process.alive else "closed"
            raise self._failed(pending, kind, self.process.ending())
        return None

    def give_up(self, pending: Pending) -> None:
        """Wait for it no longer; what still comes for it is recognised and kept apart."""
        if pending.reading.answered:
            self._answered[pending.request_id] = pending
        else:
            self._given_up[pending.request_id] = pending

    def late(self, pending: Pending) -> RpcReply | None:
        """The reply to a request that was given up, where it came all the same."""
        return self._reply(pending) if pending.reading.answered else None

    def repeated(self) -> tuple[Pending, ...]:
        """Requests whose second response came too late for their reply."""
        return tuple(pending for pending in self._answered.values() if pending.late and not pending.replied)

    def listen(self, during: str = "no request") -> None:
        """Sort what has come although nothing was asked."""
        while (line := self.process.take()) is not None:
            self._sort(line, None, during)

    def _record(self, message: Mapping[str, Any], method: str, step: str) -> Recorded:
        line = encode(message)
        exchange = self.recorder.begin(step, method, "", {}, line)
        exchange.process = self.process.number
        self.process.write(line + b"\n")
        exchange.mark("send")
        return exchange

    def _drain(self, pending: Pending) -> None:
        while (line := self.process.take()) is not None:
            pending.exchange.keep(line.raw + b"\n")
            if "wait" not in pending.exchange.marks:
                pending.exchange.mark("wait")
            self._sort(line, pending, pending.method)
            for request in pending.reading.unserved():
                self.process.write(encode(answer_to(request)) + b"\n")
        if pending.reading.answered:
            pending.exchange.mark("receive")

    def _sort(self, line: Line, pending: Pending | None, during: str) -> None:
        if line.is_message and self.first_message_at is None:
            self.first_message_at = line.at
        if line.kind == "blank":
            return
        if line.kind == "response":
            self._response(line, pending)
        elif line.is_message:
            self._other(line, pending)
        elif line.kind == "too-large" and pending is not None and not pending.reading.answered:
            pending.broken.append(line)
            raise self._failed(pending, "too-large", line.detail)
        elif line.kind == "batch" and pending is not None:
            pending.reading.sort(line.parsed)  # type: ignore[arg-type]  # a batch has been parsed
        elif line.hostile and line.speaks_rpc and pending is not None:
            pending.reading.problems.append(Problem(kind="hostile-json", detail=line.detail))
        else:
            self._noise(line, pending, during)

    def _response(self, line: Line, pending: Pending | None) -> None:
        assert line.parsed is not None, "a response has been parsed"
        given = line.parsed.value.get("id")
        known = given if isinstance(given, int) and not isinstance(given, bool) else None
        if known is not None and known in self._given_up:
            late = self._given_up.pop(known)  # nobody waits for it any more
            late.reading.sort(line.parsed)
            late.text = line.text
            self._answered[known] = late
            return
        if known in self._answered or (pending is not None and pending.reading.answered):
            self._again(self._answered.get(known) or pending if known is not None else pending, str(given))
        elif pending is None:
            self._keep(line.parsed.value)
        else:
            before = pending.reading.message
            pending.reading.sort(line.parsed)
            if pending.reading.message is not before:
                pending.text = line.text
            elif pending.stray_at is None:
                pending.stray_at, pending.text = self.now(), line.text

    def _again(self, pending: Pending | None, given: str) -> None:
        problem = Problem(kind="duplicate-response", detail=f"a second response with the id {given[:40]}")
        if pending is not None:
            pending.late.append(problem)

    def _other(self, line: Line, pending: Pending | None) -> None:
        assert line.parsed is not None, "a message has been parsed"
        if pending is not None:
            pending.reading.sort(line.parsed)
            if line.kind == "request":
                # Whether it arrives just before or just after an answer is chance: it is nobody's answer.
                self._keep(line.parsed.value)
            return
        self._keep(line.parsed.value)
        if line.kind == "request" and isinstance(line.parsed.value.get("id"), str | int):
            self.process.write(encode(answer_to(line.parsed.value)) + b"\n")

    def _keep(self, message: Mapping[str, Any]) -> None:
        if len(self.unasked) < _MOST_UNASKED:
            self.unasked.append(message)

    def _noise(self, line: Line, pending: Pending | None, during: str) -> None:
        self.noise_count += 1
        if len(self.noise) < _MOST_NOISE:
            after = round((line.at - self.process.began) * 1000, 1)
            self.noise.append(Noise(line=line, during=during, after_ms=after))
        if pending is not None and len(pending.broken) < _MOST_BROKEN:
            pending.broken.append(line)

    def _stray_for_too_long(self, pending: Pending) -> bool:
        return pending.stray_at is not None and self.now() - pending.stray_at > _STRAY_S

    def _reply(self, pending: Pending) -> RpcReply:
        message, problems = pending.reading.outcome()
        pending.replied = bool(pending.late)
        return RpcReply(
            method=pending.method,
            status=None,
            content_type="",
            message=message,
            exchange=pending.exchange,
            others=tuple(pending.reading.others),
            problems=(*problems, *pending.late),
            text=pending.text[:_KEPT_TEXT],
        )

    def _failed(
        self, pending: Pending, kind: Literal["closed", "truncated", "too-large"], detail: str
    ) -> ExchangeFailed:
        said = self.process.stderr.last(1) if kind == "closed" else ""
        whole = f"{detail}; the last line on stderr: {said}" if said else detail
        if kind == "closed":
            whole = f"the process ended ({whole})"
        pending.exchange.error = whole
        pending.exchange.mark("receive")
        self.give_up(pending)
        return ExchangeFailed(kind, whole, pending.exchange)
