"""Arguments for a sample call, made from nothing but what the schema itself says.

Required members only, and only from ``const``, ``examples``, ``default`` or ``enum``: a value that nobody
wrote down is a guess, and a guess may be somebody's real identifier. The same schema always gives the same
arguments.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from diagnose.wire.rpc import encode_header_value
from diagnose_checks.schema_bounds import Path, local_target, positions
from diagnose_checks.schema_match import Undecided, first_mismatch

__all__ = ["CannotSynthesise", "mirrored_headers", "synthesise"]

_DEEPEST = 8
_LARGEST = 16 * 1024


class CannotSynthesise(Exception):
    """The schema does not say which arguments to send; the text names the member."""


def synthesise(schema: Any) -> dict[str, Any]:
    """The required arguments of a tool. Raises CannotSynthesise."""
    if not isinstance(schema, Mapping):
        raise CannotSynthesise("it has no input schema")
    found = _members(schema, schema, "", 0)
    if len(json.dumps(found)) > _LARGEST:
        raise CannotSynthesise(f"its own values are larger than {_LARGEST} bytes")
    try:
        mismatch = first_mismatch(schema, found)
    except Undecided as problem:
        raise CannotSynthesise(f"whether its own values fit depends on {problem}") from problem
    if mismatch is not None:
        where = mismatch.pointer or "the arguments"
        raise CannotSynthesise(f"its own values do not fit its schema: {where}: {mismatch.expected}")
    return found


def _members(root: Any, schema: Mapping[str, Any], at: str, depth: int) -> dict[str, Any]:
    required = schema.get("required", [])
    known = schema.get("properties", {})
    if not isinstance(required, list) or not isinstance(known, Mapping):
        raise CannotSynthesise(f"{at or 'its input schema'} is not a usable schema")
    made: dict[str, Any] = {}
    for name in required:
        if not isinstance(name, str) or name not in known:
            raise CannotSynthesise(f"{at}/{name} is required and not described")
        made[name] = _value(root, known[name], f"{at}/{name}", depth + 1)
    return made


def _value(root: Any, schema: Any, at: str, depth: int) -> Any:
    if depth > _DEEPEST or not isinstance(schema, Mapping):
        raise CannotSynthesise(f"{at} is required and has no value to take")
    for value in _offered(schema):
        return value
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        return _value(root, local_target(root, reference), at, depth + 1)
    for keyword in ("oneOf", "anyOf"):
        for branch in schema.get(keyword, ()) if isinstance(schema.get(keyword), list) else ():
            try:
                return _value(root, branch, at, depth + 1)
            except CannotSynthesise:
                continue
    if schema.get("type") == "null":
        return None
    if schema.get("type") == "object" and schema.get("required"):
        return _members(root, schema, at, depth)
    raise CannotSynthesise(f"{at} is required and has no value to take")


def _offered(schema: Mapping[str, Any]) -> Iterator[Any]:
    if "const" in schema:
        yield schema["const"]
    examples, choices = schema.get("examples"), schema.get("enum")
    if isinstance(examples, list) and examples:
        yield examples[0]
    if "default" in schema:
        yield schema["default"]
    if isinstance(choices, list) and choices:
        yield choices[0]


def mirrored_headers(schema: Any, arguments: Mapping[str, Any]) -> dict[str, str]:
    """The ``Mcp-Param-*`` headers of a call (Streamable HTTP 2026-07-28, custom headers)."""
    headers: dict[str, str] = {}
    for path, node in positions(schema):
        name = node.get("x-mcp-header")
        rendered = _rendered(_at(arguments, path[1::2])) if path and isinstance(name, str) else None
        if rendered is not None and path[::2] == ("properties",) * (len(path) // 2):
            headers[f"Mcp-Param-{name}"] = encode_header_value(rendered)
    return headers


def _at(arguments: Mapping[str, Any], names: Path) -> Any:
    value: Any = arguments
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _rendered(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else None
