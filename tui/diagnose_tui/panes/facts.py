"""What a step found, in words: one line for each fact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diagnose.display import display
from diagnose_tui.flow import Block
from diagnose_tui.text import line

__all__ = ["fact_blocks", "fact_words"]

_ELSEWHERE = frozenset({"reason", "chain", "reused"})
"""Facts that the screen says in another place."""
_UNITS: Mapping[str, str] = {"_ms": "ms", "_bytes": "bytes", "_s": "s"}
_WIDEST_NAME = 24
_ITEMS = 12
_LONGEST = 2000
_DEEPEST = 5


def fact_blocks(facts: Mapping[str, Any]) -> list[Block]:
    """A block for each fact, its name in the margin."""
    shown = {_name(name): fact_words(name, value) for name, value in facts.items() if name not in _ELSEWHERE}
    margin = min(max(map(len, shown), default=0), _WIDEST_NAME) + 2
    return [
        Block(label=display(name), text=line(words), margin=margin, quiet=True)
        for name, words in shown.items()
    ]


def _name(name: str) -> str:
    for ending in _UNITS:
        name = name.removesuffix(ending)
    return name.replace("_", " ")


def fact_words(name: str, value: object) -> str:
    """``value`` as a person says it, with the unit that its ``name`` holds."""
    return _with_unit(name, value, 0)


def _with_unit(name: str, value: object, depth: int) -> str:
    words = _words(value, depth)[:_LONGEST]
    unit = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{words} {unit}" if unit and number else words


def _words(value: object, depth: int) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping | list | tuple) and depth > _DEEPEST:
        return "(deeper: see JSON)"
    if isinstance(value, Mapping):
        pairs = list(value.items())
        said = [f"{_name(str(key))} {_with_unit(str(key), item, depth + 1)}" for key, item in pairs[:_ITEMS]]
        return _listed(said, len(pairs), ", ")
    if isinstance(value, list | tuple):
        nested = any(isinstance(item, Mapping) for item in value)
        said = [_words(item, depth + 1) for item in value[:_ITEMS]]
        return _listed(said, len(value), "; " if nested else ", ")
    return str(value)


def _listed(said: list[str], total: int, between: str) -> str:
    more = f"{between}and {total - len(said)} more" if total > len(said) else ""
    return between.join(said) + more if said else "none"
