"""A server that asks the client something during a call is answered, so that the call goes on."""

from __future__ import annotations

import asyncio
import json

from diagnose.connector.credential import Applied
from diagnose.wire.http_wire import HttpWire
from diagnose.wire.recorder import Recorder
from diagnose.wire.resolver import Address
from diagnose.wire.rpc import LEGACY_VERSIONS, RpcReply, StreamableChannel
from diagnose.wire.sockets import WireStream, connect
from diagnose.wire.transport import StagedTransport
from diagnose.wire.trust import unverified

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


class AskingServer:
    """Answers a call only after the client has answered the elicitation on its stream."""

    def __init__(self) -> None:
        self.heard: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(head.split("content-length: ")[1].split("\r\n")[0])
        message = json.loads(await reader.readexactly(size))
        if "method" not in message:
            self.heard.set_result(message)
            writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(HEAD + event({"id": "q1", "method": "elicitation/create", "params": {}}))
            await writer.drain()
            refused = await self.heard
            writer.write(event({"id": message["id"], "result": {"heard": refused}}))
        await writer.drain()
        writer.close()


def event(message: dict[str, object]) -> bytes:
    return b"data: " + json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n\n"


async def conversation() -> RpcReply:
    server = await asyncio.start_server(AskingServer().serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def dial(host: str, at: int) -> WireStream:
        return await connect(Address(ip="127.0.0.1", port=port))

    wire = HttpWire(
        StagedTransport(dial, unverified()),
        Recorder(),
        authorize=lambda url: Applied(),
        user_agent="test",
        body_limit=1024 * 1024,
    )
    url = f"http://127.0.0.1:{port}/mcp"
    channel = StreamableChannel(http=wire, url=url, era="legacy", version=LEGACY_VERSIONS[0])
    try:
        async with asyncio.timeout(5):
            return await channel.call("tools/call", {"name": "ask", "arguments": {}}, step="s")
    finally:
        await wire.aclose()
        server.close()


def test_a_request_of_the_server_is_refused_at_once_and_the_call_ends() -> None:
    reply = asyncio.run(conversation())
    assert reply.result is not None
    heard = reply.result["heard"]
    assert (heard["id"], heard["error"]["code"]) == ("q1", -32600)
    assert [request["method"] for request in reply.server_requests] == ["elicitation/create"]
