"""The options form by keys: what is shown, what is refused, what is used, and what is saved."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from app_screens import UNANSWERED, Stage, played, shown, until
from diagnose_tui.entries import Edited
from diagnose_tui.screens.arguments import ArgumentsScreen
from diagnose_tui.screens.confirm import ConfirmScreen
from diagnose_tui.screens.edit import EditScreen
from diagnose_tui.screens.save import SaveScreen
from diagnose_tui.screens.tool import ToolScreen
from diagnose_tui.widgets.credential import CredentialFields
from diagnose_tui.widgets.fields import Field, Line, Lines
from textual.pilot import Pilot
from textual.widgets import Button, Input, Select

from diagnose.connector import BearerCredential, Connector, HttpTransport, Secret, StdioTransport
from diagnose.connector.file import load_file
from diagnose.options import Options

URL = "https://mcp.example.com/mcp"
CANARY = "canaryX9f2b7c1d4e5"
TALL = (100, 60)
TOOLS = (
    {"name": "search", "annotations": {"readOnlyHint": True}, "inputSchema": {"type": "object"}},
    {"name": "[b]x[/b]\x1b[31m"},
)


def connector(**more: Any) -> Connector:
    given: dict[str, Any] = {
        "url": URL,
        "headers": {"Cookie": CANARY, "X-Region": "eu"},
        "credential": BearerCredential(token=Secret(CANARY)),
    }
    return Connector(**{**given, **more})


def process() -> Connector:
    stdio = StdioTransport(
        command="npx", args=("server", "--api-key", CANARY), env={"API_KEY": Secret(CANARY)}
    )
    return Connector(name="files", transport=stdio)


def form(subject: Connector | None = None, options: Options | None = None) -> EditScreen:
    return EditScreen(subject or connector(), options or Options(), TOOLS, {"TOKEN": "lab"})


def field(app: Stage, label: str) -> Field:
    return next(one for one in app.screen.query(Field) if one._label == label)


def put(app: Stage, label: str, text: str) -> None:
    control = field(app, label).control
    if isinstance(control, Lines):
        control.text = text
    else:
        assert isinstance(control, Input)
        control.value = text


async def used(pilot: Pilot[Any], app: Stage) -> None:
    await pilot.press("ctrl+s")
    await until(pilot, lambda: app.answer is not UNANSWERED)


def test_a_secret_is_never_on_the_screen_and_stays_what_it_is() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        text = shown(app)
        assert CANARY not in text
        assert "unchanged" in text
        assert "eu" in text
        assert "as it is: Bearer token" in text
        await used(pilot, app)

    subject = connector()
    assert subject is played(form(subject), act, TALL).connector


def test_what_is_typed_for_a_secret_stands_behind_dots_and_a_reference_in_the_open() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        field(app, "Headers").query(Line).last().focus()
        await pilot.press(*CANARY)
        await pilot.pause()
        assert CANARY not in shown(app)
        assert "•" * len(CANARY) in shown(app)
        put_value(app, "${env:TOKEN}")
        await pilot.pause()
        assert "${env:TOKEN}" in shown(app)
        put_value(app, "${env:TOKEN}-and-more")
        await pilot.pause()
        assert "and-more" not in shown(app)

    def put_value(app: Stage, text: str) -> None:
        field(app, "Headers").query(Line).last().value = text

    played(form(), act, TALL)


def test_headers_credential_era_and_limits_are_typed_and_used() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        rows = list(field(app, "Headers").query(Line))
        rows[0].value = ""
        rows[3].value = "us"
        rows[4].value = "X-New"
        rows[5].value = "${env:TOKEN}"
        await pilot.pause()
        assert 8 == len(field(app, "Headers").query(Line))
        field(app, "Era").query_one(Select).value = "legacy"
        field(app, "Transport").query_one(Select).value = "streamable-http"
        app.screen.query_one(CredentialFields).query_one(Select).value = "basic"
        await until(pilot, lambda: "Password" in shown(app))
        put(app, "User name", "me")
        put(app, "Password", CANARY)
        put(app, "Timeout (s)", "5")
        put(app, "Tool", "search")
        put(app, "Arguments", '{"query": "tea"}')
        await pilot.pause()
        assert CANARY not in shown(app)
        await used(pilot, app)

    edited = played(form(), act, TALL)
    made = edited.connector
    assert ["X-Region", "X-New"] == list(made.headers)
    assert ("basic", "legacy", "streamable-http") == (
        made.credential.type,
        made.era,
        made.transport.type,
    )
    assert (5.0, "search", {"query": "tea"}) == (
        edited.options.timeout,
        edited.options.tool,
        edited.options.arguments,
    )


def test_every_refusal_stands_beside_its_field_and_nothing_is_lost() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        put(app, "URL", "mcp.example.com")
        put(app, "Timeout (s)", "soon")
        put(app, "Arguments", "{")
        field(app, "Headers").query(Line)[4].value = "a b"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "4 of the fields cannot be used" in shown(app))
        text = " ".join(shown(app).replace("│", " ").split())
        assert "has no scheme: type 'https://mcp.example.com' (CFG001)" in text
        assert "'soon' is not a time" in text
        assert "the JSON is broken at line 1" in text
        assert "this is no header name" in text
        assert "soon" == field(app, "Timeout (s)").query_one(Line).value
        put(app, "URL", URL)
        put(app, "Timeout (s)", "7")
        put(app, "Arguments", "")
        field(app, "Headers").query(Line)[4].value = ""
        await used(pilot, app)

    assert 7.0 == played(form(), act, TALL).options.timeout


def test_another_origin_is_said_and_gets_nothing_of_the_old_one() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        put(app, "URL", "https://other.example.com/mcp")
        await pilot.pause()
        text = " ".join(shown(app).replace("│", " ").split())
        assert "Another origin: the bearer credential, the header Cookie of https://mcp.example.com" in text
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "stay with https://mcp.example.com" in shown(app))
        assert app.answer is UNANSWERED
        assert "none" == app.screen.query_one(CredentialFields).query_one(Select).value
        await used(pilot, app)

    made = played(form(), act, TALL).connector
    assert ("none", ["X-Region"]) == (made.credential.type, list(made.headers))


def test_a_url_that_holds_a_key_is_not_shown() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        assert CANARY not in shown(app)
        assert "unchanged: https://mcp.example.com/mcp?token=[redacted]" in shown(app)
        await used(pilot, app)

    subject = Connector(url=f"{URL}?token={CANARY}")
    assert subject is played(form(subject), act, TALL).connector


def test_a_process_shows_its_words_and_hides_its_keys() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        text = shown(app)
        assert CANARY not in text
        assert '3  "[redacted]"' in text
        put(app, "Command", "npx 'other server' --api-key '[redacted]'")
        await until(pilot, lambda: '1  "other server"' in shown(app))
        field(app, "Inherits").query_one(Select).value = "all"
        await used(pilot, app)

    stdio = played(form(process()), act, TALL).connector.stdio
    assert ("npx", "other server", "--api-key", CANARY) == stdio.argv
    assert ("all", {"API_KEY": Secret(CANARY)}) == (stdio.inherits, stdio.env)


def test_escape_leaves_at_once_where_nothing_was_changed() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("escape")

    assert None is played(form(), act)
    assert None is played(form(process()), act)


def test_escape_says_once_that_something_was_changed() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        put(app, "Timeout (s)", "7")
        await pilot.press("escape")
        await pilot.pause()
        assert "Something was changed and is not in use" in shown(app)
        assert app.answer is UNANSWERED
        await pilot.press("escape")

    assert None is played(form(), act)


def test_the_tool_is_picked_from_the_list() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        app.screen.query_one("#pick", Button).press()
        await until(pilot, lambda: isinstance(app.screen, ToolScreen))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ArgumentsScreen))
        await pilot.pause()
        app.screen.query_one(Lines).text = '{"a": 1}'
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, EditScreen))
        await until(pilot, lambda: "search" == field(app, "Tool").query_one(Line).value)
        await used(pilot, app)

    options = played(form(), act, TALL).options
    assert ("search", {"a": 1}) == (options.tool, options.arguments)


async def saving(pilot: Pilot[Any], app: Stage, path: Path) -> None:
    await pilot.press("ctrl+o")
    await until(pilot, lambda: isinstance(app.screen, SaveScreen))
    await pilot.pause()
    app.screen.query_one(Line).value = str(path)
    await pilot.press("enter")


def test_a_saved_file_holds_references_and_says_what_to_set(tmp_path: Path) -> None:
    path = tmp_path / "saved.json"

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        put(app, "Tool", "search")
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, SaveScreen))
        await pilot.pause()
        text = shown(app)
        assert CANARY not in text
        assert "MCP_EXAMPLE_COM_TOKEN holds the token of the bearer credential: set it" in text
        app.screen.query_one(Line).value = str(path)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, EditScreen))
        await until(pilot, lambda: "Written to" in shown(app))
        assert app.answer is UNANSWERED

    played(form(), act, TALL)
    assert CANARY not in path.read_text()
    (found,) = load_file(path)
    assert found.sample is not None
    assert ("search", URL) == (found.sample.tool, found.url)
    assert "eu" == found.headers["X-Region"].resolve({}, where="test")
    if sys.platform != "win32":
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("key", "replaced"), [("enter", False), ("y", True)])
def test_a_file_is_replaced_only_after_a_word(tmp_path: Path, key: str, replaced: bool) -> None:
    path = tmp_path / "saved.json"
    path.write_text("mine")

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await saving(pilot, app, path)
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.pause()
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, EditScreen if replaced else SaveScreen))

    played(form(), act, TALL)
    assert replaced == (path.read_text() != "mine")


def test_a_place_that_cannot_be_written_is_refused_beside_the_path(tmp_path: Path) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await saving(pilot, app, tmp_path / "none" / "saved.json")
        await until(pilot, lambda: "No such file or directory" in shown(app))
        app.screen.query_one(Line).value = ""
        await pilot.press("enter")
        await until(pilot, lambda: "the path is empty" in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, EditScreen))

    played(form(), act, TALL)
    assert [] == os.listdir(tmp_path)  # noqa: PTH208


def test_text_of_a_file_does_not_act() -> None:
    hostile = "[@click=app.exit]x[/]\x1b[31m\u202e"
    subject = Connector(
        name=hostile,
        transport=StdioTransport(command=hostile, args=(hostile,), cwd=hostile, env={"A": Secret(hostile)}),
    )

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        text = shown(app)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "[@click=app.exit]x[/]^[[31m" in text
        await used(pilot, app)

    assert subject is played(form(subject), act, TALL).connector


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (160, 50)])
def test_every_field_can_be_reached_by_tab_and_the_keys_stay_in_sight(size: tuple[int, int]) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        seen = set()
        for _ in range(22):
            focused = app.focused
            assert focused is not None
            region = focused.region
            assert region.height
            assert region.bottom <= app.size.height
            seen.add(focused)
            assert "^s use" in shown(app)
            await pilot.press("tab")
            await pilot.pause()
        assert set(app.screen.query(Line)) <= seen

    played(form(), act, size)


def test_what_was_used_opens_again_as_it_was_left() -> None:
    async def first(pilot: Pilot[Any], app: Stage) -> None:
        app.screen.query_one(CredentialFields).query_one(Select).value = "bearer"
        await until(pilot, lambda: "Token" in shown(app))
        put(app, "Token", f"{CANARY}2")
        await used(pilot, app)

    edited = played(form(Connector(url=URL)), first, TALL)

    async def second(pilot: Pilot[Any], app: Stage) -> None:
        assert CANARY not in shown(app)
        await used(pilot, app)

    again = played(form(edited.connector, edited.options), second, TALL)
    assert isinstance(again, Edited)
    assert edited.connector is again.connector
    assert HttpTransport(url=URL) == again.connector.transport
