"""The web server: a page, its terminal's WebSocket, files that the app delivers."""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import textual_serve
from aiohttp import WSCloseCode, WSMsgType, web
from textual_serve.server import Server

from diagnose_tui.browser.door import Door
from diagnose_tui.browser.visit import Visit, bounded

__all__ = ["AppServer"]

_MOST_VISITS = 16
_LARGEST_MESSAGE = 1024 * 1024  # a paste; a key is a few bytes
_OWN = {"page.css": "text/css", "page.js": "text/javascript"}
_STATIC = Path(textual_serve.__file__).parent / "static"


class AppServer(Server):
    """Serves ``argv``, a command line of the app, to whoever has the key of ``door``."""

    def __init__(self, argv: Sequence[str], *, door: Door, title: str) -> None:
        super().__init__("diagnose tui", title=title)
        self._argv = tuple(argv)
        self._door = door
        self._visits: dict[Visit, web.WebSocketResponse] = {}

    def application(self) -> web.Application:
        """The routes, all of them behind the door."""
        app = web.Application(middlewares=[self._door.middleware()])
        base = f"/{self._door.key}"
        app.add_routes(
            [
                web.get(f"{base}/", self.page),
                web.get(f"{base}/ws", self.handle_websocket),
                web.get(f"{base}/own/{{name}}", self.own_file),
                web.get("/download/{key}", self.handle_download),
                web.static(f"{base}/static", _STATIC),
            ]
        )
        app.on_response_prepare.append(self._door.protect)
        app.on_shutdown.append(self.on_shutdown)
        return app

    async def page(self, request: web.Request) -> web.Response:
        """The page with its terminal."""
        text = Template((files(__package__) / "page.html").read_text(encoding="utf-8")).substitute(
            title=html.escape(self.title), socket=html.escape(f"ws://{request.host}/{self._door.key}/ws")
        )
        return web.Response(text=text, content_type="text/html")

    async def own_file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in _OWN:
            raise web.HTTPNotFound
        return web.Response(
            text=(files(__package__) / name).read_text(encoding="utf-8"), content_type=_OWN[name]
        )

    async def handle_download(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise web.HTTPForbidden
        return await super().handle_download(request)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        if len(self._visits) >= _MOST_VISITS:
            raise web.HTTPServiceUnavailable(text=f"{_MOST_VISITS} pages are open already: close one.\n")
        socket = web.WebSocketResponse(heartbeat=15, max_msg_size=_LARGEST_MESSAGE)
        await socket.prepare(request)
        visit = Visit(
            self._argv,
            write_bytes=socket.send_bytes,
            write_str=socket.send_str,
            close=socket.close,
            downloads=self.download_manager,
        )
        self._visits[visit] = socket
        try:
            await visit.start(bounded(request.query.get("width")), bounded(request.query.get("height")))
            async for message in socket:
                if message.type is WSMsgType.TEXT and not await self._pass_on(visit, socket, message.data):
                    await socket.close(code=WSCloseCode.UNSUPPORTED_DATA)
        finally:
            await visit.stop()
            del self._visits[visit]
        return socket

    async def _pass_on(self, visit: Visit, socket: web.WebSocketResponse, text: str) -> bool:
        """Do what the page says; False for what no page of ours says."""
        match _parsed(text):
            case ["stdin", str(keys)]:
                await visit.send_bytes(keys.encode("utf-8", "replace"))
            case ["resize", {"width": width, "height": height}]:
                await visit.set_terminal_size(width, height)
            case ["ping", str(sent)]:
                await socket.send_json(["pong", sent])
            case ["focus"]:
                await visit.focus()
            case ["blur"]:
                await visit.blur()
            case _:
                return False
        return True

    async def on_shutdown(self, app: web.Application) -> None:
        """Close every page; each ends its process on the way out."""
        await asyncio.gather(
            *(socket.close(code=WSCloseCode.GOING_AWAY) for socket in tuple(self._visits.values()))
        )


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
