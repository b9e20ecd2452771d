from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from diagnose_lab import Lab, Running, ScenarioError, load

from .wire import ask, scenario

EVERYTHING = """
[tls]
chain = "missing-intermediate-aia"
[dns]
[proxy]
[other]
[server.auth]
[authorization_server]
"""


def open_files() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counting, not walking


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")
def test_stopping_leaves_no_thread_and_no_descriptor() -> None:
    with Lab() as lab:
        lab.start(scenario(EVERYTHING)).stop()
    threads, files = threading.active_count(), open_files()
    with Lab() as lab:
        for text in (EVERYTHING, '[tcp]\nbehaviour = "accept-and-silence"', '[[rule]]\ndelay = "forever"'):
            with (
                lab.start(scenario(text)) as running,
                socket.create_connection(("127.0.0.1", running.port), 5) as sock,
            ):
                sock.sendall(b"GET /mcp HTTP/1.1\r\nhost: lab\r\n\r\n")
        lab.start("healthy-sdk-dual").stop()
    assert (threads, files) == (threading.active_count(), open_files())


def test_a_stopped_scenario_refuses_connections(lab: Lab) -> None:
    running = lab.start("healthy-modern")
    running.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port), 5)


def test_leaving_the_lab_stops_what_still_runs() -> None:
    with Lab() as lab:
        running = lab.start("healthy-modern")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port), 5)


def test_a_port_can_be_asked_for(lab: Lab) -> None:
    with lab.start("healthy-modern") as first:
        port = first.port
    with lab.start("healthy-modern", port=port) as second:
        assert second.url == f"http://127.0.0.1:{port}/mcp"


def test_a_scenario_that_cannot_start_leaves_the_lab_usable(lab: Lab) -> None:
    with pytest.raises(ScenarioError, match="names the tool 'nope'"):
        lab.start(scenario('[server]\ntools = ["nope"]'))
    with lab.start("healthy-modern") as running:
        assert ask(running).status_code == 200


def test_scenarios_run_side_by_side(lab: Lab) -> None:
    with lab.start("healthy-modern") as one, lab.start(load("healthy-modern")) as two:
        ask(one)
        assert (1, 0) == (len(one.log), len(two.log))


def test_requests_and_connections_are_recorded(lab: Lab) -> None:
    with lab.start("healthy-modern") as running:
        ask(running, "tools/call", {"name": "delete_everything", "arguments": {}})
        record = running.log[0]
        assert running.connections == 1
        assert ("POST", "/mcp", "tools/call", "delete_everything") == (
            record.method,
            record.path,
            record.rpc_method,
            record.tool,
        )


def test_listing_scenarios_imports_no_server() -> None:
    code = (
        "import sys, diagnose_lab; diagnose_lab.names();"
        "heavy = {'mcp', 'trustme', 'pydantic', 'httpx2', 'asyncio', 'cryptography'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_serving_prints_the_url_and_a_command_line_and_ends_on_a_signal() -> None:
    code = "from diagnose_lab.serve import serve; raise SystemExit(serve('healthy-basic'))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url, command = process.stdout.readline().strip(), process.stdout.readline().strip()
        process.terminate()
        assert process.wait(10) == 0
    assert command == f"diagnose {url} --header 'Authorization: Basic bGFiOmxhYi1wYXNz'"


def test_a_running_scenario_can_be_stopped_twice(lab: Lab) -> None:
    running: Running = lab.start("healthy-modern")
    running.stop()
    running.stop()
