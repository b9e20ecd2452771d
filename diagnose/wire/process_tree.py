"""The processes of one server: who they are, what they do, and how they are ended.

What differs between systems is here and nowhere else. On Linux and macOS a server is the leader of a
session, so that its group can be signalled as one; on Windows, where nothing was run, the tree itself is
ended. ``/proc`` (Linux) tells in addition who holds our pipes and whether a request was read from them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from diagnose.records import record

__all__ = ["LAUNCHERS", "Activity", "Family", "Member", "launcher_of", "unread"]

LAUNCHERS = frozenset(
    {"npx", "npm", "pnpm", "pnpx", "yarn", "bunx", "uvx", "uv", "pipx", "pip", "docker", "podman"}
)
"""Programs that fetch a server before they start it."""

_ATOMIC = 4096
"""PIPE_BUF: a writer waits while less than this is free."""
_SCRIPT_ENDINGS = (".js", ".cjs", ".mjs", ".py", ".exe", ".cmd", ".sh")
_GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied, ProcessLookupError)


def launcher_of(argv: tuple[str, ...]) -> str | None:
    """The launcher that a command line is, also behind the interpreter that runs it."""
    # npm sets its title, so that its whole command line stands in the first word.
    for word in (*argv[:2], *(argv[0].split()[:1] if argv else ())):
        name: str = word.replace("\\", "/").rpartition("/")[2].lower()
        for ending in _SCRIPT_ENDINGS:
            name = name.removesuffix(ending)
        name = {"npx-cli": "npx", "npm-cli": "npm"}.get(name, name)
        if name in LAUNCHERS:
            return name
    return None


@record
class Member:
    """One process as it was seen. ``created`` tells it from a later one with the same number."""

    pid: int
    created: float
    parent: int
    argv: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.argv[0].replace("\\", "/").rpartition("/")[2] if self.argv else "?"

    @property
    def shown(self) -> str:
        """The command line, as short as a sentence can hold it."""
        return " ".join(self.argv)[:120] or "a process without a command line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What a family has done so far: processor time in seconds, bytes read and written, processes seen.

    ``written`` are the bytes that launchers wrote, None where the system does not tell.
    """

    cpu: float
    bytes: int
    seen: int
    written: int | None

    def since(self, before: Activity) -> bool:
        """Whether anything worth the name happened after ``before``."""
        return (
            self.cpu - before.cpu > 0.03 or self.bytes - before.bytes > 32 * 1024 or self.seen > before.seen
        )


@dataclass(slots=True, kw_only=True)
class Family:
    """A process and its descendants, remembered also after they left it. ``root`` is the one we started."""

    root: int
    _seen: dict[int, psutil.Process] = field(default_factory=dict)
    _members: dict[int, Member] = field(default_factory=dict)
    _cpu: dict[int, float] = field(default_factory=dict)
    _bytes: dict[int, int] = field(default_factory=dict)
    _written: dict[int, int] = field(default_factory=dict)

    def look(self) -> tuple[Member, ...]:
        """The members that are alive now, the root first; whoever is new is remembered."""
        root = self._seen.get(self.root)
        if (
            root is None or root.is_running()
        ):  # again and again: "env node npx" becomes "node npx" becomes npm
            self._remember(self.root, root)
        for process in tuple(self._seen.values()):
            with contextlib.suppress(*_GONE):
                if process.is_running():
                    for child in process.children(recursive=True):
                        self._remember(child.pid, child)
        for pid in self._of_session():
            self._remember(pid)
        return tuple(member for member in self._members.values() if self._alive(member.pid))

    def activity(self) -> Activity:
        """What all members have done, the dead ones counted with what was last seen of them."""
        self.look()
        for pid, process in self._seen.items():
            with contextlib.suppress(*_GONE):
                times = process.cpu_times()
                self._cpu[pid] = times.user + times.system
            with contextlib.suppress(*_GONE, AttributeError, NotImplementedError):
                counted: Any = process.io_counters()  # not on macOS
                read = getattr(counted, "read_chars", counted.read_bytes)
                self._written[pid] = getattr(counted, "write_chars", counted.write_bytes)
                self._bytes[pid] = read + self._written[pid]
        return Activity(
            cpu=sum(self._cpu.values()),
            bytes=sum(self._bytes.values()),
            seen=len(self._members),
            written=sum(self._by_launchers()) if self._written else None,
        )

    def _by_launchers(self) -> Iterator[int]:
        for pid, written in self._written.items():
            if launcher_of(self._members[pid].argv) is not None:
                yield written

    def launcher(self) -> Member | None:
        """A launcher that is alive and has started nothing (any more)."""
        alive = self.look()
        parents = {member.parent for member in alive}
        return next(
            (
                member
                for member in alive
                if launcher_of(member.argv) is not None and member.pid not in parents
            ),
            None,
        )

    def blocked_children(self) -> Iterator[tuple[Member, int]]:
        """Descendants whose stdout is a full pipe that nobody reads (Linux), with the bytes in it."""
        for member in self.look():
            if member.pid == self.root:
                continue
            waiting, room = _bytes_in_pipe(f"/proc/{member.pid}/fd/1")
            if waiting and room < _ATOMIC:
                yield member, waiting

    def readers_of(self, inode: int) -> tuple[Member, ...]:
        """Members whose stdin is the pipe with this inode (Linux; elsewhere nobody)."""
        return tuple(member for member in self.look() if _inode(f"/proc/{member.pid}/fd/0") == inode)

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the server's group; on Windows, which has none, end the server's tree."""
        if sys.platform == "win32":
            for process in tuple(self._seen.values()):
                with contextlib.suppress(*_GONE):
                    process.terminate()
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.root, number)

    def kill_all(self) -> None:
        """Kill whoever of the family is alive, wherever it went."""
        self.look()
        for process in self._seen.values():
            with contextlib.suppress(*_GONE):
                process.kill()

    def _alive(self, pid: int) -> bool:
        process = self._seen[pid]
        with contextlib.suppress(*_GONE):
            return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
        return False

    def _remember(self, pid: int, process: psutil.Process | None = None) -> None:
        try:
            process = process or psutil.Process(pid)
            known = self._members.get(pid)
            if known is not None and known.created == process.create_time():
                if not known.argv or known.argv != tuple(process.cmdline()):
                    self._members[pid] = _member(process)
                return
            self._members[pid], self._seen[pid] = _member(process), process
        except _GONE:
            return

    def _of_session(self) -> Iterator[int]:
        """Members of the server's session whose parent is gone; only ours can be in it."""
        if sys.platform == "win32":
            return
        for pid in psutil.pids():
            if pid not in self._members:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    if os.getsid(pid) == self.root:
                        yield pid


def _member(process: psutil.Process) -> Member:
    return Member(
        pid=process.pid,
        created=process.create_time(),
        parent=process.ppid(),
        argv=tuple(process.cmdline()),
    )


def unread(descriptor: int) -> int | None:
    """Bytes that wait in a pipe, asked at either end; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    import array
    import fcntl
    import termios

    held = array.array("i", [0])
    try:
        fcntl.ioctl(descriptor, termios.FIONREAD, held)
    except OSError:
        return None
    return held[0]


def _bytes_in_pipe(path: str) -> tuple[int, int]:
    """Bytes that wait in the pipe at ``path``, and the room that is left; nothing for what is no pipe."""
    if sys.platform != "linux":
        return 0, 0
    import fcntl

    try:
        if not str(Path(path).readlink()).startswith("pipe:"):
            return 0, 0
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return 0, 0
    try:
        waiting = unread(descriptor) or 0
        return waiting, fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) - waiting
    finally:
        os.close(descriptor)


def _inode(path: str) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        target = str(Path(path).readlink())
        if target.startswith("pipe:["):
            return int(target[6:-1])
    return None
