"""From the first line on stdout to the last page closed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence

from aiohttp import web

from diagnose_tui.browser.door import Door, new_key
from diagnose_tui.browser.server import AppServer

__all__ = ["listening", "serve_app"]

_CLOSING_S = 12.0


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens on a loopback address; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it would let another program take the port over
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen()
    except OSError:
        sock.close()
        raise
    return sock


async def serve_app(
    argv: Sequence[str], sock: socket.socket, *, announce: Callable[[str], None], say: Callable[[str], None]
) -> None:
    """Serve the app that ``argv`` starts until SIGINT or SIGTERM. ``announce`` gets the URL."""
    host, port = sock.getsockname()[:2]
    named = f"[{host}]" if ":" in host else host
    door = Door(key=new_key(), hosts=frozenset(f"{name}:{port}" for name in (named, "localhost")))
    _log_to(say)
    app = AppServer(argv, door=door, title="diagnose").application()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSING_S)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl+C arrives as KeyboardInterrupt
            loop.add_signal_handler(number, ended.set)
    await runner.setup()
    try:
        await web.SockSite(runner, sock).start()
        announce(f"http://{named}:{port}/{door.key}/")
        await ended.wait()
    finally:
        await runner.cleanup()


class _Words(logging.Handler):
    """What the libraries log, as one line without the values of any variable."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] is not None else ""
        self._say(f"{record.getMessage()} {kind}".strip())


def _log_to(say: Callable[[str], None]) -> None:
    for name in ("textual-serve", "aiohttp.server", "aiohttp.web"):
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.handlers = [_Words(say)]
