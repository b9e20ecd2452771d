"""``diagnose list``: what it shows of a machine, that it starts nothing, and that no secret comes out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cli.conftest import Run
from cli.machine import Machine, http, servers, stdio
from diagnose_lab import Lab

CANARY = "canaryX9f2b7c1d4e5a8b3c6d7e0"
CURSOR, GEMINI = ".cursor/mcp.json", ".gemini/settings.json"
List = Callable[..., tuple[int, str, str]]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def listing(diagnose: Run, machine: Machine) -> List:
    """``diagnose list ARGUMENTS`` in the project of the machine: exit code, stdout, stderr."""

    def run(*arguments: str, **env: str) -> tuple[int, str, str]:
        done = diagnose("list", *arguments, env={**machine.env, **env}, cwd=machine.project)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def document(listing: List) -> Callable[..., dict[str, Any]]:
    """The same as JSON, held to its schema."""
    schema = json.loads((Path(__file__).parents[2] / "schema" / "list-v1.json").read_text())

    def run(*arguments: str, **env: str) -> dict[str, Any]:
        code, stdout, _ = listing("--json", *arguments, **env)
        assert 0 == code
        assert stdout.isascii()
        made = json.loads(stdout)
        assert isinstance(made, dict)
        jsonschema.Draft202012Validator(schema).validate(made)
        return made

    return run


def test_a_machine_without_files_is_told_so(listing: List) -> None:
    code, stdout, stderr = listing()

    assert (0, "") == (code, stderr)
    assert stdout.startswith("No connector is defined in the files of the clients that are known")


def test_every_client_is_listed_with_file_and_line(
    machine: Machine, document: Callable[..., dict[str, Any]]
) -> None:
    cursor = machine.put(CURSOR, servers(docs=http(), files=stdio(["npx", "-y", "server-files"])))
    project = machine.put("shop/.vscode/mcp.json", {"servers": {"web": http()}})

    rows = [
        (entry["client"], entry["name"], entry["scope"], entry["transport"], entry["place"]["file"])
        for entry in document()["connectors"]
    ]
    assert [
        ("cursor", "docs", "user", "streamable-http", str(cursor)),
        ("cursor", "files", "user", "stdio", str(cursor)),
        ("vscode", "web", "project", "auto", str(project)),
    ] == rows
    assert [3, 7] == [entry["place"]["line"] for entry in document("--client", "cursor")["connectors"]]


def test_the_project_goes_before_the_user_on_both_sides(machine: Machine, listing: List) -> None:
    user = machine.put(CURSOR, servers(docs=http("https://old.example.com/mcp")))
    project = machine.put("shop/.cursor/mcp.json", servers(docs=http()))
    _, stdout, _ = listing()
    flat = " ".join(stdout.split())

    assert f"overridden by {project}:3" in flat
    assert f"goes before {user}:3" in flat


def test_one_server_in_two_clients_is_shown_with_what_differs(machine: Machine, listing: List) -> None:
    machine.put(CURSOR, servers(docs=http(headers={"Authorization": f"Bearer {CANARY}"})))
    machine.put(GEMINI, servers(other=http()))
    _, stdout, _ = listing()

    assert "same server as gemini-cli:other, different credential" in stdout
    assert "same server as cursor:docs, different credential" in stdout


def test_a_broken_file_is_a_sentence_with_its_line_and_hides_nothing(machine: Machine, listing: List) -> None:
    broken = machine.put(CURSOR, '{"mcpServers": {\n "a": 1,\n}')
    machine.put(GEMINI, servers(docs=http()))
    code, stdout, _ = listing()
    flat = " ".join(stdout.split())

    assert 0 == code
    assert f"Cursor: {broken}:2" in flat
    assert "CFG017 config.json-syntax" in flat
    assert "1 connector of 1 client, 1 file not read." in flat


def test_problems_are_codes_at_a_glance_and_sentences_when_asked_for(machine: Machine, listing: List) -> None:
    machine.put(CURSOR, servers(docs=http(f"https://mcp.example.com/mcp?token={CANARY}")))
    _, glance, _ = listing()
    _, full, _ = listing("-v")

    assert "CFG046 config.token-in-query" in glance
    assert "send it in a header" not in " ".join(glance.split())
    assert "send it in a header" in " ".join(full.split())


def test_the_reason_why_a_client_cannot_use_an_entry_is_always_whole(machine: Machine, listing: List) -> None:
    machine.put("shop/.mcp.json", servers(docs={"type": "htp", "url": "https://mcp.example.com/mcp"}))
    _, stdout, _ = listing()

    assert 'write "http"' in " ".join(stdout.split())
    assert "cannot be used" in stdout


@pytest.mark.parametrize(
    ("entry", "error", "warning"),
    [
        (http(), 0, 0),
        (http("https://mcp.example.com/mcp?token=abcdef"), 0, 1),
        ({"type": "htp", "url": "https://mcp.example.com/mcp"}, 1, 1),
    ],
)
def test_problems_fail_the_command_only_when_asked(
    entry: dict[str, Any], error: int, warning: int, machine: Machine, listing: List
) -> None:
    machine.put("shop/.mcp.json", servers(docs=entry))

    assert 0 == listing()[0]
    assert error == listing("--fail-on", "error")[0]
    assert warning == listing("--fail-on", "warning")[0]


def test_a_named_file_is_listed_as_well_and_once(
    machine: Machine, document: Callable[..., dict[str, Any]]
) -> None:
    machine.put(CURSOR, servers(docs=http()))
    other = machine.put("elsewhere.json", servers(more=http("https://b.example.com/mcp")))

    assert ["docs", "more"] == [entry["name"] for entry in document("--config", str(other))["connectors"]]
    same = document("--config", str(machine.home / CURSOR))["connectors"]
    assert ["docs"] == [entry["name"] for entry in same]


def test_a_named_file_that_cannot_be_read_is_exit_code_2_and_the_rest_is_listed(
    machine: Machine, listing: List
) -> None:
    machine.put(CURSOR, servers(docs=http()))
    code, stdout, _ = listing("--config", "no-such-file.json")

    assert 2 == code
    assert "CFG018" in stdout
    assert "docs" in stdout


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (["--client", "curser"], "did you mean cursor?"),
        (["--allow-stdio"], "add --deep"),
        (["--fail-on", "info"], "error"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(argv: list[str], hint: str, listing: List) -> None:
    code, stdout, stderr = listing(*argv)

    assert (2, "") == (code, stdout)
    assert hint in stderr
    assert 1 == stderr.count("\n")


def test_text_fits_80_columns_and_a_hostile_name_does_not_act(machine: Machine, listing: List) -> None:
    name = "docs\x1b[31m\u202e::set-output"
    machine.put(CURSOR, servers(**{name: http("https://mcp.example.com/mcp?token=abc%20def")}))
    _, stdout, _ = listing("-v", PYTHONIOENCODING="utf-8")
    rows = stdout.splitlines()

    assert "\x1b" not in stdout
    assert "\u202e" not in stdout
    assert "docs^[[31m\\u202e::set-output" in stdout
    assert [] == [row for row in rows if len(row) > 80 and " " in row.strip()]


SECRETS: dict[str, dict[str, Any]] = {
    "header": http(headers={"X-Api-Key": CANARY}),
    "query": http(f"https://mcp.example.com/mcp?key={CANARY}"),
    "user": http(f"https://user:{CANARY}@mcp.example.com/mcp"),
    "argument": stdio(["npx", "server", "--token", CANARY]),
    "header-argument": stdio(["npx", "mcp-remote", "https://h.test/mcp", "--header", f"X-Key:{CANARY}"]),
    "variable": stdio(["npx", "server"], env={"API_KEY": CANARY}),
    "from-environment": http("https://h.test/${env:SECRET_OF_MINE}/mcp?x=${env:SECRET_OF_MINE}"),
    "unknown-member": http(note=CANARY),
}


@pytest.mark.parametrize("arguments", [["-v"], ["--json"]])
def test_no_secret_of_a_file_or_of_the_environment_is_listed(
    arguments: list[str], machine: Machine, listing: List
) -> None:
    machine.put(CURSOR, servers(**SECRETS))
    code, stdout, stderr = listing(*arguments, SECRET_OF_MINE=CANARY)

    assert 0 == code
    assert CANARY not in stdout + stderr
    assert "from-environment" in stdout


def test_nothing_is_started_and_nothing_sent(machine: Machine, listing: List, lab: Lab) -> None:
    with lab.start("healthy-stdio-modern") as local, lab.start("healthy-modern") as remote:
        machine.put(CURSOR, servers(local=stdio(local.argv, env=local.env), remote=http(remote.url)))
        listing()

        assert [] == local.events
        assert [] == remote.log


def diagnoses(made: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["diagnosis"]["status"] for entry in made["connectors"]}


def test_deep_diagnoses_up_to_the_tools_and_compares_them(
    machine: Machine, document: Callable[..., dict[str, Any]], lab: Lab
) -> None:
    with lab.start("healthy-modern") as one, lab.start("healthy-legacy") as two:
        machine.put(
            CURSOR,
            servers(one=http(one.url), two=http(two.url), off=http(two.url, disabled=True)),
        )
        made = document("--deep", "-q")
        called = [record for record in (*one.log, *two.log) if b"tools/call" in record.body]
    found = diagnoses(made)

    assert {"one": "passed", "two": "passed", "off": "not_run"} == found
    assert [] == called
    shared = {entry["tool"]: entry for entry in made["duplicate_tools"]}
    assert ("CFG070", "warning", ["cursor:one", "cursor:two"]) == (
        shared["server_time"]["code"],
        shared["server_time"]["severity"],
        shared["server_time"]["connectors"],
    )


def test_one_server_in_two_clients_is_no_duplicate(
    machine: Machine, document: Callable[..., dict[str, Any]], lab: Lab
) -> None:
    with lab.start("healthy-modern") as one:
        machine.put(CURSOR, servers(one=http(one.url)))
        machine.put(GEMINI, servers(one=http(one.url)))
        made = document("--deep", "-q")

    assert [] == made["duplicate_tools"]
    assert ["passed", "passed"] == [entry["diagnosis"]["status"] for entry in made["connectors"]]


def test_deep_starts_a_process_only_when_that_is_allowed(
    machine: Machine, document: Callable[..., dict[str, Any]], lab: Lab
) -> None:
    with lab.start("healthy-stdio-modern") as local:
        machine.put(CURSOR, servers(local=stdio(local.argv, env=local.env)))
        refused = diagnoses(document("--deep", "-q"))
        before = list(local.events)
        allowed = diagnoses(document("--deep", "-q", "--allow-stdio"))
        after = list(local.events)

    assert ({"local": "not_run"}, []) == (refused, before)
    assert {"local": "passed"} == allowed
    assert [] != after


def test_deep_counts_what_failed(machine: Machine, listing: List) -> None:
    machine.put(CURSOR, servers(gone=http("http://127.0.0.1:1/mcp")))
    code, stdout, _ = listing("--deep", "-q", "--fail-on", "error")

    assert 1 == code
    assert "failed at tcp, TCP001" in stdout
    assert stdout.endswith("1 connector of 1 client, 1 failed.\n")


def test_deep_starts_what_a_named_file_says(
    machine: Machine, document: Callable[..., dict[str, Any]], lab: Lab
) -> None:
    with lab.start("healthy-stdio-modern") as local:
        path = machine.put("mine.json", servers(local=stdio(local.argv, env=local.env)))
        assert {"local": "passed"} == diagnoses(document("--deep", "-q", "--config", str(path)))


def test_deep_sends_no_variable_where_the_file_of_a_project_says(
    machine: Machine, document: Callable[..., dict[str, Any]], lab: Lab
) -> None:
    with lab.start("healthy-modern") as remote:
        entry = http(remote.url, headers={"X-Note": "${env:SECRET_OF_MINE}"})
        machine.put("shop/.cursor/mcp.json", servers(theirs=entry))
        made = document("--deep", "-q", SECRET_OF_MINE=CANARY)

        assert {"theirs": "not_run"} == diagnoses(made)
        assert "SECRET_OF_MINE" in made["connectors"][0]["diagnosis"]["summary"]
        assert [] == remote.log


def test_the_committed_schema_of_the_list_is_what_schema_prints(diagnose: Run) -> None:
    committed = (Path(__file__).parents[2] / "schema" / "list-v1.json").read_text()

    assert json.loads(committed) == json.loads(diagnose("schema", "--of", "list").stdout)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="links")
@pytest.mark.parametrize("fault", ["directory", "link", "binary"])
def test_a_file_that_is_none_is_one_entry(fault: str, machine: Machine, listing: List) -> None:
    target = machine.put(CURSOR, "")
    target.unlink()
    if fault == "directory":
        target.mkdir()
    elif fault == "link":
        target.symlink_to("nowhere")
    else:
        target.write_bytes(bytes(range(256)))
    machine.put(GEMINI, servers(docs=http()))
    code, stdout, _ = listing()

    assert 0 == code
    assert "1 connector of 1 client, 1 file not read." in stdout
