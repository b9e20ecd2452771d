"""The Exchange pane and the bodies in it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from app_panes import PaneStage, exchange_of, looked_at, report_of
from app_screens import shown
from diagnose_lab import Lab
from diagnose_tui.bodies import body_rows, value_rows
from diagnose_tui.panes.exchange import ExchangePane
from diagnose_tui.view import View, view_of
from textual.pilot import Pilot

from diagnose.model import Report


@pytest.fixture(scope="module")
def pages(lab: Lab) -> Report:
    return report_of(lab, "healthy-legacy-pages")


@pytest.fixture(scope="module")
def stream(lab: Lab) -> Report:
    return report_of(lab, "healthy-http-sse")


@pytest.fixture(scope="module")
def process(lab: Lab) -> Report:
    return report_of(lab, "healthy-stdio-modern")


@pytest.fixture(scope="module")
def hidden(lab: Lab) -> Report:
    return report_of(lab, "list-bidi-name")


async def _text(pilot: Pilot[Any], pane: ExchangePane) -> str:
    return pane.text


async def _screen(pilot: Pilot[Any], pane: ExchangePane) -> str:
    return shown(pilot.app)


def _lines(body: str, content_type: str = "application/json", *, cut: bool = False) -> list[str]:
    return [row.margin + row.text for row in body_rows(body, content_type, cut=cut)]


def _alone(*bodies: str, content_type: str = "application/json") -> View:
    exchanges = [exchange_of(body, content_type, id=number) for number, body in enumerate(bodies, start=1)]
    return View(name="x", target="https://mcp.example.com/mcp", selected="session_open", exchanges=exchanges)


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (160, 50)])
def test_request_and_answer_stand_with_their_headers_and_pretty_bodies(
    pages: Report, size: tuple[int, int]
) -> None:
    text = looked_at(ExchangePane(), view_of(pages, "list_tools"), _text, size)
    assert "Mcp-Session-Id: [redacted]" in text
    assert '"method": "tools/list"' in text
    assert '\n    "nextCursor": "page-2"' in text
    assert "HTTP/1.1 200 OK" in text
    assert "Answer     200 OK, " in text
    assert "Time" in text
    assert "receive" in text


def test_every_exchange_of_the_step_has_a_line_and_the_keys_turn_them(pages: Report) -> None:
    async def turn(pilot: Pilot[Any], pane: ExchangePane) -> tuple[str, ...]:
        first = pane.text
        await pilot.press("right")
        second = pane.text
        await pilot.press("[")
        return shown(pilot.app), first, second, pane.text

    screen, first, second, back = looked_at(ExchangePane(), view_of(pages, "list_tools"), turn)
    assert ["4 POST", "5 POST", "6 POST"] == [line[3:].strip()[:6] for line in screen.splitlines()[:3]]
    assert first != second
    assert first == back


def test_a_step_that_judged_an_earlier_answer_shows_that_one(hidden: Report) -> None:
    text = looked_at(ExchangePane(), view_of(hidden, "list_tools"), _text)
    assert "sent in step 8 Session open" in text
    assert "get\\u202eeteled" in text


def test_events_of_a_stream_stand_one_by_one_with_their_data_in_lines(stream: Report) -> None:
    async def third(pilot: Pilot[Any], pane: ExchangePane) -> str:
        await pilot.press("right", "right")
        return pane.text

    text = looked_at(ExchangePane(), view_of(stream, "http_reachability"), third)
    assert "event 1  endpoint" in text
    assert "event 2  message" in text
    assert '\n  "jsonrpc": "2.0",' in text


def test_an_exchange_with_a_process_has_no_address_and_no_status(process: Report) -> None:
    text = looked_at(ExchangePane(), view_of(process, "sample_call"), _text)
    assert "tools/call process 1, stdin" in text
    assert "process 1, stdout" in text
    assert "None" not in text


@pytest.mark.parametrize("step", ["dns", "tcp", "tls", "auth_discovery", "token_validity", "teardown"])
def test_a_step_that_sent_nothing_says_why(pages: Report, step: str) -> None:
    view = view_of(pages, step)
    blank = ExchangePane.blank(view)
    if step == "teardown":
        assert blank is None
    else:
        assert blank is not None
        assert blank[:20] in looked_at(ExchangePane(), view, _screen)


def test_what_has_not_run_yet_says_so() -> None:
    view = View(name="x", target="https://mcp.example.com/mcp", selected="tls")
    assert "This step has not run yet." == ExchangePane.blank(view)
    assert "Nothing was sent yet." == ExchangePane.blank(replace(view, running="tls"))


def test_the_reader_stays_where_he_is_while_a_run_goes_on(pages: Report) -> None:
    view = view_of(pages, "list_tools")

    async def read(pilot: Pilot[Any], pane: ExchangePane) -> tuple[str, int, str, int]:
        await pilot.press("right", "right", "end", "up")
        before = pane.text, pane.query_one("#exchange-text").scroll_offset.y
        grown = [*pages.exchanges, exchange_of("{}", id=99, step="list_tools")]
        step = pages.step("list_tools").model_copy(update={"exchanges": [4, 5, 6, 99]})
        pane.show(replace(view, exchanges=grown, steps=[step]))
        await pilot.pause()
        return *before, pane.text, pane.query_one("#exchange-text").scroll_offset.y

    text, y, later, later_y = looked_at(ExchangePane(), view, read, (80, 16))
    assert y > 0
    assert (text.replace("3 of 3", "3 of 4"), y) == (later, later_y)


def test_members_keep_their_order_their_spelling_and_their_doubles() -> None:
    body = '{"b":1.0,"a":1e400,"b":"\\u00e9","n":' + "9" * 5000 + "}"
    assert ["{", '  "b": 1.0,', '  "a": 1e400,', '  "b": "\\u00e9",'] == _lines(body)[:4]


def test_what_is_short_and_flat_stays_on_one_line() -> None:
    assert [
        "{",
        '  "required": ["city", "units"],',
        '  "nested": [',
        "    [],",
        "    {}",
        "  ]",
        "}",
    ] == _lines('{"required":["city","units"],"nested":[[],{}]}')


def test_what_means_to_be_json_and_is_not_is_shown_as_it_came_with_the_reason() -> None:
    first, *rest = _lines('{"a": 1,\n}')
    assert first.startswith("not JSON: ")
    assert "line 2" in first
    assert ['{"a": 1,', "}"] == rest


def test_a_body_that_was_cut_off_is_laid_out_as_far_as_it_goes() -> None:
    assert ["{", '  "a": 1,', '  "b": [', "    {", '      "c": "ye'] == _lines(
        '{"a":1,"b":[{"c":"ye', cut=True
    )


def test_characters_written_out_for_display_do_not_make_json_broken() -> None:
    assert ['{"a": "x\\x9by"}'] == _lines('{"a":"x\\x9by"}')


def test_lines_of_a_process_are_laid_out_each() -> None:
    assert ['{"a": 1}', "npm warn", '{"b": 2}'] == _lines('{"a":1}\nnpm warn\n{"b":2}', "")


def test_events_tell_their_fields_and_comments() -> None:
    body = ": hello\n\nevent: x^M\nid: 7^M\ndata: {^M\ndata: }^M\n^M\ndata: tail"
    expected = ["no event", "comment  hello", "", "event 2  x", "id       7", "{}", ""]
    expected += ["event 3  message", "tail"]
    assert expected == _lines(body, "text/event-stream")


@pytest.mark.parametrize(
    "body",
    [
        "[" * 32_000 + "]" * 32_000,
        "[" + "0," * 32_000 + "0]",
        '{"' + '\\"' * 32_000,
        '{"a":"' + "x" * 64_000,
        "{" + "a b " * 16_000,
        json.dumps({"a": "é\U0001f600\u0301" * 10_000}, ensure_ascii=False),
        "]" * 64_000,
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream", "text/html"])
def test_no_body_is_too_odd_to_be_opened_and_read_to_its_end(body: str, content_type: str) -> None:
    async def end(pilot: Pilot[Any], pane: ExchangePane) -> str:
        await pilot.press("end")
        await pilot.pause()
        return shown(pilot.app)

    assert looked_at(ExchangePane(), _alone(body, content_type=content_type), end, (60, 12)).strip()


def test_a_value_that_is_too_deep_for_json_is_said_to_be() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert ["nested too deeply to be shown"] == [row.text for row in value_rows(deep)]


HOSTILE = "[red]x[/red][@click=app.quit]y[/]\x1b]52;c;cHduZWQ=\x07\u202eevil\u200b\r"


def test_nothing_that_a_server_says_acts_on_the_screen() -> None:
    exchange = exchange_of(HOSTILE, "text/html")
    exchange.request["url"] = "http://[" + HOSTILE
    exchange.response["headers"] = [[HOSTILE, HOSTILE], "no pair", [1], None]  # type: ignore[index]
    exchange.response["error"] = HOSTILE  # type: ignore[index]
    view = replace(_alone("{}"), exchanges=[exchange, exchange.model_copy(update={"id": 2})])
    screen = looked_at(ExchangePane(), view, _screen, (160, 50))
    assert "[red]x[/red]" in screen
    assert not any(char in screen for char in "\x1b\x07\u202e\u200b\r")


def test_what_is_selected_with_the_mouse_can_be_copied() -> None:
    async def select() -> str | None:
        pane = ExchangePane()
        app = PaneStage(pane)
        async with app.run_test(size=(80, 24)) as pilot:
            pane.show(_alone('{"alpha":1,"beta":{"gamma":[]}}'))
            await pilot.pause()
            line = next(at for at, text in enumerate(shown(app).splitlines()) if '"alpha"' in text)
            await pilot.mouse_down(pane, offset=(1, line))
            await pilot.hover(pane, offset=(14, line + 1))
            await pilot.mouse_up(pane, offset=(14, line + 1))
            await pilot.pause()
            return app.screen.get_selected_text()

    selected = asyncio.run(select())
    assert selected is not None
    assert '"alpha": 1' in selected
    assert "\n" in selected
