"""The Tools pane and the catalogue behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from app_panes import exchange_of, looked_at, report_of
from app_screens import shown, until
from diagnose_lab import Lab
from diagnose_tui.panes.tools import ToolsPane
from diagnose_tui.tool_entries import hints, listed_tools, tool_list, tool_rows
from diagnose_tui.view import View, view_of
from diagnose_tui.widgets.rows import Rows
from textual.pilot import Pilot

from diagnose.model import Report

HOSTILE = "[red]x[/red][@click=app.quit]y[/]\x1b]52;c;cHduZWQ=\x07\u202eevil\u200b\r\n"


@pytest.fixture(scope="module")
def hidden(lab: Lab) -> Report:
    return report_of(lab, "list-bidi-name")


@pytest.fixture(scope="module")
def pages(lab: Lab) -> Report:
    return report_of(lab, "healthy-legacy-pages")


@pytest.fixture(scope="module")
def unsafe(lab: Lab) -> Report:
    return report_of(lab, "healthy-no-safe-tool")


async def _text(pilot: Pilot[Any], pane: ToolsPane) -> str:
    return pane.text


async def _screen(pilot: Pilot[Any], pane: ToolsPane) -> str:
    return shown(pilot.app)


def _many(number: int) -> View:
    schema = {"type": "object", "properties": {"q": {"type": "string"}}}
    tools = [
        {"name": f"tool_{at}", "description": f"Look up number {at}.", "inputSchema": schema}
        for at in range(number)
    ]
    return View(name="x", target="https://mcp.example.com/mcp", selected="list_tools", tools=tools)


@pytest.mark.parametrize("size", [(40, 14), (80, 24), (120, 36)])
def test_a_tool_with_a_problem_is_marked_and_opened_first(hidden: Report, size: tuple[int, int]) -> None:
    screen = looked_at(ToolsPane(), view_of(hidden, "list_tools"), _screen, size)
    assert "! get\\u202eeteled" in screen
    assert "TOOL015 list.hidden-characters" in screen
    assert "server_time" in screen


def test_the_problem_says_what_was_seen_where_and_what_to_do(hidden: Report) -> None:
    text = looked_at(ToolsPane(), view_of(hidden, "list_tools"), _text)
    assert "Observed   U+202E in" in text
    assert "Where      /result/tools/1/name" in text
    assert "Fix        Remove the characters" in text


def test_the_cursor_opens_the_tool_that_it_is_on(hidden: Report) -> None:
    async def up(pilot: Pilot[Any], pane: ToolsPane) -> str:
        await pilot.press("up")
        return pane.text

    text = looked_at(ToolsPane(), view_of(hidden, "list_tools"), up)
    assert text.startswith("server_time\n")
    assert "Called     by step 10" in text
    assert "readOnlyHint true" in text
    assert "Input schema" in text
    assert "Output schema" in text


def test_a_tool_that_was_not_called_says_why(unsafe: Report) -> None:
    text = looked_at(ToolsPane(), view_of(unsafe, "list_tools"), _text)
    assert "Not called not marked readOnlyHint: true" in text


def test_tools_of_every_recorded_page_are_listed_once_and_in_order(pages: Report) -> None:
    named = [tool["name"] for tool in listed_tools(pages.exchanges)]
    assert pages.step("list_tools").facts["names"] == named


def test_answers_that_were_not_kept_whole_leave_the_names(pages: Report) -> None:
    cut = [exchange.model_copy(update={"truncated": True}) for exchange in pages.exchanges]
    listed = tool_list(replace(view_of(pages), exchanges=cut))
    assert pages.step("list_tools").facts["names"] == list(listed.names)
    text = looked_at(ToolsPane(), replace(view_of(pages), exchanges=cut), _text)
    assert "only the names are known" in text


def test_a_page_that_is_missing_is_told(pages: Report) -> None:
    kept = [exchange for exchange in pages.exchanges if exchange.id != 5]
    listed = tool_list(replace(view_of(pages), exchanges=kept))
    assert listed.note is not None
    assert f"of {pages.step('list_tools').facts['tools']} tools" in listed.note


def test_the_filter_finds_names_and_descriptions_and_esc_leaves_it() -> None:
    async def find(pilot: Pilot[Any], pane: ToolsPane) -> tuple[str, str, str, int]:
        await pilot.press("ctrl+f", *"er 4999")
        found = shown(pilot.app)
        await pilot.press("enter", "escape", "ctrl+f", *"zz")
        nothing = pane.text
        await pilot.press("escape")
        await pilot.pause()
        return found, nothing, shown(pilot.app), pane.query_one(Rows).count

    found, nothing, after, count = looked_at(ToolsPane(), _many(5000), find)
    assert "1 of 5000 tools" in found
    assert "tool_4999" in found
    assert "No tool has this in its name or description." == nothing
    assert "5000 tools" in after
    assert 5000 == count


def test_five_thousand_tools_are_drawn_only_where_they_are_seen() -> None:
    drawn: set[int] = set()

    class Counting(ToolsPane):
        def _draw(self, number: int, width: int, here: bool) -> Any:
            drawn.add(number)
            return super()._draw(number, width, here)

    async def end(pilot: Pilot[Any], pane: ToolsPane) -> str:
        await pilot.press("end")
        await pilot.pause()
        return pane.text

    text = looked_at(Counting(), _many(5000), end, (120, 36))
    assert text.startswith("tool_4999\n")
    assert len(drawn) < 100


def test_beside_the_tool_the_list_takes_the_whole_height() -> None:
    async def heights(pilot: Pilot[Any], pane: ToolsPane) -> tuple[int, int]:
        narrow = pane.query_one(Rows).size.height
        await pilot.resize_terminal(120, 36)
        await pilot.pause()
        return narrow, pane.query_one(Rows).size.height

    narrow, wide = looked_at(ToolsPane(), _many(5000), heights, (80, 36))
    assert 13 == narrow
    assert 35 == wide


def test_the_cursor_stays_on_its_tool_while_the_run_goes_on(pages: Report) -> None:
    view = replace(_many(40), steps=pages.steps[:9])

    async def read(pilot: Pilot[Any], pane: ToolsPane) -> str:
        await pilot.press("down", "down", "down")
        pane.show(replace(view, steps=pages.steps, running=None))
        await pilot.pause()
        return pane.text

    assert looked_at(ToolsPane(), view, read).startswith("tool_3\n")


def test_control_n_goes_to_the_next_tool_with_a_problem(hidden: Report) -> None:
    async def go(pilot: Pilot[Any], pane: ToolsPane) -> tuple[str, str]:
        await pilot.press("up")
        first = pane.text
        await pilot.press("ctrl+n")
        return first, pane.text

    first, then = looked_at(ToolsPane(), view_of(hidden, "list_tools"), go)
    assert "TOOL015" not in first
    assert "TOOL015" in then


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        (None, "no hints"),
        ("yes", "no hints"),
        ({"title": "x"}, "no hints"),
        ({"readOnlyHint": True}, "read-only"),
        ({"readOnlyHint": "true"}, "destructive"),
        ({"readOnlyHint": True, "destructiveHint": True}, "contradictory"),
        ({"destructiveHint": False}, "changes, keeps"),
        ({"readOnlyHint": False}, "destructive"),
    ],
)
def test_hints_are_words_and_an_absent_one_counts_as_the_worse(annotations: Any, words: str) -> None:
    assert words == hints({"name": "x", "annotations": annotations})


@pytest.mark.parametrize("tool", [None, 7, [], {}, {"name": 7}, {"name": HOSTILE, "description": [HOSTILE]}])
def test_an_entry_of_any_shape_can_be_looked_at(tool: Any) -> None:
    view = replace(_many(1), tools=[tool, {"name": HOSTILE, "description": HOSTILE, HOSTILE: HOSTILE}])

    async def down(pilot: Pilot[Any], pane: ToolsPane) -> str:
        first = shown(pilot.app)
        await pilot.press("down")
        return first + shown(pilot.app)

    screen = looked_at(ToolsPane(), view, down, (160, 50))
    assert "tool 1 of 2" in screen
    assert "[red]x[/red]" in screen
    assert not any(char in screen for char in "\x1b\x07\u202e\u200b\r")
    assert all("\n" not in row.text for row in tool_rows(tool_list(view), 1))


def test_a_report_whose_places_point_nowhere_marks_nothing(hidden: Report) -> None:
    odd = hidden.model_copy(deep=True)
    for evidence in odd.step("list_tools").findings[0].evidence:
        evidence.where = "/result/tools/999999"
    odd.step("list_tools").facts["page_sizes"] = ["x", None]
    odd.step("sample_call").facts["refused"] = [HOSTILE]
    assert {} == tool_list(view_of(odd)).flaws


def test_no_list_says_why_there_is_none(hidden: Report) -> None:
    view = View(name="x", target="https://mcp.example.com/mcp")
    assert "step 9" in str(ToolsPane.blank(view))
    assert ToolsPane.blank(view_of(hidden)) is None
    none = hidden.model_copy(deep=True)
    none.step("list_tools").facts.update(tools=0, names=[])
    assert "The server lists no tools." == ToolsPane.blank(view_of(none))


def test_every_tool_that_a_finding_counts_is_marked_not_only_those_it_names(lab: Lab) -> None:
    report = report_of(lab, "list-many-bad-tools")
    finding = next(one for one in report.step("list_tools").findings if len(one.evidence) == 5)

    async def marked(pilot: Pilot[Any], pane: ToolsPane) -> str:
        await until(pilot, lambda: "10 with problems" in shown(pilot.app))
        assert "Fix        " in pane.text
        await pilot.press("end", "up", "up")
        return pane.text

    text = looked_at(ToolsPane(), view_of(report, "list_tools"), marked)
    assert text.startswith("lookup_27\n")
    assert finding.code in text
    assert "/result/tools/27/" in text


def test_an_answer_in_a_stream_is_read_as_well() -> None:
    body = 'event: message\ndata: {"jsonrpc": "2.0", "id": 2, "result": {"tools": [{"name": "a"}]}}\n\n'
    asked = {"method": "POST", "url": "https://x/", "headers": [], "body": '{"method": "tools/list"}'}
    assert [{"name": "a"}] == listed_tools([exchange_of(body, "text/event-stream", request=asked)])
