"""The question before something that cannot be taken back."""

from __future__ import annotations

from typing import Any

import pytest
from app_screens import UNANSWERED, Stage, played, shown
from diagnose_tui.screens.confirm import ConfirmScreen
from textual.pilot import Pilot
from textual.widgets import Button

from diagnose.connector import Connector, Source, StdioTransport
from diagnose.connector.consent import particulars

ROWS = (("tool", "delete_repo"), ("arguments", '{"name": "site"}'))
HOSTILE = "[@click=app.exit]y[/] \x1b[31mred\x07 [bold]yes[/bold] \u202egnp"


def asked(rows: Any = ROWS) -> ConfirmScreen:
    return ConfirmScreen("This tool may change something.", rows, "Call it?", "Call it")


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (("y",), True),
        (("n",), False),
        (("enter",), False),
        (("escape",), False),
        (("tab", "enter"), True),
        (("tab", "tab", "enter"), False),
        (("a", "Y", "space", "1"), UNANSWERED),
    ],
)
def test_only_y_and_the_button_that_was_gone_to_say_yes(keys: tuple[str, ...], answer: Any) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press(*keys)

    assert answer is played(asked(), act)


def test_a_process_is_shown_whole_before_it_is_started() -> None:
    connector = Connector(
        name="files",
        transport=StdioTransport(command="npx", args=("-y", "server; rm -rf /", "--token", "lab-canary-91")),
        source=Source(format="Cursor", file="/home/me/.cursor/mcp.json", line=4, discovered=True),
    )

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        text = shown(app)
        assert '"npx" "-y" "server; rm -rf /" "--token" "[redacted]"' in text
        assert "/home/me/.cursor/mcp.json:4 (Cursor)" in text
        assert "Start this process?" in text
        assert "lab-canary-91" not in text

    screen = ConfirmScreen("A file starts this.", particulars(connector), "Start this process?", "Start it")
    played(screen, act)


def test_text_of_a_server_is_neither_markup_nor_a_key_nor_an_escape() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        text = shown(app)
        assert r"[@click=app.exit]y[/] ^[[31mred^G [bold]yes[/bold] \u202egnp" in " ".join(text.split())
        await pilot.click(offset=(14, 4))

    assert UNANSWERED is played(asked((("tool", HOSTILE),)), act)


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (120, 36)])
def test_the_question_and_its_keys_stay_in_sight_under_a_text_of_any_length(size: tuple[int, int]) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        before = shown(app)
        await pilot.press(*["down"] * 5)
        await pilot.pause()
        assert "Call it?" in shown(app)
        assert "y yes" in shown(app)
        assert before != shown(app)
        assert 2 == len([one for one in app.screen.query(Button) if one.region.height])

    played(asked((("arguments", "\n".join(f"line {number}" for number in range(300))),)), act, size)
