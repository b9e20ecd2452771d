"""``diagnose NAME``: which definition is meant, how its mistakes are said, and who lets a command start."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from cli.conftest import Run, command, environment
from cli.machine import Machine, http, servers, stdio
from diagnose_lab import Lab

CANARY = "canaryX9f2b7c1d4e5a8b3c6d7e0"
CURSOR, GEMINI = ".cursor/mcp.json", ".gemini/settings.json"
Named = Callable[..., "subprocess.CompletedProcess[str]"]
posix = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals")


@pytest.fixture
def machine(tmp_path: Any) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def named(diagnose: Run, machine: Machine) -> Named:
    """``diagnose ARGUMENTS`` in the project of the machine."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return diagnose(*arguments, env={**machine.env, **env}, cwd=machine.project)

    return run


def refused(done: subprocess.CompletedProcess[str], code: str, exit_code: int = 2) -> str:
    assert (exit_code, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith(f"diagnose: {code} ")
    assert 1 == done.stderr.count("\n")
    return done.stderr


@pytest.mark.parametrize("target", ["docs", "cursor:docs", "Cursor:docs"])
def test_a_name_is_diagnosed_as_its_client_reaches_it(
    target: str, machine: Machine, named: Named, lab: Lab
) -> None:
    with lab.start("healthy-modern") as running:
        path = machine.put(CURSOR, servers(docs=http(running.url, headers={"X-Tenant": "file"})))
        done = named(target, "--json")
        sent = {record.header("x-tenant") for record in running.log}
    summary = json.loads(done.stdout)["connector"]

    assert (0, "") == (done.returncode, done.stderr)
    assert {"file"} == sent
    assert ("docs", f"{path}:3 /mcpServers/docs", []) == (
        summary["name"],
        summary["source"],
        summary["problems"],
    )


def test_the_definition_of_the_project_goes_before_that_of_the_user(
    machine: Machine, named: Named, lab: Lab
) -> None:
    with lab.start("healthy-modern") as running:
        machine.put(CURSOR, servers(docs=http("http://127.0.0.1:1/mcp")))
        path = machine.put("shop/.cursor/mcp.json", servers(docs=http(running.url)))
        done = named("docs", "--json")

    assert 0 == done.returncode
    assert json.loads(done.stdout)["connector"]["source"].startswith(str(path))


def test_options_amend_a_named_connector(machine: Machine, named: Named, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:
        machine.put(CURSOR, servers(docs=http(running.url, headers={"X-Tenant": "file"})))
        named("docs", "--header", "X-Tenant: typed")

        assert {"typed"} == {record.header("x-tenant") for record in running.log}


def test_a_name_of_two_clients_lists_the_forms_that_say_whose(machine: Machine, named: Named) -> None:
    machine.put(CURSOR, servers(docs=http()))
    machine.put(GEMINI, servers(docs=http()))

    assert "name one of cursor:docs, gemini-cli:docs" in refused(named("docs"), "CFG072")


def test_a_name_that_nobody_has_is_exit_code_3_with_the_nearest(machine: Machine, named: Named) -> None:
    machine.put(CURSOR, servers(docs=http()))

    assert "did you mean docs?" in refused(named("dcos"), "CFG011", 3)
    assert "did you mean cursor:docs?" in refused(named("cursor:dcos"), "CFG011", 3)


def test_a_name_of_another_project_says_which(machine: Machine, named: Named) -> None:
    other = str(machine.home / "other")
    machine.put(".claude.json", {"projects": {other: servers(docs=http())}})

    assert f"run this in {other}" in refused(named("docs"), "CFG011", 3)


def test_an_entry_that_its_client_cannot_use_is_refused_with_its_place(
    machine: Machine, named: Named
) -> None:
    path = machine.put("shop/.mcp.json", servers(docs={"type": "htp", "url": "https://mcp.example.com/mcp"}))
    sentence = refused(named("docs"), "CFG048")

    assert f"{path}:4:" in sentence
    assert "/mcpServers/docs/type" in sentence
    assert 'write "http"' in sentence


def test_a_warning_of_the_definition_is_on_stderr_and_in_the_report(
    machine: Machine, named: Named, lab: Lab
) -> None:
    with lab.start("healthy-modern") as running:
        machine.put(CURSOR, servers(docs=http(f"{running.url}?token={CANARY}")))
        done = named("docs", "--json")
        strict = named("docs", "--json", "--fail-on", "warning", "-q")
    problems = json.loads(done.stdout)["connector"]["problems"]

    assert [("CFG046", "config.token-in-query", "warning")] == [
        (entry["code"], entry["name"], entry["severity"]) for entry in problems
    ]
    assert done.stderr.startswith("diagnose: CFG046 ")
    assert (0, 1, "") == (done.returncode, strict.returncode, strict.stderr)
    assert CANARY not in done.stdout + done.stderr + strict.stdout


def test_a_connector_that_is_switched_off_is_diagnosed_and_said_to_be(
    machine: Machine, named: Named, lab: Lab
) -> None:
    with lab.start("healthy-modern") as running:
        machine.put(CURSOR, servers(docs=http(running.url, disabled=True)))
        done = named("docs", "--json", "--fail-on", "warning")

    assert 0 == done.returncode
    assert "docs is switched off in Cursor" in done.stderr
    assert ["CFG073"] == [entry["code"] for entry in json.loads(done.stdout)["connector"]["problems"]]


def test_a_namesake_that_is_of_no_use_is_told(machine: Machine, named: Named, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:
        machine.put(CURSOR, servers(docs=http(running.url)))
        broken = machine.put("shop/.cursor/mcp.json", servers(docs=http("ftp://mcp.example.com/")))
        done = named("docs", "--json")

    assert str(broken) in done.stderr
    assert [str(broken) in entry["where"] for entry in json.loads(done.stdout)["connector"]["problems"]] == [
        True
    ]


def test_a_variable_in_a_url_does_not_come_out(machine: Machine, named: Named, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:
        machine.put(CURSOR, servers(docs=http(running.url + "?part=${env:MINE}")))
        done = named("docs", "--json", "-vv", MINE=CANARY)

        assert CANARY in running.log[0].target
    assert CANARY not in done.stdout + done.stderr


def test_the_command_of_a_found_file_is_shown_and_not_started(
    machine: Machine, named: Named, lab: Lab
) -> None:
    with lab.start("healthy-stdio-modern") as local:
        entry = stdio(
            [*local.argv, "--token", CANARY], env={**local.env, "API_KEY": CANARY}, cwd=str(machine.home)
        )
        path = machine.put(CURSOR, servers(local=entry))
        sentence = refused(named("local"), "CFG071")

        assert [] == local.events
    assert " ".join(f'"{word}"' for word in local.argv) in sentence
    assert f"in {machine.home}, with API_KEY, DIAGNOSE_STATE_DIR" in sentence
    assert str(path) in sentence
    assert "--allow-stdio" in sentence
    assert CANARY not in sentence


def test_the_command_of_a_found_file_starts_when_that_is_allowed(
    machine: Machine, named: Named, lab: Lab
) -> None:
    with lab.start("healthy-stdio-modern") as local:
        path = machine.put(CURSOR, servers(local=stdio(local.argv, env=local.env)))
        done = named("local", "--allow-stdio", "--json")
    made = json.loads(done.stdout)

    assert (0, "passed") == (done.returncode, made["verdict"]["status"])
    assert (list(local.argv), f"{path}:3 /mcpServers/local") == (
        made["connector"]["command"],
        made["connector"]["source"],
    )


def test_the_command_of_a_named_file_needs_no_question(machine: Machine, named: Named, lab: Lab) -> None:
    with lab.start("healthy-stdio-modern") as local:
        path = machine.put(CURSOR, servers(local=stdio(local.argv, env=local.env)))
        done = named("local", "--config", str(path), "--json")

    assert (0, "") == (done.returncode, done.stderr)


def test_options_amend_a_named_process(machine: Machine, named: Named) -> None:
    path = machine.put(CURSOR, servers(local=stdio(["no-such-command"])))

    assert "CFG006" in refused(named("local", "--config", str(path), "--header", "A: b"), "CFG006")
    missing = named("local", "--config", str(path), "--cwd", "/no/such/folder", "--json")
    assert "/no/such/folder" in missing.stdout


@pytest.mark.parametrize("form", ["json", "text", "markdown"])
def test_no_secret_among_the_arguments_of_a_file_is_reported(
    form: str, machine: Machine, named: Named
) -> None:
    words = ["no-such-command", "--header", f"X-Key:{CANARY}", "-e", f"API_KEY={CANARY}", f"--token={CANARY}"]
    machine.put(CURSOR, servers(local=stdio(words)))
    done = named("local", "--allow-stdio", "--format", form, "-vv")

    assert 1 == done.returncode
    assert "STDIO001" in done.stdout
    assert CANARY not in done.stdout + done.stderr


@pytest.mark.parametrize("action", ["login", "logout"])
def test_a_process_has_no_login(action: str, machine: Machine, named: Named) -> None:
    machine.put(CURSOR, servers(local=stdio(["npx", "server"])))

    assert "a login is for a URL" in refused(named(action, "local"), "CFG006")


@posix
@pytest.mark.parametrize(("answer", "exit_code"), [("y", 0), ("n", 2), ("", 2)])
def test_on_a_terminal_the_command_is_asked_for(
    answer: str, exit_code: int, machine: Machine, lab: Lab
) -> None:
    with lab.start("healthy-stdio-modern") as local:
        machine.put(CURSOR, servers(local=stdio(local.argv, env={**local.env, "API_KEY": CANARY})))
        code, screen = on_a_terminal(machine, answer, "local", "-q", "--json")
        started = bool(local.events)

    assert (exit_code, exit_code == 0) == (code, started)
    assert "Start this process? [y/N]" in screen
    assert " ".join(f'"{word}"' for word in local.argv) in screen
    assert "API_KEY" in screen
    assert CANARY not in screen


def on_a_terminal(machine: Machine, answer: str, *arguments: str) -> tuple[int, str]:
    """Exit code and screen of a run whose question is answered."""
    master, slave = os.openpty()
    child = subprocess.Popen(
        command(*arguments),
        env=environment({**machine.env, "TERM": "dumb"}),
        cwd=machine.project,
        stdin=slave,
        stdout=subprocess.DEVNULL,
        stderr=slave,
    )
    os.close(slave)
    screen = b""
    try:
        while b"[y/N]" not in screen:
            screen += os.read(master, 4096)
        os.write(master, f"{answer}\n".encode())
        screen += rest_of(master)
        return child.wait(timeout=60), screen.decode()
    finally:
        child.kill()
        child.wait()
        os.close(master)


def rest_of(master: int) -> bytes:
    read = b""
    try:
        while piece := os.read(master, 4096):
            read += piece
    except OSError:  # Linux says so when the other side is closed
        return read
    return read
