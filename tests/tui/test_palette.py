"""The palette: every action of the table of keys, and what has a name besides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from app_screens import shown, until
from diagnose_tui.app import DiagnoseApp
from diagnose_tui.commands import Commanded, Commands, Palette
from diagnose_tui.keys import ACTIONS
from diagnose_tui.screens.explain import ExplainScreen
from diagnose_tui.themes import THEMES
from textual.app import App
from textual.command import CommandList
from textual.pilot import Pilot
from textual.screen import Screen

HOSTILE = "[@click=app.exit]evil[/] \x1b[31m"


class Main(Screen[None]):
    """What the palette asks of the main screen, and what it asked for."""

    COMMANDS = {Commands}  # noqa: RUF012 - Textual's own declaration

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def connectors(self) -> Sequence[tuple[str, str, str]]:
        return (("1", "github", "Cursor"), ("2", HOSTILE, "[b]VS Code[/b]"))

    def why_not(self, action_id: str) -> str | None:
        return "nothing runs" if action_id == "cancel" else None

    def do(self, action_id: str) -> None:
        self.done.append(action_id)

    def enter(self, key: str) -> None:
        self.done.append(f"go to {key}")


class Desk(App[None]):
    COMMANDS = set()  # noqa: RUF012 - Textual's own declaration

    def __init__(self) -> None:
        super().__init__()
        self.main = Main()

    def on_mount(self) -> None:
        self.push_screen(self.main)

    def action_command_palette(self) -> None:
        self.push_screen(Palette())


def played(act: Callable[[Pilot[Any], Desk], Awaitable[None]]) -> Desk:
    async def play() -> Desk:
        app = Desk()
        async with app.run_test(size=(100, 60)) as pilot:
            await until(pilot, lambda: app.screen is app.main)
            await pilot.press("ctrl+p")
            await until(pilot, lambda: isinstance(app.screen, Palette) and options(app) > 0)
            await act(pilot, app)
            await pilot.pause()
        return app

    return asyncio.run(play())


def options(app: Desk) -> int:
    return app.screen.query_one(CommandList).option_count


async def typed(pilot: Pilot[Any], app: Desk, text: str, first: str) -> None:
    """Type ``text`` and wait until the first hit begins with ``first``."""
    await pilot.press(*text)
    found = app.screen.query_one(CommandList)
    await until(
        pilot, lambda: found.option_count > 0 and str(found.get_option_at_index(0).prompt).startswith(first)
    )


def test_the_palette_can_use_the_main_screen() -> None:
    assert isinstance(Main(), Commanded)
    assert isinstance(DiagnoseApp().main, Commanded)


def test_every_action_and_theme_is_there_before_anything_is_typed() -> None:
    async def act(pilot: Pilot[Any], app: Desk) -> None:
        await until(pilot, lambda: options(app) == len(ACTIONS) + len(THEMES))
        assert "Not now: nothing runs" in shown(app)

    played(act)


def test_an_action_is_done_by_its_name() -> None:
    async def act(pilot: Pilot[Any], app: Desk) -> None:
        await typed(pilot, app, "history", "History  (h)")
        await pilot.press("enter")
        await until(pilot, lambda: bool(app.main.done))

    assert ["history"] == played(act).main.done


def test_an_action_of_no_use_says_why_instead() -> None:
    notes: list[str] = []

    async def act(pilot: Pilot[Any], app: Desk) -> None:
        await typed(pilot, app, "cancel", "Cancel  (c)")
        await pilot.press("enter")
        await until(pilot, lambda: bool(app._notifications))
        notes.extend(note.message for note in app._notifications)

    assert [] == played(act).main.done
    assert ["nothing runs"] == notes


def test_a_connector_is_gone_to_by_its_name_whatever_that_holds() -> None:
    async def act(pilot: Pilot[Any], app: Desk) -> None:
        await typed(pilot, app, "goto", "Go to ")
        await pilot.pause()
        assert "Go to [@click=app.exit]evil[/] ^[[31m" in shown(app)
        assert "[b]VS Code[/b]" in shown(app)
        await pilot.press(*" evil")
        await typed(pilot, app, "", "Go to [")
        await pilot.press("enter")
        await until(pilot, lambda: bool(app.main.done))

    assert ["go to 2"] == played(act).main.done


def test_a_theme_is_put_on() -> None:
    async def act(pilot: Pilot[Any], app: Desk) -> None:
        await typed(pilot, app, "dracula", "Theme dracula")
        await pilot.press("enter")
        await until(pilot, lambda: app.theme == "dracula")

    played(act)


def test_a_code_opens_its_page() -> None:
    async def act(pilot: Pilot[Any], app: Desk) -> None:
        await typed(pilot, app, "tls003", "Explain TLS003")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ExplainScreen))

    played(act)
