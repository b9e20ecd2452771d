"""What a command loads: measured as a list of modules in a process of its own, never in milliseconds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from diagnose_lab import Lab

HEAVY = (
    "pydantic",
    "httpx2",
    "rich",
    "mcp",
    "textual",
    "jsonschema",
    "dns",
    "cryptography",
    "jwt",
    "anyio",
    "yaml",
)
PROGRAM = """
import contextlib, io, json, sys
from diagnose.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    code = main(json.loads(sys.argv[1]))
print(json.dumps([code, [name for name in json.loads(sys.argv[2]) if name in sys.modules]]))
"""


def loaded(*argv: str) -> tuple[int, list[str]]:
    """The exit code of a command and which of the heavy packages it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(argv), json.dumps(HEAVY)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    code, modules = json.loads(done.stdout)
    return code, modules


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["--version"],
        ["run", "--help"],
        ["explain", "BUG001"],
        ["explain", "config.invalid-url"],
        ["explain", "Illegal header value"],
        ["lab", "--help"],
        ["lab", "list"],
        ["list", "--help"],
        ["history", "--help"],
        ["diff", "--help"],
        ["replay", "--help"],
    ],
)
def test_help_and_the_catalogue_load_nothing_heavy(argv: list[str]) -> None:
    assert (0, []) == loaded(*argv)


def test_the_dialects_are_loaded_when_a_file_is_asked_for() -> None:
    program = "import sys, diagnose.connector; print([name for name in sys.modules if 'dialects' in name])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert "[]" == done.stdout.strip()


@pytest.mark.parametrize("arguments", [["--json"], ["--format", "text"], ["--format", "sarif"]])
def test_a_healthy_run_loads_neither_the_sdk_nor_a_screen(lab: Lab, arguments: list[str]) -> None:
    with lab.start("healthy-modern") as running:
        code, modules = loaded("run", running.url, *arguments)

    assert 0 == code
    assert {"pydantic", "httpx2", "anyio"} >= set(modules)


def test_a_healthy_local_run_loads_neither_the_sdk_nor_a_screen(lab: Lab) -> None:
    with lab.start("healthy-stdio-modern") as running:
        code, modules = loaded("run", "--json", *running.args, *running.target)

    assert 0 == code
    assert {"pydantic", "httpx2", "anyio"} >= set(modules)
