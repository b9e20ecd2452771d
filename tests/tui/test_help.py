"""The screen of keys, and the sentence for a terminal that is too small."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from app_screens import Stage, played, shown, until
from diagnose_tui.keys import ACTIONS, key_shown
from diagnose_tui.screens.help import HelpScreen, places
from diagnose_tui.screens.too_small import SMALLEST, TooSmall, follow_size
from textual import events
from textual.app import App
from textual.pilot import Pilot

ROWS = [(action, "nothing runs" if action.id == "cancel" else None) for action in ACTIONS]


def words(text: str) -> str:
    """A screen as its words: how lines break is no matter."""
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("size", [(160, 50), (120, 50)])
def test_every_key_stands_on_one_screen_that_has_room(size: tuple[int, int]) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        text = shown(app)
        assert [] == [action.id for action in ACTIONS if f" {action.label} " not in text]
        assert [] == [action.id for action in ACTIONS if f" {key_shown(action)} " not in text]

    played(HelpScreen(ROWS), act, size)


def test_a_key_of_no_use_says_why() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        assert "Not now: nothing runs" in words(shown(app))
        assert 1 == words(shown(app)).count("Not now:")

    played(HelpScreen(ROWS), act, (80, 50))


def test_the_rest_is_reached_by_the_keyboard_on_a_small_screen() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        assert "TEXTUAL_ANIMATIONS" not in shown(app)
        await pilot.press("end")
        await until(pilot, lambda: "TEXTUAL_ANIMATIONS" in shown(app))
        assert "Esc closes" in shown(app)

    played(HelpScreen(ROWS), act)


@pytest.mark.parametrize("key", ["escape", "question_mark", "q"])
def test_the_keys_that_leave(key: str) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press(key)

    assert played(HelpScreen(ROWS), act) is None


def test_a_hostile_reason_is_text() -> None:
    rows = [(ACTIONS[0], "[@click=app.quit]x[/] \x1b]0;y\x07")]

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        assert "[@click=app.quit]x[/] ^[]0;y^G" in words(shown(app))

    played(HelpScreen(rows), act)


def test_places_are_those_of_the_environment_that_is_given(tmp_path: Path) -> None:
    found = dict(places({"DIAGNOSE_STATE_DIR": str(tmp_path)}))
    assert str(tmp_path / "crashes") == found["Crashes"]
    assert found["State"].startswith(str(tmp_path))


class Following(App[None]):
    """An app that does what the main one does when its size changes."""

    def on_mount(self) -> None:
        follow_size(self, self.size, "'my server'")

    def on_resize(self, event: events.Resize) -> None:
        follow_size(self, event.size, "'my server'")


def test_a_terminal_that_is_too_small_says_so_until_it_has_grown() -> None:
    async def play() -> None:
        app = Following()
        async with app.run_test(size=(40, 10)) as pilot:
            await until(pilot, lambda: isinstance(app.screen, TooSmall))
            await pilot.pause()
            expected = (
                f"This terminal is 40x10; the app needs {SMALLEST.width}x{SMALLEST.height}."
                " The same facts, line by line: diagnose run 'my server'"
            )
            assert expected == words(shown(app))
            await pilot.resize_terminal(50, 10)
            await until(pilot, lambda: "50x10" in shown(app))
            assert 2 == len(app.screen_stack)
            await pilot.resize_terminal(*SMALLEST)
            await until(pilot, lambda: not isinstance(app.screen, TooSmall))
            assert 1 == len(app.screen_stack)
            await pilot.resize_terminal(SMALLEST.width, SMALLEST.height - 1)
            await until(pilot, lambda: isinstance(app.screen, TooSmall))

    asyncio.run(play())
