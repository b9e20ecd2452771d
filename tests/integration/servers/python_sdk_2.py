"""A server on the official Python SDK 2.x: ``stateful``, ``stateless-json``, ``sse`` or ``stdio``."""

import sys

from mcp.server import MCPServer
from mcp_types import ToolAnnotations

mode = sys.argv[1]
server = MCPServer("python-sdk-2", version="1.0")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def current_temperature(city: str = "Paris") -> float:
    """Give the temperature of a city in degrees Celsius."""
    return 21.5


@server.tool()
def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


if mode == "stdio":
    server.run(transport="stdio")
elif mode == "sse":
    server.run(transport="sse", port=0)
else:
    stateless = mode == "stateless-json"
    server.run(transport="streamable-http", port=0, stateless_http=stateless, json_response=stateless)
