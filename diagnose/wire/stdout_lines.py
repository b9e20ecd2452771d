"""What comes out of a server's stdout, line by line: each line is a message or it has no business there.

MCP, stdio: messages are delimited by newlines, MUST NOT contain embedded ones, and stdout MUST NOT carry
anything else. Clients differ: the official ones skip what they cannot read, others end the connection.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any, Literal

from diagnose.records import record
from diagnose.wire.strict_json import HostileJson, Parsed, parse

__all__ = ["Kind", "Line", "LineReader", "joined_message", "reading_of"]

Kind = Literal[
    "response", "request", "notification", "batch", "json", "text", "encoding", "too-large", "blank"
]

_MARKS = ((codecs.BOM_UTF8, "UTF-8 with a byte order mark"), (codecs.BOM_UTF16_LE, "UTF-16"))
_KEPT = 4000


@record
class Line:
    """One line. ``at`` is the moment it ended, on the monotonic clock; ``parsed`` the JSON of it.

    ``detail`` says of a line that is no message what is wrong with it; ``hostile`` that it is JSON which no
    careful reader takes.
    """

    kind: Kind
    raw: bytes
    size: int
    at: float
    parsed: Parsed | None = None
    hostile: bool = False
    detail: str = ""

    @property
    def text(self) -> str:
        return self.raw[:_KEPT].decode("utf-8", "backslashreplace")

    @property
    def is_message(self) -> bool:
        return self.kind in ("response", "request", "notification")

    @property
    def speaks_rpc(self) -> bool:
        """Whether somewhere in the line a JSON-RPC message seems to stand."""
        return b'"jsonrpc"' in self.raw.replace(b"\x00", b"")


class LineReader:
    """Feed bytes, get lines; a line beyond ``limit`` bytes is cut and told at once, never kept."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._held = 0
        self._told = False

    def feed(self, chunk: bytes, at: float) -> Iterator[Line]:
        """The lines that ``chunk`` completes."""
        while (end := chunk.find(b"\n")) >= 0:
            self._take(chunk[:end])
            if self._told:
                self._parts, self._held, self._told = [], 0, False
            else:
                yield self._line(at)
            chunk = chunk[end + 1 :]
        self._take(chunk)
        if self._held > self._limit and not self._told:
            # Its end may never come, and nobody could read it anyway.
            self._told = True
            yield self._too_large(b"".join(self._parts), at)

    def rest(self, at: float) -> Line | None:
        """What stands after the last newline when the stream has ended."""
        return self._line(at) if self._held and not self._told else None

    @property
    def open(self) -> bytes:
        """What has come of a line that has not ended."""
        return b"".join(self._parts)[:_KEPT]

    def _take(self, part: bytes) -> None:
        if part and self._held <= self._limit:
            self._parts.append(part[: self._limit + 1 - self._held])
        self._held += len(part)

    def _line(self, at: float) -> Line:
        raw, size = b"".join(self._parts), self._held
        self._parts, self._held = [], 0
        return self._too_large(raw, at) if size > self._limit else reading_of(raw, at=at)

    def _too_large(self, raw: bytes, at: float) -> Line:
        detail = f"a line of more than {self._limit} bytes, of which no more are read"
        return Line(kind="too-large", raw=raw[:_KEPT], size=len(raw), at=at, detail=detail)


def reading_of(raw: bytes, *, at: float) -> Line:
    """What a line is, and what is wrong with it."""
    kind, parsed, detail, hostile = _read(raw)
    return Line(kind=kind, raw=raw, size=len(raw), at=at, parsed=parsed, detail=detail, hostile=hostile)


def _read(raw: bytes) -> tuple[Kind, Parsed | None, str, bool]:
    body = raw.strip()
    if not body:
        return "blank", None, "", False
    wrong = _encoding(raw)
    if wrong:
        return "encoding", None, wrong, False
    if body[:1] not in (b"{", b"["):
        return "text", None, "no JSON", False
    try:
        parsed = parse(body)
    except HostileJson as problem:
        return "text", None, str(problem), not problem.syntax
    kind, detail = _kind(parsed.value)
    return kind, parsed, detail, False


def _kind(value: Any) -> tuple[Kind, str]:
    if isinstance(value, list):
        batch = any(isinstance(item, dict) and item.get("jsonrpc") == "2.0" for item in value)
        return ("batch" if batch else "json"), "a JSON array"
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        return "json", 'JSON without "jsonrpc": "2.0"'
    if "method" in value:
        return ("request" if "id" in value else "notification"), ""
    return "response", ""


def _encoding(raw: bytes) -> str:
    for mark, name in _MARKS:
        if raw.startswith(mark):
            return name
    if b"\x00" in raw:
        return "UTF-16, or NUL characters between the others"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        around = raw[max(problem.start - 10, 0) : problem.start + 4]
        byte = raw[problem.start]
        return (
            f"byte 0x{byte:02x} at position {problem.start} is not UTF-8 (near {around.decode('latin-1')!r})"
        )
    return ""


def joined_message(lines: list[Line]) -> dict[str, Any] | None:
    """The message that stands across several lines, as a pretty printer writes it."""
    text = b"\n".join(line.raw for line in lines)
    start = text.find(b"{")
    while start >= 0:
        try:
            value, _ = json.JSONDecoder().raw_decode(text[start:].decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and value.get("jsonrpc") == "2.0":
            return value
        start = text.find(b"\n{", start)
        start = start + 1 if start >= 0 else -1
    return None
