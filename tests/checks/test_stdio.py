"""What breaks a local process and no scenario can bring about, and what a run does with its processes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest
from diagnose_checks.stdio_signs import (
    decisive_line,
    is_lock,
    missing_credential,
    missing_variable,
    sign_of,
)

from diagnose.api import diagnose_sync, start
from diagnose.connector import Connector, Source, StdioTransport
from diagnose.errors import UsageError
from diagnose.events import StepStarted
from diagnose.model import Report
from diagnose.options import Options

SERVER = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    {before}
    if "id" in asked:
        refused = {{"code": -32601, "message": "Method not found"}}
        print(json.dumps({{"jsonrpc": "2.0", "id": asked["id"], "error": refused}}), flush=True)
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="processes of POSIX")


def connector(program: str, **more: object) -> Connector:
    transport = StdioTransport(command=sys.executable, args=("-c", program), **more)  # type: ignore[arg-type]
    return Connector(name="local", transport=transport)


def codes(report: Report, *severities: str) -> list[tuple[str, str]]:
    return [
        (step.id, finding.code)
        for step in report.steps
        for finding in step.findings
        if finding.severity in severities
    ]


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@posix
def test_a_start_that_the_system_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    huge = Connector(name="local", transport=StdioTransport(command=sys.executable, args=("x" * 200_000,)))
    report = diagnose_sync(huge)
    assert ("STDIO009", "tcp") == (report.verdict.code, getattr(report.verdict.failed_step, "id", None))
    assert "Argument list too long" in report.verdict.summary


@posix
def test_an_application_may_not_find_what_the_shell_finds(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text(f"#!{sys.executable}\n{SERVER.format(before='')}")
    tool.chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    made = Connector(
        name="local", transport=StdioTransport(command="tool"), source=Source(format="Claude Desktop")
    )
    report = diagnose_sync(made, environ=environ, options=Options(until="dns"))
    assert [("dns", "STDIO007")] == codes(report, "warning")
    assert str(tool) in report.step("dns").findings[0].fix


def test_a_process_that_nobody_named_is_not_started() -> None:
    found = connector("raise SystemExit").model_copy(update={"source": Source(discovered=True)})
    with pytest.raises(UsageError, match="--allow-stdio"):
        start(found, options=Options(allow_stdio=False))


@posix
def test_a_run_that_is_given_up_leaves_no_process_behind() -> None:
    before = children()

    async def body() -> None:
        run = start(connector("import signal; signal.pause()"), options=Options(timeout=30))
        async with aclosing(run.events()) as events:
            async for event in events:
                if isinstance(event, StepStarted) and event.id == "http_reachability":
                    assert children() - before
                    return

    asyncio.run(body())
    assert set() == children() - before


@posix
def test_a_run_that_is_out_of_time_leaves_no_process_behind() -> None:
    before = children()
    report = diagnose_sync(
        connector("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: signal.pause()"),
        options=Options(timeout=1.5),
    )
    assert "STDIO020" == report.verdict.code
    assert set() == children() - before


@posix
def test_the_line_to_reproduce_starts_the_same_process_and_shows_no_secret(tmp_path: Path) -> None:
    made = connector(
        "import os, sys; sys.exit('ValueError: no ' + os.environ['API_KEY'][:0] + 'luck')",
        env={"API_KEY": "canary-5d41402abc"},
        cwd=str(tmp_path),
    )
    report = diagnose_sync(made)
    text = json.dumps(report.to_dict())
    line = report.step("http_reachability").findings[0].reproduce or ""
    assert "canary-5d41402abc" not in text
    assert 'API_KEY="${API_KEY}"' in line
    assert f"cd {tmp_path} && env -i" in line


@posix
def test_what_a_process_inherits_is_not_printed_either() -> None:
    program = "import os, sys; sys.exit('Error: bad ' + os.environ['ROOM_TOKEN'])"
    environ = {**os.environ, "ROOM_TOKEN": "canary-0cc175b9c0"}
    report = diagnose_sync(connector(program, inherits="all"), environ=environ)
    assert "STDIO014" == report.verdict.code
    assert "canary-0cc175b9c0" not in json.dumps(report.to_dict())


@posix
def test_a_line_before_every_answer_is_one_warning() -> None:
    report = diagnose_sync(connector(SERVER.format(before="print('hello', flush=True)")))
    assert 1 == codes(report, "warning").count(("http_reachability", "STDIO018"))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("ModuleNotFoundError: No module named 'mcp_server'", "STDIO015"),
        ("Error: Cannot find module '/opt/server/dist/index.js'", "STDIO015"),
        ("/usr/bin/python3: No module named mcp_server_fetch", "STDIO015"),
        ("npm error 404  '@scope/none@*' is not in this registry.", "STDIO015"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "STDIO017"),
        ("npm error code EBADENGINE", "STDIO016"),
        ("ERROR: Package requires a different Python: 3.9.1 not in '>=3.10'", "STDIO016"),
        ("ReferenceError: ReadableStream is not defined", "STDIO016"),
    ],
)
def test_last_words_are_understood(line: str, code: str) -> None:
    found = sign_of(["Starting", line])
    assert found is not None
    assert code == found.code


@pytest.mark.parametrize(
    "line",
    ["Server running on stdio", "listening on stdin", "warning: deprecated", "npm warn exec installing"],
)
def test_ordinary_words_are_no_sign(line: str) -> None:
    assert sign_of([line]) is None
    assert missing_variable([line], {}) is None
    assert is_lock([line]) is None


@pytest.mark.parametrize(
    "line",
    [
        "Error: MISTRAL_API_KEY is not set",
        "BRAVE_API_KEY environment variable is required",
        "KeyError: 'SLACK_BOT_TOKEN'",
        "Missing required env: GITHUB_PERSONAL_ACCESS_TOKEN",
    ],
)
def test_a_missing_variable_is_named(line: str) -> None:
    found = missing_variable([line], {"PATH": "/bin"})
    assert found is not None
    assert found[0] in line
    assert missing_variable([line], {found[0]: "given"}) is None


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("WARN MISTRAL_API_KEY is not set: calls will fail", True),
        ("LOG_LEVEL not set, info is taken", False),
        ("API_TOKEN not set, falling back to anonymous access", False),
        ("CACHE_DIR is missing", False),
    ],
)
def test_a_server_that_goes_on_misses_credentials_only(line: str, named: bool) -> None:
    assert named == (missing_credential([line], {}) is not None)


@pytest.mark.parametrize(
    ("line", "subject"),
    [
        ("npm error 404  The requested resource '@scope/none@1.0' could not be found", "@scope/none"),
        ("npm error notarget No matching version found for @scope/none@99.9.9.", "@scope/none@99.9.9"),
        ("  cause: Because none was not found in the package registry and you require none", "none"),
        ("  cause: Because there is no version of none==99.9 and you require none==99.9", "none==99.9"),
        ('npm error notsup Required: {"node":">=99"}', '{"node":">=99"}'),
        (
            "docker: Cannot connect to the Docker daemon at unix:///run/d.sock. Is it running?",
            "Cannot connect to the Docker daemon at unix:///run/d.sock",
        ),
    ],
)
def test_what_a_launcher_misses_is_named_whole(line: str, subject: str) -> None:
    found = sign_of(["npm error code E404", line] if "404" in line else [line])
    assert found is not None
    assert subject == found.subject


def test_what_npm_only_warns_of_did_not_end_the_server() -> None:
    assert sign_of(["npm warn EBADENGINE Unsupported engine", "Error: bad port"]) is None


@pytest.mark.parametrize(
    ("said", "decisive"),
    [
        (
            [
                "error: Failed to fetch",
                "  cause: client error (Connect)",
                "  cause: invalid certificate",
                "hint: x",
            ],
            "cause: invalid certificate",
        ),
        (
            [
                "npm error code ENOTCACHED",
                "npm error request failed",
                "npm error A complete log of this run is in x",
            ],
            "npm error request failed",
        ),
        (["Usage: server [stdio|sse]", "Unknown transport: x"], "Unknown transport: x"),
    ],
)
def test_the_root_of_a_chain_decides_and_no_line_that_says_where_to_read_on(
    said: list[str], decisive: str
) -> None:
    assert decisive == decisive_line(said)


def test_the_line_that_names_the_error_decides() -> None:
    said = ["Traceback (most recent call last):", "ValueError: bad port", "", "Node.js v18"]
    assert "ValueError: bad port" == decisive_line(said)
