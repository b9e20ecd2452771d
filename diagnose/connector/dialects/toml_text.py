"""TOML by the standard library, and the lines that it does not tell: those of headers and of keys."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from diagnose.errors import UsageError

__all__ = ["read"]

_Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)([^\[\]#]+(?:\[[^\]]*\])?[^\[\]#]*)\]\]?\s*(#.*)?")
_KEY = re.compile(
    r"""\s*((?:"[^"\n]*"|'[^'\n]*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"\n]*"|'[^'\n]*'|[A-Za-z0-9_-]+))*)\s*="""
)
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_MOST_LINES = 20_000

_MISTAKES = (
    (r"Cannot declare|Cannot overwrite", "a name or a table stands twice: remove one of the two"),
    (r"Invalid value", "write a value TOML has: a string in double quotes, a number, true, false, [...]"),
    (r"Unescaped '\\'|Illegal character|Invalid.*escape", "write Windows paths in single quotes: 'C:\\dir'"),
    (r"Expected newline", "one setting on one line: quote the value, or move the rest to the next line"),
    (r"Expected '='", 'write NAME = "VALUE": TOML has no colon there'),
    (r"Unterminated|Unclosed", "close the quote or the bracket"),
    (r"Invalid initial character", "write a name; a name with other signs needs double quotes"),
)


def read(text: str, file: str) -> tuple[Any, dict[_Path, tuple[int, int]]]:
    """The tables of a document, and line and column of its keys. Raises UsageError CFG041."""
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        said = str(problem)
        found = _PLACE.search(said)
        what = _PLACE.sub("", said)
        what = re.sub(r"[^ -~]", "?", what)[:120]
        end = f"{text.count(chr(10)) + 1}:1"
        place = f"{found.group(1)}:{found.group(2)}" if found and found.group(1) else end
        hint = next((hint for pattern, hint in _MISTAKES if re.search(pattern, said)), "correct the line")
        raise _broken(f"the TOML is broken: {what[:1].lower()}{what[1:]}", hint, f"{file}:{place}") from None
    except RecursionError:
        raise _broken("the TOML is nested too deeply", "write it flatter", file) from None
    except ValueError:  # int() refuses what would take it minutes
        raise _broken("a number has too many digits", "shorten it", file) from None
    return value, _marks(text)


def _broken(what: str, hint: str, where: str) -> UsageError:
    return UsageError("CFG041", what, hint=hint, where=where)


def _marks(text: str) -> dict[_Path, tuple[int, int]]:
    marks: dict[_Path, tuple[int, int]] = {(): (1, 1)}
    counts: dict[_Path, int] = {}
    table: _Path = ()
    inside: str | None = None
    for number, line in enumerate(text.split("\n")[:_MOST_LINES], start=1):
        if inside is not None:  # the text of a string of several lines holds no keys
            inside = None if line.count(inside) % 2 else inside
            continue
        inside = next((quote for quote in ('"""', "'''") if line.count(quote) % 2), None)
        column = len(line) - len(line.lstrip()) + 1
        header = _HEADER.fullmatch(line)
        if header is not None:
            named = _names(header.group(2))
            if named is None:
                continue
            table = _placed(named, counts, header.group(1) == "[[")
            for length in range(1, len(table) + 1):
                marks.setdefault(table[:length], (number, column))
            continue
        key = _KEY.match(line)
        named = _names(key.group(1)) if key else None
        for length in range(1, len(named or ()) + 1):
            marks.setdefault((*table, *(named or ())[:length]), (number, column))
    return marks


def _placed(named: _Path, counts: dict[_Path, int], repeated: bool) -> _Path:
    """The path of a table, with the number of each array of tables that it lies in."""
    at: _Path = ()
    for position, name in enumerate(named):
        at = (*at, name)
        if repeated and position == len(named) - 1:
            counts[at] = counts.get(at, -1) + 1
        if at in counts:
            at = (*at, counts[at])
    return at


def _names(text: str) -> _Path | None:
    """The parts of a dotted key, by the parser itself."""
    try:
        value: Any = tomllib.loads(f"{text} = 0")
    except tomllib.TOMLDecodeError:
        return None
    parts: list[str] = []
    while isinstance(value, dict):
        ((name, value),) = value.items()
        parts.append(name)
    return tuple(parts)
