"""Picking the tool of step 10 and its arguments: from a hostile list, by keys alone."""

from __future__ import annotations

from typing import Any

import pytest
from app_screens import UNANSWERED, Stage, played, shown, until
from diagnose_tui.schema_form import json_object
from diagnose_tui.screens.arguments import ArgumentsScreen
from diagnose_tui.screens.confirm import ConfirmScreen
from diagnose_tui.screens.tool import ToolChoice, ToolScreen, confirmation
from diagnose_tui.widgets.fields import Field, Line, Lines
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import OptionList, Select

from diagnose.connector import ToolPolicy
from diagnose.options import Options

READS = {"readOnlyHint": True, "destructiveHint": False}
SEARCH = {
    "name": "search",
    "description": "Looks for pages.",
    "annotations": READS,
    "inputSchema": {
        "type": "object",
        "required": ["query"],
        "properties": {
            "query": {"type": "string", "description": "What to look for"},
            "limit": {"type": "integer", "minimum": 1},
            "order": {"enum": ["up", "down"]},
            "deep": {"oneOf": [{"type": "object"}, {"type": "string"}]},
        },
    },
}
WRITE = {"name": "delete_page", "inputSchema": {"type": "object"}, "annotations": {"destructiveHint": True}}
SECRET = {"name": "admin", "inputSchema": {"type": "object"}, "annotations": READS}
HOSTILE_NAME = "[@click=app.exit]x[/]\x1b[31m\u202e" + "n" * 300
TOOLS = (WRITE, SEARCH, SECRET, {"name": 7}, "odd", {"name": HOSTILE_NAME})
POLICY = ToolPolicy(exclude=("admin",), requires_confirmation=("search",))


def picking(**more: Any) -> ToolScreen:
    given = {"tools": TOOLS, "policy": POLICY, "options": Options(), "refused": {}, **more}
    return ToolScreen(**given)


async def in_arguments(pilot: Pilot[Any]) -> ArgumentsScreen:
    await until(pilot, lambda: isinstance(pilot.app.screen, ArgumentsScreen))
    screen = pilot.app.screen
    assert isinstance(screen, ArgumentsScreen)
    await pilot.pause()
    return screen


def field(app: App[Any], label: str) -> Field:
    return next(one for one in app.screen.query(Field) if one._label == label)


def test_read_only_tools_come_first_and_the_policy_keeps_others_out_with_its_reason() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        rows = app.screen.query_one(OptionList)
        names = [str(row.prompt).partition("  ")[0] for row in rows.options]
        assert ["search", "delete_page"] == names[:2]
        assert "admin" == names[-1]
        assert [False, False, False, True] == [row.disabled for row in rows.options]
        text = shown(app)
        assert "search  read-only" in text
        assert "delete_page  may change something" in text
        assert "admin  the connector's tool policy does not offer it" in text
        assert r"[@click=app.exit]x[/]^[[31m\u202e" in text
        assert "Looks for pages." in text

    played(picking(), act)


def test_a_tool_and_its_arguments_are_chosen_by_keys_alone() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press(*"sear", "enter")
        await in_arguments(pilot)
        await pilot.press(*"tea", "tab", "3", "tab", "enter", "down", "down", "enter", "ctrl+s")
        await until(pilot, lambda: app.answer is not UNANSWERED)

    choice = played(picking(), act)
    assert ("search", {"query": "tea", "limit": 3, "order": "down"}) == (choice.name, choice.arguments)
    assert SEARCH == choice.tool


def test_escape_goes_back_to_the_list_and_then_leaves_it() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("enter")
        await in_arguments(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ToolScreen))
        assert app.answer is UNANSWERED
        await pilot.press("escape")

    assert None is played(picking(), act)


def test_a_tool_that_the_policy_keeps_out_cannot_be_chosen() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press(*"admin", "enter")
        await pilot.pause()
        assert isinstance(app.screen, ToolScreen)

    assert UNANSWERED is played(picking(), act)


def test_the_choice_can_be_left_to_step_10_again() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("up", "enter")
        await until(pilot, lambda: app.answer is not UNANSWERED)

    assert None is played(picking(options=Options(tool="search")), act).name


def test_why_step_10_passed_a_tool_over_is_said() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("down")
        await until(pilot, lambda: "by step 10 itself: 'delete' in its name" in shown(app))

    played(picking(refused={"delete_page": "'delete' in its name may change something"}), act)


def test_the_arguments_of_last_time_stand_in_the_form() -> None:
    options = Options(tool="search", arguments={"query": "tea", "deep": {"a": [1]}, "more": True})

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("enter")
        await in_arguments(pilot)
        assert "tea" in shown(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.answer is not UNANSWERED)

    assert options.arguments == played(picking(options=options), act).arguments


def test_what_does_not_fit_is_said_beside_its_field_and_is_used_when_it_is_meant() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("tab", "0", "ctrl+s")
        await until(pilot, lambda: "/query is required" in shown(app))
        assert "/limit expected at least 1, observed 0" in shown(app)
        assert "^s again uses them as they are" in " ".join(shown(app).split())
        assert app.answer is UNANSWERED
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.answer is not UNANSWERED)

    assert {"limit": 0} == played(ArgumentsScreen(SEARCH), act)


def test_what_is_no_value_is_refused_beside_its_field_and_nothing_is_lost() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press(*"tea", "tab", *"many", "ctrl+s")
        await until(pilot, lambda: "CFG012" in shown(app))
        assert {"tea", "many"} <= {one.value for one in app.screen.query(Line)}
        await pilot.press("escape")

    assert None is played(ArgumentsScreen(SEARCH), act)


def test_form_and_json_are_two_views_of_the_same_arguments() -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press(*"tea", "ctrl+t")
        await until(pilot, lambda: [] == list(app.screen.query(Line)))
        area = app.screen.query_one(Lines)
        assert {"query": "tea"} == json_object(area.text)
        area.text = '{"query": 5, "order": "up", "own": null}'
        await pilot.press("ctrl+t")
        await until(pilot, lambda: bool(app.screen.query(Select)))
        assert "5" == field(app, "query").query_one(Lines).text
        assert "0" == field(app, "order").query_one(Select).value
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "/query expected string, observed 5" in shown(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.answer is not UNANSWERED)

    assert {"query": 5, "order": "up", "own": None} == played(ArgumentsScreen(SEARCH), act)


@pytest.mark.parametrize(
    "schema", [None, [], {}, {"type": "object"}, {"$ref": "#"}, {"properties": {"a": 3}}]
)
def test_a_schema_without_a_usable_field_gives_a_place_for_json(schema: Any) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        app.screen.query_one(Lines).text = "{}"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.answer is not UNANSWERED)

    assert isinstance(played(ArgumentsScreen({"name": "x", "inputSchema": schema}), act), dict)


def test_text_of_a_schema_does_not_act() -> None:
    hostile = "[@click=app.exit]go[/]\x1b]52;c;eA==\x07\u202e"
    schema = {
        "type": "object",
        "required": [hostile],
        "properties": {hostile: {"type": "string", "description": hostile, "default": hostile}},
    }

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        text = shown(app)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "[@click=app.exit]go[/]" in text
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.answer is not UNANSWERED)

    assert {hostile: hostile} == played(
        ArgumentsScreen({"name": hostile, "description": hostile, "inputSchema": schema}), act
    )


@pytest.mark.parametrize(
    ("tool", "policy", "asked"),
    [
        (SEARCH, ToolPolicy(), None),
        (SEARCH, POLICY, "asks for a confirmation"),
        (WRITE, ToolPolicy(), "not marked readOnlyHint: true"),
        (
            {"name": "send_mail", "annotations": READS},
            ToolPolicy(),
            "'send' in its name may change something",
        ),
        ({"name": "get_env", "annotations": READS}, ToolPolicy(), "speaks of secrets"),
        ({"name": "odd", "annotations": "x"}, ToolPolicy(), "not marked readOnlyHint: true"),
    ],
)
def test_a_call_is_asked_for_unless_everything_says_that_it_reads(
    tool: Any, policy: ToolPolicy, asked: str | None
) -> None:
    question = confirmation(ToolChoice(name=tool["name"], arguments={"a": 1}, tool=tool), policy)

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        assert asked is not None
        assert asked in " ".join(shown(app).split())
        assert '"a": 1' in shown(app)

    assert (asked is not None) == isinstance(question, ConfirmScreen)
    if question is not None:
        played(question, act)


def test_a_call_that_step_10_chooses_is_not_asked_for() -> None:
    assert None is confirmation(ToolChoice(), POLICY)


def test_of_five_thousand_tools_the_first_rows_are_shown_and_the_filter_finds_the_rest() -> None:
    tools = [{"name": f"tool_{number}", "annotations": READS, "inputSchema": {}} for number in range(5000)]

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        rows = app.screen.query_one(OptionList)
        assert 200 == rows.option_count
        assert "4800 more: type to filter" in shown(app)
        await pilot.press(*"tool_499")
        await pilot.pause()
        assert 11 == rows.option_count

    played(picking(tools=tools), act, (120, 36))
