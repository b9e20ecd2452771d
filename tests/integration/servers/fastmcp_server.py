"""A server on FastMCP, the independent framework: ``http``, ``stateless``, ``sse`` or ``stdio``."""

import sys

from fastmcp import FastMCP

mode = sys.argv[1]
server = FastMCP("fastmcp", version="1.0")


@server.tool(annotations={"readOnlyHint": True})
def current_temperature(city: str = "Paris") -> float:
    """Give the temperature of a city in degrees Celsius."""
    return 21.5


@server.tool
def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


@server.prompt
def greeting(name: str) -> str:
    """Greet somebody."""
    return f"Greet {name}."


@server.resource("data://config")
def config() -> dict[str, str]:
    """The configuration."""
    return {"unit": "celsius"}


if mode == "stdio":
    server.run()
elif mode == "sse":
    server.run(transport="sse", host="127.0.0.1", port=0, show_banner=False)
else:
    server.run(
        transport="http", host="127.0.0.1", port=0, show_banner=False, stateless_http=mode == "stateless"
    )
