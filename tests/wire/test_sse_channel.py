"""HTTP+SSE: the stream stays open, answers arrive on it, and closing leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from diagnose_lab import Lab, Running

from diagnose.connector.credential import Applied
from diagnose.wire.http_wire import HttpWire
from diagnose.wire.recorder import Recorder
from diagnose.wire.resolver import Address
from diagnose.wire.rpc import LEGACY_VERSIONS, RpcReply
from diagnose.wire.sockets import WireStream, connect
from diagnose.wire.sse_channel import SseChannel
from diagnose.wire.transport import StagedTransport
from diagnose.wire.trust import unverified

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}


@asynccontextmanager
async def channel_to(running: Running) -> AsyncIterator[SseChannel]:
    async def dial(host: str, port: int) -> WireStream:
        return await connect(Address(ip="127.0.0.1", port=port))

    wire = HttpWire(
        StagedTransport(dial, unverified()),
        Recorder(),
        authorize=lambda url: Applied(),
        user_agent="test",
        body_limit=1024 * 1024,
    )
    channel = SseChannel(http=wire, url=running.url, version=LEGACY_VERSIONS[0])
    try:
        yield channel
    finally:
        await channel.aclose()
        await wire.aclose()


def talk(
    lab: Lab, scenario: str, words: Callable[[SseChannel], Awaitable[RpcReply]]
) -> tuple[RpcReply, Running]:
    async def conversation(running: Running) -> RpcReply:
        async with asyncio.timeout(5), channel_to(running) as channel:
            return await words(channel)

    with lab.start(scenario) as running:
        return asyncio.run(conversation(running)), running


async def initialized(channel: SseChannel) -> RpcReply:
    await channel.open(step="s")
    await channel.endpoint()
    return await channel.call("initialize", HELLO, step="s")


def test_an_answer_comes_on_the_stream_while_the_post_is_only_accepted(lab: Lab) -> None:
    reply, running = talk(lab, "healthy-http-sse", initialized)
    assert reply.result is not None
    assert "protocolVersion" in reply.result
    assert 202 == reply.exchange.status
    assert 2 == running.connections


def test_calls_on_one_stream_follow_each_other(lab: Lab) -> None:
    async def three(channel: SseChannel) -> RpcReply:
        await initialized(channel)
        await channel.notify("notifications/initialized", step="s")
        return await channel.call("tools/list", step="s")

    reply, running = talk(lab, "healthy-http-sse", three)
    assert reply.result is not None
    assert reply.result["tools"]
    assert 2 == running.connections


def test_the_endpoint_is_resolved_against_the_stream(lab: Lab) -> None:
    async def opened(channel: SseChannel) -> RpcReply:
        reply = await channel.open(step="s")
        await channel.endpoint()
        assert channel.endpoint_event is not None
        assert channel.endpoint_url is not None
        assert channel.endpoint_url.endswith(channel.endpoint_event)
        assert channel.same_origin
        return reply

    reply, _ = talk(lab, "healthy-http-sse", opened)
    assert (200, "text/event-stream", None) == (reply.status, reply.content_type, reply.message)


@pytest.mark.parametrize(
    "endpoint",
    ["https://127.0.0.1/messages", "//other.example/messages", "http://[::1/", "javascript:alert(1)"],
)
def test_a_foreign_endpoint_is_not_of_the_same_origin(endpoint: str) -> None:
    from diagnose.wire.event_stream import Event

    async def judged() -> bool:
        channel = SseChannel(
            http=None,  # type: ignore[arg-type]  # nothing is sent here
            url="http://127.0.0.1:1/sse",
            version="2025-11-25",
        )
        channel._take(Event(type="endpoint", data=endpoint, id=None, size=0))
        assert endpoint == channel.endpoint_event
        return channel.same_origin

    assert not asyncio.run(judged())


def test_a_refusal_is_read_whole(lab: Lab) -> None:
    reply, _ = talk(lab, "healthy-modern", lambda channel: channel.open(step="s"))
    assert 405 == reply.status


def test_ending_the_session_closes_the_stream(lab: Lab) -> None:
    async def ended(channel: SseChannel) -> RpcReply:
        reply = await initialized(channel)
        await channel.end_session(step="s")
        assert channel.ended is not None
        return reply

    reply, _ = talk(lab, "healthy-http-sse", ended)
    assert reply.result is not None


def test_a_stream_that_ends_without_an_endpoint_says_so(lab: Lab) -> None:
    async def without(channel: SseChannel) -> RpcReply:
        reply = await channel.open(step="s")
        assert await channel.begun()
        assert "message" == channel.first_event
        return reply

    talk(lab, "http-no-endpoint-event-sse", without)
