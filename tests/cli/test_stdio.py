"""A local process on the command line: everything behind the two dashes is its command, word by word."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from diagnose.cli import main

PROGRAM = "import sys; sys.exit('ValueError: stopped')"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["run", "--"], "there is no command after the two dashes"),
        (["--json", "--"], "there is no command after the two dashes"),
        (["run"], "there is no target"),
        (["run", "https://mcp.example.com/mcp", "--", "npx"], "there are a target and a command"),
        (["run", "--header", "A: b", "--", "npx"], "--header is not for a process"),
        (["run", "--proxy", "http://p:1", "--", "npx"], "--proxy is not for a process"),
        (
            ["run", "--env", "A=b", "https://mcp.example.com/mcp"],
            "--env, --cwd and --inherit are for a process",
        ),
        (["run", "--env", "1A=b", "--", "npx"], "the text before the equals sign is no variable name"),
        (["run", "--env", "DIAGNOSE_ABSENT_VARIABLE", "--", "npx"], "DIAGNOSE_ABSENT_VARIABLE is not set"),
        (["run", "--env", "A=b", "--env", "A=c", "--", "npx"], "the variable A is given twice"),
        (["run", "--", " "], "the command is empty"),
        (["run", "--inherit", "everything", "--", "npx"], "'everything' is not known"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(argv)
    shown = capsys.readouterr()
    assert "" == shown.out
    assert said in shown.err
    assert 1 == len(shown.err.strip().splitlines())


def test_the_command_is_in_the_report_word_by_word_and_without_secrets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [sys.executable, "-c", PROGRAM, "--api-key", "canary-7d793037a0", "--", "-v"]
    assert 1 == main(["--json", "--", *words])
    shown = capsys.readouterr().out
    report = json.loads(shown)
    assert [sys.executable, "-c", PROGRAM, "--api-key", "[redacted]", "--", "-v"] == report["connector"][
        "command"
    ]
    assert ("stdio", None) == (report["connector"]["transport"], report["connector"]["url"])
    assert "canary-7d793037a0" not in shown


@pytest.mark.parametrize("form", ["text", "junit", "sarif", "github", "markdown", "har"])
def test_every_format_names_the_command_or_its_finding(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == main(["--format", form, "--", sys.executable, "-c", PROGRAM])
    shown = capsys.readouterr().out
    assert "ValueError: stopped" in shown or "stdio:" in shown


def test_a_directory_and_a_variable_reach_the_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "import os, sys; sys.exit('Error: ' + os.getcwd() + ' ' + os.environ['SHADE'])"
    main(["--json", "--cwd", str(tmp_path), "--env", "SHADE=blue", "--", sys.executable, "-c", program])
    assert f"{tmp_path} blue" in capsys.readouterr().out
