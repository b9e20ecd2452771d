"""One visitor: a process of the app, its terminal in the browser, its end with the page."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from diagnose_tui.browser.visitor import LIFELINE

__all__ = ["Visit", "bounded"]

_GRACE_S = 8.0
"""How long the app may take to end a run and its processes; what is left after that is killed."""
_LARGEST = 1000
"""Columns or rows: a page says how large its terminal is, and the app makes one of that size."""


def bounded(cells: object) -> int:
    """A width or a height that a terminal can have, whatever a page says."""
    try:
        return min(max(int(str(cells)), 1), _LARGEST)
    except ValueError:
        return 80


class Visit(AppService):
    """A process of the app, started from an argument vector and without a shell."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        write_bytes: Callable[[bytes], Awaitable[None]],
        write_str: Callable[[str], Awaitable[None]],
        close: Callable[[], Awaitable[object]],
        downloads: DownloadManager,
    ) -> None:
        async def closed() -> None:
            await close()

        super().__init__(
            "diagnose tui",
            write_bytes=write_bytes,
            write_str=write_str,
            close=closed,
            download_manager=downloads,
        )
        self._argv = tuple(argv)
        self._lifeline: int | None = None

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        environment = self._build_environment(width=bounded(width), height=bounded(height))
        more: dict[str, Any] = {}
        held: int | None = None
        if sys.platform != "win32":  # which passes no pipe on by its number
            held, self._lifeline = os.pipe()
            environment[LIFELINE], more["pass_fds"] = str(held), (held,)
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment, **more
            )
        finally:
            if held is not None:
                os.close(held)
        self._stdin = process.stdin
        return process

    async def set_terminal_size(self, width: int, height: int) -> None:
        await super().set_terminal_size(bounded(width), bounded(height))

    async def on_meta(self, data: bytes) -> None:
        # What the page opens is an address, never a script.
        said = json.loads(data)
        if said.get("type") == "open_url" and urlsplit(str(said.get("url"))).scheme not in ("http", "https"):
            return
        await super().on_meta(data)

    async def stop(self) -> None:
        """End the app as its own key does, and kill what is left after the grace."""
        try:
            async with asyncio.timeout(_GRACE_S):
                await super().stop()
        except TimeoutError:
            if self._process is not None and self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.kill()
        if self._process is not None:
            await self._process.wait()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
