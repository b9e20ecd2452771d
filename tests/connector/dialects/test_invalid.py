"""What people get wrong in the file of a client: the finding, the line, and what to write instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from diagnose.cli import main
from diagnose.connector import Defined, Problem, load

CANARY = "canaryX9f2b7c1d4e5a8b3"
URL = "https://mcp.example.com/mcp"

CURSOR, CODE, DESKTOP = ".cursor/mcp.json", ".mcp.json", "claude_desktop_config.json"
VSCODE, CLINE, CODEX, VIBE = (
    ".vscode/mcp.json",
    "cline_mcp_settings.json",
    ".codex/config.toml",
    ".vibe/config.toml",
)
GEMINI, ZED, OPENCODE, WINDSURF = (
    ".gemini/settings.json",
    ".zed/settings.json",
    "opencode.json",
    "windsurf/mcp_config.json",
)
LIBRE, CONTINUE, GOOSE, COPILOT = (
    "librechat.yaml",
    ".continue/config.yaml",
    "goose/config.yaml",
    "mcp-config.json",
)
ANTIGRAVITY = ".gemini/antigravity/mcp_config.json"


def servers(**entry: Any) -> dict[str, Any]:
    return {"mcpServers": {"a": entry}}


def remote(**entry: Any) -> dict[str, Any]:
    return servers(type="http", url=URL, **entry)


def written(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content, indent=1)
        path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, name: str, content: Any, **options: Any) -> tuple[Defined, ...]:
    environ = {"HOME": str(folder / "home"), **options.pop("environ", {})}
    return load(
        written(folder, name, content), environ=environ, platform=options.pop("platform", "linux"), **options
    )


def findings(found: tuple[Defined, ...]) -> list[Problem]:
    return [problem for entry in found for problem in entry.problems if problem.severity != "info"]


TOKEN = {"headers": {"Authorization": f"Bearer {CANARY}"}}

WRONG: list[tuple[str, Any, str, str, str, str]] = [
    # file, content, code, severity, pointer, what to write
    (
        CURSOR,
        servers(url=URL, headers={"Authorization": "Bearer ${TOKEN}"}),
        "CFG016",
        "error",
        "/headers/Authorization",
        "Cursor fills in ${env:X}",
    ),
    (
        CURSOR,
        servers(url=URL, headers={"Authorization": "Bearer YOUR_API_KEY"}),
        "CFG016",
        "error",
        "/headers/Authorization",
        "write the value itself",
    ),
    (
        CURSOR,
        servers(url=URL, headers={"Authorization": "Bearer ${env:NOPE}"}),
        "CFG003",
        "warning",
        "/headers/Authorization",
        "export NOPE=...",
    ),
    (CURSOR, servers(serverUrl=URL), "CFG049", "error", "/serverUrl", "rename it to url"),
    (
        CURSOR,
        servers(url=URL, http_headers={"X-A": "b"}),
        "CFG049",
        "warning",
        "/http_headers",
        "rename it to headers",
    ),
    (CURSOR, servers(url=URL, header={"X-A": "b"}), "CFG062", "warning", "/header", "write headers"),
    (
        CURSOR,
        servers(url="mcp.example.com/mcp"),
        "CFG001",
        "error",
        "/url",
        "type 'https://mcp.example.com/mcp'",
    ),
    (
        CURSOR,
        servers(url="wss://mcp.example.com/mcp"),
        "CFG002",
        "error",
        "/url",
        "type 'https://mcp.example.com/mcp'",
    ),
    (CURSOR, {"servers": {"a": {"url": URL}}}, "CFG042", "error", "", 'rename servers to "mcpServers"'),
    (CURSOR, {"a": {"url": URL}}, "CFG042", "error", "", 'put them into {"mcpServers": ...}'),
    (
        CURSOR,
        servers(command="npx -y @scope/server"),
        "CFG054",
        "error",
        "/command",
        '"command": "npx", "args": [...]',
    ),
    (
        CURSOR,
        servers(command="npx", args=["-y @scope/server"]),
        "CFG054",
        "warning",
        "/args/0",
        "two strings",
    ),
    (
        CURSOR,
        servers(command="npx", args=["-y", "server", "&&", "x"]),
        "CFG055",
        "warning",
        "/args/2",
        "start a shell",
    ),
    (CURSOR, servers(command="cd /srv && ./server"), "CFG055", "error", "/command", '"args": ["-c", "..."]'),
    (CURSOR, servers(command="node", args=["~/server.js"]), "CFG055", "warning", "/args/0", "the whole path"),
    (
        CURSOR,
        servers(command="node", args=["$HOME/server.js"]),
        "CFG055",
        "warning",
        "/args/0",
        "the whole path",
    ),
    (CURSOR, servers(command="$HOME/bin/server"), "CFG055", "error", "/command", "the whole path"),
    (CURSOR, servers(command="C:\tools\new.exe"), "CFG056", "error", "/command", "double every backslash"),
    (DESKTOP, servers(command="./server"), "CFG067", "warning", "/command", "the whole path"),
    (DESKTOP, servers(command="~/bin/server"), "CFG055", "error", "/command", "the whole path"),
    (DESKTOP, servers(url=URL), "CFG064", "error", "/url", "mcp-remote"),
    (
        DESKTOP,
        servers(command="npx", env={"KEY": "${KEY}"}),
        "CFG016",
        "warning",
        "/env/KEY",
        "write the value itself",
    ),
    (
        DESKTOP,
        servers(command="npx", args="-y server"),
        "CFG054",
        "error",
        "/args",
        "one string for each word",
    ),
    (DESKTOP, servers(command="npx", env={"PORT": 8080}), "CFG019", "warning", "/env/PORT", "double quotes"),
    (
        DESKTOP,
        servers(command="npx", args=["mcp-remote", "http://10.0.0.5/mcp"]),
        "CFG045",
        "error",
        "/args/1",
        "--allow-http",
    ),
    (
        DESKTOP,
        servers(command="npx", args=["mcp-remote", URL, "--header", "Authorization"]),
        "CFG004",
        "error",
        "/args/3",
        "Authorization:${AUTH}",
    ),
    (
        DESKTOP,
        servers(command="npx", args=["mcp-remote", URL, "--header", "Authorization:${A}"]),
        "CFG003",
        "warning",
        "/args/3",
        'add "A" to env',
    ),
    (CODE, servers(url=URL), "CFG066", "error", "", 'add "type": "http"'),
    (CODE, servers(type="streamableHttp", url=URL), "CFG048", "error", "/type", 'write "streamable-http"'),
    (CODE, servers(type="websocket", url=URL), "CFG048", "error", "/type", 'write "ws"'),
    (CODE, servers(type="ws", url=URL), "CFG064", "error", "/type", "cannot be diagnosed"),
    (CODE, servers(type="stdio", url=URL), "CFG019", "error", "", 'add "command"'),
    (CODE, servers(type="http", command="x"), "CFG019", "error", "", 'add "url"'),
    (CODE, servers(type="http", url=URL, command="x"), "CFG047", "warning", "", "remove command"),
    (CODE, servers(), "CFG019", "error", "", "add command or url"),
    (CODE, remote(timeout=30), "CFG053", "warning", "/timeout", "write 30000"),
    (CODE, remote(timeout="30s"), "CFG053", "warning", "/timeout", "write a number"),
    (
        CODE,
        remote(headers={"Authorization": f"Bearer Bearer {CANARY}"}),
        "CFG050",
        "error",
        "/headers/Authorization",
        "Bearer once",
    ),
    (
        CODE,
        remote(headers={"Authorization": f'Bearer "{CANARY}"'}),
        "CFG050",
        "error",
        "/headers/Authorization",
        "inner quotes",
    ),
    (
        CODE,
        remote(headers={"Authorization": f"Bearer {CANARY}\n"}),
        "CFG007",
        "warning",
        "/headers/Authorization",
        "remove it",
    ),
    (
        CODE,
        remote(headers={"Authorization": f"Bearer {CANARY}\nx"}),
        "CFG007",
        "error",
        "/headers/Authorization",
        "one line",
    ),
    (
        CODE,
        remote(headers={"Authorization:": f"Bearer {CANARY}"}),
        "CFG004",
        "error",
        "/headers/Authorization:",
        '"Authorization"',
    ),
    (
        CODE,
        remote(headers={"X-Key": CANARY, "x-key": CANARY}),
        "CFG004",
        "warning",
        "/headers/x-key",
        "keep one",
    ),
    (CODE, remote(headers=[CANARY]), "CFG019", "error", "/headers", "names and values"),
    (CODE, remote(headers={"X-Key": [CANARY]}), "CFG019", "error", "/headers/X-Key", "write a string"),
    (CODE, servers(type="http", url=f"{URL}?api_key={CANARY}"), "CFG046", "warning", "/url", "in a header"),
    (
        CODE,
        servers(type="http", url="http://mcp.example.com/mcp", **TOKEN),
        "CFG051",
        "warning",
        "/url",
        "https://",
    ),
    (CODE, {"mcpServers": {"": {"type": "http", "url": URL}}}, "CFG060", "error", "", "give it one"),
    (CODE, {"mcpServers": {"a": URL}}, "CFG019", "error", "", "write {...}"),
    (".claude/mcp.json", remote(), "CFG043", "error", "", "move the entry to ~/.claude.json, .mcp.json"),
    (".claude/settings.json", remote(), "CFG043", "error", "", "move the entry to"),
    (VSCODE, servers(url=URL), "CFG042", "error", "", 'rename mcpServers to "servers"'),
    (
        VSCODE,
        {"servers": {"a": {"url": URL, "headers": {"A": "${input:k}"}}}},
        "CFG057",
        "error",
        "/headers/A",
        '"inputs"',
    ),
    (COPILOT, servers(type="remote", url=URL), "CFG048", "error", "/type", 'write "http"'),
    (WINDSURF, servers(url=URL), "CFG049", "error", "/url", "rename it to serverUrl"),
    (ANTIGRAVITY, servers(httpUrl=URL), "CFG049", "error", "/httpUrl", "rename it to serverUrl"),
    (CLINE, servers(type="http-stream", url=URL), "CFG048", "error", "/type", 'write "http"'),
    (CLINE, servers(url=URL, timeout=60000), "CFG053", "warning", "/timeout", "write 60 "),
    (ZED, servers(url=URL), "CFG042", "error", "", 'rename mcpServers to "context_servers"'),
    (
        ZED,
        {"context_servers": {"a": {"url": URL, "headers": {"A": "${env:T}"}}}},
        "CFG016",
        "error",
        "/headers/A",
        "the value itself",
    ),
    (GEMINI, servers(httpUrl=URL, timeout=30), "CFG053", "warning", "/timeout", "write 30000"),
    (
        GEMINI,
        servers(url=URL, headers={"Authorization": "Bearer {env:T}"}),
        "CFG016",
        "error",
        "/headers/Authorization",
        "fills in",
    ),
    (
        CODEX,
        f'[mcp_servers.a]\nurl = "{URL}"\nbearer_token = "{CANARY}"\n',
        "CFG049",
        "error",
        "/bearer_token",
        "bearer_token_env_var",
    ),
    (
        CODEX,
        f'[mcp_servers.a]\nurl = "{URL}"\nbearer_token_env_var = "ghp_{CANARY}{CANARY}"\n',
        "CFG009",
        "error",
        "/bearer_token_env_var",
        "name of that",
    ),
    (
        CODEX,
        f'[mcp_servers.a]\nurl = "{URL}"\nbearer_token_env_var = "NOPE"\n',
        "CFG003",
        "warning",
        "/bearer_token_env_var",
        "export NOPE=",
    ),
    (
        CODEX,
        f'[mcp_servers.a]\nurl = "{URL}"\nstartup_timeout_sec = 20000\n',
        "CFG053",
        "warning",
        "/startup_timeout_sec",
        "write 20 ",
    ),
    (CODEX, f'[mcpServers.a]\nurl = "{URL}"\n', "CFG042", "error", "", "mcp_servers"),
    (VIBE, f'[[mcp_servers]]\nname = "a"\nurl = "{URL}"\n', "CFG066", "error", "", 'transport = "http"'),
    (
        VIBE,
        f'[[mcp_servers]]\nname = "a"\ntransport = "sse"\nurl = "{URL}"\n',
        "CFG048",
        "error",
        "/transport",
        "write",
    ),
    (
        LIBRE,
        f"mcpServers:\n  a:\n    type: streamable_http\n    url: {URL}\n",
        "CFG048",
        "error",
        "/type",
        '"streamable-http"',
    ),
    (
        LIBRE,
        f"mcpServers:\n  a:\n    url: {URL}\n"
        "    headers:\n      Authorization: Bearer ${{ secrets.T }}\n",
        "CFG016",
        "error",
        "/headers/Authorization",
        "fills in",
    ),
    (CONTINUE, f"mcpServers:\n  - url: {URL}\n", "CFG060", "error", "", "give it one"),
    (
        CONTINUE,
        f"mcpServers:\n  - name: a\n    url: {URL}\n    apiKey: Bearer {CANARY}\n",
        "CFG050",
        "error",
        "/apiKey",
        "adds Bearer itself",
    ),
    (
        OPENCODE,
        {"mcp": {"a": {"type": "remote", "url": URL, "timeout": 5}}},
        "CFG053",
        "warning",
        "/timeout",
        "write 5000",
    ),
    (
        OPENCODE,
        {"mcp": {"a": {"type": "local", "command": "npx server"}}},
        "CFG054",
        "error",
        "/command",
        "one string for each word",
    ),
    (OPENCODE, {"mcp": {"a": {"url": URL}}}, "CFG066", "error", "", '"type": "remote"'),
    (OPENCODE, servers(type="http", url=URL), "CFG042", "error", "", 'rename mcpServers to "mcp"'),
    (
        GOOSE,
        f"extensions:\n  a:\n    type: http\n    uri: {URL}\n",
        "CFG048",
        "error",
        "/type",
        '"streamable_http"',
    ),
    (
        GOOSE,
        f"extensions:\n  a:\n    type: streamable_http\n    url: {URL}\n",
        "CFG019",
        "error",
        "",
        'add "uri"',
    ),
    (
        "fastmcp.json",
        servers(transport="streamable_http", url=URL),
        "CFG048",
        "error",
        "/transport",
        '"http"',
    ),
    ("langchain", {"a": {"url": URL}}, "CFG066", "error", "", '"transport": "streamable_http"'),
    (
        "pydantic-ai",
        servers(url=URL, headers={"A": "${NOPE}"}),
        "CFG003",
        "warning",
        "/headers/A",
        "does not use the entry",
    ),
    ("openai-responses", {"tools": [{"type": "mcp", "server_label": "a"}]}, "CFG019", "error", "", "add"),
    (
        "anthropic-messages",
        {"mcp_servers": [{"type": "url", "name": "a", "url": "http://localhost:1/mcp"}]},
        "CFG044",
        "error",
        "/url",
        "TLS",
    ),
    (
        "server-json",
        {"packages": [{"registryType": "cargo", "identifier": "x"}]},
        "CFG064",
        "error",
        "/registryType",
        "npm",
    ),
    ("mcp-servers", servers(command=["npx"], args=[7]), "CFG019", "error", "/args/0", "double quotes"),
]


@pytest.mark.parametrize(("file", "content", "code", "severity", "pointer", "hint"), WRONG)
def test_a_mistake_is_the_one_finding_of_its_entry(
    file: str, content: Any, code: str, severity: str, pointer: str, hint: str, tmp_path: Path
) -> None:
    asked = {} if "." in file else {"dialect": file}
    found = read(tmp_path, file if "." in file else "c.json", content, **asked)
    problem, *others = findings(found)

    assert [] == [str(other) for other in others]
    assert (code, severity) == (problem.code, problem.severity)
    assert problem.origin.pointer.endswith(pointer)
    assert problem.origin.line is not None
    assert hint in problem.hint
    assert (severity != "error") == (found[0].connector is not None)
    assert CANARY not in str(problem)


def test_every_dialect_has_an_invalid_file(tmp_path: Path) -> None:
    from diagnose.connector.dialects.rows import DIALECTS

    seen = set()
    for file, content, *_ in WRONG:
        asked = {} if "." in file else {"dialect": file}
        seen |= {
            entry.client for entry in read(tmp_path, file if "." in file else "c.json", content, **asked)
        }

    assert {row.key for row in DIALECTS} == seen


ERRORS = [case for case in WRONG if case[3] == "error" and "." in case[0] and case[2] != "CFG060"]


@pytest.mark.parametrize(("file", "content", "code", "severity", "pointer", "hint"), ERRORS)
def test_a_run_on_the_name_ends_with_the_same_sentence(
    file: str,
    content: Any,
    code: str,
    severity: str,
    pointer: str,
    hint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = written(tmp_path, file, content)
    exit_code = main(["a", "--config", str(path)])
    printed = capsys.readouterr()

    assert 2 == exit_code
    assert "" == printed.out
    assert printed.err.startswith(f"diagnose: {code} ")
    assert 1 == printed.err.count("\n")
    assert f"{path}:" in printed.err
    assert CANARY not in printed.err


SYNTAX = [
    (CODE, '{"mcpServers": {"a": {"url": "u"},}}', "CFG017", ":1:34", "remove this comma"),
    (CODE, '{\n // no\n "mcpServers": {}}', "CFG017", ":2:2", "JSON has no comments"),
    (CODE, "{'mcpServers': {}}", "CFG017", ":1:2", "double quotes instead of single"),
    (CODE, "{mcpServers: {}}", "CFG017", ":1:2", "name in double quotes"),
    (CODE, '{"a": 1\n "b": 2}', "CFG017", ":2:2", "a comma is missing"),
    (CODE, "{“mcpServers”: {}}", "CFG017", ":1:2", "straight double quotes"),
    (CODE, '{"mcpServers": {"a": {"command": "C:\\Users"}}}', "CFG017", ":1:37", "double the backslash"),
    (CURSOR, '{"mcpServers": {"a": {"url": "u"},}}', "CFG017", ":1:34", "remove this comma"),
    (VSCODE, '{"servers": {"a": {"url" "u"}}}', "CFG017", ":1:26", "colon"),
    (LIBRE, "mcpServers:\n\ta: 1\n", "CFG040", ":2:1", "spaces"),
    (LIBRE, "mcpServers:\n  a: b: c\n", "CFG040", ":2:7", "quote a value"),
    (LIBRE, "a: 1\na: 2\n", "CFG040", ":2:1", "remove one of the two"),
    (LIBRE, "a: &x [*x]\n", "CFG040", ":1:8", "write the value out"),
    (LIBRE, "a: 1\n---\nb: 2\n", "CFG040", ":2:1", "remove what follows"),
    (CODEX, 'a = "C:\\dir"', "CFG041", ":1:10", "single quotes"),
    (CODEX, "a: 1", "CFG041", ":1:2", "no colon"),
    (CODEX, "[a]\n[a]\n", "CFG041", ":2:3", "twice"),
]


@pytest.mark.parametrize(("file", "text", "code", "place", "hint"), SYNTAX)
def test_a_fault_of_the_syntax_has_line_column_and_correction(
    file: str, text: str, code: str, place: str, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, file, text)
    exit_code = main(["a", "--config", str(path)])
    sentence = capsys.readouterr().err

    assert 2 == exit_code
    assert sentence.startswith(f"diagnose: {code} ")
    assert f"({path}{place})" in sentence
    assert hint in sentence


def test_a_mark_at_the_beginning_of_json_is_a_warning(tmp_path: Path) -> None:
    found = read(tmp_path, CODE, b"\xef\xbb\xbf" + json.dumps(remote()).encode())

    assert ["CFG063"] == [problem.code for problem in findings(found)]


def test_a_comment_is_a_warning_where_the_client_is_not_proven_to_read_it(tmp_path: Path) -> None:
    found = read(tmp_path, CURSOR, f'{{ // mine\n "mcpServers": {{"a": {{"url": "{URL}"}}}}}}')

    (problem,) = findings(found)
    assert ("CFG068", 1, 3) == (problem.code, problem.origin.line, problem.origin.column)


def test_two_entries_of_one_name_are_a_warning(tmp_path: Path) -> None:
    twice = f'{{"mcpServers": {{"a": {{"url": "{URL}"}}, "a": {{"url": "{URL}2"}}}}}}'
    listed = f"mcpServers:\n  - name: a\n    url: {URL}\n  - name: a\n    url: {URL}\n"

    assert ["CFG059"] == [problem.code for problem in findings(read(tmp_path, CURSOR, twice))]
    assert ["CFG059", "CFG059"] == [problem.code for problem in findings(read(tmp_path, CONTINUE, listed))]


def test_authorization_in_a_header_and_in_a_field_is_a_warning(tmp_path: Path) -> None:
    both = 'bearer_token_env_var = "T"\nhttp_headers = { Authorization = "x y" }\n'
    text = f'[mcp_servers.a]\nurl = "{URL}"\n{both}'
    found = read(tmp_path, CODEX, text, environ={"T": "t0ken"})

    assert ["CFG052"] == [problem.code for problem in findings(found)]


def test_a_space_after_the_colon_is_a_warning_where_the_client_splits_there(tmp_path: Path) -> None:
    entry = servers(command="npx", args=["mcp-remote", URL, "--header", "X-A: b"])

    assert [] == findings(read(tmp_path, DESKTOP, entry))
    assert ["CFG065"] == [p.code for p in findings(read(tmp_path, DESKTOP, entry, platform="win32"))]


@pytest.mark.parametrize(
    ("value", "code"), [('"quoted"', "CFG050"), ("Bearer x", "CFG050"), ("t0ken\n", "CFG007")]
)
def test_a_mistake_inside_a_variable_is_found_too(value: str, code: str, tmp_path: Path) -> None:
    entry = remote(headers={"Authorization": "Bearer ${TOK}"})
    found = read(tmp_path, CODE, entry, environ={"TOK": value})

    assert {code} == {problem.code for problem in findings(found)}
    assert "of the variable TOK" in findings(found)[0].what


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("package.json", {"name": "x", "version": "1.0.0", "dependencies": {}}, "CFG061"),
        ("hello.json", '"hello"', "CFG061"),
        ("binary.json", bytes(range(256)), "CFG017"),
        ("empty.yaml", "", "CFG061"),
    ],
)
def test_a_file_of_something_else_is_one_sentence(
    name: str, content: Any, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, name, content)

    assert 2 == main(["a", "--config", str(path)])
    assert capsys.readouterr().err.startswith(f"diagnose: {code} ")


def test_an_unknown_dialect_is_answered_with_those_there_are(tmp_path: Path) -> None:
    from diagnose.errors import UsageError

    with pytest.raises(UsageError) as caught:
        load(written(tmp_path, "a.json", "{}"), dialect="emacs")

    assert "CFG061" == caught.value.code
    assert "cursor" in caught.value.hint
