"""The catalogue inside the app."""

from __future__ import annotations

from typing import Any

import pytest
from app_screens import UNANSWERED, Stage, played, shown, until
from diagnose_tui.screens.explain import ExplainScreen
from textual import events
from textual.containers import Vertical
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from diagnose.catalogue import HEADINGS, codes


def titled(app: Stage, word: str) -> bool:
    return word in str(app.screen.query_one(Vertical).border_title)


def test_a_page_has_its_facts_and_all_headings() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await until(pilot, lambda: titled(app, "TLS003 tls.expired-certificate"))
        await until(pilot, lambda: HEADINGS[-1] in shown(app))
        text = shown(app)
        assert [] == [heading for heading in HEADINGS if heading not in text]
        assert "server operator" in text
        assert "`" not in text

    played(ExplainScreen("TLS003"), act, (120, 70))


def test_a_code_is_followed_and_esc_comes_back_before_it_leaves() -> None:
    answers: list[Any] = []

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await until(pilot, lambda: titled(app, "TLS003"))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: titled(app, "TLS004"))
        await pilot.press("escape")
        await until(pilot, lambda: titled(app, "TLS003"))
        answers.append(app.answer)
        await pilot.press("escape")

    assert played(ExplainScreen("TLS003"), act) is None
    assert [UNANSWERED] == answers


def test_an_error_text_of_several_lines_is_pasted_whole() -> None:
    pasted = "Error: fetch failed\n  cause: Error: certificate has expired\n  code: 'CERT_HAS_EXPIRED'"

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        field = app.screen.query_one(Input)
        await until(pilot, lambda: field.has_focus)
        field.post_message(events.Paste(pasted))
        await until(pilot, lambda: "CERT_HAS_EXPIRED" in field.value)
        assert " ".join(pasted.split()) == field.value
        await pilot.press("enter")
        await until(pilot, lambda: titled(app, "What may be behind it"))
        await pilot.pause()
        first = app.screen.query_one(OptionList).get_option_at_index(0)
        assert "TLS003" == first.id
        await pilot.press("enter")
        await until(pilot, lambda: titled(app, "TLS003"))

    played(ExplainScreen(), act)


def test_a_code_that_is_nearly_right_leads_to_the_one_that_was_meant() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await until(pilot, lambda: app.screen.query_one(Input).has_focus)
        await pilot.press(*"TLS0003", "enter")
        await until(pilot, lambda: titled(app, "Nothing found"))
        await until(pilot, lambda: "you mean one of these?" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: titled(app, "TLS003"))

    played(ExplainScreen(), act)


@pytest.mark.parametrize(
    "pasted", ["[@click=app.exit]certificate[/] \x1b]0;title\x07 has expired", "[/]\u202e[red"]
)
def test_a_hostile_text_is_shown_and_does_nothing(pasted: str) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await until(pilot, lambda: app.screen.query_one(Input).has_focus)
        app.screen.query_one(Input).post_message(events.Paste(pasted))
        await until(pilot, lambda: app.screen.query_one(Input).value != "")
        await pilot.press("enter")
        await until(pilot, lambda: not titled(app, "Explain"))
        await until(pilot, lambda: f"Asked      {pasted[:3]}" in shown(app))
        assert "\x1b" not in shown(app)
        assert "\u202e" not in shown(app)

    played(ExplainScreen(), act)


def test_the_field_is_reached_from_a_page() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await until(pilot, lambda: titled(app, "TLS003"))
        await pilot.press("slash", *"http.", "backspace", "enter")
        await until(pilot, lambda: not titled(app, "TLS003"))

    played(ExplainScreen("TLS003"), act)


@pytest.mark.matrix
def test_every_page_can_be_opened(pytestconfig: pytest.Config) -> None:
    chosen = codes() if pytestconfig.getoption("markexpr") == "matrix" else codes()[::20]

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        screen = app.screen
        assert isinstance(screen, ExplainScreen)
        for code in chosen:
            screen._look_up(code)
            await until(pilot, lambda code=code: titled(app, code))  # type: ignore[misc]

    played(ExplainScreen("BUG001"), act)
