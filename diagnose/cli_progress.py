"""The run while it goes, on a terminal's stderr: one line per step, the running one with a spinner.

Written in plain ANSI: a progress display is no reason to load a screen library before the first request.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from diagnose.events import Event, RunStarted, StepFinished, StepStarted
from diagnose.report.difference import cells
from diagnose.report.paint import Paint
from diagnose.report.wording import STATUSES, line, reason

if TYPE_CHECKING:
    from diagnose.model import StepResult

__all__ = ["NoProgress", "Progress"]

_FRAMES = {True: "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", False: "|/-\\"}
_TICK = 0.1
_HIDE, _SHOW, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[?25l", "\x1b[?25h", "\r\x1b[2K", "\r\x1b[J"


class NoProgress:
    """Nobody looks, or nobody wants to."""

    def __enter__(self) -> NoProgress:
        return self

    def __exit__(self, *ending: object) -> None:
        return None

    def show(self, event: Event) -> None:
        """Take an event and say nothing."""

    @contextlib.asynccontextmanager
    async def moving(self) -> AsyncIterator[None]:
        """What moves beside the run: nothing."""
        yield


class Progress(NoProgress):
    """Progress on a terminal. ``stays`` keeps its lines when the run is over."""

    def __init__(self, *, color: bool, unicode: bool, stays: bool) -> None:
        self._paint = Paint(color=color, unicode=unicode)
        self._frames = _FRAMES[unicode]
        self._stays = stays
        self._lines = 0
        self._running: StepStarted | None = None
        self._done: list[StepResult] = []
        self._frame = 0

    def __enter__(self) -> Progress:
        self._write(_HIDE)
        return self

    def __exit__(self, *ending: object) -> None:
        erase = "" if self._stays or not self._lines else f"\x1b[{self._lines}A{_CLEAR_BELOW}"
        self._write(_CLEAR_LINE + erase + _SHOW)

    def show(self, event: Event) -> None:
        """Add what an event says to the lines."""
        if isinstance(event, RunStarted):
            self._add(self._cut(line(event.target)))
        elif isinstance(event, StepStarted):
            self._running = event
            self._spin()
        elif isinstance(event, StepFinished):
            self._running = None
            self._done.append(event.result)
            self._add(self._finished(event.result))

    @contextlib.asynccontextmanager
    async def moving(self) -> AsyncIterator[None]:
        """Turn the spinner while the run goes; it stands still where the loop does."""
        ticking = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            ticking.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self._frame += 1
            self._spin()

    def _spin(self) -> None:
        if self._running is not None:
            glyph = self._frames[self._frame % len(self._frames)]
            step = self._running
            self._write(f"{_CLEAR_LINE}{self._cut(f'  {glyph} running  {step.number:>2} {step.title}')}")

    def _finished(self, result: StepResult) -> str:
        took = f"{result.duration_ms:8.1f} ms" if result.duration_ms is not None else " " * 11
        said = ", ".join(dict.fromkeys(entry.code for entry in result.findings if entry.severity != "info"))
        status = self._paint.status(result.status, f"{STATUSES[result.status]:<8}")
        after = said or line(reason(result, self._done))
        rest = f" {result.number:>2} {result.title:<18}{took}  {after}".rstrip()
        return f"  {status}{self._cut(rest, taken=12)}"

    def _add(self, text: str) -> None:
        self._write(f"{_CLEAR_LINE}{text}\n")
        self._lines += 1

    def _cut(self, text: str, *, taken: int = 0) -> str:
        """``text`` in one line of the terminal: a wrapped line could not be cleared again."""
        try:
            width = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        except (OSError, ValueError):
            width = 80
        room = max(width - taken - 1, 10)
        while cells(text) > room:
            text = text[:-1]
        return text

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()
