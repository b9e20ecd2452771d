"""What somebody would write to try a connector with the official SDK: connect, list, call."""

import asyncio
import sys

from mcp import Client


async def main(url: str, mode: str) -> None:
    async with Client(url, mode=mode) as client:
        tools = await client.list_tools()
        result = await client.call_tool(tools.tools[0].name, {})
        assert not result.is_error


asyncio.run(main(sys.argv[1], sys.argv[2]))
