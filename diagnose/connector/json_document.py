"""A JSON file that somebody wrote by hand: read with a bound, and every fault named by its place.

RFC 8259 leaves doubled names and numbers without a value to the reader; both are refused here, because
which of two credentials is meant cannot be guessed.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diagnose.errors import UsageError

__all__ = ["LIMIT", "Place", "content_of", "decoded", "kind_of", "parsed", "read", "syntax_fault"]

LIMIT = 1024 * 1024
"""Bytes; above this a file is not looked at."""

_KINDS = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
# A member name that is spelt like a token is not quoted: it may have slipped out of its value.
_TOKEN_LIKE = re.compile(r"(?=.*[0-9])(?=.*[a-z])[\w.+/=-]{24,}")


def kind_of(value: object) -> str:
    """What JSON calls a value, with its article."""
    kind = _KINDS.get(type(value), "number")
    return f"an {kind}" if kind[0] in "ao" else kind if kind == "null" else f"a {kind}"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a document, as RFC 6901 points to it."""

    file: str
    at: tuple[str | int, ...] = ()

    def down(self, *parts: str | int) -> Place:
        return Place(self.file, (*self.at, *parts))

    @property
    def pointer(self) -> str:
        return "".join(f"/{_escaped(part)}" for part in self.at)

    def __str__(self) -> str:
        return f"{self.file} {self.pointer}" if self.at else self.file


def _escaped(part: str | int) -> str:
    text = str(part)
    if _TOKEN_LIKE.fullmatch(text):
        return "[redacted]"
    return (text if len(text) <= 60 else text[:60] + "...").replace("~", "~0").replace("/", "~1")


class _Twice(dict[str, Any]):
    """An object in which one name stands twice."""

    twice = ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    twice = _Twice(made)
    times = Counter(name for name, _ in pairs)
    twice.twice = next(name for name, count in times.items() if count > 1)
    return twice


def read(path: Path) -> Any:
    """The document in a file. Raises UsageError CFG017 for its syntax, CFG018 where it cannot be read."""
    document = parsed(decoded(content_of(path, LIMIT), str(path)), str(path))
    _refuse_ambiguous(document, Place(str(path)))
    return document


def parsed(text: str, file: str) -> Any:
    """The document in ``text``; an object in which a name stands twice is a ``dict`` with its ``twice``.

    Raises UsageError CFG017 with line, column and the probable mistake.
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as problem:
        message = re.sub(r"( starting)? at$", "", problem.msg)
        what = f"the JSON is broken: {message[:1].lower()}{message[1:]}"
        place = _at_the_comma(text, problem.pos)
        hint = "remove this comma" if text[place : place + 1] == "," else _correction(text, problem)
        raise _broken(file, text, place, what, hint) from None
    except RecursionError:
        raise syntax_fault("the JSON is nested too deeply", "write it flatter", file) from None
    except ValueError:  # int() refuses what would take it minutes
        raise syntax_fault("a number has too many digits", "shorten it", file) from None


def content_of(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most ``limit`` bytes. Raises UsageError CFG018."""
    # Without O_NONBLOCK a named pipe that nobody writes to would hold us here for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as problem:
        reason = os.strerror(problem.errno or 0) if isinstance(problem, OSError) else "a NUL in its name"
        if isinstance(problem, FileNotFoundError) and path.is_symlink():
            reason = "it is a link, and what it points to does not exist"
        raise _unreadable(f"cannot be read: {reason.lower()}", str(path)) from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = "a directory" if stat.S_ISDIR(mode) else "no regular file"
            raise _unreadable(f"is {kind}", str(path))
        with open(descriptor, "rb", closefd=False) as stream:
            content = stream.read(limit + 1)
    except OSError as problem:
        raise _unreadable(f"cannot be read: {str(problem.strerror).lower()}", str(path)) from None
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise _unreadable(f"is larger than {limit // 1024} KiB", str(path))
    return content


def _unreadable(what: str, file: str) -> UsageError:
    hint = "name a file of connectors that this user may read"
    return UsageError("CFG018", f"the connector file {what}", where=file, hint=hint)


def decoded(content: bytes, file: str) -> str:
    """The text of a file, without a byte order mark. Raises UsageError CFG017."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        column = problem.start - content.rfind(b"\n", 0, problem.start)
        raise syntax_fault("the file is no UTF-8", "save it as UTF-8", f"{file}:{line}:{column}") from None


def syntax_fault(what: str, hint: str, where: str) -> UsageError:
    """Broken JSON, in the words of a UsageError."""
    return UsageError("CFG017", what, where=where, hint=hint)


def _broken(file: str, text: str, position: int, what: str, hint: str) -> UsageError:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return syntax_fault(what, hint, f"{file}:{line}:{column}")


_MISTAKES: tuple[tuple[re.Pattern[str], re.Pattern[str], str], ...] = tuple(
    (re.compile(before, re.DOTALL), re.compile(after), hint)
    for before, after, hint in (
        (r"\s*", r"\s*\Z", "the file is empty; write a connector into it"),
        (r"", r"\s*\Z", "something is not closed: add what is missing of } and ]"),
        (r"", r"//|/\*|#", "JSON has no comments: remove it"),
        (r"", r"'", "write double quotes instead of single ones"),
        (r"", r"(True|False|None)\b", "JSON writes true, false and null in lower case"),
        (r"", r"[\u201c\u201d\u2018\u2019]", "write straight double quotes instead of curly ones"),
    )
)
"""What stands before the place and at it, and what to do about it; the first row that fits."""

_BY_MESSAGE = (
    ("Unterminated string", "close the string with a double quote"),
    ("Invalid control character", "close the string on the line it begins on; a line break in it is \\n"),
    ("Invalid \\", "double the backslash: \\\\"),
    ("Extra data", 'a file is one JSON document: write {"connectors": [...]} around several'),
    ("Expecting ',' delimiter", "a comma is missing before it, or a double quote"),
    ("Expecting ':' delimiter", "write a colon between a name and its value"),
    ("Expecting property name", "write the name in double quotes"),
)


def _at_the_comma(text: str, place: int) -> int:
    """The place of a trailing comma: Python 3.13 names it, earlier versions name the bracket after it."""
    before = text[:place].rstrip()
    if text[place : place + 1] in ("}", "]") and before.endswith(","):
        return len(before) - 1
    return place


def _correction(text: str, problem: json.JSONDecodeError) -> str:
    for message, hint in _BY_MESSAGE[:3]:  # inside a string the characters around the place mean nothing
        if problem.msg.startswith(message):
            return hint
    before, after = text[max(problem.pos - 200, 0) : problem.pos], text[problem.pos : problem.pos + 200]
    for left, right, hint in _MISTAKES:
        if right.match(after) and (not left.pattern or left.fullmatch(before)):
            return hint
    found = (hint for message, hint in _BY_MESSAGE if problem.msg.startswith(message))
    return next(found, "write a JSON value there")


def _refuse_ambiguous(document: Any, top: Place) -> None:
    for place, value in _walk(document, top):
        if isinstance(value, _Twice):
            where = str(place.down(value.twice))
            raise syntax_fault("a name stands twice in one object", "remove one of the two", where)
        if isinstance(value, float) and not math.isfinite(value):
            hint = "write a number, or the word in double quotes"
            raise syntax_fault("NaN and Infinity are no JSON numbers", hint, str(place))


def _walk(document: Any, top: Place) -> Iterator[tuple[Place, Any]]:
    waiting = [(top, document)]
    while waiting:
        place, value = waiting.pop()
        yield place, value
        if isinstance(value, dict):
            waiting += [(place.down(name), entry) for name, entry in value.items()]
        elif isinstance(value, list):
            waiting += [(place.down(index), entry) for index, entry in enumerate(value)]
