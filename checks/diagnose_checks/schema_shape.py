"""Is this a JSON Schema? The metaschemas of five dialects as one table of keywords, walked in linear time.

``jsonschema`` says the same (a property test compares the two), but costs a quarter of a second to import and
runs metaschemas of a stranger's size on the event loop. Formats are not judged: ``\\p{L}`` is a good pattern
for the ECMA-262 engines that MCP clients run, and a bad one for Python's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from diagnose.records import record
from diagnose_checks.schema_bounds import Path, pointer_to

__all__ = ["DIALECTS", "SchemaFlaw", "dialect_of", "first_flaw"]

DIALECTS: Mapping[str, str] = {
    "https://json-schema.org/draft/2020-12/schema": "2020-12",
    "https://json-schema.org/draft/2019-09/schema": "2019-09",
    "http://json-schema.org/draft-07/schema": "draft-07",
    "http://json-schema.org/draft-06/schema": "draft-06",
    "http://json-schema.org/draft-04/schema": "draft-04",
}
"""Dialect names by the ``$schema`` that declares them, without a trailing ``#``."""

_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")


@record
class SchemaFlaw:
    """The first place at which a document is no schema of its dialect."""

    pointer: str
    expected: str
    observed: Any


Children = Callable[[Any], Iterable[tuple[Path, Any]]]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a keyword's value must be, and which schemas it holds."""

    expected: str
    accepts: Callable[[Any], bool]
    children: Children = lambda _: ()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return whole and not isinstance(value, bool) and value >= 0


def _are_names(value: Any) -> bool:
    strings = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return strings and len(set(value)) == len(value)


def _is_type(value: Any) -> bool:
    if isinstance(value, str):
        return value in _TYPES
    return _are_names(value) and bool(value) and all(item in _TYPES for item in value)


def _itself(value: Any) -> Iterable[tuple[Path, Any]]:
    return (((), value),)


def _each(value: Any) -> Iterable[tuple[Path, Any]]:
    return (((str(index),), item) for index, item in enumerate(value))


def _members(value: Any) -> Iterable[tuple[Path, Any]]:
    return (((str(name),), item) for name, item in value.items())


def _items(value: Any) -> Iterable[tuple[Path, Any]]:
    return _each(value) if isinstance(value, list) else _itself(value)


def _dependents(value: Any) -> Iterable[tuple[Path, Any]]:
    return (((str(name),), item) for name, item in value.items() if not isinstance(item, list))


_STRING = _Kind("a string", lambda value: isinstance(value, str))
_BOOLEAN = _Kind("true or false", lambda value: isinstance(value, bool))
_NUMBER = _Kind("a number", _is_number)
_POSITIVE = _Kind("a number above 0", lambda value: _is_number(value) and value > 0)
_COUNT = _Kind("a whole number of at least 0", _is_count)
_LIST = _Kind("an array", lambda value: isinstance(value, list))
_NAMES = _Kind("an array of different strings", _are_names)
_SOME_NAMES = _Kind(
    "an array of different strings, at least one", lambda value: _are_names(value) and bool(value)
)
_TYPE = _Kind("one of " + ", ".join(_TYPES) + ", or an array of them", _is_type)
_SCHEMA = _Kind("a schema", lambda _: True, _itself)
_SCHEMAS = _Kind("a non-empty array of schemas", lambda value: isinstance(value, list) and bool(value), _each)
_SCHEMA_MAP = _Kind("an object of schemas", lambda value: isinstance(value, Mapping), _members)
_SCHEMA_OR_LIST = _Kind(
    "a schema or a non-empty array of schemas",
    lambda value: not isinstance(value, list) or bool(value),
    _items,
)
_SCHEMA_OR_BOOLEAN = _Kind(
    "a schema or a boolean", lambda _: True, lambda value: () if isinstance(value, bool) else _itself(value)
)
_DEPENDENCIES = _Kind(
    "an object of schemas or arrays of different strings",
    lambda value: (
        isinstance(value, Mapping)
        and all(_are_names(item) for item in value.values() if isinstance(item, list))
    ),
    _dependents,
)
_DEPENDENCIES_OF_DRAFT_04 = _Kind(
    "an object of schemas or non-empty arrays of different strings",
    lambda value: (
        _DEPENDENCIES.accepts(value) and all(item for item in value.values() if isinstance(item, list))
    ),
    _dependents,
)
_NAME_MAP = _Kind(
    "an object of arrays of different strings",
    lambda value: isinstance(value, Mapping) and all(_are_names(item) for item in value.values()),
)

_ALWAYS: Mapping[str, _Kind] = {
    **dict.fromkeys(("$schema", "title", "description", "pattern", "format"), _STRING),
    **dict.fromkeys(
        ("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"), _COUNT
    ),
    **dict.fromkeys(("maximum", "minimum"), _NUMBER),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), _SCHEMAS),
    **dict.fromkeys(("definitions", "properties", "patternProperties"), _SCHEMA_MAP),
    "multipleOf": _POSITIVE,
    "uniqueItems": _BOOLEAN,
    "type": _TYPE,
    "not": _SCHEMA,
    "dependencies": _DEPENDENCIES,
}
_DRAFT_04: Mapping[str, _Kind] = {
    **_ALWAYS,
    **dict.fromkeys(("exclusiveMaximum", "exclusiveMinimum"), _BOOLEAN),
    **dict.fromkeys(("additionalItems", "additionalProperties"), _SCHEMA_OR_BOOLEAN),
    "id": _STRING,
    "dependencies": _DEPENDENCIES_OF_DRAFT_04,
    "items": _SCHEMA_OR_LIST,
    "required": _SOME_NAMES,
    "enum": _Kind("a non-empty array", lambda value: isinstance(value, list) and bool(value)),
}
_DRAFT_06: Mapping[str, _Kind] = {
    **_ALWAYS,
    **dict.fromkeys(("$id", "$ref"), _STRING),
    **dict.fromkeys(("exclusiveMaximum", "exclusiveMinimum"), _NUMBER),
    **dict.fromkeys(("additionalItems", "additionalProperties", "contains", "propertyNames"), _SCHEMA),
    **dict.fromkeys(("examples", "enum"), _LIST),
    "items": _SCHEMA_OR_LIST,
    "required": _NAMES,
}
_DRAFT_07: Mapping[str, _Kind] = {
    **_DRAFT_06,
    **dict.fromkeys(("$comment", "contentMediaType", "contentEncoding"), _STRING),
    **dict.fromkeys(("if", "then", "else"), _SCHEMA),
    "readOnly": _BOOLEAN,
}
_2019_09: Mapping[str, _Kind] = {
    **_DRAFT_07,
    **dict.fromkeys(("$anchor", "$recursiveRef"), _STRING),
    **dict.fromkeys(("$recursiveAnchor", "deprecated", "writeOnly"), _BOOLEAN),
    **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties", "contentSchema"), _SCHEMA),
    **dict.fromkeys(("$defs", "dependentSchemas"), _SCHEMA_MAP),
    **dict.fromkeys(("maxContains", "minContains"), _COUNT),
    "dependentRequired": _NAME_MAP,
}
_2020_12: Mapping[str, _Kind] = {
    **{name: kind for name, kind in _2019_09.items() if name not in ("additionalItems", "$recursiveAnchor")},
    **dict.fromkeys(("$dynamicRef", "$dynamicAnchor", "$recursiveAnchor"), _STRING),
    "items": _SCHEMA,
    "prefixItems": _SCHEMAS,
}
_KEYWORDS: Mapping[str, Mapping[str, _Kind]] = {
    "2020-12": _2020_12,
    "2019-09": _2019_09,
    "draft-07": _DRAFT_07,
    "draft-06": _DRAFT_06,
    "draft-04": _DRAFT_04,
}


def dialect_of(schema: Any) -> str | None:
    """The dialect that ``$schema`` declares, 2020-12 where it declares none; None for one we do not know."""
    declared = schema.get("$schema") if isinstance(schema, Mapping) else None
    if declared is None:
        return "2020-12"
    return DIALECTS.get(declared.removesuffix("#")) if isinstance(declared, str) else None


def first_flaw(schema: Any, dialect: str) -> SchemaFlaw | None:
    """Where ``schema`` breaks the metaschema of ``dialect``, or None. References are not followed."""
    keywords = _KEYWORDS[dialect]
    booleans = dialect != "draft-04"
    wanted = "a schema: an object or a boolean" if booleans else "a schema: an object"
    stack: list[tuple[Path, Any]] = [((), schema)]
    while stack:
        path, node = stack.pop()
        if booleans and isinstance(node, bool):
            continue
        if not isinstance(node, Mapping):
            return SchemaFlaw(pointer=pointer_to(path), expected=wanted, observed=node)
        for keyword, value in node.items():
            kind = keywords.get(keyword)
            if kind is None:
                continue
            if not kind.accepts(value):
                return SchemaFlaw(
                    pointer=pointer_to((*path, keyword)), expected=kind.expected, observed=value
                )
            stack.extend(((*path, keyword, *step), child) for step, child in kind.children(value))
    return None
