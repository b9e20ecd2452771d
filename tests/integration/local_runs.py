"""Runs against local servers: in this process as a library, or in one of their own as people start them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from diagnose import Connector, Options, Report, diagnose_sync
from diagnose.connector import Secret, StdioTransport

__all__ = ["Argv", "command_line", "found", "judged_healthy", "package", "run", "start", "told"]

Argv = Callable[[pytest.FixtureRequest], Sequence[str]]


def package(name: str, *args: str) -> Argv:
    """A server of an npm package, started as ``node .../dist/index.js``."""

    def argv(request: pytest.FixtureRequest) -> Sequence[str]:
        home: Path = request.getfixturevalue("node_servers")
        return ("node", str(home / "node_modules" / name / "dist" / "index.js"), *args)

    return argv


def run(
    argv: Sequence[str],
    mark: str,
    options: Options | None = None,
    cwd: Path | None = None,
    **env: str,
) -> Report:
    """Diagnose a process whose family can be found again by ``mark``."""
    given = {name: Secret(value) for name, value in {**env, "TEST_MARK": mark}.items()}
    where = str(cwd) if cwd is not None else None
    transport = StdioTransport(command=argv[0], args=tuple(argv[1:]), env=given, cwd=where)
    return diagnose_sync(
        Connector(name="real", transport=transport), options=options, environ=dict(os.environ)
    )


def found(report: Report, *severities: str) -> list[tuple[str, str]]:
    return [
        (step.id, finding.code)
        for step in report.steps
        for finding in step.findings
        if finding.severity in severities
    ]


def told(report: Report) -> str:
    """What a failed assertion must show: every finding in words."""
    return "\n".join(
        f"{step.id} {finding.code} {finding.summary} | {[item.observed for item in finding.evidence]}"
        for step in report.steps
        for finding in step.findings
    )


def judged_healthy(report: Report, *, version: str, tools: int) -> None:
    assert [] == found(report, "error", "warning"), told(report)
    assert {"passed", "not_applicable"} == {step.status for step in report.steps}
    assert (version, tools) == (
        report.step("mcp_initialize").facts["protocol_version"],
        report.step("list_tools").facts["tools"],
    )


def command_line(mark: str, *arguments: str) -> list[str]:
    diagnose = [sys.executable, "-m", "diagnose", "run", "--json", "--env", f"TEST_MARK={mark}"]
    return [*diagnose, *arguments]


def start(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
