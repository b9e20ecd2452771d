"""The History pane, the screen of all runs, and the comparison of two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from app_panes import looked_at, report_of
from app_screens import UNANSWERED, Stage, played, shown, until
from diagnose_lab import Lab
from diagnose_tui.comparisons import comparison_rows
from diagnose_tui.glyphs import ASCII
from diagnose_tui.panes.history import HistoryPane
from diagnose_tui.screens.compare import CompareScreen
from diagnose_tui.screens.history import HistoryScreen
from diagnose_tui.view import View
from diagnose_tui.widgets.run_list import RunList, ago, changed
from textual.pilot import Pilot

from diagnose.comparison import compare
from diagnose.errors import UsageError
from diagnose.history import Entry, open_history
from diagnose.history.runs import History
from diagnose.model import Report

HOSTILE = "[red]x[/red]\x1b]52;c;cHduZWQ=\x07\u202eevil\u200b\r\n"
NOW = datetime.now(UTC)
VIEW = View(name="github", target="https://mcp.example.com/mcp")


@pytest.fixture(scope="module")
def healthy(lab: Lab) -> Report:
    return report_of(lab, "healthy-modern")


@pytest.fixture(scope="module")
def expired(lab: Lab) -> Report:
    return report_of(lab, "tls-expired")


def _at(report: Report, number: int, minutes: int) -> Report:
    """``report`` as a run of one connector, so long ago."""
    made = report.model_copy(deep=True)
    made.connector.name, made.connector.url = VIEW.name, VIEW.target
    made.run.id = f"{number:08x}-0000-4000-8000-000000000000"
    started = NOW - timedelta(minutes=minutes)
    made.run.started_at = started.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return made


@pytest.fixture
def kept(tmp_path: Path, healthy: Report, expired: Report) -> Iterator[History]:
    """Worked, failed, failed, worked: newest last."""
    with open_history({"DIAGNOSE_STATE_DIR": str(tmp_path / "state")}) as history:
        for number, (report, minutes) in enumerate(
            [(healthy, 3000), (expired, 300), (expired, 60), (healthy, 2)], start=1
        ):
            history.add(_at(report, number, minutes))
        yield history


def _run(**more: Any) -> Entry:
    given: dict[str, Any] = {
        "id": "00000001",
        "connector": "x",
        "target": "https://x/",
        "started_at": NOW,
        "duration_ms": 10.0,
        "status": "passed",
        "step": None,
        "code": None,
        "server_version": "1.0",
        "protocol_version": "2026-07-28",
    }
    return Entry(**{**given, **more})


# The pane


class _Listening(HistoryPane):
    """Keeps what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, ...]] = []

    def on_run_list_opened(self, event: RunList.Opened) -> None:
        self.asked.append((event.run_id[:8],))

    def on_run_list_pair(self, event: RunList.Pair) -> None:
        self.asked.append((event.before[:8], event.after[:8]))


def _asked(kept: History, *keys: str) -> list[tuple[str, ...]]:
    async def act(pilot: Pilot[Any], pane: _Listening) -> list[tuple[str, ...]]:
        pane.show_runs(kept.runs())
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
        return pane.asked

    asked: list[tuple[str, ...]] = looked_at(_Listening(), VIEW, act)
    return asked


@pytest.mark.parametrize("size", [(50, 12), (80, 24), (160, 50)])
def test_runs_stand_newest_first_with_verdict_and_code(kept: History, size: tuple[int, int]) -> None:
    async def act(pilot: Pilot[Any], pane: HistoryPane) -> str:
        pane.show_runs(kept.runs())
        await pilot.pause()
        return shown(pilot.app)

    lines = looked_at(HistoryPane(), VIEW, act, size).splitlines()
    assert ["passed", "FAILED", "FAILED", "passed"] == [
        next(word for word in line.split() if word in ("passed", "FAILED")) for line in lines[:4]
    ]
    assert "was FAILED TLS003" in " ".join("\n".join(lines).split())


def test_a_connector_without_runs_says_so() -> None:
    async def act(pilot: Pilot[Any], pane: HistoryPane) -> str:
        await pilot.press("enter", "space", "d", "down")
        return shown(pilot.app)

    assert "No run of this connector is kept yet." in looked_at(HistoryPane(), VIEW, act)


def test_enter_asks_for_the_run_under_the_cursor(kept: History) -> None:
    assert [("00000003",)] == _asked(kept, "down", "enter")


@pytest.mark.parametrize(
    ("keys", "pair"),
    [
        (("d",), ("00000003", "00000004")),
        (("space", "down", "down", "d"), ("00000002", "00000004")),
        (("end", "space", "home", "space", "down", "d"), ("00000001", "00000004")),
        (("space", "space", "down", "d"), ("00000002", "00000003")),
        (("space", "down", "space", "down", "space", "d"), ("00000002", "00000003")),
    ],
)
def test_d_compares_what_is_marked_or_the_run_with_the_one_before(
    kept: History, keys: tuple[str, ...], pair: tuple[str, str]
) -> None:
    assert [pair] == _asked(kept, *keys)


def test_the_first_run_has_none_before_it(kept: History) -> None:
    assert [] == _asked(kept, "end", "d")


def test_the_cursor_stays_on_its_run_when_a_new_one_comes(kept: History, healthy: Report) -> None:
    async def act(pilot: Pilot[Any], pane: _Listening) -> list[tuple[str, ...]]:
        pane.show_runs(kept.runs())
        await pilot.press("down")
        kept.add(_at(healthy, 9, 1))
        pane.show_runs(kept.runs())
        await pilot.press("enter")
        await pilot.pause()
        return pane.asked

    assert [("00000003",)] == looked_at(_Listening(), VIEW, act)


@pytest.mark.parametrize(
    ("run", "before", "said"),
    [
        (_run(), None, "the first run that is kept"),
        (_run(), _run(), ""),
        (_run(), _run(status="failed", code="TLS003"), "was FAILED TLS003"),
        (_run(server_version="2.0"), _run(), "server 1.0 became 2.0"),
        (_run(server_version=None), _run(), ""),
        (_run(duration_ms=9000.0), _run(duration_ms=100.0), "slower"),
        (_run(duration_ms=90.0), _run(duration_ms=10.0), ""),
        (_run(status=HOSTILE), _run(server_version="1.0"), "was passed"),
    ],
)
def test_what_changed_against_the_run_before_is_one_line(run: Entry, before: Entry | None, said: str) -> None:
    assert said == changed(run, before)


def test_an_age_is_told_in_the_largest_unit() -> None:
    ages = [(30, "just now"), (60, "1 minute ago"), (7200, "2 hours ago"), (86_400, "1 day ago")]
    assert [said for _, said in ages] == [ago(NOW - timedelta(seconds=age), NOW) for age, _ in ages]


# The screen of all runs


def _screen(
    kept: History, act: Callable[[Pilot[Any], Stage], Any], load: Callable[[str], Report] | None = None
) -> Any:
    return played(HistoryScreen("github", kept.runs(), load or kept.report, ASCII), act, (120, 30))


def test_enter_answers_with_the_whole_report(kept: History) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.answer is not UNANSWERED)

    assert "TLS003" == _screen(kept, act).verdict.code


def test_esc_answers_with_nothing(kept: History) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("escape")

    assert None is _screen(kept, act)


def test_two_runs_are_compared_above_the_list_and_esc_comes_back(kept: History) -> None:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("d")
        await until(pilot, lambda: "differences." in shown(app))
        assert "TLS003 at TLS" in shown(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))

    assert UNANSWERED is _screen(kept, act)


def test_a_run_that_cannot_be_read_is_one_sentence(kept: History) -> None:
    def load(run: str) -> Report:
        raise UsageError("CFG025", f"the stored report is damaged {HOSTILE}", hint="choose another run")

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: "CFG025" in shown(app))
        assert not any(char in shown(app) for char in "\x1b\x07\u202e\u200b\r")

    assert UNANSWERED is _screen(kept, act, load)


def test_who_leaves_before_a_run_was_read_gets_nothing(kept: History) -> None:
    left = Event()

    def load(run: str) -> Report:
        assert left.wait(20)
        return kept.report(run)

    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: bool(app.screen.workers))
        reading = list(app.screen.workers)
        await pilot.press("escape")
        await until(pilot, lambda: app.answer is None)
        left.set()
        await until(pilot, lambda: all(worker.is_finished for worker in reading))

    assert None is _screen(kept, act, load)


# The comparison


def _compared(before: Report, after: Report, until_said: str, size: tuple[int, int] = (80, 24)) -> str:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await until(pilot, lambda: until_said in shown(app))
        seen.append(shown(app))
        await pilot.press("y", "escape")
        await until(pilot, lambda: app.answer is None)
        assert until_said in app.clipped[0]

    seen: list[str] = []
    played(CompareScreen(before, after), act, size)
    return seen[0]


@pytest.mark.parametrize("size", [(40, 16), (80, 24), (160, 50)])
def test_two_runs_of_one_server_have_no_difference(healthy: Report, size: tuple[int, int]) -> None:
    assert "No difference" in _compared(healthy, healthy, "No difference", size)


def test_what_changed_stands_by_group_old_above_new(healthy: Report) -> None:
    after = healthy.model_copy(deep=True)
    after.step("mcp_initialize").facts["server_version"] = "1.1"
    lines = [line.strip("│ ") for line in _compared(healthy, after, "1 difference.").splitlines()]
    at = lines.index("Server")
    assert [["before", "1.0"], ["after", "1.1"]] == [line.split() for line in lines[at + 2 : at + 4]]


def test_the_part_that_differs_is_marked(healthy: Report) -> None:
    after = healthy.model_copy(deep=True)
    after.step("mcp_initialize").facts["server_version"] = "1.1"
    pairs = [row for row in comparison_rows(compare(healthy, after)) if row.kind == "pair"]
    assert ["0", "1"] == [row.text[slice(*row.part)] for row in pairs]


def test_nothing_of_a_compared_report_acts(healthy: Report) -> None:
    after = healthy.model_copy(deep=True)
    after.connector.name = after.run.id = after.run.started_at = HOSTILE
    after.step("mcp_initialize").facts.update(server_version=HOSTILE, server_name=HOSTILE, sdk=HOSTILE)
    after.step("list_tools").facts["names"] = [HOSTILE]
    rows = comparison_rows(compare(healthy, after))
    assert not any(char in row.text for row in rows for char in "\x1b\x07\u202e\u200b\r\n")
    assert "[red]" in _compared(healthy, after, "[red]", (160, 50))
