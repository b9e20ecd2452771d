"""What a server wrote to stderr: the beginning and the end of it, 64 KiB in all, with the times.

It is evidence and never an error by itself (MCP, stdio: clients SHOULD NOT assume that it is one).
"""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass, field

__all__ = ["Said", "StderrRing"]

_HEAD = 16 * 1024
_TAIL = 48 * 1024
_LONGEST_LINE = 2000
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One line and when it came, on the monotonic clock."""

    text: str
    at: float


@dataclass(slots=True, kw_only=True)
class StderrRing:
    """Feed bytes; the first 16 KiB and the last 48 KiB are kept."""

    size: int = 0
    ended: bool = False
    _head: list[Said] = field(default_factory=list)
    _tail: deque[Said] = field(default_factory=deque)
    _held: tuple[int, int] = (0, 0)
    _open: bytes = b""

    def feed(self, chunk: bytes) -> None:
        """Take what came."""
        self.size += len(chunk)
        *whole, rest = (self._open + chunk).split(b"\n")
        self._open = rest[:_LONGEST_LINE]
        for line in whole:
            self._add(line)

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        if self._open:
            self._add(self._open)
            self._open = b""

    @property
    def lines(self) -> tuple[Said, ...]:
        """The lines that are kept, in their order, blank ones left out; the last may be unfinished."""
        rest = (_said(self._open),) if self._open.strip() else ()
        return (*self._head, *self._tail, *rest)

    def last(self, count: int = 12) -> str:
        """The last lines as one block."""
        return "\n".join(line.text for line in self.lines[-count:])

    def _add(self, raw: bytes) -> None:
        if not raw.strip():
            return
        line = _said(raw)
        head, tail = self._held
        if head + len(raw) <= _HEAD and not self._tail:
            self._head.append(line)
            self._held = head + len(raw), tail
            return
        self._tail.append(line)
        tail += len(line.text)
        while tail > _TAIL:
            tail -= len(self._tail.popleft().text)
        self._held = head, tail


def _said(raw: bytes) -> Said:
    # Colours of a terminal are no part of what was said.
    text = raw[:_LONGEST_LINE].decode("utf-8", "backslashreplace").rstrip("\r")
    return Said(text=_COLOURS.sub("", text), at=time.monotonic())
