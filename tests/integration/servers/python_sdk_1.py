"""A server on the official Python SDK 1.x: ``stateful``, ``stateless-json``, ``sse`` or ``stdio``."""

import sys

from mcp.server.fastmcp import FastMCP
from mcp.types import ToolAnnotations

mode = sys.argv[1]
server = FastMCP(
    "python-sdk-1", port=0, stateless_http=mode == "stateless-json", json_response=mode == "stateless-json"
)


@server.tool(annotations=ToolAnnotations(readOnlyHint=True))
def current_temperature(city: str = "Paris") -> float:
    """Give the temperature of a city in degrees Celsius."""
    return 21.5


@server.tool()
def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


server.run(transport=mode if mode in ("sse", "stdio") else "streamable-http")
