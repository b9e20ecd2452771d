"""The eleven steps against servers that nobody here wrote, in processes of their own: all of them healthy."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from integration.server_processes import SOURCES, free_port, serving

from diagnose import Connector, Options, Report, diagnose_sync

pytestmark = pytest.mark.integration

Era = Literal["auto", "legacy", "modern"]
UVICORN = r"running on (http://127\.0\.0\.1:\d+)"
NODE = r"listening on (http://127\.0\.0\.1:\d+)"
ANY = "any"
LEGACY, MODERN = "2025-11-25", "2026-07-28"
DEPRECATED_TRANSPORT = ("http_reachability", "HTTP034")
"""HTTP+SSE is deprecated since 2025-03-26, so that saying so is right for a healthy server too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A server, how to start it, and what a diagnosis must say of it.

    ``sample`` is the tool that must be called, None for none, ANY for one or another. ``warnings`` are those
    that are true of this server although it works; each says why.
    """

    id: str
    server: Callable[[pytest.FixtureRequest], AbstractContextManager[str]]
    path: str = "/mcp"
    ask_for: Era = "auto"
    era: str
    version: str
    session: str = "stateless"
    transport: str = "streamable-http"
    tools: int = 2
    sample: str | None = "current_temperature"
    warnings: tuple[tuple[str, str], ...] = field(default=())


def python_1(mode: str) -> Callable[[pytest.FixtureRequest], AbstractContextManager[str]]:
    def start(request: pytest.FixtureRequest) -> AbstractContextManager[str]:
        interpreter = request.getfixturevalue("python_sdk_1")
        return serving([interpreter, str(SOURCES / "python_sdk_1.py"), mode], UVICORN)

    return start


def python_2(mode: str) -> Callable[[pytest.FixtureRequest], AbstractContextManager[str]]:
    return lambda request: serving([sys.executable, str(SOURCES / "python_sdk_2.py"), mode], UVICORN)


def fastmcp(mode: str) -> Callable[[pytest.FixtureRequest], AbstractContextManager[str]]:
    def start(request: pytest.FixtureRequest) -> AbstractContextManager[str]:
        if importlib.util.find_spec("fastmcp") is None:
            pytest.skip("fastmcp is not installed here: pip install -r requirements-dev.txt")
        environ = {"FASTMCP_CHECK_FOR_UPDATES": "off"}
        return serving([sys.executable, str(SOURCES / "fastmcp_server.py"), mode], UVICORN, environ)

    return start


def node(script: str) -> Callable[[pytest.FixtureRequest], AbstractContextManager[str]]:
    def start(request: pytest.FixtureRequest) -> AbstractContextManager[str]:
        home: Path = request.getfixturevalue("node_servers")
        return serving(["node", str(home / script)], NODE)

    return start


def node_package(script: str, variable: str, *args: str) -> Callable[[pytest.FixtureRequest], Any]:
    """A server out of an npm package, which takes its port from a variable and prints nothing but that."""

    def start(request: pytest.FixtureRequest) -> AbstractContextManager[str]:
        home: Path = request.getfixturevalue("node_servers")
        command = ["node", str(home / "node_modules" / "@modelcontextprotocol" / script), *args]
        return serving(command, r"(?:listening|running) on port (\d+)", {variable: str(free_port())})

    return start


EVERYTHING = "server-everything/dist/index.js"
EXAMPLES = "sdk/dist/esm/examples/server"

CASES = (
    Case(
        id="python-sdk-1-stateful",
        server=python_1("stateful"),
        era="legacy",
        version=LEGACY,
        session="session id",
    ),
    Case(
        id="python-sdk-1-stateless-json",
        server=python_1("stateless-json"),
        era="legacy",
        version=LEGACY,
    ),
    Case(
        id="python-sdk-1-sse",
        server=python_1("sse"),
        path="/sse",
        era="legacy",
        version=LEGACY,
        session="event stream",
        transport="sse",
        warnings=(DEPRECATED_TRANSPORT,),
    ),
    Case(id="python-sdk-2-stateful", server=python_2("stateful"), era="modern", version=MODERN),
    Case(
        id="python-sdk-2-stateful-legacy",
        server=python_2("stateful"),
        ask_for="legacy",
        era="legacy",
        version=LEGACY,
        session="session id",
    ),
    Case(
        id="python-sdk-2-stateful-modern",
        server=python_2("stateful"),
        ask_for="modern",
        era="modern",
        version=MODERN,
    ),
    Case(
        id="python-sdk-2-stateless-json",
        server=python_2("stateless-json"),
        era="modern",
        version=MODERN,
    ),
    Case(
        id="python-sdk-2-stateless-json-legacy",
        server=python_2("stateless-json"),
        ask_for="legacy",
        era="legacy",
        version=LEGACY,
    ),
    Case(
        id="python-sdk-2-sse",
        server=python_2("sse"),
        path="/sse",
        era="legacy",
        version=LEGACY,
        session="event stream",
        transport="sse",
        warnings=(DEPRECATED_TRANSPORT,),
    ),
    Case(id="fastmcp-http", server=fastmcp("http"), era="modern", version=MODERN),
    Case(
        id="fastmcp-http-legacy",
        server=fastmcp("http"),
        ask_for="legacy",
        era="legacy",
        version=LEGACY,
        session="session id",
    ),
    Case(id="fastmcp-stateless", server=fastmcp("stateless"), era="modern", version=MODERN),
    Case(
        id="fastmcp-sse",
        server=fastmcp("sse"),
        path="/sse",
        era="legacy",
        version=LEGACY,
        session="event stream",
        transport="sse",
        warnings=(DEPRECATED_TRANSPORT,),
    ),
    Case(
        id="typescript-sdk-1-stateful",
        server=node_package(f"{EXAMPLES}/simpleStreamableHttp.js", "MCP_PORT"),
        era="legacy",
        version=LEGACY,
        session="session id",
        tools=7,
        sample=None,  # none of the seven says that it only reads
    ),
    Case(
        id="typescript-sdk-1-stateless-json",
        server=node("typescript_sdk_1.mjs"),
        era="legacy",
        version=LEGACY,
        tools=1,
    ),
    Case(
        id="typescript-sdk-2",
        server=node("typescript_sdk_2.mjs"),
        era="modern",
        version=MODERN,
        tools=1,
    ),
    Case(
        id="typescript-sdk-2-legacy",
        server=node("typescript_sdk_2.mjs"),
        ask_for="legacy",
        era="legacy",
        version=LEGACY,
        tools=1,
    ),
    Case(
        id="everything-streamable-http",
        server=node_package(EVERYTHING, "PORT", "streamableHttp"),
        era="legacy",
        version=LEGACY,
        session="session id",
        tools=13,
        sample=ANY,
    ),
    Case(
        id="everything-sse",
        server=node_package(EVERYTHING, "PORT", "sse"),
        path="/sse",
        era="legacy",
        version=LEGACY,
        session="event stream",
        transport="sse",
        tools=13,
        sample=ANY,
        warnings=(DEPRECATED_TRANSPORT,),
    ),
)


def diagnosed(case: Case, request: pytest.FixtureRequest, options: Options | None = None) -> Report:
    with case.server(request) as said:
        base = said if "://" in said else f"http://127.0.0.1:{said}"
        return diagnose_sync(Connector(url=base + case.path, era=case.ask_for), options=options, environ={})


def found(report: Report, severity: str) -> list[tuple[str, str]]:
    return [
        (step.id, finding.code)
        for step in report.steps
        for finding in step.findings
        if finding.severity == severity
    ]


def told(report: Report) -> str:
    """What a failed assertion must show: every finding in words."""
    return "\n".join(
        f"{step.id} {finding.code} {finding.summary} | {[item.observed for item in finding.evidence]}"
        for step in report.steps
        for finding in step.findings
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_healthy_server_gets_no_finding_but_what_is_true_of_it(
    case: Case, request: pytest.FixtureRequest
) -> None:
    report = diagnosed(case, request)
    assert ([], list(case.warnings)) == (found(report, "error"), found(report, "warning")), told(report)
    init, session = report.step("mcp_initialize").facts, report.step("session_open").facts
    listed, called = report.step("list_tools").facts, report.step("sample_call").facts
    assert (case.transport, case.era, case.version, case.session, case.tools) == (
        report.connector.transport,
        init["era"],
        init["protocol_version"],
        session["session"],
        listed["tools"],
    )
    assert case.sample == (ANY if case.sample == ANY and called.get("tool") else called.get("tool"))
    assert {"passed", "warned", "not_applicable"} >= {step.status for step in report.steps}


RUNTIME = ("python-sdk-1-stateful", "python-sdk-2-stateful", "typescript-sdk-2", "everything-sse")


@pytest.mark.parametrize("case", [case for case in CASES if case.id in RUNTIME], ids=lambda case: case.id)
def test_the_official_client_agrees_with_the_wire(case: Case, request: pytest.FixtureRequest) -> None:
    report = diagnosed(case, request, Options(runtime=True))
    assert ([], list(case.warnings)) == (found(report, "error"), found(report, "warning")), told(report)
    assert f"listed {case.tools} tools" == report.step("list_tools").facts["runtime"]


def test_a_tool_that_prints_the_servers_environment_is_not_called(request: pytest.FixtureRequest) -> None:
    # "get-env" says readOnlyHint: true, and its answer holds every secret that the server was started with.
    case = next(case for case in CASES if case.id == "everything-streamable-http")
    report = diagnosed(case, request)
    assert "get-env" != report.step("sample_call").facts.get("tool")
