"""Runs in the app: side by side, cancelled, gone on with, watched, kept; and nothing left when it ends."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from app_play import asked, entry_for, on, played, rested
from app_screens import shown, until
from diagnose_lab import Lab
from diagnose_tui.app import DiagnoseApp
from diagnose_tui.discovering import entries_of, typed_entry
from diagnose_tui.playing import demo_entry
from diagnose_tui.screens.confirm import ConfirmScreen
from diagnose_tui.screens.target import TargetScreen
from diagnose_tui.widgets.detail import Detail
from textual.events import Paste
from textual.pilot import Pilot

from diagnose.connector import Connector, StdioTransport, load
from diagnose.connector.model import Source
from diagnose.history import open_history
from diagnose.options import Options

HEALTHY = demo_entry("healthy-modern")
HANGS = demo_entry("http-timeout")
EXPIRED = demo_entry("tls-expired")

SLEEPER = "import sys; sys.stdin.read()"
"""A process that answers nothing and ends when its stdin does."""


def sleeper(**source: Any) -> Connector:
    return Connector(
        name="sleeper",
        transport=StdioTransport(command=sys.executable, args=("-c", SLEEPER, "diagnose-app-test")),
        source=Source(**source),
    )


def sleepers() -> list[psutil.Process]:
    """The processes of this test that run now."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if "diagnose-app-test" in (process.info["cmdline"] or ()):
            found.append(process)
    return found


def test_steps_come_one_by_one_with_a_running_one_and_its_time(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        await pilot.press("enter")
        await until(pilot, lambda: "running" in shown(app) and "4 HTTP reachability" in shown(app))
        await until(pilot, lambda: app.main.view().running == "http_reachability")
        await until(pilot, lambda: bool(app.main.view().step_exchanges))
        text = shown(app)
        await on(pilot, "c")
        await rested(pilot, app)
        return text

    text = played(act, [HANGS], state=tmp_path)
    assert "RUNNING" in text
    assert "✓ passed   2 TCP" in text


def test_a_cancelled_run_keeps_what_it_found_and_says_so(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, Any]:
        await pilot.press("enter")
        await until(pilot, lambda: app.main.view().running == "http_reachability")
        await pilot.press("c")
        text = await rested(pilot, app)
        return text, app.main.view().report

    text, report = played(act, [HANGS], state=tmp_path)
    assert "passed" == report.step("tcp").status
    assert "interrupted" == report.step("http_reachability").facts["reason"]
    assert "interrupted" in text


def test_what_waits_for_its_turn_can_be_taken_back(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> list[str]:
        first, second = app.board.sessions.values()
        app.board.run(first)
        app.board.run(second)
        await until(pilot, lambda: first.running is not None)
        queued = second.status
        app.board.cancel(second)
        await until(pilot, lambda: second.status == "idle")
        app.board.cancel(first)
        await until(pilot, lambda: not first.busy)
        return [queued, second.status]

    assert ["queued", "idle"] == played(act, [HANGS, HEALTHY], state=tmp_path, at_once=1)


def test_all_connectors_run_side_by_side_a_bounded_number_at_once(tmp_path: Path, lab: Lab) -> None:
    with lab.start("http-timeout") as running:
        entries = [entry_for(running, f"one-{number}") for number in range(12)]

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[list[str], list[str]]:
            sessions = list(app.board.sessions.values())
            await pilot.press("R")
            await until(pilot, lambda: sum(one.running is not None for one in sessions) == 3)
            going = sorted(str(one.status) for one in sessions)
            app.board.cancel(sessions[0])
            await until(pilot, lambda: not sessions[0].busy)
            await until(pilot, lambda: sum(one.running is not None for one in sessions) == 3)
            return going, sorted(str(one.status) for one in sessions)

        going, then = played(act, entries, state=tmp_path, at_once=3)
    assert ["queued"] * 9 + ["running"] * 3 == going
    assert ["queued"] * 8 + ["running"] * 3 == [status for status in then if status in ("queued", "running")]


def test_a_run_from_a_step_says_what_it_did_not_ask_again_and_how_old_it_is(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        await pilot.press("enter")
        await rested(pilot, app)
        first = app.main.view().report
        await on(pilot, "up", "up", "s")
        await until(pilot, lambda: app.main.view().report not in (None, first))
        return await rested(pilot, app)

    text = played(act, [HEALTHY], state=tmp_path)
    assert re.search(r"found \d s ago, not asked again", text)
    assert "PASSED" in text


def test_a_watched_connector_runs_again_and_again_and_waits_while_nobody_looks(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> int:
        seen = set()

        def again() -> bool:
            report = app.main.view().report
            if report is not None:
                seen.add(report.run.id)
            return len(seen) >= 3

        await pilot.press("w")
        await until(pilot, again)
        app.main.blurred = True
        await rested(pilot, app)
        before = app.main.view().report
        session = app.main.session
        assert session is not None
        await until(pilot, lambda: app.main.now() > session.next_at + 0.3)
        assert before is app.main.view().report
        return len(seen)

    assert 3 == played(act, [HEALTHY], state=tmp_path, watch_s=0.05)


def test_a_failing_connector_is_watched_less_and_less_often(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> float:
        session = app.main.session
        assert session is not None
        await pilot.press("w")
        await until(pilot, lambda: session.watched >= 0.4)
        return session.watched

    assert 0.4 <= played(act, [EXPIRED], state=tmp_path, watch_s=0.1)


def test_a_found_command_is_started_only_after_a_yes_that_enter_does_not_give(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    command = {"command": sys.executable, "args": ["-c", SLEEPER, "diagnose-app-test"]}
    file.write_text(json.dumps({"mcpServers": {"sleeper": command}}))
    entry = entries_of(load(file), Options())[0]
    assert entry.connector is not None
    source = entry.connector.source.model_copy(update={"discovered": True})
    entry.connector = entry.connector.model_copy(update={"source": source})  # type: ignore[misc]  # one of our own

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[list[str], int]:
        seen = []
        session = app.main.session
        assert session is not None
        await pilot.press("enter")
        await until(pilot, lambda: asked(app, ConfirmScreen))
        seen.append(" ".join(shown(app).split()))
        await on(pilot, "enter")
        await until(pilot, lambda: app.screen is app.main)
        seen.append(session.status)
        await pilot.press("r")
        await until(pilot, lambda: asked(app, ConfirmScreen))
        await on(pilot, "y")
        await until(pilot, lambda: session.running is not None and bool(sleepers()))
        started = len(sleepers())
        await on(pilot, "c")
        await rested(pilot, app)
        return seen, started

    seen, started = played(act, [entry], state=tmp_path)
    assert "diagnose-app-test" in seen[0]
    assert "idle" == seen[1]
    assert 1 == started
    assert [] == sleepers()


def test_leaving_the_app_ends_every_process_that_it_started(tmp_path: Path) -> None:
    entry = typed_entry(sleeper(), Options())

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> int:
        await until(pilot, lambda: bool(sleepers()))
        return len(sleepers())

    assert 1 == played(act, [entry], state=tmp_path, go=True)
    assert [] == sleepers()


def test_runs_of_a_connector_are_kept_listed_opened_and_compared(tmp_path: Path, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> list[str]:
            session = app.main.session
            assert session is not None
            await pilot.press("r")
            await until(pilot, lambda: len(app.board.kept.rows(session.key)) == 1)
            await pilot.press("r")
            await until(pilot, lambda: len(app.board.kept.rows(session.key)) == 2)
            await rested(pilot, app)
            seen = [await on(pilot, "8")]
            await on(pilot, "d")
            await until(pilot, lambda: "What changed" in shown(app))
            await until(pilot, lambda: "no difference" in shown(app).lower())
            await on(pilot, "escape")
            await on(pilot, "h")
            await on(pilot, "down", "enter")
            await until(pilot, lambda: app.screen is app.main)
            await until(pilot, lambda: "the run of" in shown(app))
            return seen

        seen = played(act, [entry_for(running)], state=tmp_path)
        with open_history({"DIAGNOSE_STATE_DIR": str(tmp_path / "state")}) as history:
            kept = history.runs("lab")
    assert 2 == len(kept)
    assert seen[0].count("passed") >= 2


def test_a_demo_is_not_kept(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> None:
        await pilot.press("enter")
        await rested(pilot, app)

    played(act, [HEALTHY], state=tmp_path)
    assert not (tmp_path / "state" / "history.sqlite3").exists()


def test_where_nothing_can_be_written_the_runs_stay_in_memory_and_one_warning_says_so(
    tmp_path: Path, lab: Lab
) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    with lab.start("healthy-modern") as running:

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, int]:
            session = app.main.session
            assert session is not None
            await pilot.press("r")
            await until(pilot, lambda: "DIAGNOSE_STATE_DIR" in shown(app))
            text = shown(app)
            await until(pilot, lambda: len(app.board.kept.rows(session.key)) == 1)
            return text, len(app._notifications)

        text, toasts = played(act, [entry_for(running)], state=tmp_path)
    assert "kept only until this program ends" in " ".join(text.replace("▌", " ").split())
    assert 1 == toasts


def test_a_typed_url_is_put_first_and_diagnosed(tmp_path: Path, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
            await on(pilot, "n")
            await on(pilot, *running.url, "enter")
            await until(pilot, lambda: str(app.main.selected_key).startswith("typed"))
            return await rested(pilot, app)

        text = played(act, [EXPIRED], state=tmp_path)
    assert "PASSED" in text
    assert running.url in text


def test_copy_hands_the_fix_to_the_terminal(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        await pilot.press("enter")
        await rested(pilot, app)
        await on(pilot, "y", "f")
        await until(pilot, lambda: bool(app.clipboard))
        return app.clipboard

    assert "Renew the certificate" in played(act, [EXPIRED], state=tmp_path)


@pytest.mark.parametrize("format", ["json", "svg"])
def test_export_writes_the_report_or_a_picture(tmp_path: Path, format: str, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> None:
        await pilot.press("enter")
        await rested(pilot, app)
        await on(pilot, "x")
        for _ in range(0 if format == "json" else 7):
            await on(pilot, "down")
        await on(pilot, "enter")
        await on(pilot, "enter")
        await until(pilot, lambda: bool([*tmp_path.glob(f"*.{format}")]))

    played(act, [EXPIRED], state=tmp_path)
    [written] = tmp_path.glob(f"*.{format}")
    text = written.read_text()
    assert "TLS003" in text
    if format == "json":
        assert "TLS003" == json.loads(text)["verdict"]["code"]
    assert 0o600 == written.stat().st_mode & 0o777


def test_a_pane_that_is_open_follows_the_run_that_goes(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        await on(pilot, "3", "r")
        await rested(pilot, app)
        await on(pilot, "enter", "up", "up", "up")
        await until(pilot, lambda: "tools/list" in shown(app))
        return type(app.main.query_one(Detail).pane).__name__

    assert "ExchangePane" == played(act, [HEALTHY], state=tmp_path)


def test_nothing_is_left_on_the_loop_when_the_app_ends(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> DiagnoseApp:
        await pilot.press("enter")
        await until(pilot, lambda: app.main.view().running == "http_reachability")
        return app

    app = played(act, [HANGS], state=tmp_path)
    assert not app.board.alive


def test_leaving_while_a_run_goes_says_what_is_waited_for_and_ends_it_in_order(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, int | None]:
        await pilot.press("enter")
        await until(pilot, lambda: app.main.view().running == "http_reachability")
        session = app.main.session
        assert session is not None
        await pilot.press("q")
        await until(pilot, lambda: app.return_code is not None)
        return session.status, app.return_code

    assert ("error", 0) == played(act, [HANGS], state=tmp_path)


def test_a_second_word_leaves_at_once_although_a_process_does_not_end(tmp_path: Path) -> None:
    stubborn = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)"
    )
    connector = Connector(
        name="stubborn",
        transport=StdioTransport(command=sys.executable, args=("-c", stubborn, "diagnose-app-test")),
    )

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> bool:
        await until(pilot, lambda: bool(sleepers()))
        await pilot.press("q")
        await until(pilot, lambda: app.main.leaving)
        await pilot.press("q")
        await until(pilot, lambda: app.return_code is not None)
        session = app.main.session
        assert session is not None
        return session.busy

    assert played(act, [typed_entry(connector, Options())], state=tmp_path, go=True)
    assert [] == sleepers()


def test_a_pasted_url_is_there_to_be_run_and_nothing_goes_before_enter(tmp_path: Path, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, int, str]:
            app.post_message(Paste(f"{running.url}\nq\n"))
            await until(pilot, lambda: isinstance(app.screen, TargetScreen))
            await until(pilot, lambda: running.url in shown(app))
            before, sent = shown(app), len(running.log)
            await on(pilot, "enter")
            await until(pilot, lambda: str(app.main.selected_key).startswith("typed"))
            return before, sent, await rested(pilot, app)

        before, sent, after = played(act, [EXPIRED], state=tmp_path)
    assert "it is reached over HTTP" in before
    assert 0 == sent
    assert "PASSED" in after
