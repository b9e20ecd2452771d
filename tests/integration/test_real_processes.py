"""The eleven steps against local servers that nobody here wrote, started as people start them."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from integration.local_runs import Argv, command_line, found, judged_healthy, package, run, start, told
from integration.server_processes import SOURCES, serving

from diagnose import Options, Report

pytestmark = pytest.mark.integration

ANY = "any"
LEGACY, MODERN = "2025-11-25", "2026-07-28"
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture(scope="module", autouse=True)
def meanwhile(request: pytest.FixtureRequest) -> None:
    """Begin the run that waits for half a minute, whose test comes after these."""
    with contextlib.suppress(pytest.skip.Exception):
        request.getfixturevalue("without_network")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A healthy server and how it is started. ``sample`` is the tool to be called, ANY for one or another."""

    id: str
    argv: Argv
    version: str
    tools: int
    sample: str | None = ANY
    env: dict[str, str] = field(default_factory=dict)


def python_1(request: pytest.FixtureRequest) -> Sequence[str]:
    interpreter = request.getfixturevalue("python_sdk_1")
    return (interpreter, str(SOURCES / "python_sdk_1.py"), "stdio")


def python_2(request: pytest.FixtureRequest) -> Sequence[str]:
    return (sys.executable, str(SOURCES / "python_sdk_2.py"), "stdio")


def fastmcp(request: pytest.FixtureRequest) -> Sequence[str]:
    pytest.importorskip("fastmcp")
    return (sys.executable, str(SOURCES / "fastmcp_server.py"), "stdio")


def uv_run(request: pytest.FixtureRequest) -> Sequence[str]:
    folder: Path = request.getfixturevalue("uv")
    script = str(SOURCES / "python_sdk_1.py")
    return (str(folder / "uv"), "run", "--no-project", "--with", "mcp>=1.30,<2", script, "stdio")


def uvx(request: pytest.FixtureRequest) -> Sequence[str]:
    folder: Path = request.getfixturevalue("uv")
    return (str(folder / "uvx"), "mcp-server-time@2026.10.19")


UV = {"UV_SYSTEM_CERTS": "1"}  # a registry behind a certificate authority of this machine's own
CASES = (
    Case(
        id="everything",
        argv=package("@modelcontextprotocol/server-everything"),
        version=LEGACY,
        tools=13,
    ),
    Case(
        id="filesystem",
        argv=package("@modelcontextprotocol/server-filesystem", str(SOURCES)),
        version=LEGACY,
        tools=14,
        sample="list_allowed_directories",
    ),
    Case(
        id="memory",
        argv=package("@modelcontextprotocol/server-memory"),
        version=LEGACY,
        tools=9,
        sample="read_graph",
    ),
    Case(id="python-sdk-1", argv=python_1, version=LEGACY, tools=2, sample="current_temperature"),
    Case(id="python-sdk-2", argv=python_2, version=MODERN, tools=2, sample="current_temperature"),
    Case(
        id="fastmcp",
        argv=fastmcp,
        version=MODERN,
        tools=2,
        sample="current_temperature",
        env={"FASTMCP_CHECK_FOR_UPDATES": "off"},
    ),
    Case(id="uv-run", argv=uv_run, version=LEGACY, tools=2, sample="current_temperature", env=UV),
    Case(id="uvx", argv=uvx, version=MODERN, tools=2, sample=None, env=UV),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_healthy_local_server_gets_no_finding(
    case: Case, request: pytest.FixtureRequest, mark: str
) -> None:
    report = run(case.argv(request), mark, None, None, **case.env)

    judged_healthy(report, version=case.version, tools=case.tools)
    called = report.step("sample_call").facts.get("tool")
    assert case.sample == (ANY if case.sample == ANY and called else called)
    assert ("stdin closed", 1) == (
        report.step("teardown").facts["how"],
        report.step("http_reachability").facts["starts"],
    )


def test_the_official_client_agrees_over_pipes(request: pytest.FixtureRequest, mark: str) -> None:
    report = run(package("@modelcontextprotocol/server-memory")(request), mark, Options(runtime=True))

    judged_healthy(report, version=LEGACY, tools=9)
    assert "listed 9 tools" == report.step("list_tools").facts["runtime"]


def test_a_bridge_to_a_server_over_http_is_healthy(
    request: pytest.FixtureRequest, mark: str, tmp_path: Path
) -> None:
    with bridge(request, "stateful") as argv:
        report = run(argv, mark, MCP_REMOTE_CONFIG_DIR=str(tmp_path))

    judged_healthy(report, version=MODERN, tools=2)


@contextmanager
def bridge(request: pytest.FixtureRequest, mode: str) -> Iterator[Sequence[str]]:
    home: Path = request.getfixturevalue("node_servers")
    ready = r"running on (http://127\.0\.0\.1:\d+)"
    with serving([sys.executable, str(SOURCES / "python_sdk_2.py"), mode], ready) as origin:
        yield ("node", str(home / "node_modules/mcp-remote/dist/proxy.js"), f"{origin}/mcp")


@pytest.mark.parametrize(
    ("words", "tools"),
    [
        (("@modelcontextprotocol/server-filesystem", str(SOURCES)), 14),
        (("@modelcontextprotocol/server-memory",), 9),
    ],
    ids=["filesystem", "memory"],
)
def test_a_healthy_server_behind_npx_gets_no_finding(
    words: Sequence[str], tools: int, mark: str, node_servers: Path
) -> None:
    report = run(("npx", "-y", *words), mark, cwd=node_servers)

    judged_healthy(report, version=LEGACY, tools=tools)
    assert "npx" == report.step("dns").facts["launcher"]


def test_npx_is_waited_for_with_a_cold_cache_and_a_warm_one(mark: str, tmp_path: Path) -> None:
    if shutil.which("npx") is None:
        pytest.skip("npx is not on the PATH")
    cache = ("--env", f"npm_config_cache={tmp_path}")
    server = ("npx", "-y", "@modelcontextprotocol/server-everything@2026.8.31")
    cold, warm = (
        subprocess.run(command_line(mark, *cache, "--", *server), capture_output=True, text=True, check=False)
        for _ in range(2)
    )

    assert [(0, ""), (0, "")] == [(done.returncode, done.stderr) for done in (cold, warm)], cold.stdout
    first, second = (Report.model_validate_json(done.stdout) for done in (cold, warm))
    learned, later = (report.step("http_reachability").facts for report in (first, second))
    judged_healthy(second, version=LEGACY, tools=13)
    # A registry may be slow: from 10 s on some clients have given up, and the report says so.
    slow = [("http_reachability", "STDIO019")] if learned["first_answer_ms"] >= 10_000 else []
    assert ([], slow) == (found(first, "error"), found(first, "warning")), told(first)
    if sys.platform == "linux":  # elsewhere nothing tells what a launcher wrote
        assert [True, False] == ["cold_start" in facts for facts in (learned, later)]


NO_PACKAGE = "@modelcontextprotocol/server-that-nobody-published"


def npx(request: pytest.FixtureRequest) -> Sequence[str]:
    if shutil.which("npx") is None:
        pytest.skip("npx is not on the PATH")
    return ("npx", "-y", f"{NO_PACKAGE}@1.0.0")


def uvx_missing(request: pytest.FixtureRequest) -> Sequence[str]:
    folder: Path = request.getfixturevalue("uv")
    return (str(folder / "uvx"), "mcp-server-time==0.0.1")


def docker(request: pytest.FixtureRequest) -> Sequence[str]:
    client = shutil.which("docker")
    if client is None:
        pytest.skip("the client of docker is not on the PATH")
    return (client, "run", "-i", "--rm", "mcp/time")


def python(*words: str) -> Argv:
    return lambda request: (sys.executable, *words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A start that fails, where it is named, with which code, and what the verdict must speak of."""

    id: str
    argv: Argv
    step: str = "http_reachability"
    code: str
    names: str
    env: dict[str, str] = field(default_factory=dict)


BROKEN = (
    Broken(id="npx-no-package", argv=npx, code="STDIO015", names=NO_PACKAGE),
    Broken(id="uvx-no-version", argv=uvx_missing, code="STDIO015", names="mcp-server-time==0.0.1", env=UV),
    Broken(
        id="python-no-module", argv=python("-m", "no_such_module"), code="STDIO015", names="no_such_module"
    ),
    Broken(
        id="no-daemon",
        argv=docker,
        code="STDIO017",
        names="unix:///nonexistent/docker.sock",
        env={"DOCKER_HOST": "unix:///nonexistent/docker.sock"},
    ),
    Broken(
        id="no-command",
        argv=lambda request: ("docker-that-is-not-installed", "run"),
        step="dns",
        code="STDIO001",
        names="docker-that-is-not-installed",
    ),
    Broken(
        id="crash",
        argv=python("-c", "import os, signal; input(); os.kill(os.getpid(), signal.SIGSEGV)"),
        code="STDIO014",
        names="killed by SIGSEGV",
    ),
)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.id)
def test_a_start_that_fails_is_named(broken: Broken, request: pytest.FixtureRequest, mark: str) -> None:
    report = run(broken.argv(request), mark, None, None, **broken.env)

    assert [(broken.step, broken.code)] == found(report, "error", "warning"), told(report)
    assert broken.names in report.verdict.summary


@contextmanager
def bridge_in_flight(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, Sequence[str]]]:
    """A bridge that npx starts, and the socket that tells when its processes are at work."""
    home: Path = request.getfixturevalue("node_servers")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        yield listener, ("--cwd", str(home), "--", "npx", "--no-install", "mcp-remote", url)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_process(
    number: int, request: pytest.FixtureRequest, mark: str, tmp_path: Path
) -> None:
    state = ("--env", f"MCP_REMOTE_CONFIG_DIR={tmp_path}")
    with bridge_in_flight(request) as (listener, server):
        child = start(command_line(mark, *state, *server))
        with listener.accept()[0]:
            child.send_signal(number)
            out, _ = child.communicate(timeout=20)

    assert 130 == child.returncode
    assert 11 == len(json.loads(out)["steps"])


def test_the_deadline_of_a_run_leaves_no_process(request: pytest.FixtureRequest, mark: str) -> None:
    long_work = ("--tool", "trigger-long-running-operation", "--args", '{"duration": 600, "steps": 1}')
    server = package("@modelcontextprotocol/server-everything")(request)
    child = start(command_line(mark, *long_work, "--timeout", "3", "--", *server))
    out, _ = child.communicate(timeout=30)

    report = Report.model_validate_json(out)
    assert [("sample_call", "CALL008")] == found(report, "error"), told(report)
    assert (4, "possible") == (child.returncode, report.verdict.confidence)


def test_a_short_run_does_not_accuse_a_launcher_for_certain(
    request: pytest.FixtureRequest, mark: str, tmp_path: Path
) -> None:
    state = ("--env", f"MCP_REMOTE_CONFIG_DIR={tmp_path}")
    with bridge_in_flight(request) as (listener, server):
        child = start(command_line(mark, *state, "--timeout", "3", *server))
        with listener.accept()[0]:
            out, _ = child.communicate(timeout=30)

    report = Report.model_validate_json(out)
    assert ("http_reachability", "possible") == (
        report.verdict.failed_step and report.verdict.failed_step.id,
        report.verdict.confidence,
    ), told(report)
