"""The app as somebody looks at it: from the list to the cause, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from app_play import on, played, rested
from app_screens import shown, until
from diagnose_lab import Lab
from diagnose_tui.app import DiagnoseApp
from diagnose_tui.discovering import entries_of, report_entry
from diagnose_tui.entries import Entry
from diagnose_tui.playing import DEMOS, demo_entry
from diagnose_tui.screens.too_small import TooSmall
from diagnose_tui.widgets.connectors import Connectors
from diagnose_tui.widgets.detail import Detail
from textual.pilot import Pilot

from diagnose.api import diagnose_sync
from diagnose.connector import load

EXPIRED = demo_entry("tls-expired")
HEALTHY = demo_entry("healthy-modern")


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
def test_one_key_leads_from_the_list_to_cause_fix_and_who_acts(tmp_path: Path, size: tuple[int, int]) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        await pilot.press("enter")
        return await rested(pilot, app)

    text = " ".join(played(act, [EXPIRED], state=tmp_path, size=size).replace("│ ", "").split())
    assert "FAILED" in text
    assert "TLS003" in text
    assert "The certificate of 127.0.0.1 expired on" in text
    assert "Renew the certificate and reload the server, so that it serves the new one" in text.replace(
        "│ ", ""
    )
    assert "whoever runs the server" in text


def test_the_failing_step_is_selected_by_itself_and_unreached_steps_are_one_line(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
        await pilot.press("enter")
        return await rested(pilot, app), app.main.view().selected

    text, selected = played(act, [EXPIRED], state=tmp_path)
    assert "tls" == selected
    assert "4-11 blocked by TLS" in text
    assert "Teardown" not in text


def test_a_short_terminal_folds_what_passed_and_the_key_unfolds_it(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
        await pilot.press("enter")
        return await rested(pilot, app), await on(pilot, "a")

    folded, unfolded = played(act, [EXPIRED], state=tmp_path, size=(80, 24))
    assert "1-2 DNS, TCP" in folded
    assert "11 Teardown" in unfolded


def test_a_tall_terminal_says_why_a_key_does_nothing(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        first = await on(pilot, "c")
        await until(pilot, lambda: "c Cancel: nothing runs" in shown(app))  # a toast
        return first

    text = played(act, [EXPIRED], state=tmp_path)
    assert "(c Cancel)" in text
    assert "c nothing runs" in text


def test_digits_open_the_panes_and_tab_names_stay(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> list[tuple[int, str]]:
        await pilot.press("enter")
        await rested(pilot, app)
        detail, seen = app.main.query_one(Detail), []
        for number in range(1, 9):
            await on(pilot, str(number))
            seen.append((detail.place, type(detail.pane).__name__))
        return seen

    assert [
        (0, "CausePane"),
        (1, "FixPane"),
        (2, "ExchangePane"),
        (3, "ChainPane"),
        (4, "ToolsPane"),
        (5, "CurlPane"),
        (6, "JsonPane"),
        (7, "HistoryPane"),
    ] == played(act, [HEALTHY], state=tmp_path)


def test_the_cursor_moves_over_the_steps_and_the_pane_follows(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> list[str]:
        await pilot.press("enter")
        await rested(pilot, app)
        seen = [app.main.view().selected]
        for key in ("home", "down", "j", "k", "end"):
            await on(pilot, key)
            seen.append(app.main.view().selected)
        return seen

    walked = played(act, [HEALTHY], state=tmp_path)
    assert ["teardown", "dns", "tcp", "tls", "tcp", "teardown"] == walked


def test_space_shows_the_phases_of_the_selected_step(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
        await pilot.press("enter")
        await rested(pilot, app)
        await on(pilot, "end", "up", "up", "up")
        await until(pilot, lambda: app.main.view().selected == "session_open")
        closed = await on(pilot, "space")
        return closed, await on(pilot, "space")

    opened, closed = played(act, [HEALTHY], state=tmp_path, size=(160, 50))
    assert "POST /mcp" in opened
    assert "wait" in opened
    assert "POST /mcp" not in closed.partition("1 Cause")[0]


def test_a_narrow_terminal_has_the_list_and_the_run_as_two_pages(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str, str]:
        first = shown(app)
        await pilot.press("enter")
        second = await rested(pilot, app)
        return first, second, await on(pilot, "escape")

    listed, run, back = played(act, [EXPIRED, HEALTHY], state=tmp_path, size=(80, 24))
    assert "demo healthy-modern" in listed
    assert "1 DNS" not in listed
    assert "demo healthy-modern" not in run
    assert "demo healthy-modern" in back
    assert "TLS003" in back


def test_the_filter_leaves_what_holds_every_word_and_escape_brings_all_back(tmp_path: Path) -> None:
    entries = [demo_entry(name, label) for name, label in DEMOS]

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> list[list[str]]:
        rows = app.main.query_one(Connectors)
        await on(pilot, "slash", *"broken", "space", "exclamation_mark", *"login")
        kept = rows.visible_keys
        await on(pilot, "escape")
        return [kept, rows.visible_keys]

    kept, everything = played(act, entries, state=tmp_path)
    assert ["demo:tls-expired", "demo:http-wrong-path"] == kept
    assert [entry.key for entry in entries] == everything


def test_zoom_gives_the_pane_the_whole_screen_until_escape(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
        await pilot.press("enter")
        await rested(pilot, app)
        return await on(pilot, "z"), await on(pilot, "escape")

    zoomed, back = played(act, [EXPIRED], state=tmp_path)
    assert "1 DNS" not in zoomed
    assert "Renew the certificate" in zoomed
    assert "1 DNS" in back


def test_a_frozen_picture_stands_while_a_run_goes_on(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
        await on(pilot, "f", "enter")
        session = app.main.session
        assert session is not None
        await until(pilot, lambda: session.report is not None)
        await until(pilot, lambda: app.main.settled)
        frozen = shown(app)
        return frozen, await on(pilot, "f")

    frozen, moved = played(act, [EXPIRED], state=tmp_path)
    assert "frozen" in frozen
    assert "TLS003" not in frozen
    assert "TLS003" in moved


def test_the_theme_key_changes_colours_and_says_the_name(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
        before = app.theme
        await on(pilot, "T")
        await until(pilot, lambda: f"theme {app.theme}" in shown(app))
        return before, app.theme

    before, after = played(act, [EXPIRED], state=tmp_path)
    assert before != after


def test_privacy_masks_hosts_and_names_everywhere_and_gives_them_back(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str, str]:
        await pilot.press("enter")
        plain = await rested(pilot, app)
        return plain, await on(pilot, "p"), await on(pilot, "p")

    entry = demo_entry("auth-issuer-mismatch")
    plain, masked, back = played(act, [entry], state=tmp_path, size=(160, 50))
    assert "/app-1" in plain
    assert "/app-1" not in masked
    assert "names masked" in masked
    assert "/app-1" in back


def test_help_lists_every_key_and_the_palette_runs_one(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
        helped = await on(pilot, "question_mark")
        await on(pilot, "escape")
        await on(pilot, "ctrl+p")
        await on(pilot, *"Run  (r")
        await until(pilot, lambda: "Diagnose the selected" in shown(app))
        await pilot.press("enter", "enter")
        return helped, await rested(pilot, app)

    helped, ran = played(act, [EXPIRED], state=tmp_path)
    assert "Run again from the selected step" in " ".join(helped.split())
    assert "TLS003" in ran


def test_explain_opens_the_page_of_the_code_under_the_cursor(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
        await pilot.press("enter")
        await rested(pilot, app)
        explained = await on(pilot, "e")
        return explained, await on(pilot, "escape")

    explained, back = played(act, [EXPIRED], state=tmp_path)
    assert "What it means" in explained
    assert "1 Cause" in back


def test_where_nothing_is_configured_the_screen_says_how_to_add_one_and_offers_the_demo(
    tmp_path: Path,
) -> None:
    entries = [demo_entry(name, label) for name, label in DEMOS]

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        await until(pilot, lambda: "No connector was found" in shown(app))
        return shown(app)

    text = " ".join(played(act, entries, state=tmp_path, finder=lambda: ()).split())
    assert "n types a URL" in text
    assert "demo broken" in text


def test_a_file_that_is_broken_is_a_row_with_its_error_and_line(tmp_path: Path) -> None:
    good = tmp_path / "mcp.json"
    good.write_text('{"mcpServers": {"one": {"url": "https://one.example/mcp"}, "two": {"urll": 1}}}')
    entries = entries_of(load(good), DiagnoseApp(environ={"HOME": str(tmp_path)}).board.options)

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        return await on(pilot, "down", "enter")

    text = played(act, entries, state=tmp_path)
    assert "CANNOT BE RUN" in text
    assert entries[1].reason is not None
    assert entries[1].reason.what in text
    assert "mcp.json:1:60/mcpServers/two" in "".join(text.replace("│", " ").split())


def test_a_small_terminal_gets_one_sentence_until_it_grows(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
        await until(pilot, lambda: isinstance(app.screen, TooSmall))
        await pilot.pause()
        small = shown(app)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: app.screen is app.main)
        return small, shown(app)

    small, grown = played(act, [EXPIRED], state=tmp_path, size=(40, 10))
    assert "This terminal is 40x10; the app needs 60x16." in " ".join(small.split())
    assert "demo tls-expired" in grown


def test_a_stored_report_is_shown_at_its_failing_step_and_cannot_be_run(tmp_path: Path, lab: Lab) -> None:
    with lab.start("http-wrong-path") as running:
        report = diagnose_sync(running.url)

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        await until(pilot, lambda: "HTTP" in shown(app))
        return await on(pilot, "r")

    text = " ".join(played(act, [report_entry(report)], state=tmp_path).split())
    assert str(report.verdict.code) in text
    assert str(report.verdict.summary)[:40] in text
    assert "a stored report is shown: there is nothing to run" in text


def test_a_terminal_that_shrinks_while_a_screen_is_above_says_so_and_gives_it_back(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> list[str]:
        await on(pilot, "question_mark")
        seen = []
        for small in ((40, 10), (50, 12)):
            await pilot.resize_terminal(*small)
            await until(pilot, lambda: isinstance(app.screen, TooSmall))
            seen.append(type(app.screen).__name__)
            await pilot.resize_terminal(100, 30)
            await until(pilot, lambda: not isinstance(app.screen, TooSmall))
            seen.append(type(app.screen).__name__)
        await on(pilot, "escape")
        return [*seen, type(app.screen).__name__]

    shapes = played(act, [EXPIRED], state=tmp_path, size=(100, 30))
    assert ["TooSmall", "HelpScreen", "TooSmall", "HelpScreen", "MainScreen"] == shapes


def test_what_a_server_calls_itself_is_no_markup_and_moves_no_cursor(tmp_path: Path) -> None:
    name = "[red]loud[/red] \x1b[2J\u202etxt [@click=app.quit]q[/]"
    entry = Entry(key="hostile", name=name, client=name, target=name, place=name)

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        await pilot.press("enter")
        app.main.say(name)
        return await on(pilot, "question_mark", "escape")

    text = played(act, [entry], state=tmp_path, size=(200, 40))
    assert "[red]loud[/red]" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_where_only_ascii_is_shown_nothing_else_reaches_the_terminal(tmp_path: Path) -> None:
    named = Entry(key="x", name="wetter-für-名前", client="Cursor", target="https://a.example/mcp")

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> list[str]:
        await pilot.press("enter")
        seen = [await rested(pilot, app)]
        for keys in (("question_mark",), ("escape", "o"), ("escape", "escape", "x"), ("escape", "slash")):
            seen.append(await on(pilot, *keys))
        return seen

    seen = played(act, [EXPIRED, named], state=tmp_path, ascii_only=True)
    assert [] == sorted({sign for text in seen for sign in text if not sign.isascii()})
    assert "wetter-f?r-????" in seen[0]


def test_the_fix_of_a_broken_definition_can_be_copied(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text('{"mcpServers": {"one": {"url": "https://one.example/mcp"}, "two": {"urll": 1}}}')
    entry = entries_of(load(file), DiagnoseApp(environ={"HOME": str(tmp_path)}).board.options)[1]

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        await on(pilot, "y")
        await on(pilot, "f")
        await until(pilot, lambda: bool(app.clipboard))
        return app.clipboard

    assert entry.reason is not None
    assert entry.reason.hint in played(act, [entry], state=tmp_path)
