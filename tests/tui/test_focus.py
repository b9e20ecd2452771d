"""Where the keys go: the focus is always on something that is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app_play import on, played, rested
from app_screens import shown, until
from diagnose_tui.app import DiagnoseApp
from diagnose_tui.playing import demo_entry
from diagnose_tui.screens.target import TargetScreen
from diagnose_tui.widgets.connectors import Connectors
from diagnose_tui.widgets.detail import Detail
from textual.pilot import Pilot

EXPIRED = demo_entry("tls-expired")
HEALTHY = demo_entry("healthy-modern")


def focus(app: DiagnoseApp) -> str:
    return type(app.focused).__name__


def test_a_list_that_a_narrow_terminal_hides_gives_the_focus_to_the_steps(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
        await pilot.press("enter")
        await rested(pilot, app)
        app.main.query_one(Connectors).rows.focus()
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        before = focus(app)
        await on(pilot, "home")
        return before, app.main.view().selected

    assert ("StepList", "dns") == played(act, [EXPIRED], state=tmp_path)


def test_zoom_gives_the_pane_the_keys_and_escape_gives_them_back(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> list[str]:
        await pilot.press("enter")
        await rested(pilot, app)
        seen = []
        for keys in (("z",), ("2",), ("escape",)):
            await on(pilot, *keys)
            await pilot.pause()
            seen.append(focus(app))
        return seen

    assert ["CausePane", "FixPane", "StepList"] == played(act, [EXPIRED], state=tmp_path)


def test_a_filter_is_never_typed_where_it_cannot_be_seen(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        await pilot.press("enter")
        await rested(pilot, app)
        return await on(pilot, "z", "slash", *"heal")

    text = played(act, [EXPIRED, HEALTHY], state=tmp_path)
    assert "heal" in text.splitlines()[1]
    assert "1 of 2 connectors" in text


def test_the_page_keys_turn_the_pane_while_the_cursor_is_on_the_steps(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[float, float, str]:
        await pilot.press("enter")
        await rested(pilot, app)
        pane = app.main.query_one(Detail).pane
        assert pane is not None
        await on(pilot, "pagedown")
        down = pane.scroll_y
        await on(pilot, "pageup")
        return down, pane.scroll_y, focus(app)

    down, up, where = played(act, [EXPIRED], state=tmp_path, size=(80, 24))
    assert 0 < down
    assert 0 == up
    assert "StepList" == where


def test_a_reason_does_not_lie_over_what_is_opened_next(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
        await pilot.press("c")
        await until(pilot, lambda: "c Cancel: nothing runs" in shown(app))
        before = shown(app)
        await on(pilot, "n")
        await until(pilot, lambda: isinstance(app.screen, TargetScreen))
        await pilot.pause()
        return before, shown(app)

    before, after = played(act, [EXPIRED], state=tmp_path, size=(80, 24))
    assert "nothing runs" in before
    assert "nothing runs" not in after
