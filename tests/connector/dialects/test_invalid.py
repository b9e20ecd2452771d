"""What people get wrong in the file of a client: the finding, the line, and what to write instead."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from diagnose.catalogue import page
from diagnose.cli import main
from diagnose.connector import Defined, Problem, load
from diagnose.connector.dialects.rows import DIALECTS

CANARY = "canaryX9f2b7c1d4e5a8b3"
URL = "https://mcp.example.com/mcp"

CURSOR, CODE, DESKTOP = ".cursor/mcp.json", ".mcp.json", "claude_desktop_config.json"
VSCODE, CODEX, LIBRE, CONTINUE = (
    ".vscode/mcp.json",
    ".codex/config.toml",
    "librechat.yaml",
    ".continue/config.yaml",
)


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


WRONG: list[dict[str, str]] = tomllib.loads(
    (Path(__file__).parent / "invalid.toml").read_text(encoding="utf-8")
)["case"]
"""A file or a dialect, its text, the one finding that it is, where, and what it says to write."""


def label(case: dict[str, str]) -> str:
    return f"{case['code']}-{case['file']}"


def provoked(folder: Path, case: dict[str, str]) -> tuple[Defined, ...]:
    named = "." in case["file"]
    asked = {} if named else {"dialect": case["file"]}
    return read(folder, case["file"] if named else "c.json", case["content"], **asked)


@pytest.mark.parametrize("case", WRONG, ids=label)
def test_a_mistake_is_the_one_finding_of_its_entry(case: dict[str, str], tmp_path: Path) -> None:
    found = provoked(tmp_path, case)
    problem, *others = findings(found)

    assert [] == [str(other) for other in others]
    assert (case["code"], case["severity"]) == (problem.code, problem.severity)
    assert problem.origin.pointer.endswith(case["pointer"])
    assert problem.origin.line is not None
    assert case["hint"] in problem.hint
    assert (case["severity"] != "error") == (found[0].connector is not None)
    assert CANARY not in str(problem)


def test_every_dialect_has_an_invalid_file(tmp_path: Path) -> None:
    seen = {entry.client for case in WRONG for entry in provoked(tmp_path, case)}

    assert {row.key for row in DIALECTS} == seen


ERRORS = [
    case
    for case in WRONG
    if case["severity"] == "error" and "." in case["file"] and case["code"] != "CFG060"  # it has no name
]


@pytest.mark.parametrize("case", ERRORS, ids=label)
def test_a_run_on_the_name_ends_with_the_same_sentence(
    case: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, case["file"], case["content"])
    exit_code = main(["a", "--config", str(path)])
    printed = capsys.readouterr()

    assert 2 == exit_code
    assert "" == printed.out
    assert printed.err.startswith(f"diagnose: {case['code']} ")
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


@pytest.mark.parametrize(
    ("file", "content", "name"),
    [
        (CODE, servers(type="ws", url=URL), "a"),
        (VSCODE, {"servers": {"a": {"url": "unix:///run/server.sock"}}}, "a"),
        (".zed/settings.json", {"context_servers": {"a": {"source": "extension", "settings": {}}}}, "a"),
        ("goose/config.yaml", "extensions:\n  a:\n    type: builtin\n    name: a\n", "a"),
    ],
)
def test_what_only_its_client_can_reach_is_no_mistake_and_no_connector(
    file: str, content: Any, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = read(tmp_path, file, content)

    assert [] == findings((found,))
    assert found.reason is not None
    assert "CFG064" == found.reason.code
    assert 2 == main([name, "--config", str(tmp_path / file)])
    assert capsys.readouterr().err.startswith("diagnose: CFG064 ")


@pytest.mark.parametrize(
    ("file", "content", "variable"),
    [
        (
            VSCODE,
            {"inputs": [{"id": "k-1"}], "servers": {"a": {"url": URL, "headers": {"A": "${input:k-1}"}}}},
            "INPUT_K_1",
        ),
        (
            LIBRE,
            f"mcpServers:\n  a:\n    url: {URL}\n    headers:\n      A: '{{{{LIBRECHAT_USER_ID}}}}'\n",
            "LIBRECHAT_USER_ID",
        ),
        ("goose/config.yaml", "extensions:\n  a:\n    type: stdio\n    cmd: x\n    env_keys: [KEY]\n", "KEY"),
        (CODE, remote(headersHelper="./token.sh"), "headersHelper"),
    ],
)
def test_what_only_its_client_knows_is_noted_with_what_to_set_instead(
    file: str, content: Any, variable: str, tmp_path: Path
) -> None:
    (found,) = read(tmp_path, file, content)
    (note,) = found.problems

    assert ("CFG058", "info") == (note.code, note.severity)
    assert variable in f"{note.what} {note.hint}"
    assert found.connector is not None


HEALTHY = [
    (
        DESKTOP,
        servers(
            command="docker", args=["run", "-i", "--rm", "-e", "TOKEN", "ghcr.io/x/y"], env={"TOKEN": "t"}
        ),
    ),
    (DESKTOP, servers(command="cmd", args=["/c", "npx", "-y", "server"])),
    (DESKTOP, servers(command="C:\\Program Files\\nodejs\\npx.cmd", args=["-y", "server"])),
    (DESKTOP, servers(command="/Applications/My App.app/server")),
    (DESKTOP, servers(command="npx", args=["-y", "@modelcontextprotocol/server-filesystem", "~/Documents"])),
    (DESKTOP, servers(command="sh", args=["-c", "cd $HOME && exec ./server | tee log"])),
    (DESKTOP, servers(command="npx", args=["mcp-remote", "http://localhost:3000/mcp"])),
    (
        DESKTOP,
        servers(
            command="server", args=["--include", "a|b", "--query=a b"], env={"URL": "postgres://u@h/d?a=%20b"}
        ),
    ),
    (CURSOR, servers(url=f"{URL}?version=2&path=%E4%BD%A0")),
    (CURSOR, servers(url="http://127.0.0.1:3000/mcp", headers={"Authorization": "Bearer t0ken"})),
    (CURSOR, servers(url=URL, headers={"Authorization": "Basic dXNlcjpwYXNz", "X-Note": "costs $5"})),
    (CODEX, f'[mcp_servers.a]\nurl = "{URL}"\ntool_timeout_sec = 3600\n'),
]


@pytest.mark.parametrize(("file", "content"), HEALTHY)
def test_a_healthy_entry_has_no_finding(file: str, content: Any, tmp_path: Path) -> None:
    (found,) = read(tmp_path, file, content)

    assert [] == [str(problem) for problem in findings((found,))]
    assert found.connector is not None


def test_a_warning_of_the_file_is_said_on_stderr_before_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"url": "http://127.0.0.1:9/mcp?token=abcdef"}
    main(["a", "--config", str(written(tmp_path, CURSOR, servers(**entry))), "--json", "--timeout", "5"])
    printed = capsys.readouterr()

    assert printed.err.startswith("diagnose: CFG046 ")
    assert "(a warning)" in printed.err
    assert "abcdef" not in printed.err
    assert printed.out.startswith("{")


FIELD = {
    "config.placeholder-not-expanded": "CFG016",
    "config.json-syntax": "CFG017",
    "config.wrong-root-key": "CFG042",
    "config.wrong-file": "CFG043",
    "config.https-required-by-client": "CFG044",
    "config.http-url-not-allowed": "CFG045",
}
"""Every class of the step config in the field, but the one that a server has to prove (TOK015)."""


@pytest.mark.parametrize(("name", "code"), FIELD.items())
def test_a_class_of_the_field_has_its_page_and_is_provoked(name: str, code: str) -> None:
    provoked = {case["code"] for case in WRONG} | {case[2] for case in SYNTAX}

    assert (name, (name,)) == (page(code).name, page(code).field)
    assert code in provoked


def test_an_env_file_that_is_missing_keeps_vs_code_from_starting_the_process(tmp_path: Path) -> None:
    entry = {"command": "server", "envFile": "missing.env"}
    found = read(tmp_path, VSCODE, {"servers": {"a": entry}}) + read(tmp_path, CURSOR, servers(**entry))

    assert [("CFG018", "error"), ("CFG018", "warning")] == [(p.code, p.severity) for p in findings(found)]
