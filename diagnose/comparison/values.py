"""How a value of a report becomes text that can be compared and shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["leaves", "shown"]


def shown(value: object) -> str | None:
    """One value as text; of a list of plain values the order does not count."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        plain = all(not isinstance(item, dict | list | tuple) for item in value)
        return ", ".join(sorted(map(str, value))) or "none" if plain else _json(value)
    return _json(value) if isinstance(value, Mapping) else str(value)


def leaves(value: object, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Every plain value in a document with its JSON pointer; a list of plain values counts as one."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from leaves(item, f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for index, item in enumerate(value):
            yield from leaves(item, f"{pointer}/{index}")
    elif isinstance(value, list):
        yield pointer, json.dumps(sorted(value, key=str), ensure_ascii=False)
    else:
        yield pointer, value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
