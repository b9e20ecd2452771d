"""What is left when the app breaks: a whole terminal, one line, a file without values, exit code 70."""

from __future__ import annotations

import asyncio
import fcntl
import inspect
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import textual.app
from diagnose_tui.crash import CrashSafe, crash_of
from textual.app import App

CANARY = "lab-canary-secret-4711"
PROGRAM = Path(__file__).with_name("broken_app.py")
PLACES = (
    "handler",
    "worker",
    "thread_worker",
    "thread",
    "render",
    "compose",
    "timer",
    "callback",
    "chain",
    "css",
)


class Terminal:
    """A process on a terminal of its own, and everything that it wrote there."""

    def __init__(self, process: subprocess.Popen[bytes], master: int, before: list[Any]) -> None:
        self.process = process
        self._master = master
        self._before = before
        self._written = b""

    def read_until(self, text: bytes) -> None:
        """Wait for ``text`` on the terminal."""
        end = time.monotonic() + 30
        while text not in self._written:
            assert time.monotonic() < end, self._written
            self._read(1.0)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return True
        try:
            read = os.read(self._master, 65536)
        except OSError:  # the other end is closed
            return False
        self._written += read
        return bool(read)

    def type(self, text: bytes) -> None:
        os.write(self._master, text)

    def ended(self) -> tuple[int, str]:
        """Exit code and everything that was written."""
        end = time.monotonic() + 30
        while self.process.poll() is None:
            assert time.monotonic() < end, self._written
            self._read(0.1)
        while self._read(0.0) and select.select([self._master], [], [], 0)[0]:
            pass
        return self.process.returncode, self._written.decode("utf-8", "replace")

    def is_as_before(self) -> bool:
        """Whether echo, line editing and signals of the terminal are what they were."""
        return termios.tcgetattr(self._master)[:4] == self._before[:4]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Any]:
    """Start the broken app on a terminal: ``begin(place)``."""
    begun: list[tuple[subprocess.Popen[bytes], int, int]] = []

    def start(place: str, **environ: str) -> Terminal:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        before = termios.tcgetattr(master)
        given = {
            **os.environ,
            "TERM": "xterm-256color",
            "DIAGNOSE_STATE_DIR": str(tmp_path / "state"),
            **environ,
        }
        given["LAB_SECRET"] = CANARY
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), place], stdin=slave, stdout=slave, stderr=slave, env=given
        )
        begun.append((process, master, slave))
        return Terminal(process, master, before)

    yield start
    for process, master, slave in begun:
        process.kill()
        process.wait(10)
        os.close(master)
        os.close(slave)


def after_the_screen(written: str) -> list[str]:
    """The lines after the app has left the alternate screen."""
    left = written.rpartition("\x1b[?1049l")[2] if "\x1b[?1049l" in written else written
    plain = re.sub(r"\x1b\[[0-9;?<>]*[a-zA-Z]|\x1b\][^\x07]*\x07", "", left)
    return [line for line in plain.split("\r\n") if line.strip()]


def crash_files(folder: Path) -> list[Path]:
    return sorted((folder / "state" / "crashes").glob("crash-*.txt"))


@pytest.mark.parametrize("place", PLACES)
def test_an_exception_anywhere_ends_the_app_with_one_line_and_no_value(
    place: str, begin: Any, tmp_path: Path
) -> None:
    terminal = begin(place)
    code, written = terminal.ended()
    assert 70 == code
    (line,) = after_the_screen(written)
    assert re.match(r"diagnose: BUG001 internal error: \w+ at [\w./<>]+:\d+: ", line)
    (file,) = crash_files(tmp_path)
    assert f"crash file {file}" in line
    kept = file.read_text(encoding="utf-8")
    assert CANARY not in written
    assert CANARY not in kept
    assert "Traceback" not in written
    assert terminal.is_as_before()


def test_the_crash_file_has_types_places_and_names(begin: Any, tmp_path: Path) -> None:
    begin("chain").ended()
    (file,) = crash_files(tmp_path)
    kept = file.read_text(encoding="utf-8")
    assert kept.startswith("BUG001 ValueError at ")
    assert "  ValueError\n  KeyError\n" in kept
    assert re.search(r"broken_app\.py:\d+ secret_holder", kept)
    assert re.search(r"textual/\w+\.py:\d+ ", kept)
    assert "terminal 80x24" in kept
    assert "  action break_chain" in kept
    assert str(Path(sys.prefix)) not in kept


def test_what_was_typed_is_in_no_crash_file(begin: Any, tmp_path: Path) -> None:
    terminal = begin("key")
    terminal.read_until(b"ready")
    terminal.type(b"geheim!")
    assert 70 == terminal.ended()[0]
    (file,) = crash_files(tmp_path)
    kept = file.read_text(encoding="utf-8")
    assert "  Key" in kept
    assert [] == [line for line in kept.splitlines() if re.match(r"  (g|e|h|i|m|geheim)\b", line)]


def test_only_the_owner_reads_a_crash_file_and_ten_are_kept(begin: Any, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "crashes"
    folder.mkdir(parents=True, mode=0o700)
    for number in range(12):
        (folder / f"crash-20200101T0000{number:02}.000000-1.txt").touch()
    begin("handler").ended()
    files = crash_files(tmp_path)
    assert 10 == len(files)
    assert 0o600 == stat.S_IMODE(files[-1].stat().st_mode)
    assert not files[-1].name.startswith("crash-2020")


def test_a_folder_that_cannot_be_written_costs_the_file_alone(begin: Any, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder would be", encoding="utf-8")
    code, written = begin("handler").ended()
    assert 70 == code
    (line,) = after_the_screen(written)
    assert "no crash file could be written" in line


def test_nothing_but_the_app_writes_to_the_terminal(begin: Any) -> None:
    terminal = begin("noise")
    code, written = terminal.ended()
    assert 0 == code
    assert [] == re.findall(r"noise-\w+", written)
    assert [] == after_the_screen(written)


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGTERM, 130), (signal.SIGHUP, 130), (signal.SIGINT, 130)]
)
def test_a_signal_leaves_a_whole_terminal(number: signal.Signals, expected: int, begin: Any) -> None:
    terminal = begin("wait")
    terminal.read_until(b"ready")
    assert not terminal.is_as_before()
    terminal.process.send_signal(number)
    code, written = terminal.ended()
    assert expected == code
    assert "\x1b[?1049l" in written
    assert terminal.is_as_before()
    assert [] == after_the_screen(written)


def test_a_second_signal_ends_an_app_that_does_not_end(begin: Any) -> None:
    terminal = begin("stuck")
    terminal.read_until(b"ready")
    terminal.process.send_signal(signal.SIGTERM)
    terminal.read_until(b"ends not")
    terminal.process.send_signal(signal.SIGTERM)
    code, written = terminal.ended()
    assert 130 == code
    assert "\x1b[?1049l" in written
    assert terminal.is_as_before()


def test_an_endless_recursion_makes_a_short_file(begin: Any, tmp_path: Path) -> None:
    assert 70 == begin("recursion").ended()[0]
    (file,) = crash_files(tmp_path)
    assert file.read_text(encoding="utf-8").startswith("BUG001 RecursionError at ")
    assert file.stat().st_size < 64 * 1024


def test_an_exception_without_a_traceback_is_one_all_the_same() -> None:
    crash = crash_of(ValueError(CANARY))
    assert ("ValueError", "?") == (crash.kind, crash.place)


def test_textual_still_comes_to_these_methods() -> None:
    """The way out of Textual is private. Where this fails after an upgrade: read App._handle_exception and
    App._print_error_renderables of the new version, and see that nothing else prints a traceback."""
    theirs = inspect.getsource(textual.app)
    assert 1 == theirs.count("show_locals=True"), "another place prints local variables"
    assert "show_locals=True" in inspect.getsource(App._fatal_error)
    assert 1 == theirs.count("self._fatal_error()"), "_fatal_error is called from another place"
    assert ["self", "error"] == list(inspect.signature(App._handle_exception).parameters)
    assert ["self", "message"] == list(inspect.signature(App._dispatch_message).parameters)
    for name in ("_handle_exception", "_fatal_error", "panic", "_dispatch_message", "run_action"):
        assert name in vars(CrashSafe)
        assert name in vars(App) or name in vars(App.__mro__[1]) or hasattr(App, name)
    assert inspect.getsource(App._print_error_renderables).count("error_console.print") > 0


def test_an_error_in_a_test_still_reaches_the_test() -> None:
    class Broken(CrashSafe[None]):
        def on_mount(self) -> None:
            raise LookupError("for the test")

    async def play() -> None:
        async with Broken().run_test():
            pass

    with pytest.raises(LookupError, match="for the test"):
        asyncio.run(play())
