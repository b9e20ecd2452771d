"""The local server of the comparisons: the official SDK's own, with one read-only tool."""

from mcp.server import MCPServer
from mcp_types import ToolAnnotations

server = MCPServer("benchmark", version="1.0", log_level="WARNING")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def current_temperature(city: str = "Paris") -> float:
    """Give the temperature of a city in degrees Celsius."""
    return 21.5


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=0, access_log=False)
