"""The transport over staged streams: what breaks on it reaches whoever waits, in terms of httpx2."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx2
import pytest

from diagnose.connector.credential import Applied
from diagnose.wire.http_wire import HttpWire
from diagnose.wire.recorder import Recorder
from diagnose.wire.resolver import Address
from diagnose.wire.rpc import LEGACY_VERSIONS, RpcReply, StreamableChannel
from diagnose.wire.sockets import WireStream, connect
from diagnose.wire.sse_channel import SseChannel
from diagnose.wire.transport import StagedTransport
from diagnose.wire.trust import unverified

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def local(host: str, port: int) -> WireStream:
    return await connect(Address(ip="127.0.0.1", port=port))


async def nowhere(host: str, port: int) -> WireStream:
    raise LookupError("a dial that is broken")


def wire_over(transport: StagedTransport) -> HttpWire:
    return HttpWire(
        transport, Recorder(), authorize=lambda url: Applied(), user_agent="test", body_limit=64 * 1024
    )


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[int]:
    over: list[asyncio.Future[None]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over.append(asyncio.get_running_loop().create_future())
        try:
            with suppress(ConnectionError):
                await serve(reader, writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        finally:
            over[-1].set_result(None)

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            await asyncio.gather(*over)


async def says_no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"220 mail.example.com\r\n")


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def ends_with_an_odd_id(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        b"id: caf\xc3\xa9\ndata: \n\n"
    )


async def handshake_with(serve: Serve) -> None:
    async with served(serve) as port, asyncio.timeout(5):
        transport = StagedTransport(local, unverified())
        try:
            async with httpx2.AsyncClient(transport=transport, timeout=0.2, trust_env=False) as client:
                await client.get(f"https://127.0.0.1:{port}/")
        finally:
            await transport.aclose()


def test_a_failed_handshake_is_a_connect_error_for_every_httpx2_client() -> None:
    with pytest.raises(httpx2.ConnectError):
        asyncio.run(handshake_with(says_no_tls))


def test_a_handshake_without_an_end_is_a_connect_timeout_for_every_httpx2_client() -> None:
    with pytest.raises(httpx2.ConnectTimeout):
        asyncio.run(handshake_with(says_nothing))


def test_what_breaks_the_event_stream_unforeseen_reaches_who_opens_it() -> None:
    async def opened() -> None:
        wire = wire_over(StagedTransport(nowhere, unverified()))
        channel = SseChannel(http=wire, url="http://127.0.0.1:1/sse", version=LEGACY_VERSIONS[0])
        try:
            async with asyncio.timeout(5):
                await channel.open(step="s")
        finally:
            await channel.aclose()
            await wire.aclose()

    with pytest.raises(LookupError):
        asyncio.run(opened())


def test_an_event_id_that_no_header_may_carry_is_not_asked_on_with() -> None:
    async def asked() -> RpcReply:
        async with served(ends_with_an_odd_id) as port, asyncio.timeout(5):
            wire = wire_over(StagedTransport(local, unverified()))
            url = f"http://127.0.0.1:{port}/mcp"
            channel = StreamableChannel(http=wire, url=url, era="legacy", version=LEGACY_VERSIONS[0])
            try:
                return await channel.call("tools/list", step="s")
            finally:
                await wire.aclose()

    assert asyncio.run(asked()).problem("stream-ended") is not None
