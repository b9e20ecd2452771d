"""``history``, ``diff``, ``replay`` and ``run --keep``, as processes of their own."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from diagnose_lab import Lab, Running

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Begin = Callable[..., "subprocess.Popen[str]"]

SNAPSHOTS = Path(__file__).parent.parent / "report" / "snapshots"
terminals = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
CLOSED = "http://127.0.0.1:1/mcp"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A state folder of its own, and a history that is not turned off."""
    return {"DIAGNOSE_STATE_DIR": str(tmp_path / "state"), "DIAGNOSE_HISTORY": "on", "CI": ""}


@pytest.fixture
def server(lab: Lab) -> Iterator[Running]:
    with lab.start("healthy-modern") as running:
        yield running


def runs(diagnose: Run, env: dict[str, str], *arguments: str) -> list[dict[str, Any]]:
    done = diagnose("history", "--json", *arguments, env=env)
    assert (0, "") == (done.returncode, done.stderr)
    document = json.loads(done.stdout)
    assert "1.0" == document["schema_version"]
    found: list[dict[str, Any]] = document["runs"]
    return found


def test_a_run_in_a_pipe_is_not_kept_unless_asked_for(
    diagnose: Run, env: dict[str, str], server: Running
) -> None:
    assert 0 == diagnose(server.url, env=env).returncode
    assert [] == runs(diagnose, env)
    done = diagnose(server.url, "--keep", env=env)

    assert (0, "") == (done.returncode, done.stderr)
    assert [(server.url, "passed")] == [(run["target"], run["status"]) for run in runs(diagnose, env)]


def _on_a_terminal(begin: Begin, arguments: list[str], env: dict[str, str]) -> int:
    import pty

    ours, theirs = pty.openpty()
    child = begin(*arguments, env={"TERM": "xterm", **env}, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    child.communicate(timeout=60)
    os.close(ours)
    return child.returncode


@terminals
@pytest.mark.parametrize(
    ("arguments", "added", "kept"),
    [
        ([], {}, 1),
        (["-q"], {}, 1),
        (["--json"], {}, 1),
        (["--no-keep"], {}, 0),
        ([], {"CI": "true"}, 0),
        ([], {"CI": "false"}, 1),
        (["--keep"], {"CI": "true"}, 1),
    ],
)
def test_a_run_that_somebody_looks_at_is_kept(
    diagnose: Run,
    begin: Begin,
    env: dict[str, str],
    server: Running,
    arguments: list[str],
    added: dict[str, str],
    kept: int,
) -> None:
    assert 0 == _on_a_terminal(begin, [server.url, *arguments], {**env, **added})

    assert kept == len(runs(diagnose, env))


def test_the_history_can_be_turned_off(diagnose: Run, env: dict[str, str], server: Running) -> None:
    off = {**env, "DIAGNOSE_HISTORY": "off"}
    done = diagnose(server.url, "--keep", env=off)

    assert 0 == done.returncode
    assert "DIAGNOSE_HISTORY=off" in done.stderr
    assert not Path(env["DIAGNOSE_STATE_DIR"]).exists()
    assert 2 == diagnose("history", env=off).returncode


@pytest.mark.parametrize("value", ["of", "yes", "\x1b[2J"])
def test_another_word_for_the_variable_costs_one_line_and_no_verdict(
    diagnose: Run, env: dict[str, str], server: Running, value: str
) -> None:
    done = diagnose(server.url, "--keep", env={**env, "DIAGNOSE_HISTORY": value})

    assert 0 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert "it takes one of on, off" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_run_that_cannot_be_kept_says_so_once_and_exits_as_ever(
    diagnose: Run, env: dict[str, str], server: Running, tmp_path: Path
) -> None:
    (tmp_path / "state").touch()
    worked, failed = diagnose(server.url, "--keep", env=env), diagnose(CLOSED, "--keep", env=env)

    assert (0, 1) == (worked.returncode, failed.returncode)
    for done in (worked, failed):
        assert 1 == len(done.stderr.splitlines())
        assert done.stderr.startswith("diagnose: the run is not kept: the history cannot be stored")
    refused = diagnose("history", env=env)
    assert (2, "") == (refused.returncode, refused.stdout)
    assert "CFG026" in refused.stderr


def test_a_python_without_sqlite_runs_as_ever(
    diagnose: Run, env: dict[str, str], server: Running, tmp_path: Path
) -> None:
    (tmp_path / "sqlite3.py").write_text("raise ModuleNotFoundError(\"No module named '_sqlite3'\")\n")
    without = {**env, "PYTHONPATH": str(tmp_path)}
    done = diagnose(server.url, "--keep", env=without)

    assert 0 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert "the run is not kept: this Python has no SQLite" in done.stderr
    assert 2 == diagnose("history", env=without).returncode


def test_a_damaged_history_is_replaced_with_one_word_about_it(
    diagnose: Run, env: dict[str, str], server: Running, tmp_path: Path
) -> None:
    diagnose(server.url, "--keep", env=env)
    place = tmp_path / "state" / "history" / "history.sqlite3"
    place.write_bytes(b"damaged" * 1000)
    done = diagnose(server.url, "--keep", env=env)

    assert 0 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert "history.sqlite3.broken" in done.stderr
    assert 1 == len(runs(diagnose, env))


@pytest.mark.parametrize("name", ["healthy-oauth-credential", "healthy-token-enforced", "token-expired"])
def test_no_secret_of_a_run_is_in_the_file(
    diagnose: Run, lab: Lab, env: dict[str, str], tmp_path: Path, name: str
) -> None:
    with lab.start(name) as running:
        secrets = [value for key, value in running.env.items() if key.startswith("LAB_")]
        secrets += [running.places[key] for key in ("token", "client_secret") if running.places.get(key)]
        diagnose("run", running.url, *running.args, "--keep", "--deep", env={**running.env, **env})
    place = tmp_path / "state" / "history" / "history.sqlite3"
    with closing(sqlite3.connect(place)) as connection:
        [(packed,)] = connection.execute("SELECT report FROM runs")
    written = place.read_bytes() + zlib.decompress(packed)

    assert [value for value in secrets if len(value) >= 8]
    assert [] == [value for value in secrets if value.encode() in written]


def test_a_key_in_a_url_is_neither_kept_nor_needed_to_find_the_run(
    diagnose: Run, env: dict[str, str], tmp_path: Path
) -> None:
    url = f"{CLOSED}?api_key=canary-4711"
    diagnose(url, "--keep", env=env)
    listed = diagnose("history", url, env=env)

    assert 0 == listed.returncode
    assert "canary-4711" not in listed.stdout
    assert b"canary-4711" not in (tmp_path / "state" / "history" / "history.sqlite3").read_bytes()


def test_the_list_names_connector_status_step_code_and_id(
    diagnose: Run, env: dict[str, str], server: Running
) -> None:
    diagnose(server.url, "--keep", env=env)
    diagnose(CLOSED, "--keep", env=env)
    shown = diagnose("history", env=env).stdout
    failed, worked = runs(diagnose, env)

    assert re.search(
        rf"(?m)^{CLOSED}\n  {failed['id'][:8]}  \d{{4}}-\d\d-\d\d \d\d:\d\d  just now +\S FAILED .* s  "
        r"step 2, TCP001$",
        shown,
    )
    assert re.search(rf"(?m)^{server.url}\n  {worked['id'][:8]}  .* passed +\d+\.\d s$", shown)
    assert max(map(len, shown.splitlines())) <= 80
    assert [failed["id"]] == [run["id"] for run in runs(diagnose, env, "--failed")]
    assert [failed["id"]] == [run["id"] for run in runs(diagnose, env, "--limit", "1")]
    assert [worked["id"]] == [run["id"] for run in runs(diagnose, env, server.url)]
    assert [worked["id"]] == [run["id"] for run in runs(diagnose, env, worked["connector"])]
    assert [] == runs(diagnose, env, server.url, "--failed")


def test_an_unknown_connector_is_one_sentence_with_the_nearest_name(
    diagnose: Run, env: dict[str, str]
) -> None:
    diagnose(CLOSED, "--keep", env=env)
    done = diagnose("history", "127.0.0.1", env=env)

    assert (3, "") == (done.returncode, done.stdout)
    assert "did you mean 127.0.0.1:1?" in done.stderr
    assert 3 == diagnose("diff", "nobody", env=env).returncode


def test_an_empty_history_is_no_error(diagnose: Run, env: dict[str, str]) -> None:
    done = diagnose("history", env=env)

    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("No run is kept.")


def test_runs_are_forgotten_when_asked_to(diagnose: Run, env: dict[str, str], server: Running) -> None:
    for url in (server.url, CLOSED, CLOSED):
        diagnose(url, "--keep", env=env)

    assert "Forgotten: 2 runs\n" == diagnose("history", CLOSED, "--clear", env=env).stdout
    assert "Forgotten: 1 run\n" == diagnose("history", "--clear", env=env).stdout
    assert [] == runs(diagnose, env)


@pytest.mark.parametrize(
    "arguments",
    [
        ["history", "--limit", "0"],
        ["history", "--limit", "x"],
        ["history", "--clear", "--failed"],
        ["history", "--clear", "--json"],
        ["history", "one", "two"],
        ["diff"],
        ["diff", "-", "-"],
        ["diff", "report.json"],
        ["diff", "missing.json", "other.json"],
        ["diff", "zzz", "yyy"],
        ["replay"],
        ["replay", "missing.json"],
        ["replay", "nobody"],
        ["replay", "abcdef01"],
        ["replay", ""],
        ["replay", "\x1b[2J"],
        ["replay", "x" * 5000],
        ["replay", "a/b", "--json", "--format", "text"],
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(
    diagnose: Run, env: dict[str, str], arguments: list[str]
) -> None:
    done = diagnose(*arguments, env=env)

    assert (2, "") == (done.returncode, done.stdout)
    assert 1 == len(done.stderr.splitlines())
    assert re.match(r"diagnose: CFG\d{3} ", done.stderr)
    assert "\x1b" not in done.stderr


def test_the_last_two_runs_are_compared_by_name(diagnose: Run, env: dict[str, str], server: Running) -> None:
    for _ in range(2):
        diagnose(server.url, "--keep", env=env)
    done = diagnose("diff", server.url, env=env)
    last, earlier = runs(diagnose, env)

    assert 0 == done.returncode
    assert (
        f"The run {last['id'][:8]} is compared with the run before it, {earlier['id'][:8]}.\n" == done.stderr
    )
    assert "No difference" in done.stdout
    assert 0 == diagnose("diff", last["id"][:6], env=env).returncode


def test_a_failed_run_is_compared_with_the_last_one_that_worked(
    diagnose: Run, env: dict[str, str], lab: Lab
) -> None:
    with lab.start("healthy-modern") as running:
        diagnose(running.url, "--keep", env=env)
    for _ in range(2):
        diagnose(running.url, "--keep", env=env)
    done = diagnose("diff", running.url, "--json", env=env)
    document = json.loads(done.stdout)

    assert 1 == done.returncode
    assert "the last run that worked" in done.stderr
    assert ["passed", "failed"] == [document[side]["status"] for side in ("before", "after")]
    assert ["verdict", "verdict", "steps"] == [change["group"] for change in document["differences"]]


def test_a_name_with_a_slash_is_a_name_and_no_file(
    diagnose: Run, env: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "connectors.json"
    config.write_text(json.dumps({"connectors": [{"name": "io.github.example/server", "url": CLOSED}]}))
    for _ in range(2):
        diagnose("io.github.example/server", "--config", str(config), "--keep", env=env)
    done = diagnose("diff", "io.github.example/server", env=env)

    assert 0 == done.returncode


def test_one_run_has_nothing_to_be_compared_with(diagnose: Run, env: dict[str, str]) -> None:
    diagnose(CLOSED, "--keep", env=env)
    done = diagnose("diff", CLOSED, env=env)

    assert 2 == done.returncode
    assert "nothing to compare it with" in done.stderr


def test_files_and_ids_can_be_mixed(diagnose: Run, env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    diagnose(CLOSED, "--keep", "--report", f"json={file}", env=env)
    [run] = runs(diagnose, env)
    same = diagnose("diff", str(file), run["id"], env=env)
    other = diagnose("diff", str(file), str(SNAPSHOTS / "healthy.json.txt"), "--color", "always", env=env)

    assert (0, "") == (same.returncode, same.stderr)
    assert 1 == other.returncode
    assert "\x1b[" in other.stdout


def test_one_of_two_reports_may_come_from_standard_input(diagnose: Run, env: dict[str, str]) -> None:
    path = SNAPSHOTS / "healthy.json.txt"
    with path.open() as stdin:
        done = subprocess.run(
            [sys.executable, "-m", "diagnose", "diff", "-", str(path)],
            stdin=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, **env},
        )

    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("name", sorted(path.name.partition(".")[0] for path in SNAPSHOTS.glob("*.text.txt")))
def test_a_stored_report_is_printed_as_the_run_printed_it(
    diagnose: Run, env: dict[str, str], name: str, tmp_path: Path
) -> None:
    path = SNAPSHOTS / f"{name}.json.txt"
    written = tmp_path / "report.md"
    done = diagnose("replay", str(path), "--report", f"markdown={written}", env=env)

    assert (0, "") == (done.returncode, done.stderr)
    assert (SNAPSHOTS / f"{name}.text.txt").read_text(encoding="utf-8") == done.stdout
    assert (SNAPSHOTS / f"{name}.markdown.txt").read_text(encoding="utf-8") == written.read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [("healthy", 0), ("warned", 0), ("failed", 1), ("broken-by-us", 70), ("interrupted", 130)],
)
def test_a_replay_exits_as_the_run_did_when_asked_to(
    diagnose: Run, env: dict[str, str], name: str, code: int
) -> None:
    path = str(SNAPSHOTS / f"{name}.json.txt")

    assert 0 == diagnose("replay", path, env=env).returncode
    assert code == diagnose("replay", path, "--exit-code", "--json", env=env).returncode


def test_a_run_of_the_history_is_replayed_by_the_beginning_of_its_id(
    diagnose: Run, env: dict[str, str], server: Running
) -> None:
    done = diagnose(server.url, "--keep", "--json", env=env)
    [run] = runs(diagnose, env)
    again = diagnose("replay", run["id"][:8], "--json", env=env)

    assert json.loads(done.stdout) == json.loads(again.stdout)
    assert "names: echo" in diagnose("replay", run["id"][:8], "-v", env=env).stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("argv", ["history", "replay {report}", "diff {report} {report}"])
def test_no_command_claims_success_for_output_that_was_lost(
    diagnose: Run, env: dict[str, str], argv: str
) -> None:
    words = argv.format(report=SNAPSHOTS / "healthy.json.txt").split()
    with Path("/dev/full").open("w") as full:
        assert 2 == diagnose(*words, stdout=full, env=env).returncode
