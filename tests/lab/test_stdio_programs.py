"""The lab's processes over real pipes: what a healthy one answers, and every way to be broken."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from diagnose_lab import Lab

from .piping import (
    INITIALIZE,
    discover,
    opened,
    plain,
    process,
    request,
    script,
    silent,
    spawned,
    started,
)

# What works


def test_a_modern_process_answers_discover_list_and_call(lab: Lab) -> None:
    with started(lab, process()) as (running, peer):
        assert ["2026-07-28"] == peer.ask(discover())["result"]["supportedVersions"]
        assert 4 == len(peer.ask(request("tools/list", 2))["result"]["tools"])
        called = peer.ask(request("tools/call", 3, name="echo", arguments={"text": "hé"}))
        assert "hé" == called["result"]["content"][0]["text"]
        assert (b"", b"", 0) == peer.ended()
        assert ["server/discover", "tools/list", "tools/call"] == [
            event.rpc_method for event in running.messages
        ]
        assert "echo" == running.messages[-1].tool


def test_a_modern_process_refuses_the_handshake_with_its_versions(lab: Lab) -> None:
    with started(lab, process()) as (_, peer):
        error = peer.ask(INITIALIZE)["error"]
        assert (-32022, ["2026-07-28"]) == (error["code"], error["data"]["supported"])


def test_a_legacy_process_speaks_only_after_its_handshake(lab: Lab) -> None:
    with started(lab, process("[server]\npage_size = 3", era="legacy")) as (_, peer):
        assert -32601 == peer.ask(discover())["error"]["code"]
        assert -32602 == peer.ask(plain("tools/list"))["error"]["code"]
        assert "2025-11-25" == opened(peer)["protocolVersion"]
        listed = peer.ask(plain("tools/list", 3))["result"]
        assert (3, "page-3") == (len(listed["tools"]), listed["nextCursor"])


def test_a_dual_process_takes_each_request_by_its_envelope(lab: Lab) -> None:
    with started(lab, process('[server]\nprofile = "dual"')) as (_, peer):
        assert "supportedVersions" in peer.ask(discover())["result"]
        assert "2025-11-25" == opened(peer)["protocolVersion"]
        assert "resultType" not in peer.ask(plain("tools/list", 3))["result"]
        assert "complete" == peer.ask(request("tools/list", 4))["result"]["resultType"]


def test_a_line_that_is_no_json_gets_a_parse_error(lab: Lab) -> None:
    with started(lab, process()) as (_, peer):
        peer.stdin.write(b"{\n")
        peer.stdin.flush()
        assert -32700 == json.loads(peer.line())["error"]["code"]


def test_rules_change_the_answers_of_a_process(lab: Lab) -> None:
    rules = """
        [[rule]]
        when = {method = "server/discover"}
        duplicate = true
        [[rule]]
        when = {method = "tools/list", page = 1}
        id = "wrong"
        [[rule]]
        when = {tool = "echo"}
        error = {code = -32603, message = "no"}
    """
    with started(lab, process(rules)) as (_, peer):
        assert peer.ask(discover()) == json.loads(peer.line())
        assert 1002 == peer.ask(request("tools/list", 2))["id"]
        assert -32603 == peer.ask(request("tools/call", 3, name="echo", arguments={}))["error"]["code"]


# The command


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("missing", FileNotFoundError),
        ("not-executable", PermissionError),
        ("wrong-format", OSError),
        ("no-shebang", OSError),
        ("bad-shebang", FileNotFoundError),
        ("crlf-shebang", FileNotFoundError),
        ("directory", PermissionError),
        ("being-written", OSError),
    ],
)
def test_a_command_that_cannot_be_started_cannot_be_started(
    lab: Lab, command: str, problem: type[OSError]
) -> None:
    with lab.start(process(f'[process]\ncommand = "{command}"')) as running, pytest.raises(problem) as met:
        subprocess.run(running.argv, check=False)
    if problem is OSError:
        assert met.value.errno == (errno.ETXTBSY if command == "being-written" else errno.ENOEXEC)


@pytest.mark.parametrize(("cwd", "problem"), [("missing", FileNotFoundError), ("file", NotADirectoryError)])
def test_a_directory_that_is_none_is_passed_on(lab: Lab, cwd: str, problem: type[OSError]) -> None:
    with lab.start(process(f'[process]\ncwd = "{cwd}"')) as running:
        assert ("--cwd", running.cwd) == running.args[:2]
        with pytest.raises(problem):
            subprocess.run(running.argv, cwd=running.cwd, check=False)


def test_a_command_of_path_starts_the_program_and_tells_its_version(lab: Lab) -> None:
    made = process('[process]\ncommand = ["npx", "-y", "@lab/server"]\ncommands = {npx = "10.9.2"}')
    with started(lab, made) as (running, peer):
        assert ("--", "npx", "-y", "@lab/server") == running.target
        assert "result" in peer.ask(discover())
        told = subprocess.run(
            [f"{running.places['bin']}/npx", "--version"], capture_output=True, text=True, check=True
        )
        assert "10.9.2\n" == told.stdout


def test_a_login_command_is_on_the_path_of_a_login_shell_only(lab: Lab) -> None:
    made = process('[process]\ncommand = ["lab-server"]\npath = "gui"\nlogin_commands = {lab-server = "1.0"}')
    with lab.start(made) as running:
        shell = [running.env["SHELL"], "-l", "-c", "command -v lab-server"]
        found = subprocess.run(shell, env=running.env, capture_output=True, text=True, check=False)
        plain_shell = subprocess.run(
            ["/bin/sh", "-c", "command -v lab-server"], env=running.env, capture_output=True, check=False
        )
    assert f"{running.places['login_bin']}/lab-server\n" == found.stdout
    assert b"" == plain_shell.stdout


def test_the_environment_of_the_connector_becomes_options(lab: Lab) -> None:
    made = process(
        '[process]\nenv = {A = "1"}\npass_env = ["LAB_KEY"]\ninherits = "none"\n[run]\nenv = {LAB_KEY = "k"}'
    )
    with lab.start(made) as running:
        assert ("--inherit", "none", "--env", "A=1", "--env", "LAB_KEY") == running.args
        assert "k" == running.env["LAB_KEY"]


# What it says


def test_lines_come_at_the_start_before_and_after_an_answer(lab: Lab) -> None:
    made = script('stdout = ["hello", {before = "server/*", text = "b"}, {after = "server/*", text = "a"}]')
    with started(lab, made) as (_, peer):
        peer.say(discover())
        first, before, answer, after = (peer.line() for _ in range(4))
        assert (b"hello\n", b"b\n", b"a\n") == (first, before, after)
        assert 1 == json.loads(answer)["id"]


def test_a_server_request_may_wait_for_its_answer(lab: Lab) -> None:
    asked = '{jsonrpc = "2.0", id = 90, method = "roots/list"}'
    made = script(f'stdout = [{{before = "tools/list", awaits = true, message = {asked}}}]')
    with started(lab, made) as (_, peer):
        assert "roots/list" == peer.ask(request("tools/list", 2))["method"]
        assert 2 == peer.ask({"jsonrpc": "2.0", "id": 90, "result": {"roots": []}})["id"]


def test_stderr_may_show_what_the_process_was_given(lab: Lab) -> None:
    made = script('stderr = ["key is ${LAB_KEY}"]', rest='[run]\nenv = {LAB_KEY = "lab-key-1"}')
    with started(lab, made) as (_, peer):
        assert (b"", b"key is lab-key-1\n", 0) == peer.ended()


def test_a_flood_on_stderr_blocks_whoever_does_not_read_it(lab: Lab) -> None:
    with started(lab, script("stderr_flood_kib = 512")) as (_, peer):
        peer.say(discover())
        assert silent(peer)
        out, err, _ = peer.ended()
        assert (1, 512 * 1024) == (len(out.splitlines()), len(err))


# How it starts and ends


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("exit = {code = 3}", 3),
        ('exit = {when = "message", code = 4}', 4),
        ('exit = {when = "server/discover", code = 5}', 5),
        ('exit = {when = "stdin-closed", code = 6, after_ms = 20}', 6),
        ('exit = {signal = "SIGSEGV"}', -signal.SIGSEGV),
        ('exit = {signal = "SIGKILL", when = "message"}', -signal.SIGKILL),
    ],
)
def test_a_process_ends_when_and_how_it_was_told(lab: Lab, text: str, code: int) -> None:
    with started(lab, script(text)) as (_, peer):
        if "when" in text:
            peer.say(discover())
        out, _, ended = peer.ended()
        assert code == ended
        assert (1 if "stdin-closed" in text else 0) == len(out.splitlines())


def test_an_exit_may_come_after_the_answer_and_leave_last_words(lab: Lab) -> None:
    made = script(
        'exit = {when = "server/discover", answers_first = true, last_words = ["Traceback", "E: x"]}'
    )
    with started(lab, made) as (_, peer):
        assert "result" in peer.ask(discover())
        assert (b"", b"Traceback\nE: x\n", 1) == peer.ended()


def test_an_exit_may_be_one_start_only(lab: Lab) -> None:
    with lab.start(script("exit = {starts = 1}")) as running:
        with spawned(running) as peer:
            assert 1 == peer.ended()[2]
        with spawned(running) as peer:
            assert "result" in peer.ask(discover())
        assert [1, 2] == [event.start for event in running.events if event.what == "start"]


@pytest.mark.parametrize("value", ["", "set"])
def test_a_missing_variable_ends_the_process_unless_it_is_set(lab: Lab, value: str) -> None:
    made = script('needs_env = ["LAB_NEEDED"]', rest=f'[run]\nenv = {{LAB_NEEDED = "{value}"}}')
    with started(lab, made) as (_, peer):
        peer.stdin.close()
        assert (0 if value else 1) == peer.child.wait(20)
        complaint = b"" if value else b"Error: LAB_NEEDED environment variable is not set\n"
        assert complaint == peer.stderr.read()


def test_a_missing_variable_may_only_be_complained_about(lab: Lab) -> None:
    made = script('needs_env = [{name = "LAB_NEEDED", then = "complain", says = "LAB_NEEDED is not set"}]')
    with started(lab, made) as (_, peer):
        assert "result" in peer.ask(discover())
        assert b"warning: LAB_NEEDED is not set\n" == peer.ended()[1]


def test_a_missing_variable_may_make_every_call_an_error(lab: Lab) -> None:
    made = script('needs_env = [{name = "LAB_NEEDED", then = "tool-error", says = "no key"}]')
    with started(lab, made) as (_, peer):
        result = peer.ask(request("tools/call", 2, name="server_time", arguments={}))["result"]
        assert (True, "no key") == (result["isError"], result["content"][0]["text"])
        assert "structuredContent" not in result


@pytest.mark.parametrize(
    ("installer", "line"),
    [
        ("npx", b"npm warn exec"),
        ("uvx", b"Downloading"),
        ("pipx", b"creating"),
        ("docker", b"Unable to find"),
    ],
)
def test_a_first_start_installs_and_the_second_is_fast(lab: Lab, installer: str, line: bytes) -> None:
    with lab.start(script(f'slow_start = {{seconds = 0.6, with = "{installer}"}}')) as running:
        with spawned(running) as peer:
            peer.say(discover())
            assert line in peer.stderr.readline()
            # The installer is the only other process, and its name says what it does.
            (child,) = set(running.pids()) - {peer.child.pid}
            name = Path(f"/proc/{child}/comm").read_text().strip() if sys.platform == "linux" else None
            assert name in (None, "npm", "uv", "pip", "docker-pull")
            assert silent(peer, 0)
            assert "result" in json.loads(peer.line())
        with spawned(running) as peer:
            assert "result" in peer.ask(discover())
            assert b"" == peer.ended()[1]


def test_an_install_that_was_ended_starts_again(lab: Lab) -> None:
    with lab.start(script("slow_start = {seconds = 0.4}")) as running:
        for _ in range(2):
            with spawned(running) as peer:
                assert b"npm warn" in peer.stderr.readline()


@pytest.mark.parametrize("how", ["port", "lock-file"])
def test_a_second_instance_cannot_run_beside_the_first(lab: Lab, how: str) -> None:
    with lab.start(script(f'exclusive = "{how}"')) as running:
        with spawned(running) as first:
            assert "result" in first.ask(discover())
            with spawned(running) as second:
                out, err, code = second.ended()
                assert (b"", 1) == (out, code)
                assert (b"EADDRINUSE" if how == "port" else b"another instance") in err
            assert 0 == first.ended()[2]
        with spawned(running) as third:
            assert "result" in third.ask(discover())


def test_a_lock_file_outlives_a_process_that_was_killed(lab: Lab) -> None:
    with lab.start(script('exclusive = "lock-file"')) as running:
        with spawned(running) as first:
            assert "result" in first.ask(discover())
        with spawned(running) as second:
            assert 1 == second.ended()[2]


def test_a_wrapper_is_one_more_process_on_the_same_streams(lab: Lab) -> None:
    with started(lab, script("wrapper = true\nexit = {when = 'stdin-closed', code = 7}")) as (running, peer):
        assert "result" in peer.ask(discover())
        assert 2 == len(running.pids())
        assert 7 == peer.ended()[2]
        assert [] == running.pids()


@pytest.mark.parametrize("session", ["same-group", "setsid"])
def test_a_grandchild_stays_behind_until_the_scenario_stops(lab: Lab, session: str) -> None:
    made = script(f'grandchild = {{session = "{session}", ignores_sigterm = true}}')
    with lab.start(made) as running:
        with spawned(running) as peer:
            assert "result" in peer.ask(discover())
            assert 0 == peer.ended()[2]
        child = next(int(event.text) for event in running.events if event.what == "child")
        assert [child] == running.pids()
    assert [] == running.pids()


def test_a_grandchild_may_keep_the_pipes(lab: Lab) -> None:
    with started(lab, script('grandchild = {session = "setsid", keeps_pipes = true}')) as (running, peer):
        assert "result" in peer.ask(discover())
        peer.stdin.close()
        assert 0 == peer.child.wait(20)
        assert silent(peer)
        running.stop()
        assert b"" == peer.line()


def test_a_process_may_outlive_its_stdin_and_ignore_sigterm(lab: Lab) -> None:
    with started(lab, script("ignores_stdin_close = true\nignores_sigterm = true")) as (running, peer):
        assert "result" in peer.ask(discover())
        peer.stdin.close()
        peer.child.terminate()
        assert silent(peer)
        assert peer.child.poll() is None
        running.stop()
        assert -signal.SIGKILL == peer.child.wait(20)
