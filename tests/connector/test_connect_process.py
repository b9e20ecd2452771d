"""Production starts the very process that the diagnosis looks at."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from diagnose.api import diagnose_sync
from diagnose.connector import Connector, Secret, StdioTransport
from diagnose.connector.launch import launch_of, safe_names
from diagnose.connector.stdio_runtime import open_process_session
from diagnose.errors import UsageError
from diagnose.options import Options

SERVER = """
import os
from mcp.server.mcpserver import MCPServer
server = MCPServer("local")
@server.tool()
def where() -> str:
    return os.getcwd() + " " + os.environ["SHADE"]
server.run()
"""


def connector(directory: Path) -> Connector:
    transport = StdioTransport(
        command=sys.executable,
        args=("-c", SERVER),
        env={"SHADE": Secret("${env:DIAGNOSE_TEST_SHADE}")},
        cwd=str(directory),
    )
    return Connector(name="local", transport=transport)


def test_connect_starts_the_same_command_directory_and_environment(tmp_path: Path) -> None:
    async def body() -> str:
        environ = {**os.environ, "DIAGNOSE_TEST_SHADE": "blue"}
        async with open_process_session(connector(tmp_path), environ) as client:
            result = await client.call_tool("where", {})
            return str(result.content[0].text)  # type: ignore[union-attr]

    assert f"{tmp_path} blue" == asyncio.run(body())


def test_the_sdk_agrees_with_the_wire(tmp_path: Path) -> None:
    report = diagnose_sync(
        connector(tmp_path),
        environ={**os.environ, "DIAGNOSE_TEST_SHADE": "blue"},
        options=Options(runtime=True, tool="where"),
    )
    assert "passed" == report.verdict.status
    assert "listed 1 tools" == report.step("list_tools").facts["runtime"]
    assert "the call answered" == report.step("sample_call").facts["runtime"]


def test_a_process_inherits_what_the_sdks_pass_on_and_nothing_else() -> None:
    environ = {**dict.fromkeys(safe_names(), "x"), "AWS_SECRET_ACCESS_KEY": "y", "SHELL": "() { :; }"}
    made = launch_of(StdioTransport(command="x", env={"A": Secret("b")}), environ)
    assert {*safe_names(), "A"} - {"SHELL"} == set(made.env)


@pytest.mark.parametrize(("inherits", "names"), [("all", {"ONE", "TWO", "A"}), ("none", {"A"})])
def test_a_client_may_pass_everything_or_nothing(inherits: str, names: set[str]) -> None:
    transport = StdioTransport(command="x", env={"A": Secret("b")}, inherits=inherits)  # type: ignore[arg-type]
    assert names == set(launch_of(transport, {"ONE": "1", "TWO": "2"}).env)


def test_references_in_arguments_and_directory_are_filled_in() -> None:
    made = launch_of(StdioTransport(command="x", args=("--root=${env:R}",), cwd="${env:R}/a"), {"R": "/r"})
    assert (("x", "--root=/r"), "/r/a") == (made.argv, made.cwd)


def test_an_unset_reference_is_named_before_anything_is_started() -> None:
    with pytest.raises(UsageError, match="the environment variable ABSENT is not set"):
        launch_of(StdioTransport(command="x", args=("${env:ABSENT}",)), {})
