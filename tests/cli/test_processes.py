"""Exit codes, streams and signals, with real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from diagnose_lab import Lab, Running
from diagnose_lab.scenario import parse

from diagnose.model import json_schema

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Begin = Callable[..., "subprocess.Popen[str]"]

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and devices")


def test_a_healthy_connector_exits_with_0(diagnose: Run, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:
        done = diagnose(running.url)

    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("PASSED")


def test_a_closed_port_exits_with_1_and_by_step_with_12(diagnose: Run) -> None:
    assert 1 == diagnose("http://127.0.0.1:1/mcp").returncode
    assert 12 == diagnose("http://127.0.0.1:1/mcp", "--exit-by-step").returncode


def test_a_usage_error_exits_with_2_and_an_unknown_name_with_3(diagnose: Run) -> None:
    assert 2 == diagnose("mcp.example.com").returncode
    assert 3 == diagnose("nobody").returncode


def test_the_deadline_of_the_run_exits_with_4_and_a_whole_report(diagnose: Run, silent: Running) -> None:
    done = diagnose(silent.url, "--json", "--timeout", "0.5")

    assert 4 == done.returncode
    assert 11 == len(json.loads(done.stdout)["steps"])


def test_warnings_fail_a_run_only_when_asked_to(diagnose: Run, lab: Lab) -> None:
    with lab.start("healthy-http-sse") as running:  # deprecated transport: always a warning
        arguments = [running.url, *running.args, "-q", "--format", "github"]
        assert 0 == diagnose(*arguments).returncode
        assert 1 == diagnose(*arguments, "--fail-on", "warning").returncode
        assert 14 == diagnose(*arguments, "--fail-on", "warning", "--exit-by-step").returncode


def _interrupted(child: subprocess.Popen[str], running: Running, number: int) -> tuple[int, str, str]:
    """Send a signal as soon as the server has the request."""
    _wait_for_request(child, running)
    child.send_signal(number)
    out, err = child.communicate(timeout=20)
    return child.returncode, out, err


def _wait_for_request(child: subprocess.Popen[str], running: Running) -> None:
    while not running.log:
        assert child.poll() is None
        os.sched_yield()


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_130_and_a_valid_report(
    begin: Begin, silent: Running, number: int
) -> None:
    code, out, err = _interrupted(begin(silent.url, "--json"), silent, number)

    document = json.loads(out)
    jsonschema.Draft202012Validator(json_schema()).validate(document)
    assert (130, "") == (code, err)
    assert "error" == document["verdict"]["status"]
    assert "interrupted" in document["verdict"]["summary"]


@posix
def test_an_interrupted_run_still_writes_its_report_files(
    begin: Begin, silent: Running, tmp_path: Path
) -> None:
    child = begin(silent.url, "--report", f"json={tmp_path}/report.json")
    code, out, _ = _interrupted(child, silent, signal.SIGINT)

    assert 130 == code
    assert "NO VERDICT" in out
    assert 11 == len(json.loads((tmp_path / "report.json").read_text())["steps"])


@posix
def test_a_server_of_the_lab_ends_on_a_signal(begin: Begin) -> None:
    child = begin("lab", "serve", "healthy-modern")
    assert child.stdout is not None
    url = child.stdout.readline().strip()
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=20)

    assert url.startswith("http://127.0.0.1:")
    assert 0 == child.returncode


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["--json"], ["--format", "text"]])
def test_a_report_that_did_not_arrive_never_exits_with_0(
    diagnose: Run, lab: Lab, arguments: list[str]
) -> None:
    with lab.start("healthy-modern") as running, Path("/dev/full").open("w") as full:
        done = diagnose(running.url, *arguments, stdout=full)

    assert 2 == done.returncode
    assert "could not be written to stdout" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("argv", ["schema", "explain BUG001", "lab list", "demo healthy-modern"])
def test_no_command_claims_success_for_output_that_was_lost(diagnose: Run, argv: str) -> None:
    with Path("/dev/full").open("w") as full:
        assert 0 != diagnose(*argv.split(), stdout=full).returncode


@posix
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_causes_no_traceback(diagnose: Run, lab: Lab, closed: str) -> None:
    with lab.start("healthy-modern") as running:
        done = subprocess.run(  # noqa: S602  the shell is what closes the stream
            f'"{sys.executable}" -m diagnose {running.url} --json {closed}',
            shell=True,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert "Traceback" not in done.stderr
    assert (2 if ">&- " in f"{closed} " and not closed.startswith("2") else 0) == done.returncode


@posix
def test_a_reader_that_left_is_no_noise_and_no_success(begin: Begin, silent: Running) -> None:
    child = begin(silent.url, "--json", "--timeout", "1")
    assert child.stdout is not None
    child.stdout.close()
    child.wait(timeout=20)
    assert child.stderr is not None

    assert "" == child.stderr.read()
    assert 4 == child.returncode


@posix
def test_an_ascii_terminal_gets_ascii(diagnose: Run, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:
        plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        done = diagnose(running.url, env=plain)

    assert 0 == done.returncode
    assert "+ passed" in done.stdout
    assert done.stdout.isascii()


@pytest.mark.parametrize(
    ("arguments", "env", "colored"),
    [
        ([], {}, False),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_follows_the_option_then_the_environment(
    diagnose: Run, arguments: list[str], env: dict[str, str], colored: bool
) -> None:
    done = diagnose("http://127.0.0.1:1/mcp", *arguments, env=env)

    assert colored is ("\x1b[" in done.stdout)


def test_report_files_are_private_whole_and_of_every_format(diagnose: Run, lab: Lab, tmp_path: Path) -> None:
    formats = ("text", "json", "junit", "sarif", "github", "markdown", "har")
    files = [word for format in formats for word in ("--report", f"{format}={tmp_path}/report.{format}")]
    with lab.start("healthy-modern") as running:
        done = diagnose(running.url, "--json", *files)

    assert 0 == done.returncode
    assert sorted(f"report.{format}" for format in formats) == sorted(os.listdir(tmp_path))  # noqa: PTH208
    assert all((tmp_path / f"report.{format}").stat().st_size for format in formats)
    assert json.loads(done.stdout) == json.loads((tmp_path / "report.json").read_text())
    if sys.platform != "win32":
        assert {0o600} == {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}


@posix
def test_a_report_can_go_to_a_device(diagnose: Run) -> None:
    done = diagnose("http://127.0.0.1:1/mcp", "--json", "--report", "github=/dev/stderr")

    assert 1 == done.returncode
    assert done.stderr.startswith("::error ")


def test_reports_of_runs_fit_the_committed_schema(diagnose: Run, lab: Lab) -> None:
    committed = json.loads((Path(__file__).parents[2] / "schema" / "report-v1.json").read_text())
    checker = jsonschema.Draft202012Validator(committed)
    with lab.start("healthy-legacy") as running:
        checker.validate(json.loads(diagnose(running.url, "--json").stdout))
    checker.validate(json.loads(diagnose("http://127.0.0.1:1/mcp", "--json").stdout))


def test_the_committed_schema_is_what_schema_prints(diagnose: Run) -> None:
    committed = (Path(__file__).parents[2] / "schema" / "report-v1.json").read_text()

    assert json.loads(committed) == json.loads(diagnose("schema").stdout)


def test_the_version_is_that_of_the_report(diagnose: Run, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:
        tool: dict[str, Any] = json.loads(diagnose(running.url, "--json").stdout)["tool"]

    assert f"diagnose {tool['version']}\n" == diagnose("--version").stdout


STUBBORN = """
title = "The server neither lists its tools nor lets a session go"
transport = "streamable-http"
era = "legacy"
[server]
profile = "legacy"
[[rule]]
when = { method = "tools/list" }
delay = "forever"
[[rule]]
when = { http = "DELETE" }
delay = "forever"
"""


@posix
def test_a_second_signal_ends_the_process_at_once(begin: Begin, lab: Lab) -> None:
    with lab.start(parse(STUBBORN, name="stubborn", folder=Path())) as running:
        child = begin(running.url, "--json", "--step-timeout", "30", "--timeout", "60")
        while not any(b"tools/list" in record.body for record in running.log):
            assert child.poll() is None
            os.sched_yield()
        child.send_signal(signal.SIGINT)
        while not any(record.method == "DELETE" for record in running.log):
            assert child.poll() is None
            os.sched_yield()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)

    assert (130, "", "") == (child.returncode, out, err)


CANARY = "tok3nXcanaryX9f2b7c1d4e5"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--bearer-env", "CANARY"],
        ["--header", f"Authorization: Bearer {CANARY}"],
        ["--header", f"Authorization: {CANARY}"],
        ["--header", f"X-Api-Key: {CANARY}"],
        ["--header", "X-Tenant: a ${env:CANARY} b"],
    ],
)
@pytest.mark.parametrize("scenario", ["healthy-modern", "healthy-oauth"])
def test_no_format_prints_a_credential(
    diagnose: Run, lab: Lab, tmp_path: Path, scenario: str, arguments: list[str]
) -> None:
    formats = ("json", "junit", "sarif", "github", "markdown", "har")
    files = [word for format in formats for word in ("--report", f"{format}={tmp_path}/{format}")]
    with lab.start(scenario) as running:
        done = diagnose(running.url, "-vv", *files, *arguments, env={"CANARY": CANARY})
        assert any(CANARY in str(record.headers) for record in running.log)  # it was sent, and not printed

    printed = [done.stdout, done.stderr, *((tmp_path / format).read_text() for format in formats)]
    assert done.returncode in (0, 1)
    assert [] == [text for text in printed if CANARY in text]
