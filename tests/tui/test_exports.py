"""What leaves the app: the copy menu, the export screen, texts and file names."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from app_panes import looked_at, report_of
from app_screens import UNANSWERED, Stage, played, shown, until
from diagnose_lab import Lab
from diagnose_tui.exports import (
    EXPORTS,
    TERMINALS_TAKE,
    Wanted,
    copied,
    export_text,
    file_name,
    trouble_with,
    write_export,
)
from diagnose_tui.panes.cause import CausePane
from diagnose_tui.screens.copying import WRITE_A_FILE, CopyScreen
from diagnose_tui.screens.exporting import ExportScreen
from diagnose_tui.view import View, view_of
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from diagnose.errors import UsageError
from diagnose.model import Report

HOSTILE = "../../etc/[red]\x1b]52;c;cHduZWQ=\x07\u202e/.passwd"


@pytest.fixture(scope="module")
def expired(lab: Lab) -> Report:
    return report_of(lab, "tls-expired")


@pytest.fixture(scope="module")
def healthy(lab: Lab) -> Report:
    return report_of(lab, "healthy-modern")


def _pressed(screen: Any, *keys: str, size: tuple[int, int] = (80, 24)) -> Any:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press(*keys)

    return played(screen, act, size)


def _answered(screen: Any, *keys: str) -> Any:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press(*keys)
        await until(pilot, lambda: app.answer is not UNANSWERED)

    return played(screen, act)


def _said(screen: Any, *keys: str, until_said: str = "", size: tuple[int, int] = (80, 24)) -> tuple[str, Any]:
    async def act(pilot: Pilot[Any], app: Stage) -> None:
        await pilot.press(*keys)
        await until(pilot, lambda: until_said in shown(app))
        seen.append(shown(app))

    seen: list[str] = []
    answer = played(screen, act, size)
    return seen[0], answer


# The copy menu


def test_each_letter_copies_what_it_says(expired: Report) -> None:
    view = view_of(expired)
    finding = view.finding
    assert finding is not None
    assert f"Fix: {finding.fix}" in _pressed(CopyScreen(view), "f").split("\n")
    assert finding.forward in _pressed(CopyScreen(view), "w").split("\n")
    assert finding.reproduce == _pressed(CopyScreen(view), "u")
    assert expired.to_dict() == json.loads(_pressed(CopyScreen(view), "j"))
    assert "TLS003" in _pressed(CopyScreen(view), "m")
    assert "FAILED" in _pressed(CopyScreen(view), "t")
    assert "shown here" == _pressed(CopyScreen(view, "shown here"), "v")


def test_enter_copies_the_first_that_there_is(expired: Report, healthy: Report) -> None:
    assert "TLS003" in _pressed(CopyScreen(view_of(expired)), "enter")
    assert _pressed(CopyScreen(view_of(healthy)), "enter").startswith("curl ")


def test_what_there_is_nothing_of_says_so_and_copies_nothing(healthy: Report) -> None:
    screen, answer = _said(CopyScreen(view_of(healthy)), "f")
    assert UNANSWERED is answer
    assert "Fix: no step has a finding" in screen
    running = View(name="x", target="https://mcp.example.com/mcp")
    screen, answer = _said(CopyScreen(running), "j")
    assert UNANSWERED is answer
    assert "JSON report: needs a finished run" in screen


def test_a_text_that_terminals_cut_off_is_copied_at_the_second_word_only(healthy: Report) -> None:
    text = "x" * (TERMINALS_TAKE + 1)
    screen, answer = _said(CopyScreen(view_of(healthy), text), "v")
    assert UNANSWERED is answer
    assert "most terminals take 74: x writes" in screen
    assert text == _pressed(CopyScreen(view_of(healthy), text), "v", "v")
    assert "x" * TERMINALS_TAKE == _pressed(CopyScreen(view_of(healthy), text[1:]), "v")


def test_a_file_can_be_asked_for_instead(healthy: Report) -> None:
    assert WRITE_A_FILE == _pressed(CopyScreen(view_of(healthy)), "x")
    assert None is _pressed(CopyScreen(view_of(healthy)), "escape")


def test_the_toast_says_how_much_and_what_to_do_if_nothing_arrived() -> None:
    assert "copied 3 characters; if your terminal takes no OSC 52: x writes a file" == copied("abc")
    assert copied("\ud800" * TERMINALS_TAKE).startswith("224 KB are more than most terminals take (74 KB)")


def test_a_pane_of_paragraphs_can_be_copied_as_it_is_shown(expired: Report) -> None:
    async def text(pilot: Pilot[Any], pane: CausePane) -> str:
        return pane.text

    lines = looked_at(CausePane(), view_of(expired), text, (120, 36)).split("\n")
    assert expired.step("tls").findings[0].summary == lines[0]
    assert any(line.endswith(expired.step("tls").findings[0].reproduce or "-") for line in lines)


def test_no_character_of_a_copied_text_acts(expired: Report) -> None:
    hostile = expired.model_copy(deep=True)
    finding = hostile.step("tls").findings[0]
    finding.fix = finding.forward = finding.reproduce = HOSTILE
    for key in "fwutmv":
        text = _pressed(CopyScreen(view_of(hostile, "tls"), HOSTILE), key)
        assert not any(char in text for char in "\x1b\x07\u202e"), key


# The export screen


def test_enter_takes_json_under_the_name_that_is_offered(expired: Report) -> None:
    expected = Wanted(format="json", path=Path(file_name(expired, ".json")))
    assert expected == _answered(ExportScreen(expired), "enter")


def test_the_name_follows_the_format_until_another_is_typed(expired: Report, tmp_path: Path) -> None:
    wanted = _answered(ExportScreen(expired, folder=tmp_path), "down", "enter")
    assert ("markdown", ".md") == (wanted.format, wanted.path.suffix)
    assert tmp_path == wanted.path.parent
    typed = _answered(ExportScreen(expired), "tab", *"x", "shift+tab", "end", "enter")
    assert ("svg", ".jsonx") == (typed.format, typed.path.suffix)


def test_a_file_that_is_there_is_replaced_at_a_word_only(expired: Report, tmp_path: Path) -> None:
    there = tmp_path / file_name(expired, ".json")
    there.write_text("mine")
    screen, answer = _said(
        ExportScreen(expired, folder=tmp_path), "enter", until_said="ctrl+o", size=(160, 24)
    )
    assert UNANSWERED is answer
    said = " ".join(screen.replace("│", " ").split())
    assert "exists already: ctrl+o replaces it, or type another name" in said
    wanted = _answered(ExportScreen(expired, folder=tmp_path), "enter", "ctrl+o")
    assert Wanted(format="json", path=there, replace=True) == wanted


def test_a_place_that_is_none_is_one_sentence(expired: Report) -> None:
    screen, answer = _said(
        ExportScreen(expired, folder=Path("/nowhere")), "enter", until_said="mkdir", size=(160, 24)
    )
    assert UNANSWERED is answer
    assert "does not exist" in screen


def test_esc_leaves_without_a_file(expired: Report) -> None:
    assert None is _answered(ExportScreen(expired), "tab", "escape")


# Texts, names, files


def test_every_format_but_the_picture_is_made_of_the_report(expired: Report) -> None:
    for export in EXPORTS:
        if export.id != "svg":
            assert export_text(expired, export.id).strip(), export.id
    assert export_text(expired, "curl").startswith("# TLS003 tls.expired-certificate\n")


def test_a_line_of_curl_can_be_no_second_command(expired: Report) -> None:
    odd = expired.model_copy(deep=True)
    odd.step("tls").findings[0].name = "x\nrm -rf /"
    assert "# TLS003 x^Jrm -rf /\n" in export_text(odd, "curl")


@given(st.text(max_size=200), st.text(max_size=40))
def test_no_name_of_a_connector_leads_out_of_the_folder(name: str, started: str) -> None:
    report = _report.model_copy(deep=True)
    report.connector.name, report.run.started_at = name, started
    made = file_name(report, ".json")
    assert made == Path(made).name
    assert not made.startswith((".", "-"))
    assert made.isascii()
    assert len(made) < 200


_report = Report.model_validate(
    {
        "tool": {"name": "connector-diagnose", "version": "0"},
        "run": {"id": "0", "started_at": "2026-11-20T12:00:00.000Z", "duration_ms": 1.0},
        "connector": {"name": "github", "transport": "streamable-http"},
        "verdict": {"status": "passed", "summary": "fine"},
        "steps": [
            {"number": at, "id": f"s{at}", "title": f"S{at}", "status": "passed"} for at in range(1, 12)
        ],
        "environment": {"python": "3", "openssl": "3", "platform": "x"},
    }
)


def test_a_file_is_named_after_connector_step_verdict_and_time(expired: Report) -> None:
    assert "github-all-passed-20261120-120000.md" == file_name(_report, ".md")
    assert "-tls-failed-" in file_name(expired, ".json")


def test_a_file_is_written_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    place = tmp_path / "a.json"
    assert place == write_export(place, "one")
    assert 0o600 == place.stat().st_mode & 0o777
    with pytest.raises(UsageError, match="exists already") as refused:
        write_export(place, "two")
    assert "CFG013" == refused.value.code
    assert "one" == place.read_text()
    write_export(place, "two", replace=True)
    assert "two" == place.read_text()


def test_a_link_that_leads_nowhere_is_a_file_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="exists already"):
        write_export(tmp_path / "link", "x")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["", "no/where.json", "a\0b", "x" * 300, "~nobody-here/x"])
def test_a_name_that_cannot_be_written_is_one_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / name if not name.startswith("~") else Path(name)
    assert trouble_with(Wanted(format="json", path=path)) is not None
    with pytest.raises(UsageError) as refused:
        write_export(path, "x")
    assert "CFG013" == refused.value.code
    assert [] == list(tmp_path.iterdir())


def test_a_screen_says_no_markup_of_a_hostile_name(expired: Report) -> None:
    odd = expired.model_copy(deep=True)
    odd.connector.name = HOSTILE
    screen, _ = _said(
        ExportScreen(odd, folder=Path("/nowhere/[red]x[/]")), "enter", until_said="mkdir", size=(160, 24)
    )
    assert "[red]x[/]" in screen
    view = replace(view_of(odd), name=HOSTILE)
    assert not any(char in _said(CopyScreen(view))[0] for char in "\x1b\x07\u202e")
