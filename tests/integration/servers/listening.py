"""What every protected Python server here does alike: a port of its own, a line per request, uvicorn.

``POST /clock?ahead=SECONDS`` puts the clock of the process forward.
"""

import socket
import time
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs

import uvicorn

__all__ = ["bound", "serve"]

_real_time = time.time


def bound() -> tuple[socket.socket, str]:
    """A listening socket and its origin: an issuer must be known before its application is built."""
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


def serve(app: Any, listener: socket.socket, origin: str) -> None:
    """Serve until the process is ended; every request is printed with whether it carries a credential."""

    async def observed(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        query = scope["query_string"].decode()
        if (scope["method"], scope["path"]) == ("POST", "/clock"):
            ahead = int(parse_qs(query)["ahead"][0])
            time.time = lambda: _real_time() + ahead
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})
            return
        carried = "yes" if any(name == b"authorization" for name, _ in scope["headers"]) else "no"
        target = f"{scope['path']}?{query}" if query else scope["path"]
        print(f"request {scope['method']} {target} authorization={carried}", flush=True)

        async def dated(message: Any) -> None:
            if message["type"] == "http.response.start":
                date = (b"date", formatdate(time.time(), usegmt=True).encode())
                message = {**message, "headers": [*message["headers"], date]}
            await send(message)

        await app(scope, receive, dated)

    print(f"listening on {origin}", flush=True)
    # uvicorn renews its own Date once in a second: not at once when the clock is put forward.
    config = uvicorn.Config(observed, log_level="warning", lifespan="on", date_header=False)
    uvicorn.Server(config).run(sockets=[listener])
