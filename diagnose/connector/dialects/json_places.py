"""JSON with comments made plain, and where a value stands in it: only the asked path is walked."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from json.decoder import scanstring  # type: ignore[attr-defined]  # the decoder's own, in C where there is one

__all__ = ["Places", "without_comments"]

_STRING = r'"(?:[^"\\\n]|\\.)*+"?'
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)
_BLANK = re.compile(r"[^\n]")
_SPACE = re.compile(r"\s*")

_Path = tuple[str | int, ...]


def without_comments(text: str, *, commas: bool = True) -> tuple[str, int | None]:
    """The text with comments and trailing commas made spaces, and the place of the first of them.

    Every other character keeps its place, so a fault of the rest is reported where it stands.
    """
    found: list[int] = []

    def blanked(match: re.Match[str]) -> str:
        if match.group().startswith('"'):
            return match.group()
        found.append(match.start())
        return _BLANK.sub(" ", match.group())

    plain = _COMMENT.sub(blanked, text)
    if commas:
        plain = _COMMA.sub(blanked, plain)
    return plain, min(found, default=None)


class Places:
    """The places of a valid document; a container is scanned once, when something in it is asked for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._decoder = json.JSONDecoder()
        self._known: dict[_Path, int] = {(): self._after_space(0)}
        self._names: dict[_Path, int] = {}
        self._scanned: set[_Path] = set()
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def find(self, at: _Path) -> tuple[int, int] | None:
        """Line and column, from 1, of the name of a member, or of an element."""
        for length in range(len(at)):
            if at[: length + 1] not in self._known and not self._scan(at[:length]):
                return None
        offset = self._names.get(at, self._known.get(at))
        if offset is None:
            return None
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def _after_space(self, offset: int) -> int:
        found = _SPACE.match(self._text, offset)
        return found.end() if found else offset

    def _scan(self, at: _Path) -> bool:
        if at in self._scanned or at not in self._known:
            return False
        self._scanned.add(at)
        text, offset = self._text, self._known[at]
        opening = text[offset : offset + 1]
        if opening not in ("{", "["):
            return False
        offset, index = self._after_space(offset + 1), 0
        while text[offset : offset + 1] not in ("}", "]", ""):
            key: str | int = index
            if opening == "{":
                start = offset
                key, offset = scanstring(text, offset + 1)
                self._names[(*at, key)] = start
                offset = self._after_space(self._after_space(offset) + 1)
            self._known[(*at, key)] = offset
            _, offset = self._decoder.raw_decode(text, offset)
            offset, index = self._after_space(offset), index + 1
            if text[offset : offset + 1] == ",":
                offset = self._after_space(offset + 1)
        return True
