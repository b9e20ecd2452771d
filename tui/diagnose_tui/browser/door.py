"""Who is let in: whoever has the key, from a page of ours, by a name of this machine.

The server has no login. A key in the path keeps other users of this machine out, the Host header keeps out
pages whose name somebody lets point at this machine (DNS rebinding), and the Origin header keeps out pages
that open a WebSocket here, which no browser asks anybody about.
"""

from __future__ import annotations

import hmac
import secrets

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from diagnose.records import record

__all__ = ["Door", "new_key"]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "img-src 'self' data:; connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Styles are inline because xterm.js makes its own; scripts never are."""


def new_key() -> str:
    """A key that nobody guesses: 256 bits, as a part of a path."""
    return secrets.token_urlsafe(32)


@record
class Door:
    """The key, and every ``Host`` under which this server is addressed."""

    key: str
    hosts: frozenset[str]

    def middleware(self) -> Middleware:
        """What looks at each request before anybody answers it."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._check(request)
            return await handler(request)

        return guard

    async def protect(self, _: web.Request, response: web.StreamResponse) -> None:
        """Headers of every answer: nothing is loaded from elsewhere, framed, kept or told to others."""
        sockets = " ".join(sorted(f"ws://{host}" for host in self.hosts))
        response.headers.update(
            {
                "Content-Security-Policy": _POLICY.format(sockets=sockets),
                "Cache-Control": "no-store",
                "Cross-Origin-Opener-Policy": "same-origin",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
                "X-Frame-Options": "DENY",
            }
        )

    def _check(self, request: web.Request) -> None:
        host = request.headers.get("Host", "").lower()
        if host not in self.hosts:
            raise web.HTTPForbidden(text="This server is addressed by a name of this machine alone.\n")
        origin = request.headers.get("Origin")
        asked_for = request.headers.get("Upgrade", "").lower() == "websocket"
        if origin != f"http://{host}" and (origin is not None or asked_for):
            raise web.HTTPForbidden(text="This server answers its own pages alone.\n")
        if not self._has_key(request.path):
            raise web.HTTPNotFound(text="There is nothing here without the key that diagnose printed.\n")

    def _has_key(self, path: str) -> bool:
        first, _, rest = path.removeprefix("/").partition("/")
        # A file that is delivered has a key of its own, which textual's page asks for under this path.
        if first == "download" and rest:
            return True
        return hmac.compare_digest(first.encode("utf-8", "surrogateescape"), self.key.encode())
