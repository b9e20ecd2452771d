"""HTTP+SSE (2024-11-05) in step 4: the GET stream and its first event, declared or found."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import parse_qsl

from diagnose.context import Context
from diagnose.step import Evidence, Fault
from diagnose.wire.http_wire import ExchangeFailed, HttpWire
from diagnose.wire.rpc import LEGACY_VERSIONS, RpcReply
from diagnose.wire.sse_channel import SseChannel
from diagnose_checks.facts import HttpFacts
from diagnose_checks.http_faults import fault_of
from diagnose_checks.http_outcome import Outcome

__all__ = [
    "EventStreamOpening",
    "hide_stream_id",
    "older_transport",
    "open_stream",
    "stream_facts",
    "warn_of_older_transport",
    "wrong_transport",
]

_SHARE = 0.6
"""Of the time left, what the endpoint event may take; the rest is for telling why it did not come."""
_SHORTEST_ID = 8
"""A query value of the endpoint this long is the id of the stream, which is all that protects it."""

_AFTER_ANOTHER_S = 1.0


class EventStreamOpening:
    """A GET for an event stream: its answer, and the channel if an ``endpoint`` event came."""

    def __init__(self, outcome: Outcome, channel: SseChannel) -> None:
        self.outcome = outcome
        self.channel = channel
        self.waited_s = 0.0

    @property
    def reply(self) -> RpcReply | None:
        return self.outcome.reply

    @property
    def is_stream(self) -> bool:
        return self.reply is not None and self.reply.streamed

    @property
    def is_endpoint(self) -> bool:
        """Whether this is an HTTP+SSE endpoint: the stream's ``endpoint`` event has come."""
        return self.channel.endpoint_event is not None

    @property
    def is_locked(self) -> bool:
        return self.outcome.challenged

    def evidence(self) -> Evidence:
        """What the GET gave, as the contrast to a refused POST."""
        exchange = self.outcome.exchange
        data = self.channel.endpoint_event
        return Evidence(
            label="GET as an event stream",
            expected="event: endpoint, were it HTTP+SSE",
            observed=self.outcome.summary if data is None else f"event: endpoint, data: {data}",
            where=self.outcome.url,
            exchange=exchange.id if exchange is not None else None,
        )

    def without_endpoint(self, *contrasts: Evidence) -> Fault:
        """The fault of an event stream whose ``endpoint`` event did not come."""
        exchange = self.outcome.exchange
        progress = exchange.progress() if exchange is not None else "no answer"
        over = self.channel.ended
        seen = Evidence(
            label="first event",
            expected="event: endpoint",
            observed=f"event: {self.channel.first_event}" if self.channel.first_event else "none",
        )
        return fault_of(
            "HTTP040",
            self.outcome,
            seen,
            *contrasts,
            seconds=f"{self.waited_s:.1f}",
            progress=f"{progress}; {over}" if over else progress,
        )


async def older_transport(
    ctx: Context, wire: HttpWire, url: str, opening: Outcome, tried: list[Evidence]
) -> HttpFacts | None:
    """HTTP+SSE, where ``opening`` is a plain refusal: a GET stream whose first event is ``endpoint``.

    The facts, or None where it is not that either. Raises Fault where another transport was declared, and
    for a stream without the event.
    """
    if not opening.plainly_refused:
        return None
    stream = await open_stream(ctx, wire, url, headers_within=ctx.time_left() * 0.4)
    tried.append(stream.evidence())
    if stream.is_endpoint and ctx.connector.transport.type == "streamable-http":
        raise wrong_transport(opening, *tried, declared="streamable-http", found="HTTP+SSE", word="sse")
    if stream.is_endpoint or (stream.is_locked and opening.status == 405):
        return stream_facts(ctx, stream)
    if stream.is_stream:
        raise stream.without_endpoint(opening.evidence())
    return None


def wrong_transport(refused: Outcome, *evidence: Evidence, declared: str, found: str, word: str) -> Fault:
    """The fault of a declared transport that is refused where the other one answers."""
    return fault_of("HTTP002", refused, *evidence, declared=declared, found=found, word=word)


async def open_stream(
    ctx: Context, wire: HttpWire, url: str, *, headers_within: float | None = None
) -> EventStreamOpening:
    """GET ``url`` as an event stream and wait, for a share of the time left, for its endpoint event.

    ``headers_within`` bounds the wait for the headers, in seconds; None leaves that to the step's deadline.
    """
    channel = SseChannel(http=wire, url=url, version=LEGACY_VERSIONS[0])
    ctx.closing.push_async_callback(channel.aclose)
    try:
        async with asyncio.timeout(headers_within):
            reply = await channel.open(step=ctx.step_id)
    except ExchangeFailed as problem:
        return EventStreamOpening(Outcome(url=url, method="GET", failure=problem), channel)
    except TimeoutError:
        recorded = ctx.recorder.of_step(ctx.step_id)[-1]
        late = Outcome(url=url, method="GET", waited_s=headers_within, recorded=recorded)
        return EventStreamOpening(late, channel)
    opening = EventStreamOpening(Outcome(url=url, method="GET", channel=channel, reply=reply), channel)
    if opening.is_stream:
        began = ctx.monotonic()
        with suppress(TimeoutError):  # no endpoint event: the caller finds out what this stream is
            async with asyncio.timeout(ctx.time_left() * _SHARE):
                if await channel.begun():
                    await _soon_after(channel)
        opening.waited_s = ctx.monotonic() - began
        hide_stream_id(ctx, channel)
    return opening


def hide_stream_id(ctx: Context, channel: SseChannel) -> None:
    """Make the id of the stream unprintable, which stands in the query of its endpoint."""
    for _, value in parse_qsl((channel.endpoint_url or "").partition("?")[2]):
        if len(value) >= _SHORTEST_ID:
            ctx.redactor.register(value)


async def _soon_after(channel: SseChannel) -> None:
    """The endpoint event MUST be the first; one that follows another event still gets a moment."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_AFTER_ANOTHER_S):
            await channel.endpoint()


def stream_facts(ctx: Context, opening: EventStreamOpening) -> HttpFacts:
    """The facts of an HTTP+SSE endpoint, open or locked; warns that its transport is deprecated."""
    reply, channel = opening.reply, opening.channel
    assert reply is not None
    ctx.transport_name = "sse"
    warn_of_older_transport(ctx, channel, reply)
    return HttpFacts(
        transport="sse",
        opened_with="GET",
        status=reply.http_status,
        content_type=reply.content_type,
        challenged=opening.is_locked,
        server=reply.header("server"),
        via=reply.header("via"),
        redirected_to=channel.url if channel.url != ctx.connector.url else None,
        _url=channel.url,
        _http=channel.http,
        _channel=channel,
        _opening=reply,
        _crash=opening.outcome.crash,
    )


def warn_of_older_transport(ctx: Context, channel: SseChannel, opened: RpcReply) -> None:
    """The transport is deprecated: said, as step 4's, once the stream named its endpoint."""
    if channel.endpoint_event is None:
        return
    declared = ctx.connector.transport.type == "sse"
    ctx.warn(
        "HTTP034",
        Evidence(
            label="first event of the GET stream",
            observed=f"event: endpoint, data: {channel.endpoint_event}",
            where=channel.url,
            exchange=opened.exchange.id,
        ),
        exchange=opened.exchange.id,
        step="http_reachability",
        facts={"transport": "sse"},
        how="declared in the configuration" if declared else "found by its endpoint event",
    )
