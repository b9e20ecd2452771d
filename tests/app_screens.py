"""A bare app on which one screen is tried: driven by keys, read as text, its answer kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

__all__ = ["UNANSWERED", "Stage", "played", "shown", "until"]

UNANSWERED: Any = object()
_LONGEST = 20.0


class Stage(App[None]):
    """Nothing but a place for ``screen``; ``answer`` is what it was dismissed with."""

    def __init__(self, screen: Screen[Any] | None = None) -> None:
        super().__init__()
        self._first = screen
        self.answer: Any = UNANSWERED
        self.clipped: list[str] = []

    def on_mount(self) -> None:
        if self._first is not None:
            self.push_screen(self._first, self._answered)

    def _answered(self, answer: Any) -> None:
        self.answer = answer

    def copy_to_clipboard(self, text: str) -> None:
        self.clipped.append(text)
        super().copy_to_clipboard(text)


async def until(pilot: Pilot[Any], holds: Callable[[], bool]) -> None:
    """Let the app work until ``holds``; a deadline makes a hang a failure."""
    async with asyncio.timeout(_LONGEST):
        while not holds():
            if pilot.app._exception is not None:  # the app is over: nothing will hold any more
                raise pilot.app._exception
            await pilot.pause()


def shown(app: App[Any]) -> str:
    """What stands on the screen, line by line."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    assert height == len(lines)
    return "\n".join(strip.text.ljust(width)[:width].rstrip() for strip in lines)


def played(
    screen: Screen[Any], act: Callable[[Pilot[Any], Stage], Awaitable[None]], size: tuple[int, int] = (80, 24)
) -> Any:
    """The answer of ``screen`` after ``act``."""

    async def play() -> Any:
        app = Stage(screen)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.screen is screen)
            await act(pilot, app)
            await pilot.pause()
            return app.answer

    return asyncio.run(play())
