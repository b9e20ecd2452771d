"""The history: what is kept, for how long, and that no file of it ever costs a run."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from diagnose_lab import Lab

from diagnose.api import diagnose_sync
from diagnose.errors import UsageError
from diagnose.history import open_history
from diagnose.history.retention import DAYS, MOST
from diagnose.history.runs import History
from diagnose.model import Report

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
Copy = Callable[..., Report]


@pytest.fixture(scope="module")
def reports(lab: Lab) -> dict[str, Report]:
    """One run that worked and one that failed, at the same address."""
    with lab.start("healthy-modern") as running:
        worked = diagnose_sync(running.url)
        url = running.url
    return {"worked": worked, "failed": diagnose_sync(url)}


@pytest.fixture
def copy(reports: dict[str, Report]) -> Copy:
    """Another run like one of the two, so many days ago."""

    def make(kind: str, *, days: float = 0.0, name: str | None = None, **connector: object) -> Report:
        report = reports[kind].model_copy(deep=True)
        at = NOW - timedelta(days=days)
        report.run.id = str(uuid4())
        report.run.started_at = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        changes = {**({"name": name} if name else {}), **connector}
        report.connector = report.connector.model_copy(update=changes)
        return report

    return make


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History(tmp_path / "history" / "history.sqlite3", now=NOW.timestamp) as made:
        yield made
        assert made.warning is None


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


def test_failures_are_kept_in_larger_number_than_successes(history: History, copy: Copy) -> None:
    for number in range(MOST["worked"] + 5):
        history.add(copy("worked", days=number / 100))
    for number in range(MOST["broken"] + 5):
        history.add(copy("failed", days=number / 100))
    kept = history.runs(limit=1000)

    assert MOST["worked"] == sum(entry.worked for entry in kept)
    assert MOST["broken"] == sum(not entry.worked for entry in kept)
    assert MOST["broken"] == len(history.runs(failed=True, limit=1000))


def test_the_oldest_go_first(history: History, copy: Copy) -> None:
    oldest = copy("worked", days=2)
    history.add(oldest)
    for number in range(MOST["worked"]):
        history.add(copy("worked", days=number / 100))

    assert oldest.run.id not in {entry.id for entry in history.runs(limit=1000)}


def test_the_numbers_hold_for_each_connector_alone(history: History, copy: Copy) -> None:
    for number in range(MOST["worked"] + 5):
        history.add(copy("worked", days=number / 100, name="one"))
    history.add(copy("worked", days=3, name="two"))

    assert 1 == len(history.runs("two"))


def test_failures_are_kept_longer_than_successes(history: History, copy: Copy) -> None:
    for kind, days in (("worked", 80), ("worked", 100), ("failed", 100), ("failed", 400)):
        history.add(copy(kind, days=days))
    history.add(copy("worked"))
    ages = {(entry.worked, (NOW - entry.started_at).days) for entry in history.runs()}

    assert {(True, 0), (True, 80), (False, 100)} == ages
    assert DAYS["broken"] > DAYS["worked"]


def test_a_limit_of_size_takes_successes_first_and_leaves_the_newest_of_each_kind(
    tmp_path: Path, copy: Copy
) -> None:
    history = History(tmp_path / "history" / "history.sqlite3", now=NOW.timestamp, largest=1)
    for days in (3, 2, 1):
        history.add(copy("worked", days=days))
    assert [] == list(history.runs())

    size = max(_sizes_of(tmp_path, copy))
    history = History(tmp_path / "history" / "history.sqlite3", now=NOW.timestamp, largest=5 * size)
    for days in range(9, 0, -1):
        history.add(copy("failed", days=days))
        history.add(copy("worked", days=days))
    kept = [(entry.worked, (NOW - entry.started_at).days) for entry in history.runs()]

    assert (True, 1) in kept
    assert 1 == sum(worked for worked, _ in kept)
    assert sum(not worked for worked, _ in kept) > 3


def _sizes_of(folder: Path, copy: Copy) -> list[int]:
    with History(folder / "sizes" / "history.sqlite3", now=NOW.timestamp) as history:
        history.add(copy("worked"))
        history.add(copy("failed"))
    with closing(sqlite3.connect(folder / "sizes" / "history.sqlite3")) as connection:
        return [size for (size,) in connection.execute("SELECT length(report) FROM runs")]


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


def test_what_is_forgotten_is_in_no_byte_of_the_file(tmp_path: Path, copy: Copy) -> None:
    place = tmp_path / "history" / "history.sqlite3"
    with History(place) as history:
        history.add(copy("worked", name="a-name-that-nobody-has"))
        assert b"a-name-that-nobody-has" in place.read_bytes()
        history.remove()

    assert b"a-name-that-nobody-has" not in place.read_bytes()


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
            import json

            packed = zlib.compress(json.dumps(old).encode())
            connection.execute("UPDATE runs SET report = ?", (packed,))
            connection.commit()

        assert report.verdict == history.report(report.run.id).verdict


PROGRAM = """
import sys, uuid
from pathlib import Path
from diagnose.history.runs import History
from diagnose.model import Report
report = Report.model_validate_json(Path(sys.argv[1]).read_text())
print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    report.run.id = str(uuid.uuid4())
    with History(Path(sys.argv[2])) as history:
        history.add(report)
    assert history.warning is None, history.warning
"""


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path, reports: dict[str, Report]) -> None:
    document, place = tmp_path / "report.json", tmp_path / "history" / "history.sqlite3"
    document.write_text(reports["worked"].to_json(), encoding="utf-8")
    command = [sys.executable, "-c", PROGRAM, str(document), str(place)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    writers: list[subprocess.Popen[str]] = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    for writer in writers:
        assert writer.stdout is not None
        assert "ready\n" == writer.stdout.readline()
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    told = [writer.communicate(timeout=60)[1] for writer in writers]

    assert ["", ""] == told
    with History(place) as history:
        assert 40 == len(history.runs(limit=1000))


def test_threads_may_share_a_history_in_memory(copy: Copy) -> None:
    with History(None) as history:
        threads = [
            threading.Thread(target=history.add, args=(copy("worked", days=number / 10),))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 8 == len(history.runs())


@posix
def test_folder_and_file_are_private_and_leave_nothing_beside_them(tmp_path: Path, copy: Copy) -> None:
    with open_history({"DIAGNOSE_STATE_DIR": str(tmp_path / "state")}) as history:
        history.add(copy("worked"))
        assert history.place is not None
        assert 0o600 == history.place.stat().st_mode & 0o777
        assert 0o700 == history.place.parent.stat().st_mode & 0o777
        assert [history.place] == list(history.place.parent.iterdir())


def _in_memory(history: History, copy: Copy) -> str:
    """That a history without its file works, and its one warning."""
    report = copy("worked")
    history.add(report)

    assert history.place is None
    assert history.fault is not None
    assert "CFG026" == history.fault.code
    assert report == history.report(report.run.id)
    assert history.warning is not None
    assert history.warning.startswith("runs are kept only until this program ends: ")
    assert "\n" not in history.warning
    history.close()
    return history.warning


def test_a_place_that_cannot_be_written_keeps_runs_in_memory_with_one_warning(
    tmp_path: Path, copy: Copy
) -> None:
    (tmp_path / "file").touch()  # also root cannot make a folder in a file
    warning = _in_memory(open_history({"DIAGNOSE_STATE_DIR": str(tmp_path / "file")}), copy)

    assert str(tmp_path / "file") in warning
    assert "DIAGNOSE_STATE_DIR" in warning


@posix
@pytest.mark.parametrize("what", ["folder", "file", "link"])
def test_what_others_could_read_or_exchange_is_not_used(tmp_path: Path, copy: Copy, what: str) -> None:
    environ = {"DIAGNOSE_STATE_DIR": str(tmp_path / "state")}
    with open_history(environ) as history:
        place = history.place
    assert place is not None
    if what == "folder":
        place.parent.chmod(0o755)
    elif what == "file":
        place.chmod(0o644)
    else:
        (tmp_path / "elsewhere").write_bytes(place.read_bytes())
        place.unlink()
        place.symlink_to(tmp_path / "elsewhere")
    warning = _in_memory(open_history(environ), copy)

    assert {"folder": "0755", "file": "0644", "link": "is not a plain file"}[what] in warning


@pytest.mark.parametrize("where", ["at once", "later"])
def test_a_damaged_file_is_moved_aside_and_kept(tmp_path: Path, copy: Copy, where: str) -> None:
    environ = {"DIAGNOSE_STATE_DIR": str(tmp_path / "state")}
    with open_history(environ) as history:
        place = history.place
        assert place is not None
        if where == "later":
            place.write_bytes(b"no database" * 1000)
            history.add(copy("worked"))
        else:
            place.write_bytes(b"no database" * 1000)
            (place.parent / "history.sqlite3-journal").write_bytes(b"hot")
            history = open_history(environ)
            history.add(copy("worked"))

    assert place == history.place
    assert 1 == len(history.runs())
    assert history.warning is not None
    assert "history.sqlite3.broken" in history.warning
    assert b"no database" * 1000 == (place.parent / "history.sqlite3.broken").read_bytes()
    assert not (place.parent / "history.sqlite3-journal").exists()


def test_a_second_damaged_file_does_not_replace_the_first(tmp_path: Path) -> None:
    environ = {"DIAGNOSE_STATE_DIR": str(tmp_path / "state")}
    place = open_history(environ).place
    assert place is not None
    for content in (b"first" * 500, b"second" * 500):
        place.write_bytes(content)
        open_history(environ)

    assert b"first" * 500 == (place.parent / "history.sqlite3.broken").read_bytes()
    assert b"second" * 500 == (place.parent / "history.sqlite3.broken-2").read_bytes()


@pytest.mark.parametrize(
    ("pragma", "said"),
    [("user_version = 99", "a newer version of diagnose"), ("application_id = 7", "another program")],
)
def test_the_file_of_a_newer_version_or_of_another_program_is_left_alone(
    tmp_path: Path, copy: Copy, pragma: str, said: str
) -> None:
    environ = {"DIAGNOSE_STATE_DIR": str(tmp_path / "state")}
    place = open_history(environ).place
    assert place is not None
    with closing(sqlite3.connect(place)) as connection:
        connection.execute(f"PRAGMA {pragma}")
    before = place.read_bytes()

    assert said in _in_memory(open_history(environ), copy)
    assert before == place.read_bytes()


def test_the_history_can_be_turned_off(tmp_path: Path, copy: Copy) -> None:
    with open_history({"DIAGNOSE_STATE_DIR": str(tmp_path / "state"), "DIAGNOSE_HISTORY": "off"}) as history:
        history.add(copy("worked"))
        assert (None, None, None) == (history.place, history.warning, history.fault)
        assert 1 == len(history.runs())

    assert not (tmp_path / "state").exists()


def test_another_word_for_the_variable_is_refused() -> None:
    with pytest.raises(UsageError, match="it takes one of on, off"):
        open_history({"DIAGNOSE_HISTORY": "of"})


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
