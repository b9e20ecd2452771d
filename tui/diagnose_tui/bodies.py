"""Bodies as somebody reads them: JSON in lines, events one by one, everything else as it came.

Nothing is parsed into values and written again: members keep their order, their spelling and their doubles,
and a body of which only the beginning was kept is readable as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from diagnose.display import display

__all__ = ["Kind", "Row", "body_rows", "json_rows", "prose_rows", "text_rows", "value_rows"]

Kind = Literal["text", "prose", "json", "title", "header", "muted", "strong", "error", "warning", "pair"]


class Row(NamedTuple):
    """One line of a document. ``margin`` stands before it, as wide before what it is wrapped to.

    ``part`` is where a text differs from its pair: the beginning and the end of the characters.
    """

    text: str
    kind: Kind = "text"
    margin: str = ""
    part: tuple[int, int] = (0, 0)


_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_PARTNER = {"}": "{", "]": "["}
_DEEPEST = 24
"""Levels beyond this are not indented further: a pane has 40 to 150 columns."""
_TOO_DEEP = 500
"""Nobody reads a document of so many levels; it is shown as it came."""
_ON_ONE_LINE = 64
"""A list or object without lists and objects in it stays on one line up to this length."""
_LARGEST_VALUE = 256 * 1024
_TAB = 4


def text_rows(text: str, kind: Kind = "text", margin: str = "") -> list[Row]:
    """``text`` in its own lines; every character of it is visible and none acts."""
    return [Row(part, kind, margin) for part in display(text, layout=True).expandtabs(_TAB).split("\n")]


def prose_rows(label: str, text: str, kind: Kind = "prose") -> list[Row]:
    """Sentences beside their label; wrapped between words."""
    margin, blank = f"{label:<11}", " " * 11
    return [row._replace(margin=blank if at else margin) for at, row in enumerate(text_rows(text, kind))]


def body_rows(body: str, content_type: str = "", *, cut: bool = False) -> list[Row]:
    """A body by what it is; ``cut``: only its beginning was kept."""
    if not body.strip():
        return []
    if "text/event-stream" in content_type.lower():
        return list(_event_rows(body, cut=cut))
    return json_rows(body, cut=cut) or text_rows(body)


def value_rows(value: Any) -> list[Row]:
    """A value of a JSON document, at most 256 KB of it."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (RecursionError, ValueError, TypeError):
        return [Row("nested too deeply to be shown", "muted")]
    rows = _json(text[:_LARGEST_VALUE], cut=len(text) > _LARGEST_VALUE) or text_rows(text[:_LARGEST_VALUE])
    if len(text) > _LARGEST_VALUE:
        rows.append(Row(f"{len(text) - _LARGEST_VALUE} more characters are not shown", "muted"))
    return rows


def json_rows(text: str, *, cut: bool = False) -> list[Row]:
    """One JSON document, or one in each line; empty for what is no JSON, with a word where it means to be."""
    whole = _json(text, cut=cut)
    if whole:
        return whole
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1:
        each = [_json(line, cut=cut and line is lines[-1]) for line in lines]
        if any(each):
            return [row for line, rows in zip(lines, each, strict=True) for row in rows or text_rows(line)]
    if not text.lstrip().startswith(("{", "[")):
        return []
    why = _why(text)
    return [*([Row(f"not JSON: {why}", "warning")] if why and not cut else []), *text_rows(text)]


def _json(text: str, *, cut: bool) -> list[Row]:
    if not text.lstrip().startswith(("{", "[")):
        return []
    if not cut and _why(text):
        return []
    lines = _reflowed(text, cut=cut)
    if lines is None:
        return []
    return [
        Row(part, "json", " " * (len(line) - len(part))) for line in lines for part in (line.lstrip(" "),)
    ]


def _why(text: str) -> str:
    """Why ``text`` is no JSON; empty where it is, or where that cannot be told from what is shown.

    A character that was written out for display (``\\x9b``) is no escape of JSON, and was fine as it came.
    """
    try:
        json.loads(text)
    except json.JSONDecodeError as problem:
        if problem.msg.startswith("Invalid \\"):
            return ""
        return f"{problem.msg}, line {problem.lineno}, column {problem.colno}"
    except (RecursionError, ValueError):  # too deep, or a number of thousands of digits
        return ""
    return ""


def _reflowed(text: str, *, cut: bool) -> list[str] | None:
    """The tokens of ``text``, one member or element a line; None where brackets do not match."""
    lines: list[str] = []
    opened: list[tuple[str, int]] = []  # the bracket, and the line that it ends
    line, fresh = "", False
    for token in _TOKEN.findall(text):
        if token in _PARTNER:
            if not opened or opened[-1][0] != _PARTNER[token]:
                return None
            _, start = opened.pop()
            if not fresh:
                lines.append(line)
                line = _indent(len(opened))
            line, fresh = line + token, False
            line = _folded(lines, start, line)
            continue
        if fresh:
            lines.append(line)
            line, fresh = _indent(len(opened)), False
        if token in "{[":
            if len(opened) == _TOO_DEEP:
                return None
            opened.append((token, len(lines)))
            line, fresh = line + token, True
        elif token == ",":
            lines.append(line + ",")
            line = _indent(len(opened))
        else:
            line += ": " if token == ":" else display(token)
    if opened and not cut:
        return None
    return [*lines, line]


def _indent(depth: int) -> str:
    return "  " * min(depth, _DEEPEST)


def _folded(lines: list[str], start: int, last: str) -> str:
    """What was opened on line ``start``, on one line if it is short and holds nothing nested."""
    inside = lines[start + 1 :] if len(lines) - start <= _ON_ONE_LINE // 2 else []
    if not inside or any(part.endswith(("{", "[", "}", "]", "},", "],")) for part in inside):
        return last
    joined = lines[start] + " ".join(part.strip() for part in inside) + last.strip()
    if len(joined.strip()) > _ON_ONE_LINE:
        return last
    del lines[start:]
    return joined


def _event_rows(body: str, *, cut: bool) -> Iterator[Row]:
    """The events of a stream (WHATWG HTML 9.2), each with its fields, data as JSON where it is."""
    blocks = [block for block in re.split(r"(?:\^M)?\n(?:(?:\^M)?\n)+", body) if block.strip()]
    for number, block in enumerate(blocks, start=1):
        last = number == len(blocks)
        fields = [_field(line) for line in block.split("\n")]
        kinds = [value for name, value in fields if name == "event"]
        said = any(name == "data" for name, _ in fields)
        kind = display(kinds[-1]) if kinds else "message"
        yield Row(f"event {number}  {kind}" if said else "no event", "strong")
        for name, value in fields:
            if name != "data" and (name != "event" or not said):
                yield Row(display(value), "muted", f"{display(name) or 'comment':<9}")
        data = "\n".join(value for name, value in fields if name == "data")
        yield from body_rows(data, cut=cut and last)
        if not last:
            yield Row("")


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.removesuffix("^M").partition(":")
    return name, value.removeprefix(" ")
