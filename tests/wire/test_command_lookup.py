"""A command is looked up as the system does it for the process that is to be started."""

from __future__ import annotations

from pathlib import Path

import pytest

from diagnose.wire.command_lookup import locate, shebang_of
from diagnose.wire.process_tree import launcher_of


def program(path: Path, text: str = "#!/bin/sh\n", mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_first_directory_of_the_path_wins(tmp_path: Path) -> None:
    first, second = program(tmp_path / "a" / "tool"), program(tmp_path / "b" / "tool")
    assert first == locate("tool", path=f"{first.parent}:{second.parent}", cwd=None, platform="linux").path


def test_a_name_with_a_slash_starts_at_the_working_directory(tmp_path: Path) -> None:
    tool = program(tmp_path / "bin" / "tool")
    assert tool == locate("bin/tool", path="/usr/bin", cwd=str(tmp_path), platform="linux").path


def test_what_may_not_be_executed_is_passed_over_and_remembered(tmp_path: Path) -> None:
    plain, tool = program(tmp_path / "a" / "tool", mode=0o644), program(tmp_path / "b" / "tool")
    found = locate("tool", path=f"{plain.parent}:{tool.parent}", cwd=None, platform="linux")
    assert (tool, (plain,)) == (found.path, found.unusable)


def test_on_windows_npx_is_a_batch_file(tmp_path: Path) -> None:
    shim = program(tmp_path / "npx.cmd")
    found = locate("npx", path=str(tmp_path), cwd=None, platform="win32", pathext=".EXE;.CMD")
    assert (shim, True) == (found.path, found.is_batch)


def test_on_windows_a_program_before_the_batch_file_is_none(tmp_path: Path) -> None:
    program(tmp_path / "npx.cmd")
    program(tmp_path / "npx.exe")
    found = locate("npx", path=str(tmp_path), cwd=None, platform="win32", pathext=".EXE;.CMD")
    assert found.is_batch is False


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("#!/usr/bin/env node\n", ("/usr/bin/env", "node")),
        ("#!/usr/bin/env -S node --no-warnings\n", ("/usr/bin/env", "node")),
        ("#! /opt/python/bin/python3 -u\n", ("/opt/python/bin/python3", None)),
    ],
)
def test_the_interpreter_of_a_script_is_read(
    tmp_path: Path, first: str, expected: tuple[str, str | None]
) -> None:
    found = shebang_of(program(tmp_path / "script", first))
    assert found is not None
    assert expected == (found.interpreter, found.program)


def test_a_binary_has_no_interpreter_line(tmp_path: Path) -> None:
    assert shebang_of(program(tmp_path / "tool", "\x7fELF")) is None


@pytest.mark.parametrize(
    ("argv", "launcher"),
    [
        (("npx", "-y", "server"), "npx"),
        (("node", "/usr/lib/node_modules/npm/bin/npx-cli.js", "server"), "npx"),
        (("npm exec @scope/server",), "npm"),
        (("C:\\Program Files\\nodejs\\npx.cmd", "server"), "npx"),
        (("/usr/bin/python3", "server.py"), None),
    ],
)
def test_a_launcher_is_known_behind_its_interpreter(argv: tuple[str, ...], launcher: str | None) -> None:
    assert launcher == launcher_of(argv)
