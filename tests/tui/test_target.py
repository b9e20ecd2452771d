"""A target that is typed: a URL or a command, understood as the command line understands it."""

from __future__ import annotations

from typing import Any

import pytest
from app_screens import UNANSWERED, Stage, played, shown, until
from diagnose_tui.command_line import as_line, words_of
from diagnose_tui.screens.target import TargetScreen, connector_typed, is_command
from diagnose_tui.widgets.fields import Line
from hypothesis import given, settings
from hypothesis import strategies as st
from textual import events
from textual.pilot import Pilot

from diagnose.connector import BasicCredential
from diagnose.errors import UsageError


async def typed(pilot: Pilot[Any], text: str) -> None:
    pilot.app.screen.query_one(Line).post_message(events.Paste(text))
    await pilot.pause()


def answered(text: str) -> Any:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await typed(pilot, text)
        await pilot.press("enter")
        await until(pilot, lambda: app.answer is not UNANSWERED)

    return played(TargetScreen(), act)


def test_a_url_becomes_a_connector_with_the_credential_it_holds() -> None:
    connector = answered("https://me:lab-canary@mcp.example.com/mcp")
    assert "https://mcp.example.com/mcp" == connector.url
    assert isinstance(connector.credential, BasicCredential)
    assert "auto" == connector.transport.type
    assert not connector.needs_consent


def test_a_command_becomes_an_argument_vector_that_no_shell_reads() -> None:
    connector = answered("""npx -y "some server" --root '$HOME; rm -rf /'""")
    assert ("npx", "-y", "some server", "--root", "$HOME; rm -rf /") == connector.stdio.argv
    assert "npx" == connector.name


def test_the_argument_vector_is_shown_before_anything_is_started() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await typed(pilot, "python 'my server.py' | tee log")
        text = shown(app)
        for word in ('0  "python"', '1  "my server.py"', '2  "|"', '3  "tee"'):
            assert word in text
        assert app.answer is UNANSWERED

    played(TargetScreen(), act)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("mcp.example.com/mcp", "CFG001", "type 'https://mcp.example.com/mcp'"),
        ("localhost:8000/mcp", "CFG001", "type 'http://localhost:8000/mcp'"),
        ("wss://mcp.example.com", "CFG002", "https://mcp.example.com"),
        ("https://", "CFG001", "has no host"),
        ("", "CFG001", "the URL is empty"),
        ("npx 'open", "CFG006", "a quote is opened and not closed"),
        ("TOKEN=lab npx server", "CFG006", "no shell reads this"),
    ],
)
def test_what_cannot_be_used_is_refused_beside_the_line_and_stays_there(
    text: str, code: str, words: str
) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        if text:
            await typed(pilot, text)
        await pilot.press("enter")
        await until(pilot, lambda: code in shown(app))
        assert words in " ".join(shown(app).replace("│", " ").split())
        assert text == app.screen.query_one(Line).value
        assert app.answer is UNANSWERED
        await pilot.press("escape")

    assert None is played(TargetScreen(), act)


def test_a_pasted_escape_is_shown_and_does_not_act() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await typed(pilot, "https://h/\x1b[31m\u202emcp\x07")
        assert r"https://h/^[[31m\u202emcp^G" in shown(app)

    played(TargetScreen(), act)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("npx -y server", True),
        ("./server", True),
        ("~/bin/server", True),
        ("C:\\tools\\server.exe", True),
        ("server", True),
        ("-- https://odd/name", True),
        ("https://h/mcp", False),
        ("https://h/mcp with a blank", False),
        ("mcp.example.com", False),
        ("localhost", False),
    ],
)
def test_a_line_is_a_command_or_a_url(text: str, expected: bool) -> None:
    assert expected == is_command(text)


@settings(deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1))
def test_a_vector_written_as_a_line_is_read_as_the_same_vector(words: list[str]) -> None:
    try:
        assert tuple(words) == words_of(as_line(words, windows=False), windows=False)
    except UsageError as problem:
        assert "a variable before the command" in problem.what  # noqa: PT017


def test_on_windows_a_backslash_is_a_part_of_the_path() -> None:
    words = ("C:\\Program Files\\server.exe", "--dir", "C:\\data")
    assert words == words_of(as_line(words, windows=True), windows=True)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_connector_or_a_refusal(text: str) -> None:
    try:
        assert connector_typed(text).name
    except UsageError as problem:
        assert problem.hint  # noqa: PT017
