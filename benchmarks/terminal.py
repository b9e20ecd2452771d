"""A process on a terminal of its own, for what only somebody who looks at a screen can measure."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

__all__ = ["OnTerminal", "on_terminal"]

_LONGEST = 120.0


class OnTerminal:
    """What the process writes is read all the time, as a terminal does."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self.written = b""

    def read_until(self, text: bytes, longest: float = _LONGEST) -> float:
        """The time at which ``text`` stood in what was written. Raises RuntimeError where it never does."""
        end = time.perf_counter() + longest
        while text not in self.written:
            if time.perf_counter() > end or not self._read(1.0):
                raise RuntimeError(f"{text!r} was not written: {self.written[-2000:]!r}")
        return time.perf_counter()

    def settle(self, quiet: float = 0.3) -> None:
        """Read until nothing has come for ``quiet`` seconds."""
        while select.select([self._master], [], [], quiet)[0]:
            self._read(0)

    def answer_to(self, key: bytes) -> float:
        """Seconds from a key to the first byte that follows it."""
        began = time.perf_counter()
        os.write(self._master, key)
        if not select.select([self._master], [], [], _LONGEST)[0]:
            raise RuntimeError(f"nothing follows the key {key!r}")
        took = time.perf_counter() - began
        self.settle(0.05)
        return took

    def read_to_the_end(self) -> int:
        """The exit code, once the process has ended."""
        end = time.perf_counter() + _LONGEST
        while self.process.poll() is None and time.perf_counter() < end:
            self._read(0.1)
        return self.process.wait(1)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return self.process.poll() is None
        try:
            read = os.read(self._master, 1 << 16)
        except OSError:  # closed at the other end
            return False
        self.written = (self.written + read)[-(1 << 20) :]
        return bool(read)


@contextmanager
def on_terminal(
    command: Sequence[str], environ: Mapping[str, str], *, width: int = 120, height: int = 36
) -> Iterator[OnTerminal]:
    """Start ``command``; it is killed where it still runs at the end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env={**environ, "TERM": "xterm-256color"}
    )
    os.close(slave)
    try:
        yield OnTerminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)
