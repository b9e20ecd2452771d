"""All files of a machine: where they are, what goes before what, and that none hides the others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diagnose.connector import Defined, discover, load

URL = "https://mcp.example.com/mcp"


def put(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def servers(name: str = "docs", **entry: Any) -> dict[str, Any]:
    return {"mcpServers": {name: {"type": "http", "url": URL, **entry}}}


def found(
    home: Path, cwd: Path | None = None, platform: str = "linux", **environ: str
) -> tuple[Defined, ...]:
    variable = "USERPROFILE" if platform == "win32" else "HOME"
    return discover({variable: str(home), **environ}, cwd or home, platform)


def test_a_machine_without_files_has_no_connectors(tmp_path: Path) -> None:
    assert () == found(tmp_path)


@pytest.mark.parametrize(
    ("platform", "path", "client"),
    [
        ("linux", ".config/Claude/claude_desktop_config.json", "claude-desktop"),
        ("darwin", "Library/Application Support/Claude/claude_desktop_config.json", "claude-desktop"),
        ("win32", "AppData/Roaming/Claude/claude_desktop_config.json", "claude-desktop"),
        ("darwin", "Library/Application Support/Code/User/mcp.json", "vscode"),
        ("win32", "AppData/Roaming/Code/User/mcp.json", "vscode"),
        ("linux", ".claude.json", "claude-code"),
        ("linux", ".cursor/mcp.json", "cursor"),
        ("linux", ".copilot/mcp-config.json", "copilot-cli"),
        ("darwin", ".codeium/windsurf/mcp_config.json", "windsurf"),
        ("linux", ".gemini/config/mcp_config.json", "antigravity"),
        ("linux", ".gemini/settings.json", "gemini-cli"),
        ("win32", "AppData/Roaming/Zed/settings.json", "zed"),
        ("linux", ".config/opencode/opencode.json", "opencode"),
    ],
)
def test_a_file_is_found_where_its_client_has_it_on_that_system(
    platform: str, path: str, client: str, tmp_path: Path
) -> None:
    root = {"vscode": "servers", "zed": "context_servers", "opencode": "mcp"}.get(client, "mcpServers")
    put(tmp_path / path, {root: {"docs": {"command": "server"}}})

    assert [(client, "docs", "user")] == [
        (entry.client, entry.name, entry.scope) for entry in found(tmp_path, platform=platform)
    ]


@pytest.mark.parametrize(
    ("variable", "file"),
    [
        ("XDG_CONFIG_HOME", "Claude/claude_desktop_config.json"),
        ("COPILOT_HOME", "mcp-config.json"),
        ("CLAUDE_CONFIG_DIR", ".claude.json"),
    ],
)
def test_a_variable_moves_the_file(variable: str, file: str, tmp_path: Path) -> None:
    put(tmp_path / "moved" / file, {"mcpServers": {"docs": {"command": "server"}}})

    (entry,) = found(tmp_path / "home", tmp_path, **{variable: str(tmp_path / "moved")})
    assert "docs" == entry.name


def test_files_of_a_project_are_found_from_a_folder_below_it(tmp_path: Path) -> None:
    put(tmp_path / "shop/.mcp.json", servers())
    put(tmp_path / "shop/.vscode/mcp.json", {"servers": {"docs": {"url": URL}}})
    (tmp_path / "shop/src/deep").mkdir(parents=True)

    made = found(tmp_path, tmp_path / "shop/src/deep")
    assert {("claude-code", "project"), ("vscode", "project")} == {(e.client, e.scope) for e in made}
    assert {str(tmp_path / "shop")} == {entry.folder for entry in made}


def test_the_project_goes_before_the_user_and_says_so_on_both_sides(tmp_path: Path) -> None:
    put(tmp_path / ".cursor/mcp.json", servers(url=URL + "/old"))
    put(tmp_path / "shop/.cursor/mcp.json", servers())

    user, project = sorted(found(tmp_path, tmp_path / "shop"), key=lambda entry: entry.scope, reverse=True)
    assert (project.origin, None) == (user.overridden_by, project.overridden_by)
    assert (user.origin,) == project.overrides


def test_a_local_definition_of_another_project_overrides_nothing(tmp_path: Path) -> None:
    entry = servers()["mcpServers"]
    put(
        tmp_path / ".claude.json",
        {"mcpServers": entry, "projects": {str(tmp_path / "other"): {"mcpServers": entry}}},
    )
    (tmp_path / "shop").mkdir()

    assert [None, None] == [entry.overridden_by for entry in found(tmp_path, tmp_path / "shop")]
    assert 1 == sum(entry.overridden_by is not None for entry in found(tmp_path, tmp_path / "other"))


def test_one_server_in_two_clients_names_what_differs(tmp_path: Path) -> None:
    put(tmp_path / ".cursor/mcp.json", servers(headers={"Authorization": "Bearer one"}))
    put(tmp_path / ".gemini/settings.json", servers("other", headers={"Authorization": "Bearer two"}))

    cursor, gemini = found(tmp_path)
    assert ("gemini-cli", "other", ("credential",)) == (
        cursor.twins[0].client,
        cursor.twins[0].name,
        cursor.twins[0].differs,
    )
    assert cursor.origin == gemini.twins[0].origin


def test_a_file_that_the_client_does_not_read_is_found_and_refused(tmp_path: Path) -> None:
    put(tmp_path / ".claude/settings.json", {"model": "opus", **servers()})

    (entry,) = found(tmp_path)
    assert entry.reason is not None
    assert ("docs", "CFG043", "config.wrong-file") == (entry.name, entry.reason.code, entry.reason.name)


def test_settings_of_a_client_without_connectors_are_silent(tmp_path: Path) -> None:
    put(tmp_path / ".claude/settings.json", {"permissions": {"allow": ["Bash(ls)"]}})
    put(tmp_path / ".gemini/settings.json", {"theme": "dark"})
    put(tmp_path / ".codex/config.toml", 'model = "gpt-5"\n')

    assert () == found(tmp_path)


def large(path: Path) -> None:
    with path.open("wb") as stream:  # a hole of 100 MB: nothing of it is on the disk
        stream.truncate(100 * 1024 * 1024)


def loop(path: Path) -> None:
    path.symlink_to(path)


BROKEN: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "syntax": (lambda path: path.write_text("{"), "CFG017", "something is not closed"),
    "binary": (lambda path: path.write_bytes(bytes(range(256))), "CFG017", "save it as UTF-8"),
    "directory": (lambda path: path.mkdir(), "CFG018", "is a directory"),
    "large": (large, "CFG018", "is larger than"),
    "broken link": (lambda path: path.symlink_to("nowhere"), "CFG018", "what it points to does not exist"),
    "link to itself": (loop, "CFG018", "cannot be read"),
    "deep": (lambda path: path.write_text("[" * 200_000), "CFG017", "nested too deeply"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_one_sentence_and_hides_nothing(fault: str, tmp_path: Path) -> None:
    breaks, code, words = BROKEN[fault]
    put(tmp_path / ".gemini/settings.json", servers())
    target = tmp_path / ".cursor/mcp.json"
    target.parent.mkdir()
    breaks(target)

    broken, healthy = found(tmp_path)
    assert "" == broken.name
    assert broken.connector is None
    assert broken.reason is not None
    assert code == broken.reason.code
    assert words in str(broken.reason)
    assert "\n" not in str(broken.reason)
    assert str(target) == broken.origin.file
    assert healthy.connector is not None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_one_sentence(tmp_path: Path) -> None:
    target = put(tmp_path / ".cursor/mcp.json", servers())
    target.chmod(0)

    (broken,) = found(tmp_path)
    assert broken.reason is not None
    assert "CFG018" == broken.reason.code


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / ".cursor").mkdir()
    os.mkfifo(tmp_path / ".cursor/mcp.json")

    (broken,) = found(tmp_path)
    assert broken.reason is not None
    assert "is no regular file" in broken.reason.what


def test_cyclic_yaml_is_one_sentence(tmp_path: Path) -> None:
    put(tmp_path / ".config/goose/config.yaml", "extensions: &x\n  a: *x\n")

    (broken,) = found(tmp_path)
    assert broken.reason is not None
    assert ("CFG040", "a value holds itself through an alias") == (broken.reason.code, broken.reason.what)


def test_a_settings_file_with_years_of_history_is_read(tmp_path: Path) -> None:
    history = [{"display": "x" * 1000} for _ in range(4000)]
    put(tmp_path / ".claude.json", {"history": history, **servers()})

    (entry,) = found(tmp_path)
    assert entry.connector is not None


def test_variables_of_an_env_file_go_to_the_process(tmp_path: Path) -> None:
    put(tmp_path / "shop/.env", "# mine\nexport A=1\nB='two words'\nC=${env:HOME}\n")
    entry = {"command": "server", "envFile": "${workspaceFolder}/.env", "env": {"A": "wins"}}
    path = put(tmp_path / "shop/.vscode/mcp.json", {"servers": {"docs": entry}})

    (made,) = load(path, environ={"HOME": str(tmp_path)})
    assert made.connector is not None
    assert made.connector.stdio is not None
    env = {name: value.resolve({}, where="") for name, value in made.connector.stdio.env.items()}
    assert {"A": "wins", "B": "two words", "C": "${env:HOME}"} == env


LONG = 300_000
HOSTILE = {
    "open references": {"command": "server", "args": ["${" * LONG], "env": {"A": "${env:" * LONG}},
    "references": {
        "url": "https://h.test/",
        "headers": {"X-A": "${env:A}" * (LONG // 10), "X-B": "$A" * LONG},
    },
    "long names": {"command": "server", "args": ["${env:" + "a" * LONG + "}", "${input:" * LONG]},
    "brackets": {"command": "<" * LONG, "args": ["{{" * LONG, "%" * LONG, "C:" + "\\" * LONG]},
    "long address": {"url": "https://h.test/" + "a1" * LONG + "?" + "token=&" * (LONG // 10)},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_entry_costs_no_more_than_its_length(kind: str, tmp_path: Path) -> None:
    put(tmp_path / ".cursor/mcp.json", {"mcpServers": {"a": HOSTILE[kind]}})
    put(tmp_path / ".gemini/settings.json", {"mcpServers": {"a": HOSTILE[kind]}})

    assert 2 == len(found(tmp_path))


def test_a_file_of_countless_entries_is_refused(tmp_path: Path) -> None:
    put(tmp_path / ".cursor/mcp.json", {"mcpServers": {str(number): {} for number in range(5000)}})

    (broken,) = found(tmp_path)
    assert broken.reason is not None
    assert "5000 entries" in broken.reason.what
