"""The app in a real terminal: started in tmux, driven by keys, read from its screen, left behind clean."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from cli.machine import Machine, http, servers, stdio
from diagnose_lab import Lab

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux here: apt-get install tmux"),
]

_PATIENCE_S = 30.0
_LOOK_EVERY_S = 0.05
_TERMINAL = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
_LEFT_CLEAN = "0 0 0 1 0"
_MODES = "#{alternate_on} #{mouse_any_flag} #{mouse_sgr_flag} #{cursor_flag} #{pane_in_mode}"


class Terminal:
    """A tmux of its own with one pane, in which a shell waits. Every wait has a deadline."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._socket = folder / "tmux"
        self._environ = environ
        self._exit_code = folder / "exit-code"
        self._tmux("-f", os.devnull, "new-session", "-d", "-x", "100", "-y", "30", "-s", "app", "sh")

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self._socket), *arguments]
        done = subprocess.run(
            command, env=self._environ, capture_output=True, text=True, check=True, timeout=_PATIENCE_S
        )
        return done.stdout

    def run(self, *command: str) -> None:
        """Type a command, whose exit code is kept when it ends."""
        line = f"{shlex.join(command)}; echo $? > {shlex.quote(str(self._exit_code))}.new"
        done = f"mv {shlex.quote(str(self._exit_code))}.new {shlex.quote(str(self._exit_code))}"
        self._tmux("send-keys", "-t", "app", "-l", f"{line}; {done}")
        self.press("Enter")

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", "-t", "app", *keys)

    def write(self, text: str) -> None:
        self._tmux("send-keys", "-t", "app", "-l", text)

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-t", "app", "-x", str(width), "-y", str(height))

    @property
    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-t", "app")

    @property
    def text(self) -> str:
        """The screen as running text, without the frames between its parts."""
        return " ".join(self.screen.replace("│", " ").split())

    @property
    def modes(self) -> str:
        """What a program may have left switched on; and whether the cursor is shown."""
        return self._tmux("display-message", "-p", "-t", "app", _MODES).strip()

    @property
    def shell(self) -> int:
        """The process in the pane."""
        return int(self._tmux("display-message", "-p", "-t", "app", "#{pane_pid}"))

    def wait(self, holds: Callable[[], Any], what: str, within_s: float = _PATIENCE_S) -> None:
        """Look again and again until ``holds``."""
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain for: {what}\n{self.screen}"
            time.sleep(_LOOK_EVERY_S)  # a screen tells nobody that it changed

    def shows(self, *texts: str) -> None:
        self.wait(lambda: all(text in self.text for text in texts), " and ".join(texts))

    def hides(self, text: str, within_s: float = _PATIENCE_S) -> None:
        self.wait(lambda: text not in self.text, f"no {text}", within_s)

    def insist(self, key: str, question: str) -> None:
        """Press ``key`` until ``question`` is gone: a key that comes with a question is no answer to it."""

        def answered() -> bool:
            self.press(key)
            try:
                self.hides(question, within_s=_PATIENCE_S / 5)
            except AssertionError:
                return False
            return True

        self.wait(answered, f"{key} as the answer to {question}")

    def ends(self) -> int:
        """The exit code of the command, once it has ended."""
        self.wait(self._exit_code.exists, "the end of the command")
        return int(self._exit_code.read_text(encoding="utf-8"))

    def close(self) -> None:
        self._tmux("kill-server")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def terminal(tmp_path: Path, machine: Machine) -> Iterator[Terminal]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TMUX")}
    own = {
        **machine.env,
        **_TERMINAL,
        "COLUMNS": "100",  # as a shell may export them: the terminal's own size counts
        "LINES": "30",
        "DIAGNOSE_STATE_DIR": str(tmp_path / "state"),
        "DIAGNOSE_HISTORY": "on",
        "DIAGNOSE_KEYRING": "off",
    }
    opened = Terminal(tmp_path, {**kept, **own})
    yield opened
    opened.close()


def _app(terminal: Terminal, machine: Machine, *arguments: str) -> None:
    python = [sys.executable, "-m", "diagnose", "tui", *arguments]
    terminal.run("env", f"--chdir={machine.project}", *python)


def _inside(terminal: Terminal) -> list[psutil.Process]:
    return psutil.Process(terminal.shell).children(recursive=True)


def test_from_the_file_of_a_client_to_the_cause_by_keys_alone(
    lab: Lab, machine: Machine, terminal: Terminal
) -> None:
    with lab.start("healthy-modern") as healthy, lab.start("http-wrong-path") as broken:
        machine.put(".cursor/mcp.json", servers(calendar=http(healthy.url), intranet=http(broken.url)))
        _app(terminal, machine)
        terminal.shows("calendar", "intranet")

        terminal.press("/")
        terminal.shows("name, client or address")
        terminal.write("intra")
        terminal.hides("calendar")
        terminal.press("Enter")
        terminal.shows(
            "FAILED", "HTTP001", "Nothing that speaks MCP is at", "Set the URL of the connector to"
        )

        terminal.press("e")
        terminal.shows("What it means", "The server is up and answered in HTTP")
        terminal.press("Escape")
        terminal.hides("What it means")
        terminal.press("8")
        terminal.shows("just now", "the first run that is kept")
        terminal.press("r")
        terminal.wait(lambda: 2 == terminal.screen.count("HTTP001 HTTP"), "the second run in the history")

        terminal.resize(40, 10)
        terminal.shows("This terminal is 40x10; the app needs 60x16.")
        terminal.resize(100, 30)
        terminal.shows("HTTP001")

        terminal.press("q")
        assert 0 == terminal.ends()
    assert _LEFT_CLEAN == terminal.modes
    assert "HTTP001" not in terminal.screen


def test_a_request_to_end_leaves_a_clean_terminal_and_says_so_by_its_exit_code(
    machine: Machine, terminal: Terminal
) -> None:
    _app(terminal, machine, "--demo", "tls-expired")
    terminal.shows("TLS003", "expired on")
    (app,) = _inside(terminal)
    app.terminate()
    assert 130 == terminal.ends()
    assert _LEFT_CLEAN == terminal.modes
    assert [] == _inside(terminal)


def test_no_server_outlives_the_app_that_started_it(lab: Lab, machine: Machine, terminal: Terminal) -> None:
    with lab.start("stdio-hangs-at-start") as running:
        machine.put(".cursor/mcp.json", servers(files=stdio(running.target[1:])))
        _app(terminal, machine)
        terminal.shows("files")
        terminal.press("Enter")
        terminal.shows("Start this process?")
        terminal.insist("y", "Start this process?")
        terminal.wait(lambda: len(_inside(terminal)) > 1, "a server that was started")
        started = _inside(terminal)
        terminal.press("q")
        assert 0 == terminal.ends()
        assert [] == [process for process in started if process.is_running()]
    assert _LEFT_CLEAN == terminal.modes
