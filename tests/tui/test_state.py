"""Nothing stale, nothing of another connector: what the app remembers between two keys."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from app_play import asked, entry_for, on, played, rested
from app_screens import shown, until
from diagnose_lab import Lab
from diagnose_tui.app import DiagnoseApp
from diagnose_tui.discovering import entries_of, typed_entry
from diagnose_tui.entries import Edited, Entry
from diagnose_tui.playing import demo_entry
from diagnose_tui.screens.confirm import ConfirmScreen
from diagnose_tui.screens.edit import EditScreen
from diagnose_tui.screens.history import HistoryScreen
from diagnose_tui.screens.main import Heard
from diagnose_tui.screens.target import TargetScreen
from diagnose_tui.walks import Began, Refused, Told
from diagnose_tui.widgets.connectors import Connectors
from diagnose_tui.widgets.fields import Line
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from diagnose.connector import Connector, Secret, StdioTransport, load
from diagnose.connector.model import Source
from diagnose.history import open_history
from diagnose.model import Problem
from diagnose.options import Options

HEALTHY = demo_entry("healthy-modern")
HANGS = demo_entry("http-timeout")
EXPIRED = demo_entry("tls-expired")


def ended(app: DiagnoseApp) -> bool:
    return all(not one.busy for one in app.board.sessions.values())


def test_two_keys_in_a_row_ask_for_one_run_of_each_connector(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> int:
        [session] = app.board.sessions.values()
        began: list[Began] = []
        take = session.take

        def listened(told: Told) -> None:
            if isinstance(told, Began):
                began.append(told)
            take(told)

        session.take = listened  # type: ignore[method-assign]  # to count, and nothing else
        app.main.do("run_all")
        app.main.do("run_all")
        await until(pilot, lambda: session.report is not None and ended(app))
        return len(began)

    assert 1 == played(act, [HEALTHY], state=tmp_path)


def test_a_changed_run_ends_the_one_that_goes_and_is_the_last(tmp_path: Path, lab: Lab) -> None:
    with lab.start("healthy-modern") as running, lab.start("http-timeout") as hanging:

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[list[str], str | None]:
            session = app.main.session
            assert session is not None
            await pilot.press("r")
            await until(pilot, lambda: session.running is not None)
            session.edited = Edited(connector=Connector(name="lab", url=running.url), options=Options())
            app.board.run(session)
            seen = [session.status]
            await until(pilot, lambda: session.report is not None and session.status != "running")
            await until(pilot, lambda: not session.busy)
            assert session.report is not None
            return [*seen, session.status], session.report.connector.url

        assert (["running", "passed"], running.url) == played(act, [entry_for(hanging)], state=tmp_path)


def test_what_is_typed_before_the_form_is_there_is_typed_into_it(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, bool]:
        app.main.do("new_target")
        for sign in "php":
            app.post_message(Key(sign, sign))
        await until(pilot, lambda: isinstance(app.screen, TargetScreen))
        await until(pilot, lambda: not app.main.ahead and not app.main.opens)
        await pilot.pause()
        return app.screen.query_one(Input).value, app.main.mask is None

    assert ("php", True) == played(act, [HEALTHY], state=tmp_path)


def test_what_is_typed_before_a_question_is_there_is_no_answer_to_it(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        app.main.do("run")
        app.post_message(Key("y", "y"))
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.pause()
        await pilot.pause()
        return type(app.screen).__name__

    assert "ConfirmScreen" == played(act, [found_command(tmp_path)], state=tmp_path)


def found_command(folder: Path, name: str = "one") -> Entry:
    """A row whose command nobody named."""
    return typed_entry(
        Connector(
            name=name,
            transport=StdioTransport(command=sys.executable, args=("-c", "import sys; sys.stdin.read()")),
            source=Source(discovered=True, file=str(folder / "mcp.json")),
        ),
        Options(),
    )


def test_a_yes_holds_for_the_command_that_was_shown_and_for_no_other(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> list[bool]:
        session = app.main.session
        assert session is not None
        assert session.entry.connector is not None
        await pilot.press("r")
        await until(pilot, lambda: asked(app, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: session.running is not None)
        await on(pilot, "c")
        await rested(pilot, app)
        same = session.asks is None
        stdio = session.entry.connector.stdio
        assert stdio is not None
        other = stdio.model_copy(update={"args": ("-c", "import os")})
        edited = session.entry.connector.model_copy(update={"transport": other})
        session.edited = Edited(connector=edited, options=Options())
        return [same, session.asks is None]

    assert [True, False] == played(act, [found_command(tmp_path)], state=tmp_path)


def test_a_file_of_a_project_gets_no_variable_of_this_environment_without_a_yes(
    tmp_path: Path, lab: Lab
) -> None:
    with lab.start("healthy-modern") as running:
        plain = entry_for(running)
        assert plain.connector is not None
        hungry = plain.connector.model_copy(
            update={
                "headers": {"X-Take": Secret("${env:TAKEN}")},
                "source": Source(discovered=True, file=str(tmp_path / ".mcp.json")),
            }
        )
        entry = replace(plain, connector=hungry, of_project=True)

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[int, str]:
            await pilot.press("R")
            await until(pilot, lambda: "for your word" in shown(app))
            await pilot.press("r")
            await until(pilot, lambda: asked(app, ConfirmScreen))
            text = shown(app)
            await on(pilot, "enter")
            await until(pilot, lambda: app.screen is app.main)
            return len(running.log), " ".join(text.split())

        sent, said = played(act, [entry], state=tmp_path, environ={"TAKEN": "canary-of-the-environment"})
    assert 0 == sent
    assert "variables TAKEN" in said
    assert "canary" not in said


def test_all_leaves_out_what_is_switched_off_or_overridden(tmp_path: Path, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:
        entries = [
            entry_for(running, "one"),
            replace(entry_for(running, "two"), enabled=False),
            replace(entry_for(running, "three"), overridden=True),
        ]

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> list[str]:
            sessions = app.board.sessions
            await pilot.press("R")
            await until(pilot, lambda: sessions["one"].report is not None)
            return [session.status for session in sessions.values()]

        assert ["passed", "idle", "idle"] == played(act, entries, state=tmp_path)


def test_the_cursor_stays_on_a_row_whose_status_no_longer_fits_the_filter(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str | None, list[str]]:
        rows = app.main.query_one(Connectors).rows
        await on(pilot, "slash", *"!running", "enter")
        await until(pilot, lambda: app.main.focused is rows)
        await on(pilot, "end")
        await until(pilot, lambda: app.main.selected_key == HANGS.key)
        await on(pilot, "enter")
        await until(pilot, lambda: app.main.session is not None and app.main.session.status == "running")
        await until(pilot, lambda: app.main.settled)
        seen = app.main.selected_key, app.main.query_one(Connectors).visible_keys
        await on(pilot, "c")
        await until(pilot, lambda: ended(app))
        return seen

    assert (HANGS.key, [EXPIRED.key, HANGS.key]) == played(act, [EXPIRED, HANGS], state=tmp_path)


def test_an_earlier_run_is_compared_with_the_one_before_it_and_is_no_run_before(
    tmp_path: Path, lab: Lab
) -> None:
    with lab.start("healthy-modern") as running:

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[bool, bool, str | None]:
            session = app.main.session
            assert session is not None
            rows = app.board.kept.rows
            for count in (1, 2, 3):
                await pilot.press("r")
                await until(pilot, partial(lambda count: len(rows(session.key)) == count, count))
                await rested(pilot, app)
            last = session.last
            await app.main.open_kept(app.board.kept.rows(session.key)[2].id)
            assert session.report is not None
            oldest = session.report is not session.last and session.last is last
            await pilot.press("d")
            await until(pilot, lambda: "no earlier run" in shown(app))
            await pilot.press("r")
            await until(pilot, lambda: session.last is not last and not session.busy)
            return oldest, session.before is last, app.main.why_not("diff")

        assert (True, True, None) == played(act, [entry_for(running)], state=tmp_path)


def test_an_earlier_run_is_not_shown_over_one_that_goes(tmp_path: Path, lab: Lab) -> None:
    with lab.start("http-timeout") as running:
        kept = entry_for(running)

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, bool]:
            session = app.main.session
            assert session is not None
            await pilot.press("r")
            await until(pilot, lambda: session.running is not None)
            await on(pilot, "c")
            await until(pilot, lambda: len(app.board.kept.rows(session.key)) == 1)
            await rested(pilot, app)
            await pilot.press("h")
            await until(pilot, lambda: asked(app, HistoryScreen))
            app.board.run(session)
            await until(pilot, lambda: session.running is not None)
            await pilot.press("enter")
            await until(pilot, lambda: app.screen is app.main)
            status, none = session.status, session.report is None
            await on(pilot, "c")
            await until(pilot, lambda: ended(app))
            return status, none

        assert ("running", True) == played(act, [kept], state=tmp_path)


def test_a_masked_look_at_an_earlier_run_does_not_stay_masked(tmp_path: Path, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
            session = app.main.session
            assert session is not None
            await pilot.press("r")
            await until(pilot, lambda: len(app.board.kept.rows(session.key)) == 1)
            await rested(pilot, app)
            await on(pilot, "p", "h", "enter")
            await until(pilot, lambda: "the run of" in shown(app))
            assert session.report is not None
            hidden = shown(app)
            await on(pilot, "p")
            return hidden, session.report.connector.name

        hidden, name = played(act, [entry_for(running, "acme-payments")], state=tmp_path)
    assert "acme-payments" not in hidden
    assert "acme-payments" == name


def test_a_form_that_would_show_names_waits_until_they_are_unmasked(tmp_path: Path, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> list[str]:
            await on(pilot, "p", "o")
            await until(pilot, lambda: "p unmasks" in shown(app))
            return [type(screen).__name__ for screen in app.screen_stack]

        assert ["MainScreen"] == played(act, [entry_for(running, "acme")], state=tmp_path)


def test_what_is_found_or_typed_after_the_mask_is_masked_too(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        await on(pilot, "p")
        later = Entry(
            key="later", name="acme-payments", client="Cursor", target="https://x.acme-payments.example/mcp"
        )
        app.main.found([later])
        await on(pilot, "home")
        return shown(app)

    text = played(act, [HEALTHY], state=tmp_path, size=(160, 50))
    assert "acme" not in text
    assert "demo healthy-modern" in text


def test_connectors_of_one_name_have_each_their_own_history(tmp_path: Path, lab: Lab) -> None:
    with lab.start("healthy-modern") as one, lab.start("healthy-legacy") as other:
        first = replace(
            entry_for(one, "first"), name="github", connector=Connector(name="github", url=one.url)
        )
        second = replace(
            entry_for(other, "second"), name="github", connector=Connector(name="github", url=other.url)
        )

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[int, int]:
            await pilot.press("r")
            await until(pilot, lambda: len(app.board.kept.rows("first")) == 1)
            await on(pilot, "down")
            await until(pilot, lambda: app.board.kept.knows("second"))
            await until(pilot, lambda: app.main.settled)
            return len(app.board.kept.rows("first")), len(app.board.kept.rows("second"))

        assert (1, 0) == played(act, [first, second], state=tmp_path)


def test_two_of_one_name_are_told_apart_in_the_list(tmp_path: Path) -> None:
    entries = [
        Entry(key="a", name="github", client="Cursor", target="https://a.example/mcp"),
        Entry(key="b", name="github", client="VS Code", target="https://b.example/mcp"),
    ]

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str:
        return await on(pilot, "down")

    text = played(act, entries, state=tmp_path)
    assert "github · Cursor" in text
    assert "github · VS Code" in text


def test_a_refused_run_shows_nothing_of_the_run_before(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
        session = app.main.session
        assert session is not None
        await pilot.press("enter")
        before = await rested(pilot, app)
        session.queue()
        problem = Problem(code="CFG006", name="cfg.usage", severity="error", what="nothing to send", hint="x")
        app.board.take(session.key, Refused(problem=problem))
        app.main.redraw()
        await pilot.pause()
        return before, shown(app)

    before, after = played(act, [EXPIRED], state=tmp_path)
    assert "TLS003" in before
    assert "TLS003" not in after
    assert "nothing to send" in after


def test_what_was_found_comes_under_the_cursor_that_nobody_moved(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"docs": {"url": "http://127.0.0.1:9/mcp"}}}))

    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str | None:
        app.main.found(entries_of(load(file), Options()))
        await pilot.pause()
        session = app.main.session
        return session.entry.name if session is not None else None

    assert "docs" == played(act, [EXPIRED], state=tmp_path)


def test_a_kept_run_can_be_written_while_the_app_closes(tmp_path: Path, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> None:
            session = app.main.session
            assert session is not None
            await pilot.press("r")
            await until(pilot, lambda: session.report is not None)
            app.exit(0)

        played(act, [entry_for(running)], state=tmp_path)
    with open_history({"DIAGNOSE_STATE_DIR": str(tmp_path / "state")}) as history:
        assert 1 == len(history.runs("lab"))


def test_no_login_is_offered_where_the_connector_has_a_credential_of_another_kind(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> str | None:
        await pilot.press("enter")
        await rested(pilot, app)
        return app.main.why_not("log_in")

    reason = played(act, [demo_entry("token-expired")], state=tmp_path)
    assert "it has a bearer credential, which no login gives: o changes that" == reason


def test_a_login_that_is_refused_leaves_the_run_that_is_shown(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, bool]:
        await pilot.press("enter")
        await rested(pilot, app)
        session = app.main.session
        assert session is not None
        session.logs_in = True
        session.queue()
        problem = Problem(code="CFG020", name="cfg.x", severity="error", what="no keyring", hint="unlock it")
        app.on_heard(Heard(session.key, Refused(problem=problem)))
        await until(pilot, lambda: "no keyring: unlock it" in " ".join(shown(app).split()))
        return shown(app), session.logs_in

    text, logs_in = played(act, [demo_entry("auth-dcr-only")], state=tmp_path)
    assert "TOK001" in text
    assert not logs_in


def test_the_connector_that_was_opened_runs_although_the_cursor_went_on(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: DiagnoseApp) -> list[str]:
        rows = app.main.query_one(Connectors).rows
        rows.action_select()
        rows.action_cursor_down()
        first, second = app.board.sessions.values()
        await until(pilot, lambda: first.report is not None or second.report is not None)
        return [first.status, second.status]

    assert ["failed", "idle"] == played(act, [EXPIRED, HEALTHY], state=tmp_path)


def test_a_tool_that_was_allowed_for_one_server_is_not_called_on_another_without_a_yes(
    tmp_path: Path, lab: Lab
) -> None:
    with lab.start("healthy-modern") as one, lab.start("healthy-modern") as other:

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[Any, Any, str | None]:
            session = app.main.session
            assert session is not None
            await pilot.press("enter")
            await rested(pilot, app)
            connector, options = app.board.wanted(session)
            allowed = replace(options, tool="echo", confirmed_tools=frozenset({"echo"}))
            session.edited = Edited(connector=connector, options=allowed)
            again = app.main.why_not("watch")
            await pilot.press("o")
            await until(pilot, lambda: asked(app, EditScreen))
            assert isinstance(app.screen, EditScreen)
            url = app.screen._fields["url"].control
            assert isinstance(url, Line)
            url.value = other.url
            await pilot.press("ctrl+s")
            await until(pilot, lambda: asked(app, ConfirmScreen))
            await pilot.press("enter")
            await until(pilot, lambda: app.screen is app.main)
            await rested(pilot, app)
            assert session.report is not None
            return session.edited, session.report.connector.url, again

        edited, reached, again = played(act, [entry_for(one)], state=tmp_path)
    assert other.url == reached
    assert (None, frozenset()) == (edited.options.tool, edited.options.confirmed_tools)
    assert "it would call again and again what you allowed once: t picks another tool" == again


def test_while_a_changed_run_goes_the_address_is_that_of_the_run(tmp_path: Path, lab: Lab) -> None:
    with lab.start("healthy-modern") as one, lab.start("http-timeout") as other:

        async def act(pilot: Pilot[Any], app: DiagnoseApp) -> tuple[str, str]:
            session = app.main.session
            assert session is not None
            await pilot.press("enter")
            before = await rested(pilot, app)
            session.edited = Edited(connector=Connector(name="lab", url=other.url), options=Options())
            await pilot.press("r")
            await until(pilot, lambda: session.running is not None and app.main.settled)
            going = shown(app)
            await on(pilot, "c")
            await until(pilot, lambda: ended(app))
            return before.splitlines()[0], going.splitlines()[0]

        before, going = played(act, [entry_for(one)], state=tmp_path)
    assert one.url in before
    assert other.url in going
