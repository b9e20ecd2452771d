"""What is stored of a run, and how it is found again."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from diagnose.errors import UsageError
from diagnose.history.runs import History
from diagnose.model import Report

Copy = Callable[..., Report]


def test_a_report_comes_back_as_it_was(history: History, reports: dict[str, Report]) -> None:
    for report in reports.values():
        history.add(report)

    assert reports == {kind: history.report(report.run.id) for kind, report in reports.items()}


def test_an_entry_says_what_a_list_shows(history: History, reports: dict[str, Report]) -> None:
    history.add(reports["worked"])
    history.add(reports["failed"])
    failed, worked = history.runs()

    assert ("passed", None, None, "1.0", "2026-07-28") == (
        worked.status,
        worked.step,
        worked.code,
        worked.server_version,
        worked.protocol_version,
    )
    assert ("failed", "tcp", "TCP001") == (failed.status, failed.step, failed.code)
    assert reports["worked"].connector.url == worked.target
    assert [True, False] == [worked.worked, failed.worked]


def test_the_newest_run_comes_first_whenever_it_was_added(history: History, copy: Copy) -> None:
    added = [copy("worked", days=days) for days in (3, 1, 2)]
    for report in added:
        history.add(report)

    assert [added[index].run.id for index in (1, 2, 0)] == [entry.id for entry in history.runs()]


def test_two_connectors_of_one_name_are_kept_apart(history: History, copy: Copy) -> None:
    first = copy("worked", days=2, name="github", url="https://one.example/mcp")
    other = copy("worked", days=1, name="github", url="https://two.example/mcp")
    last = copy("worked", name="github", url="https://one.example/mcp")
    for report in (first, other, last):
        history.add(report)
    before = history.previous(last)

    assert before is not None
    assert first.run.id == before.id
    assert 3 == len(history.runs("github"))
    assert [other.run.id] == [entry.id for entry in history.runs("https://two.example/mcp")]


def test_the_last_run_that_worked_is_found_behind_failures(history: History, copy: Copy) -> None:
    worked, failed, last = copy("worked", days=2), copy("failed", days=1), copy("failed")
    for report in (worked, failed, last):
        history.add(report)
    before, good = history.previous(last), history.previous(last, worked=True)

    assert before is not None
    assert good is not None
    assert (failed.run.id, worked.run.id) == (before.id, good.id)
    assert history.previous(worked) is None


def test_a_run_is_found_by_the_beginning_of_its_id(history: History, copy: Copy) -> None:
    report = copy("worked")
    report.run.id = "abcdef01-0000-4000-8000-000000000000"
    history.add(report)

    assert report == history.report("ABCDEF")


@pytest.mark.parametrize("typed", ["", "abc", "nothing", "%", "abcd_", "'; DROP TABLE runs; --"])
def test_an_unknown_id_is_one_sentence(history: History, copy: Copy, typed: str) -> None:
    history.add(copy("worked"))

    with pytest.raises(UsageError, match="no run of the history has the id") as refused:
        history.report(typed)
    assert "CFG006" == refused.value.code


def test_an_id_of_several_runs_names_those_to_choose_from(history: History, copy: Copy) -> None:
    for last in "12":
        report = copy("worked")
        report.run.id = f"abcdef01-0000-4000-8000-00000000000{last}"
        history.add(report)

    with pytest.raises(UsageError, match="several runs") as refused:
        history.report("abcdef01")
    assert "000000000001" in refused.value.hint


def test_runs_are_forgotten_by_connector_by_id_or_all(history: History, copy: Copy) -> None:
    one, two, three = copy("worked", name="one"), copy("worked", name="two"), copy("worked", name="three")
    for report in (one, two, three):
        history.add(report)

    assert 1 == history.remove("one")
    assert 1 == history.remove(run=two.run.id)
    assert [three.run.id] == [entry.id for entry in history.runs()]
    assert 1 == history.remove()
    assert 0 == history.remove()


def test_names_of_a_stranger_are_data(history: History, copy: Copy) -> None:
    hostile = "\x1b]52;c;x\x07'; DROP TABLE runs; -- \u202eevil \ud800 %_"
    history.add(copy("worked", name=hostile, url=None, command=[hostile, hostile]))
    [entry] = history.runs()

    assert "\x1b" not in entry.connector + entry.target
    assert "\u202e" not in entry.connector + entry.target
    assert 1 == len(history.runs(entry.connector))
    assert 1 == len(history.runs(entry.target))


def test_a_report_of_an_earlier_version_with_members_of_a_later_one_stays_readable(
    tmp_path: Path, copy: Copy
) -> None:
    place = tmp_path / "history" / "history.sqlite3"
    report = copy("worked")
    with History(place) as history:
        history.add(report)
        old = report.to_dict() | {"schema_version": "1.7", "later": {"member": 1}}
        del old["redactions"], old["connector"]["problems"]
        with closing(sqlite3.connect(place)) as connection:
            packed = zlib.compress(json.dumps(old).encode())
            connection.execute("UPDATE runs SET report = ?", (packed,))
            connection.commit()

        assert report.verdict == history.report(report.run.id).verdict


def test_a_damaged_report_in_a_sound_file_is_one_sentence(tmp_path: Path, copy: Copy) -> None:
    place = tmp_path / "history" / "history.sqlite3"
    report = copy("worked")
    with History(place) as history:
        history.add(report)
        for packed in (b"no zlib", zlib.compress(b"{}"), zlib.compress(b"x" * 100)[:-3]):
            with closing(sqlite3.connect(place)) as connection:
                connection.execute("UPDATE runs SET report = ?", (packed,))
                connection.commit()
            with pytest.raises(UsageError) as refused:
                history.report(report.run.id)
            assert "CFG025" == refused.value.code
