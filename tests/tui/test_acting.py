"""Changing and acting in the whole app: what is typed is what the next run sends, as the server sees it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from app_play import asked, entry_for, played, rested
from app_screens import shown, until
from diagnose_lab import Lab, Running
from diagnose_lab.browser import UserAgent
from diagnose_lab.scenario import parse
from diagnose_tui.app import DiagnoseApp
from diagnose_tui.screens.arguments import ArgumentsScreen
from diagnose_tui.screens.confirm import ConfirmScreen
from diagnose_tui.screens.edit import EditScreen
from diagnose_tui.screens.login import LoginScreen
from diagnose_tui.screens.tool import ToolScreen
from diagnose_tui.widgets.fields import Field, Line
from textual.pilot import Pilot

from diagnose.oauth.store import open_store

LOGIN = """
title = "A server that wants a login"
transport = "streamable-http"
era = "modern"
[server.auth]
token = "login"
[authorization_server]
"""
CANARY = "canaryX9f2b7c1d4e5"


async def opened(pilot: Pilot[Any], app: DiagnoseApp, key: str, screen: type) -> None:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, screen) and app.screen.is_mounted)
    await pilot.pause()


def put(app: DiagnoseApp, label: str, text: str) -> None:
    control = next(one for one in app.screen.query(Field) if one._label == label).control
    assert isinstance(control, Line)
    control.value = text


def called(running: Running) -> list[str]:
    """The names of the tools that the server was asked to call."""
    return [entry.tool for entry in running.log if entry.rpc_method == "tools/call" and entry.tool]


def test_a_login_by_keys_ends_in_a_whole_run_with_the_stored_login(tmp_path: Path, lab: Lab) -> None:
    running = lab.start(parse(LOGIN, name="login", folder=Path()))

    def visit(url: str) -> None:
        callback = UserAgent().answer_to(url)
        assert callback is not None
        UserAgent().open(callback)

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, Any, Any]:
        await pilot.press("enter")
        before = await rested(pilot, app)
        await opened(pilot, app, "l", LoginScreen)
        screen = app.screen
        assert isinstance(screen, LoginScreen)
        await asyncio.to_thread(visit, screen._url)
        session = app.main.session
        assert session is not None
        await until(pilot, lambda: session.edited is not None)
        await rested(pilot, app)
        return before, session.report, session.edited

    try:
        before, report, edited = played(act, [entry_for(running)], state=tmp_path)
        environ = {**os.environ, "DIAGNOSE_STATE_DIR": str(tmp_path / "state")}
        assert open_store(environ).holds(running.url)
    finally:
        running.stop()
    assert "token" in before.lower()
    assert "passed" == report.verdict.status
    assert "passed" == report.steps[9].status
    assert edited.connector.credential.access_token is None


def test_escape_in_the_login_ends_its_run_and_nothing_is_kept(tmp_path: Path, lab: Lab) -> None:
    running = lab.start(parse(LOGIN, name="login", folder=Path()))

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> None:
        await pilot.press("enter")
        await rested(pilot, app)
        await opened(pilot, app, "l", LoginScreen)
        await pilot.press("escape")
        await rested(pilot, app)
        assert app.screen is app.main

    try:
        played(act, [entry_for(running)], state=tmp_path)
        environ = {**os.environ, "DIAGNOSE_STATE_DIR": str(tmp_path / "state")}
        assert not open_store(environ).holds(running.url)
    finally:
        running.stop()


def test_a_header_that_is_typed_is_sent_by_the_next_run_and_shown_nowhere(tmp_path: Path, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
            await pilot.press("enter")
            await rested(pilot, app)
            await opened(pilot, app, "o", EditScreen)
            rows = list(next(one for one in app.screen.query(Field) if one._label == "Headers").query(Line))
            rows[0].value = "X-Typed-Key"
            rows[1].value = CANARY
            await pilot.pause()
            typed = shown(app)
            await pilot.press("ctrl+s")
            await until(pilot, lambda: app.screen is app.main)
            await rested(pilot, app)
            session = app.main.session
            assert session is not None
            assert session.report is not None
            return typed, shown(app) + session.report.model_dump_json()

        typed, after = played(act, [entry_for(running)], state=tmp_path)
        sent = [entry.header("x-typed-key") for entry in running.log]
    assert CANARY in sent
    assert None in sent
    assert CANARY not in typed
    assert CANARY not in after
    assert CANARY not in "".join(
        path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()
    )


def test_a_picked_tool_is_called_with_its_arguments_only_after_a_yes(tmp_path: Path, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[list[str], list[str], str]:
            await pilot.press("enter")
            await rested(pilot, app)
            session = app.main.session
            assert session is not None
            before = called(running)
            name = next(
                one["name"]
                for one in session.tools
                if one.get("annotations", {}).get("readOnlyHint") is not True
            )
            for answer in ("escape", "y"):
                await opened(pilot, app, "t", ToolScreen)
                await pilot.press(*name)
                await pilot.pause()
                await opened(pilot, app, "enter", ArgumentsScreen)
                await pilot.press("ctrl+s")
                await pilot.pause()
                if isinstance(app.screen, ArgumentsScreen):  # what it requires was left out, and is meant
                    await until(pilot, lambda: "^s again" in " ".join(shown(app).split()))
                    await pilot.press("ctrl+s")
                await until(pilot, lambda: asked(app, ConfirmScreen))
                await pilot.press(answer)
                await until(pilot, lambda: app.screen is app.main)
                if answer == "escape":
                    assert before == called(running)
            await until(pilot, lambda: session.busy or name in called(running))
            await rested(pilot, app)
            return before, called(running), name

        before, after, name = played(act, [entry_for(running)], state=tmp_path)
    assert name not in before
    assert [*before, name] == after
