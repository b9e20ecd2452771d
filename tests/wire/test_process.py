"""A server process: what it says is news, what it does not read is counted, and nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from diagnose.connector.launch import Launch
from diagnose.wire.process import ServerProcess
from diagnose.wire.stdout_lines import Line

T = TypeVar("T")
CHILD = (
    "import subprocess, sys\n"
    "subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']{more})\n"
)
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
READY = "print('ready', flush=True)\n"
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions of POSIX")


def run_with(program: str, use: Callable[[ServerProcess], Awaitable[T]]) -> T:
    """Start ``program``, use it, end it; whatever of it is alive afterwards fails the test."""

    async def body() -> tuple[T, list[int]]:
        launch = Launch(argv=(sys.executable, "-c", program), env=dict(os.environ), cwd=None, given=())
        process = await ServerProcess.start(launch)
        try:
            result = await asyncio.wait_for(use(process), 20)
        finally:
            await process.close()
        return result, [member.pid for member in process.family.look()]

    result, left = asyncio.run(body())
    assert [] == left
    return result


async def next_line(process: ServerProcess) -> Line:
    while True:
        line = process.take()
        if line is not None:
            return line
        assert not process.ended, f"no line: {process.ending()}"
        await process.news(5)


def test_a_line_on_stdout_is_there_when_it_ends() -> None:
    line = run_with(READY + "import sys; sys.stdin.read()", next_line)
    assert ("text", "ready") == (line.kind, line.text)


def test_an_exit_keeps_its_code_and_the_last_words() -> None:
    async def use(process: ServerProcess) -> tuple[int | None, str]:
        await process.settled()
        return process.exit_code, process.stderr.last(1)

    assert (3, "no such key") == run_with(
        "import sys; sys.stderr.write('one\\nno such key\\n'); sys.exit(3)", use
    )


@posix
def test_an_end_by_a_signal_is_named() -> None:
    async def use(process: ServerProcess) -> str:
        await process.settled()
        return process.ending()

    assert "killed by SIGKILL" == run_with("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", use)


def test_a_mebibyte_on_stderr_does_not_stop_the_server() -> None:
    program = (
        "import sys; sys.stderr.write('x' * 99 + '\\n' + ('y' * 99 + '\\n') * 10000); sys.stderr.flush()\n"
    )

    async def use(process: ServerProcess) -> tuple[str, int, str]:
        line = await next_line(process)
        await process.close()
        return line.text, process.stderr.size, process.stderr.lines[0].text[:1]

    text, size, first = run_with(program + READY + "sys.stdin.read()", use)
    assert ("ready", 1_000_100, "x") == (text, size, first)


@posix
def test_what_nobody_reads_is_counted() -> None:
    async def use(process: ServerProcess) -> int | None:
        await next_line(process)
        process.write(b"x" * 200_000)
        return process.unread()

    assert 200_000 == run_with(READY + "import signal; signal.pause()", use)


def test_closing_stdin_ends_a_server_that_listens_for_it() -> None:
    async def use(process: ServerProcess) -> tuple[str, int | None]:
        await next_line(process)
        closed = await process.close()
        return closed.how, closed.exit_code

    assert ("stdin closed", 0) == run_with(READY + "import sys; sys.stdin.read()", use)


@posix
@pytest.mark.parametrize(("handler", "how"), [("signal.SIG_DFL", "SIGTERM"), ("signal.SIG_IGN", "SIGKILL")])
def test_who_does_not_listen_is_ended_by_a_signal(handler: str, how: str) -> None:
    async def use(process: ServerProcess) -> tuple[str, bool]:
        await next_line(process)
        closed = await process.close()
        return closed.how, closed.ms < 3000

    program = f"import signal; signal.signal(signal.SIGTERM, {handler})\n{READY}while True: signal.pause()"
    assert (how, True) == run_with(program, use)


@posix
@pytest.mark.parametrize("more", ["", ", start_new_session=True"])
def test_a_child_that_outlives_its_server_is_named_and_ended(more: str) -> None:
    async def use(process: ServerProcess) -> list[bool]:
        await next_line(process)
        closed = await process.close()
        return ["signal.pause" in member.shown for member in closed.survivors]

    assert [True] == run_with(CHILD.format(more=more) + READY + "sys.stdin.read()", use)


@posix
def test_a_cancelled_caller_does_not_keep_the_process_alive() -> None:
    async def use(process: ServerProcess) -> bool:
        await next_line(process)
        closing = asyncio.ensure_future(process.close())
        await asyncio.wait([closing], timeout=0.05)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        await process.close()
        return psutil.pid_exists(process.pid)

    program = (
        f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{READY}while True: signal.pause()"
    )
    assert run_with(program, use) is False


@posix
def test_a_child_that_cannot_write_its_output_is_seen() -> None:
    async def use(process: ServerProcess) -> list[int]:
        await next_line(process)
        for _ in range(200):
            found = [waiting for _, waiting in process.family.blocked_children()]
            if found:
                return found
            await process.news(0.05)
        return []

    if sys.platform != "linux":
        pytest.skip("pipes of others are seen on Linux only")
    program = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', \"print('x' * 1000000)\"], stdout=subprocess.PIPE)\n"
        f"{READY}sys.stdin.read(); child.kill()"
    )
    assert [65536] == run_with(program, use)


@posix
def test_a_process_that_becomes_another_program_is_known_by_what_it_is_now() -> None:
    # "#!/usr/bin/env node" is env, then node with npx, and then calls itself npm exec.
    async def use(process: ServerProcess) -> list[str]:
        before = process.family.look()[0].name
        process.write(b"\n")
        await next_line(process)
        return [before, process.family.look()[0].name]

    became = "print('ready', flush=True); import sys; sys.stdin.read()"
    program = (
        f"import os, sys; sys.stdin.readline(); os.execv(sys.executable, ['/opt/bin/npx', '-c', {became!r}])"
    )
    assert [Path(sys.executable).name, "npx"] == run_with(program, use)
