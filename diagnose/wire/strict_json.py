"""JSON from a stranger: bounded in depth, without NaN, with duplicate members noticed."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any

from diagnose.records import record

__all__ = ["MAX_DEPTH", "HostileJson", "Parsed", "parse"]

MAX_DEPTH = 64
"""Deeper documents are refused: no real one is, and recursion is how parsers die."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class HostileJson(ValueError):
    """Not JSON, or JSON that no careful reader accepts; the text says what and where.

    ``syntax`` is true for a plain syntax error, false for what is there to hurt a reader or does so.
    """

    def __init__(self, detail: str, *, syntax: bool = False) -> None:
        super().__init__(detail)
        self.syntax = syntax


@record
class Parsed:
    """A document and the names that stood twice in one of its objects."""

    value: Any
    duplicates: tuple[str, ...] = ()


def parse(body: bytes) -> Parsed:
    """Read one JSON document. Raises HostileJson."""
    duplicates: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            counted = Counter(name for name, _ in pairs)
            duplicates.extend(sorted(name for name, count in counted.items() if count > 1))
        return made

    def refuse(name: str) -> Any:
        raise HostileJson(f"{name} is not JSON (RFC 8259 6)")

    def number(digits: str) -> float:
        value = float(digits)
        if math.isinf(value):
            raise HostileJson("a number is too large for any reader (RFC 8259 6)")
        return value

    try:
        text = body.decode("utf-8")
        if text.startswith("\ufeff"):
            raise HostileJson("the body begins with a byte order mark (RFC 8259 8.1)")
        value = json.loads(text, object_pairs_hook=members, parse_constant=refuse, parse_float=number)
    except UnicodeDecodeError as problem:
        raise HostileJson(f"not UTF-8 at byte {problem.start}") from problem
    except json.JSONDecodeError as problem:
        detail = f"{problem.msg} at line {problem.lineno}, column {problem.colno}"
        raise HostileJson(detail, syntax=True) from problem
    except RecursionError as problem:
        raise HostileJson(f"nested deeper than {MAX_DEPTH} levels") from problem
    except ValueError as problem:
        if isinstance(problem, HostileJson):
            raise
        raise HostileJson("a number has more digits than any reader takes") from problem
    if _deeper_than(value, MAX_DEPTH):
        raise HostileJson(f"nested deeper than {MAX_DEPTH} levels")
    if _SURROGATE.search(text) and not _encodable(value):
        raise HostileJson("a lone surrogate: half a character that nobody can encode (RFC 8259 8.2)")
    return Parsed(value=value, duplicates=tuple(duplicates))


def _encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            item
            for container in level
            if isinstance(container, dict | list)
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True
