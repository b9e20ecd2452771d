"""Every dialect, in a file as its client's documentation shows it, comes to one and the same model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from diagnose.connector import Connector, Defined, load
from diagnose.connector.dialects.rows import DIALECTS

VALID = Path(__file__).parent / "valid"
URL = "https://mcp.example.com/mcp"
ARGV = ("npx", "-y", "@modelcontextprotocol/server-filesystem", "/srv")

HOMES = {
    "claude-desktop.json": (".config/Claude/claude_desktop_config.json", "claude-desktop"),
    "claude-code.json": ("shop/.mcp.json", "claude-code"),
    "claude-code-user.json": (".claude.json", "claude-code"),
    "cursor.json": (".cursor/mcp.json", "cursor"),
    "vscode.json": ("shop/.vscode/mcp.json", "vscode"),
    "copilot-cli.json": (".copilot/mcp-config.json", "copilot-cli"),
    "windsurf.json": (".codeium/windsurf/mcp_config.json", "windsurf"),
    "antigravity.json": (".gemini/config/mcp_config.json", "antigravity"),
    "cline.json": (".cline/data/settings/cline_mcp_settings.json", "cline"),
    "zed.json": (".config/zed/settings.json", "zed"),
    "gemini-cli.json": (".gemini/settings.json", "gemini-cli"),
    "codex.toml": (".codex/config.toml", "codex"),
    "vibe.toml": (".vibe/config.toml", "vibe"),
    "librechat.yaml": ("shop/librechat.yaml", "librechat"),
    "continue.yaml": (".continue/config.yaml", "continue"),
    "opencode.jsonc": (".config/opencode/opencode.jsonc", "opencode"),
    "goose.yaml": (".config/goose/config.yaml", "goose"),
    "fastmcp.json": ("shop/fastmcp.json", "fastmcp"),
    "langchain.json": ("shop/servers.json", "langchain"),
    "openai-responses.json": ("shop/request.json", "openai-responses"),
    "anthropic-messages.json": ("shop/request.json", "anthropic-messages"),
    "server-json.json": ("shop/server.json", "server-json"),
    "mcp-servers.json": ("shop/servers.json", "mcp-servers"),
    "connector-file.json": ("shop/connectors.json", "connector-file"),
}
"""Where a file lies, and whose it is then; the rest is asked for by its key."""

PLACED = [*HOMES, "pydantic-ai.json"]


def read(fixture: str, home: Path) -> tuple[tuple[Defined, ...], dict[str, str]]:
    """The definitions of a fixture in its place, and the environment that has its token."""
    environ = {"HOME": str(home), "DOCS_TOKEN": "t0ken", "INPUT_DOCS_TOKEN": "t0ken"}
    path, dialect = HOMES.get(fixture, ("shop/mcp.json", ""))
    target = home / path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(VALID / fixture, target)
    asked = None if dialect else fixture.rpartition(".")[0]
    return load(target, dialect=asked, environ=environ, platform="linux"), environ


def test_every_dialect_has_a_valid_file() -> None:
    shown = {name.rpartition(".")[0] for name in PLACED} - {"claude-code-user", "connector-file"}

    assert {row.key for row in DIALECTS} == shown
    assert set(PLACED) == {path.name for path in VALID.iterdir()}


@pytest.mark.parametrize("fixture", PLACED)
def test_a_file_is_known_for_the_file_of_its_client(fixture: str, tmp_path: Path) -> None:
    found, _ = read(fixture, tmp_path)

    wanted = HOMES.get(fixture, ("", "pydantic-ai"))[1]
    assert {wanted} == {entry.client for entry in found}


@pytest.mark.parametrize("fixture", PLACED)
def test_a_healthy_file_has_no_finding(fixture: str, tmp_path: Path) -> None:
    found, _ = read(fixture, tmp_path)

    assert [] == [str(problem) for entry in found for problem in entry.problems]


def one(found: tuple[Defined, ...], *, stdio: bool) -> Connector | None:
    """The connector of the one kind; None where the dialect has none of that kind."""
    made = [entry.connector for entry in found if entry.connector is not None]
    kinds = [connector for connector in made if (connector.stdio is not None) == stdio]
    return kinds[0] if kinds else None


@pytest.mark.parametrize("fixture", [name for name in PLACED if name != "claude-desktop.json"])
def test_the_endpoint_is_the_same_whatever_dialect_it_is_written_in(fixture: str, tmp_path: Path) -> None:
    found, environ = read(fixture, tmp_path)
    docs = one(found, stdio=False)

    assert docs is not None
    assert URL == docs.url
    assert docs.transport.type in ("auto", "streamable-http")
    assert "bearer" == docs.credential.type
    assert {"Authorization": "Bearer t0ken"} == dict(docs.authorize(URL, environ).headers)


WITH_PROCESS = [name for name in PLACED if name not in ("openai-responses.json", "anthropic-messages.json")]


@pytest.mark.parametrize("fixture", WITH_PROCESS)
def test_the_process_is_the_same_whatever_dialect_it_is_written_in(fixture: str, tmp_path: Path) -> None:
    found, environ = read(fixture, tmp_path)
    files = next(c for e in found if (c := e.connector) and c.stdio and "mcp-remote" not in c.stdio.args)

    assert files.stdio is not None
    assert ARGV == files.stdio.argv
    assert {"MODE": "read"} == {n: v.resolve(environ, where="") for n, v in files.stdio.env.items()}


@pytest.mark.parametrize("fixture", PLACED)
def test_every_definition_knows_its_line(fixture: str, tmp_path: Path) -> None:
    found, _ = read(fixture, tmp_path)
    text = (VALID / fixture).read_text(encoding="utf-8").splitlines()

    for entry in found:
        if entry.client not in ("connector-file", "server-json"):
            assert entry.origin.line is not None
            assert (
                entry.name in text[entry.origin.line - 1]
                or "{" in text[entry.origin.line - 1]
                or (text[entry.origin.line - 1].strip() in ("[[mcp_servers]]",))
            )
            for origin in entry.origins.values():
                assert origin.line is not None
                assert origin.line >= entry.origin.line


def test_a_bridge_shows_the_server_that_it_leads_to(tmp_path: Path) -> None:
    found, _ = read("claude-desktop.json", tmp_path)

    assert URL == found[0].real_url
    assert f"npx -y mcp-remote {URL} --header [redacted]" == found[0].target


def test_a_local_definition_of_claude_code_belongs_to_its_project(tmp_path: Path) -> None:
    docs, files = read("claude-code-user.json", tmp_path)[0]

    assert ("user", None) == (docs.scope, docs.folder)
    assert ("local", "/work/shop") == (files.scope, files.folder)
    assert files.connector is not None
    assert files.connector.stdio is not None
    assert "/work/shop" == files.connector.stdio.cwd


def test_what_a_client_passes_on_of_the_environment_follows_its_row(tmp_path: Path) -> None:
    inherited = {}
    for fixture in ("claude-desktop.json", "cursor.json"):
        connector = one(read(fixture, tmp_path)[0], stdio=True)
        assert connector is not None
        assert connector.stdio is not None
        inherited[fixture] = connector.stdio.inherits

    assert {"claude-desktop.json": "safe", "cursor.json": "all"} == inherited


def process(tmp_path: Path, home: str = "/home/x", **entry: object) -> Connector:
    """The connector of one process that VS Code starts."""
    path = tmp_path / ".vscode/mcp.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"servers": {"a": {"command": "server", **entry}}}), encoding="utf-8")
    (found,) = load(path, environ={"HOME": home, "PATH": "/usr/bin"}, platform="linux")
    assert found.connector is not None, found.problems
    return found.connector


def test_vs_code_writes_the_home_directory_for_a_tilde(tmp_path: Path) -> None:
    made = process(tmp_path, command="~/bin/server", args=["~/data", "a~b"], cwd="~").stdio

    assert made is not None
    assert ("/home/x/bin/server", "/home/x/data", "a~b") == made.argv
    assert "/home/x" == made.cwd


def test_vs_code_adds_a_path_to_its_own(tmp_path: Path) -> None:
    made = process(tmp_path, env={"PATH": "/opt/bin"}).stdio

    assert made is not None
    assert "/usr/bin:/opt/bin" == made.env["PATH"].resolve({"PATH": "/usr/bin"}, where="PATH")


def test_a_process_of_a_project_starts_in_its_folder(tmp_path: Path) -> None:
    made = process(tmp_path).stdio

    assert made is not None
    assert str(tmp_path) == made.cwd


def test_a_url_without_a_word_is_what_its_client_takes_it_for(tmp_path: Path) -> None:
    meanings = {}
    for dialect in ("cline", "gemini-cli", "codex"):
        path = tmp_path / dialect
        key = "mcp_servers" if dialect == "codex" else "mcpServers"
        text = f'[{key}.a]\nurl = "{URL}"\n' if dialect == "codex" else json.dumps({key: {"a": {"url": URL}}})
        path.write_text(text, encoding="utf-8")
        (found,) = load(path, dialect=dialect, environ={"HOME": "/home/x"})
        meanings[dialect] = found.transport

    assert {"cline": "sse", "gemini-cli": "auto", "codex": "streamable-http"} == meanings
