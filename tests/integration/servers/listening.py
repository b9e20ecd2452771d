"""What every protected Python server here does alike: a port of its own, a line per request, uvicorn."""

import socket
from typing import Any

import uvicorn

__all__ = ["bound", "serve"]


def bound() -> tuple[socket.socket, str]:
    """A listening socket and its origin: an issuer must be known before its application is built."""
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


def serve(app: Any, listener: socket.socket, origin: str) -> None:
    """Serve until the process is ended; every request is printed with whether it carries a credential."""

    async def logged(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            query = f"?{scope['query_string'].decode()}" if scope["query_string"] else ""
            carried = "yes" if any(name == b"authorization" for name, _ in scope["headers"]) else "no"
            print(f"request {scope['method']} {scope['path']}{query} authorization={carried}", flush=True)
        await app(scope, receive, send)

    print(f"listening on {origin}", flush=True)
    uvicorn.Server(uvicorn.Config(logged, log_level="warning", lifespan="on")).run(sockets=[listener])
