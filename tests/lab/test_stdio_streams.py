"""How the lab's local servers read and write, and the grammar that describes them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from diagnose_lab import Lab, ScenarioError
from diagnose_lab.scenario import parse

from .piping import (
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

# How it reads and writes


@pytest.mark.parametrize(
    "text",
    [
        'hangs = "idle"',
        'hangs = "busy"',
        'silent_on = ["*"]',
        'silent_on = ["server/discover"]',
        "buffered = true",
        'closes_stdout_on = ["none"]\nsilent_on = ["server/*"]',
    ],
)
def test_a_silent_process_stays_alive(lab: Lab, text: str) -> None:
    with started(lab, script(text)) as (_, peer):
        peer.say(discover())
        assert silent(peer)
        assert peer.child.poll() is None


def test_a_rule_may_delay_an_answer_for_ever(lab: Lab) -> None:
    rules = '[[rule]]\nwhen = {method = "server/discover"}\ndelay = "forever"'
    with started(lab, process(rules)) as (_, peer):
        peer.say(discover(), request("tools/list", 2))
        assert 2 == json.loads(peer.line())["id"]


def test_what_was_buffered_comes_at_the_end(lab: Lab) -> None:
    with started(lab, script("buffered = true")) as (_, peer):
        peer.say(discover())
        assert 1 == len(peer.ended()[0].splitlines())


def test_a_child_may_swallow_stdin(lab: Lab) -> None:
    with started(lab, script("stdin_swallowed = true")) as (running, peer):
        peer.say(discover())
        assert (b"", b"", 0) == peer.ended()
        assert [] == running.messages


def test_a_process_may_stop_reading(lab: Lab) -> None:
    with started(lab, script('stops_reading_after = "initialize"', era="legacy")) as (running, peer):
        opened(peer)
        peer.say(plain("tools/list", 2))
        assert silent(peer)
        assert ["initialize"] == [event.rpc_method for event in running.messages]


def test_a_tool_may_wait_for_a_child_that_nobody_reads(lab: Lab) -> None:
    with started(lab, script('deadlocks_in = ["server_time"]')) as (running, peer):
        assert "result" in peer.ask(request("tools/call", 1, name="echo", arguments={}))
        peer.say(request("tools/call", 2, name="server_time", arguments={}))
        assert silent(peer)
        assert 2 == len(running.pids())


@pytest.mark.parametrize(("text", "end"), [("x", b"x"), ("{}\\n", b"\n")])
def test_a_flood_has_no_end(lab: Lab, text: str, end: bytes) -> None:
    with started(lab, script(f'floods = {{on = "server/discover", text = "{text}"}}')) as (_, peer):
        peer.say(discover())
        assert end in peer.stdout.read(4 * 1024 * 1024)
        assert peer.child.poll() is None


def test_a_script_for_env_finds_its_interpreter_with_a_login_shell_only(lab: Lab) -> None:
    made = process(
        '[process]\ncommand = "env-shebang"\npath = "gui"\nlogin_commands = {lab-interpreter = "22"}'
    )
    with lab.start(made) as running:
        done = subprocess.run(running.argv, env=running.env, capture_output=True, check=False)
        assert 127 == done.returncode
        path = f"{running.places['login_bin']}:{running.env['PATH']}"
        with spawned(running, PATH=path) as peer:
            assert "result" in peer.ask(discover())


def test_half_an_answer_has_no_end(lab: Lab) -> None:
    with started(lab, script('partial_on = ["server/discover"]')) as (_, peer):
        peer.say(discover())
        assert peer.stdout.read(20).startswith(b'{"jsonrpc":"2.0","id')
        assert not peer.ended()[0].endswith(b"}\n")


def test_a_whole_answer_may_lack_its_line_end(lab: Lab) -> None:
    with started(lab, script('unterminated_on = ["*"]')) as (_, peer):
        peer.say(discover())
        out = peer.ended()[0]
        assert b"\n" not in out
        assert 1 == json.loads(out)["id"]


def test_stdout_may_be_closed_while_the_process_lives(lab: Lab) -> None:
    with started(lab, script('closes_stdout_on = ["server/discover"]\nstdout = ["x"]')) as (_, peer):
        peer.say(discover())
        assert b"x\n" == peer.line()
        assert b"" == peer.line()
        assert peer.child.poll() is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('encoding = "utf-8"', "é".encode()),
        ('encoding = "latin-1"', b"\xe9"),
        ('encoding = "utf-16"', b"\xe9\x00"),
        ('encoding = "utf-8-bom"', b"\xef\xbb\xbf{"),
        ('line_end = "\\r\\n"', b"}\r\n"),
        ("content_length = true", b"Content-Length: 2"),
        ("pretty_json = true", b'{\n  "jsonrpc": "2.0",\n'),
    ],
)
def test_the_bytes_of_an_answer_are_those_of_the_scenario(lab: Lab, text: str, expected: bytes) -> None:
    with started(lab, script(text, rest='[server]\ninstructions = "é"')) as (_, peer):
        peer.say(discover())
        assert expected in peer.ended()[0]


def test_bytes_that_are_no_text_can_be_said(lab: Lab) -> None:
    with started(lab, script('stdout = [{text_hex = "fffe000a"}]')) as (_, peer):
        assert b"\xff\xfe\x00\x0a" == peer.ended()[0]


# The grammar


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        (
            "[tls]",
            's.toml: tls speaks of a server that listens, so it has no meaning with transport = "stdio"',
        ),
        ("[server]\nsession = false", "s.toml: server.session speaks of a server that listens"),
        ("[[rule]]\nstatus = 500", "s.toml: rule.0.status speaks of a server that listens"),
        ("[[rule]]\nwhen = {http = 'GET'}", "s.toml: rule.0.when.http speaks of a server that listens"),
        ("[run]\nurl = 'x'", "s.toml: run.url speaks of a server that listens"),
        ("[run]\ncommand = 'login'", "s.toml: run.command speaks of a server that listens"),
        ("[tcp]\nbehaviour = 'banner'", "s.toml: tcp speaks of a server that listens"),
        ("[server]\nprofile = 'sdk-dual'", "s.toml: server.profile must be one of modern, legacy, dual"),
        ("[process]\ncomand = 'lab'", "s.toml: process.comand is unknown; allowed there: args, command"),
        ("[process]\ncommand = 'gone'", "s.toml: process.command must be one of lab, missing"),
        ("[process.script]\nexit = {signal = 'SIGHUP'}", "process.script.exit.signal must be one of SIGSEGV"),
        ("[process.script]\ngrandchild = 'x'", "process.script.grandchild.session must be one of same-group"),
        ("[process.script]\nstdout = [1]", "s.toml: process.script.stdout.0 must be a table, not 1"),
    ],
)
def test_a_mistake_in_a_process_is_refused(toml: str, sentence: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        parse(f'title = "t"\ntransport = "stdio"\nera = "modern"\n{toml}', name="s")
    assert sentence in str(refusal.value)


def test_a_server_has_no_process() -> None:
    with pytest.raises(ScenarioError, match=r's\.toml: process is only for transport = "stdio"'):
        parse('title = "t"\ntransport = "sse"\nera = "legacy"\n[process]', name="s")


def test_serving_a_process_prints_its_command_and_a_line_to_paste() -> None:
    code = "from diagnose_lab.serve import serve; raise SystemExit(serve('healthy-stdio-modern'))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        command, pasted = served.stdout.readline().strip(), served.stdout.readline().strip()
        folder = Path(command.split()[-1])
        assert folder.is_dir()
        served.terminate()
        assert served.wait(20) == 0
    assert f"diagnose -- {command}" == pasted
    assert not folder.exists()
