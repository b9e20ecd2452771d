"""Logging in from the app: a real run in its own thread, real servers, a browser without a screen."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from app_screens import Stage, played, shown, until
from diagnose_lab import Lab, Running
from diagnose_lab.browser import UserAgent
from diagnose_lab.scenario import load, parse
from diagnose_tui.person import ScreenPerson, after_login, login_options
from diagnose_tui.screens.confirm import ConfirmScreen
from diagnose_tui.screens.login import LoginScreen
from scenario_runs import environment
from textual.pilot import Pilot

from diagnose.api import diagnose, start
from diagnose.connector import BearerCredential, Connector, OAuth2Credential, Secret, StdioTransport
from diagnose.errors import ExitCode, UsageError
from diagnose.events import RunFinished
from diagnose.model import Report
from diagnose.oauth.store import open_store
from diagnose.options import Options
from diagnose.pipeline import Run

LOGIN = """
title = "A server that wants a login"
transport = "streamable-http"
era = "modern"
[server.auth]
token = "login"
[authorization_server]
"""
URL = "https://auth.example.com/authorize?client_id=lab&state=" + "s" * 200


@pytest.fixture
def server(lab: Lab) -> Iterator[Running]:
    running = lab.start(parse(LOGIN, name="login", folder=Path()))
    yield running
    running.stop()


class RunThread:
    """One run on a loop of its own, as the app has it."""

    def __init__(self, running: Running, app: Stage, **more: Any) -> None:
        environ = {**os.environ, **running.env}
        connector, options = login_options(Connector(url=running.url), Options(**more), environ)
        self.report: Report | None = None
        self._loop = asyncio.new_event_loop()
        self._run: Run = start(connector, options=options, environ=environ)
        self._run.ctx.person = ScreenPerson(app, self.interrupt)
        self._thread = threading.Thread(target=self._turn, daemon=True)
        self._thread.start()

    def interrupt(self) -> None:
        self._loop.call_soon_threadsafe(self._run.interrupt)

    def _turn(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._walk())

    async def _walk(self) -> None:
        async with aclosing(self._run.events()) as events:
            async for event in events:
                if isinstance(event, RunFinished):
                    self.report = event.report

    @property
    def exit_code(self) -> int:
        return self._run.exit_code

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()


def with_run(
    running: Running, act: Callable[[Pilot[Any], Stage], Any], **more: Any
) -> tuple[Report, RunThread]:
    """The report of a run whose person sits at ``app`` and does ``act`` once the URL is shown."""

    async def play() -> tuple[Report, RunThread]:
        app = Stage()
        async with app.run_test(size=(80, 24)) as pilot:
            run = RunThread(running, app, **more)
            await until(pilot, lambda: isinstance(app.screen, LoginScreen))
            await act(pilot, app)
            await until(pilot, lambda: run.over)
            await until(pilot, lambda: not isinstance(app.screen, LoginScreen))
            assert run.report is not None
            return run.report, run

    return asyncio.run(play())


def codes(report: Report) -> set[str]:
    return {finding.code for step in report.steps for finding in step.findings}


def visit(url: str) -> None:
    callback = UserAgent().answer_to(url)
    assert callback is not None
    UserAgent().open(callback)


def test_the_copied_url_logs_in_and_the_next_run_finds_the_stored_login(server: Running) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        text = shown(app)
        assert f"Asked by   {server.places['as']}" in text
        assert "a client was registered for this login at" in text
        await pilot.press("y")
        await until(pilot, lambda: bool(app.clipped))
        await asyncio.to_thread(visit, app.clipped[0])

    report, _ = with_run(server, act)
    (kept,) = open_store({**os.environ, **server.env}).all()
    environ = {**os.environ, **server.env}
    stale = OAuth2Credential(access_token=Secret("lab-stale"))
    ready = after_login(Connector(url=server.url, credential=stale))
    again = asyncio.run(diagnose(ready, environ=environ))
    assert "passed" == report.verdict.status
    assert "skipped" == report.steps[6].status
    assert ["passed"] * 6 == [step.status for step in again.steps[5:]]
    assert server.places["as"] == report.steps[5].facts["acquired"]["issuer"]
    assert server.url == kept.resource_url
    assert kept.access_token not in report.model_dump_json()


def test_the_screen_shows_the_whole_url_and_nothing_at_its_sides() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        lines = shown(app).splitlines()
        start = next(number for number, line in enumerate(lines) if line.startswith("https://"))
        end = lines.index("", start)
        assert URL == "".join(lines[start:end])

    played(LoginScreen(URL), act)


def test_b_opens_the_browser_which_brings_the_answer_back(server: Running) -> None:
    browser = {"BROWSER": f"{sys.executable} -m diagnose_lab.browser --as approves %s"}

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("b")

    with environment(browser):
        report, _ = with_run(server, act)
    assert "passed" == report.verdict.status


def test_a_browser_that_cannot_be_opened_is_said() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("b")
        await until(pilot, lambda: "could not be opened: copy the URL" in shown(app))

    with environment({"BROWSER": "/nonexistent/browser", "PATH": "/nonexistent", "DISPLAY": ""}):
        played(LoginScreen(URL), act)


def test_escape_ends_the_wait_and_the_run(server: Running) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("escape")

    report, run = with_run(server, act)
    assert ExitCode.INTERRUPTED == run.exit_code
    assert "passed" == report.steps[4].status
    assert not open_store({**os.environ, **server.env}).holds(server.url)


def test_the_screen_closes_by_itself_when_nobody_comes(server: Running) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        pass

    report, _ = with_run(server, act, login_timeout=2)
    assert "TOK031" == report.verdict.code


def test_a_screen_above_stays_when_the_wait_ends_and_the_url_goes_once_it_is_left() -> None:
    login = LoginScreen(URL)

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        above = ConfirmScreen("Something else.", (), "Really?", "Yes")
        await app.push_screen(above)
        await until(pilot, lambda: app.screen is above)
        login.over()
        await pilot.pause()
        assert app.screen is above
        await pilot.press("n")
        await until(pilot, lambda: app.answer is True)

    played(login, act)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("login-denied", "TOK030"),
        ("login-state-wrong", "TOK033"),
        ("login-iss-wrong", "TOK034"),
        ("healthy-login-page", None),
    ],
)
def test_a_login_scenario_of_the_lab_has_its_verdict_in_the_app_too(
    lab: Lab, name: str, code: str | None
) -> None:
    running = lab.start(load(name))
    try:

        async def act(pilot: Pilot[Any], app: Stage) -> None:
            await pilot.press("b")

        with environment(running.env):
            report, _ = with_run(running, act, login_timeout=4)
    finally:
        running.stop()
    assert code == report.verdict.code


@pytest.mark.parametrize(
    ("connector", "code", "words"),
    [
        (Connector(url="http://mcp.example.com/mcp"), "CFG006", "plain http"),
        (
            Connector(url="https://h/mcp", credential=BearerCredential(token=Secret("lab-t"))),
            "CFG006",
            "kind bearer",
        ),
        (Connector(name="p", transport=StdioTransport(command="npx")), "CFG006", "starts a process"),
        (
            Connector(url="https://h/mcp", credential=OAuth2Credential(redirect_uri="https://elsewhere/cb")),
            "CFG019",
            "redirect_uri",
        ),
    ],
)
def test_what_nobody_can_log_in_to_is_refused_before_anything_is_sent(
    connector: Connector, code: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        login_options(connector, Options(), {})
    assert code == refused.value.code


def test_a_login_starts_without_the_old_tokens_and_ends_with_step_6(tmp_path: Path) -> None:
    old = OAuth2Credential(access_token=Secret("lab-old"), client_id="lab", scope="read")
    ready, options = login_options(
        Connector(url="https://h/mcp", credential=old),
        Options(only="tls"),
        {"DIAGNOSE_STATE_DIR": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert OAuth2Credential(client_id="lab", scope="read") == ready.credential
    assert (True, "token_validity", None) == (options.login, options.until, options.only)
