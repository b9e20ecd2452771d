"""One server process: started as its client starts it, read without ever blocking it, and always ended.

Its stderr is drained into a ring from the first moment, because a full pipe stops a server; its stdout is
read line by line within limits. What happens to it (lines, exit, closed streams) is news that whoever waits
gets at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from diagnose.connector.launch import Launch
from diagnose.records import record
from diagnose.wire.process_tree import Family, Member, unread
from diagnose.wire.stderr_ring import StderrRing
from diagnose.wire.stdout_lines import Line, LineReader

__all__ = ["CLOSE_GRACE", "Closing", "ServerProcess", "kill_remaining"]

_LINE_LIMIT = 8 * 1024 * 1024
_WAITING_LINES = 1000
_WAITING_BYTES = 16 * 1024 * 1024
_AFTER_EXIT = 0.25
"""Seconds in which what an ended process had written still arrives."""
CLOSE_GRACE = 1.6
"""Seconds for a server to end by itself. The official Python SDK waits 2; all of it must end within 3."""
_TERM_GRACE = 0.5
_KILL_GRACE = 0.3

_live: set[ServerProcess] = set()


def kill_remaining() -> None:
    """Kill every process that is still there, without waiting: for a process that is about to end itself."""
    for process in tuple(_live):
        process.family.kill_all()


@record
class Closing:
    """How a process was let go. ``survivors`` outlived it and had to be killed."""

    how: Literal["it had exited", "stdin closed", "SIGTERM", "SIGKILL", "not ended"]
    ms: float
    exit_code: int | None
    survivors: tuple[Member, ...] = ()


@dataclass(slots=True, kw_only=True, eq=False)
class ServerProcess:
    """A running server. ``number`` counts the starts of a run from 1."""

    launch: Launch
    number: int
    pid: int
    began: float
    family: Family
    lines: deque[Line] = field(default_factory=deque)
    stderr: StderrRing = field(default_factory=StderrRing)
    exit_code: int | None = None
    exited_at: float | None = None
    stdout_ended: bool = False
    stdin_lost: bool = False
    _reader: LineReader = field(default_factory=lambda: LineReader(limit=_LINE_LIMIT))
    _held: int = 0
    _paused: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _transport: Any = None
    _stdin: Any = None
    _closing: asyncio.Task[Closing] | None = None

    @classmethod
    async def start(cls, launch: Launch, *, number: int = 1) -> ServerProcess:
        """Start it in a session of its own. Raises OSError, and ValueError for a NUL character."""
        loop = asyncio.get_running_loop()
        process = cls(launch=launch, number=number, pid=0, began=time.monotonic(), family=Family(root=0))
        given, ours = (subprocess.PIPE, None) if sys.platform == "win32" else os.pipe()
        try:
            transport, _ = await loop.subprocess_exec(
                lambda: _Pipes(process),
                *launch.argv,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(launch.env),
                cwd=launch.cwd,
                start_new_session=sys.platform != "win32",
            )
        except BaseException:
            if ours is not None:
                os.close(ours)
            raise
        finally:
            if ours is not None:
                os.close(given)
        process._transport, process.pid = transport, transport.get_pid()
        process.family.root = process.pid
        _live.add(process)
        if ours is None:
            process._stdin = transport.get_pipe_transport(0)
        else:
            process._stdin, _ = await loop.connect_write_pipe(
                lambda: _Stdin(process), os.fdopen(ours, "wb", buffering=0)
            )
        process.family.look()
        return process

    @property
    def alive(self) -> bool:
        return self.exited_at is None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: stdout has ended, or the process has and its pipe went quiet."""
        return self.stdout_ended or (
            self.exited_at is not None and time.monotonic() - self.exited_at > _AFTER_EXIT
        )

    @property
    def seconds(self) -> float:
        """How long it has lived, or did."""
        return (self.exited_at or time.monotonic()) - self.began

    def ending(self) -> str:
        """How it ended, in words."""
        if self.exit_code is None:
            return "it closed its stdout and is still running" if self.stdout_ended else "it is running"
        if self.exit_code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-self.exit_code).name}"
        return f"exit code {self.exit_code}"

    def write(self, data: bytes) -> bool:
        """Queue ``data`` for stdin, never waiting; false where stdin is closed."""
        if self.stdin_lost or self._stdin is None or self._stdin.is_closing():
            return False
        self._stdin.write(data)
        return True

    def unread(self) -> int | None:
        """Bytes that we wrote and nobody has read; None where the system does not tell."""
        if self._stdin is None or self._stdin.is_closing():
            return None
        pipe = self._stdin.get_extra_info("pipe")
        waiting = unread(pipe.fileno()) if pipe is not None else None
        return None if waiting is None else waiting + self._stdin.get_write_buffer_size()

    def stdin_inode(self) -> int | None:
        """What names our stdin pipe in ``/proc``."""
        if self._stdin is None or self._stdin.is_closing() or sys.platform != "linux":
            return None
        return os.fstat(self._stdin.get_extra_info("pipe").fileno()).st_ino

    def open_line(self) -> bytes:
        """What has come of a line without its newline."""
        return self._reader.open

    async def news(self, within: float) -> None:
        """Wait until something happens to it, at most ``within`` seconds."""
        if not self.lines and not self.ended:
            if self.exited_at is not None:  # its end is news in itself, once its pipes are quiet
                within = min(within, _AFTER_EXIT)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._news.wait()
        self._news.clear()

    def take(self) -> Line | None:
        """The next line, if one is there."""
        if not self.lines:
            return None
        line = self.lines.popleft()
        self._held -= line.size
        if self._paused and len(self.lines) < _WAITING_LINES // 2 and self._held < _WAITING_BYTES // 2:
            self._paused = False
            self._pipe(1, "resume_reading")
        return line

    async def settled(self) -> None:
        """Wait until its exit is known and its streams have ended, as long as that usually takes."""
        until = time.monotonic() + 2 * _AFTER_EXIT
        while time.monotonic() < until and (self.alive or not self.stdout_ended or not self.stderr.ended):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(until - time.monotonic()):
                    await self._news.wait()
            self._news.clear()

    async def close(self) -> Closing:
        """End it as the specification says: close stdin, wait, SIGTERM, SIGKILL; at most 3 s in all.

        The work goes on when the caller is cancelled; whoever calls again gets the same result.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        return await asyncio.shield(self._closing)

    async def _close(self) -> Closing:
        began = time.monotonic()
        self.family.look()
        how = await self._end()
        exited = self.exited_at
        gently = how in ("stdin closed", "it had exited")
        left = await self._left_behind(began + CLOSE_GRACE if gently else time.monotonic() + _KILL_GRACE)
        if left:
            await self._kill_all()
        await self._until_exit(_KILL_GRACE)
        ms = ((exited or time.monotonic()) - began) * 1000
        self._release()
        return Closing(how=how, ms=round(max(ms, 0.0), 1), exit_code=self.exit_code, survivors=left)

    async def _end(self) -> Any:
        if not self.alive:
            return "it had exited"
        if self._stdin is not None:
            # What nobody reads would keep the stream open for ever.
            self._stdin.abort() if self._stdin.get_write_buffer_size() else self._stdin.close()
        if await self._until_exit(CLOSE_GRACE):
            return "stdin closed"
        self.family.signal_group(signal.SIGTERM)
        if await self._until_exit(_TERM_GRACE):
            return "SIGTERM"
        if sys.platform != "win32":
            self.family.signal_group(signal.SIGKILL)
        self.family.kill_all()
        return "SIGKILL" if await self._until_exit(_KILL_GRACE) else "not ended"

    async def _left_behind(self, until: float) -> tuple[Member, ...]:
        """Who of the family is alive although the server is gone; children have time to notice it."""
        while True:
            left = tuple(member for member in self.family.look() if member.pid != self.pid)
            if not left or time.monotonic() >= until:
                return left
            await self._wait(0.02)

    async def _kill_all(self) -> None:
        """Kill the family and see it gone: a signal is on its way for a moment."""
        self.family.kill_all()
        until = time.monotonic() + _KILL_GRACE
        while time.monotonic() < until and any(member.pid != self.pid for member in self.family.look()):
            await self._wait(0.02)

    async def _until_exit(self, within: float) -> bool:
        until = time.monotonic() + within
        while self.alive and time.monotonic() < until:
            self.lines.clear()  # a server that is stuck writing could not end
            self._held = 0
            if self._paused:
                self._paused = False
                self._pipe(1, "resume_reading")
            self.family.look()
            await self._wait(min(0.1, max(until - time.monotonic(), 0.001)))
        return not self.alive

    async def _wait(self, within: float) -> None:
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._news.wait()

    def _release(self) -> None:
        for pipe in (0, 1, 2):
            self._pipe(pipe, "close")
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.abort()
        with contextlib.suppress(PermissionError, ProcessLookupError):
            self._transport.close()
        _live.discard(self)

    def _pipe(self, number: int, method: str) -> None:
        pipe = self._transport.get_pipe_transport(number) if self._transport is not None else None
        if pipe is not None and not (method != "close" and pipe.is_closing()):
            getattr(pipe, method)()

    def _got(self, chunk: bytes) -> None:
        now = time.monotonic()
        for line in self._reader.feed(chunk, now):
            self._add(line)
        if not self._paused and (len(self.lines) > _WAITING_LINES or self._held > _WAITING_BYTES):
            self._paused = True
            self._pipe(1, "pause_reading")
        self._news.set()

    def _add(self, line: Line) -> None:
        self.lines.append(line)
        self._held += line.size

    def _lost(self, number: int) -> None:
        if number == 1 and not self.stdout_ended:
            rest = self._reader.rest(time.monotonic())
            if rest is not None:
                self._add(rest)
            self.stdout_ended = True
        elif number == 2:
            self.stderr.end()
        self._news.set()

    def _ended_with(self, code: int | None) -> None:
        self.exit_code, self.exited_at = code, time.monotonic()
        self._news.set()


class _Pipes(asyncio.SubprocessProtocol):
    def __init__(self, process: ServerProcess) -> None:
        self._process = process
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:
            self._process._got(data)
        else:
            self._process.stderr.feed(data)
            self._process._news.set()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 0:
            self._process.stdin_lost = True
        self._process._lost(fd)

    def process_exited(self) -> None:
        self._process._ended_with(self._transport.get_returncode())


class _Stdin(asyncio.Protocol):
    def __init__(self, process: ServerProcess) -> None:
        self._process = process

    def connection_lost(self, exc: Exception | None) -> None:
        self._process.stdin_lost = True
        self._process._news.set()
