"""The file of the history: private, shared by processes, and never the reason that a run fails."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from diagnose.errors import UsageError
from diagnose.history import open_history
from diagnose.history.runs import History
from diagnose.model import Report

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")
Copy = Callable[..., Report]


def test_what_is_forgotten_is_in_no_byte_of_the_file(tmp_path: Path, copy: Copy) -> None:
    place = tmp_path / "history" / "history.sqlite3"
    with History(place) as history:
        history.add(copy("worked", name="a-name-that-nobody-has"))
        assert b"a-name-that-nobody-has" in place.read_bytes()
        history.remove()

    assert b"a-name-that-nobody-has" not in place.read_bytes()


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
