"""Does a value fit a schema? Every keyword that needs no regular expression, within a budget of steps.

What is decided here is decided as ``jsonschema`` decides it (a property test compares the two). Whatever else
a schema says raises :class:`Undecided`, and the caller asks ``jsonschema`` in a process that can be killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from diagnose.records import record
from diagnose_checks.schema_bounds import Path, local_target, pointer_to

__all__ = ["Mismatch", "Undecided", "first_mismatch", "mismatches", "same"]

_FUEL = 50_000
_DEEPEST = 64


class Undecided(Exception):
    """This schema says something that is not judged here; the text names it."""


@record
class Mismatch:
    """The first place at which a value does not fit."""

    pointer: str
    keyword: str
    expected: str
    observed: str


def first_mismatch(schema: Any, value: Any) -> Mismatch | None:
    """Where ``value`` does not fit ``schema``, or None where it fits. Raises Undecided."""
    return next(mismatches(schema, value), None)


def mismatches(schema: Any, value: Any) -> Iterator[Mismatch]:
    """Every place where ``value`` does not fit ``schema``. Raises Undecided, on the way as well."""
    declared = schema.get("$schema") if isinstance(schema, Mapping) else None
    old = isinstance(declared, str) and "/draft-0" in declared
    return _Walk(root=schema, old=old).compare(schema, value, (), 0)


def same(left: Any, right: Any) -> bool:
    """JSON equality: true is not 1, 1.0 is 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(item, right[name]) for name, item in left.items())
    return bool(left == right) and type(left) in _COMPARABLE and type(right) in _COMPARABLE


_QUIET = Mismatch(pointer="", keyword="", expected="", observed="")
_COMPARABLE = (str, int, float, type(None))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
    "null": lambda value: value is None,
    "number": _is_number,
    "object": lambda value: isinstance(value, Mapping),
    "string": lambda value: isinstance(value, str),
}

# keyword: applies to, holds, words. A limit that is no number was found by the shape check.
_LIMITS: Mapping[str, tuple[Callable[[Any], bool], Callable[[Any, Any], bool], str]] = {
    "minimum": (_is_number, lambda value, limit: value >= limit, "at least {}"),
    "maximum": (_is_number, lambda value, limit: value <= limit, "at most {}"),
    "exclusiveMinimum": (_is_number, lambda value, limit: value > limit, "above {}"),
    "exclusiveMaximum": (_is_number, lambda value, limit: value < limit, "below {}"),
    "minLength": (_TYPES["string"], lambda value, limit: len(value) >= limit, "at least {} characters"),
    "maxLength": (_TYPES["string"], lambda value, limit: len(value) <= limit, "at most {} characters"),
    "minItems": (_TYPES["array"], lambda value, limit: len(value) >= limit, "at least {} items"),
    "maxItems": (_TYPES["array"], lambda value, limit: len(value) <= limit, "at most {} items"),
    "minProperties": (_TYPES["object"], lambda value, limit: len(value) >= limit, "at least {} members"),
    "maxProperties": (_TYPES["object"], lambda value, limit: len(value) <= limit, "at most {} members"),
}
_ELSEWHERE: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("pattern",), _TYPES["string"]),
    **dict.fromkeys(("multipleOf",), _is_number),
    **dict.fromkeys(
        ("uniqueItems", "prefixItems", "contains", "unevaluatedItems", "additionalItems"), _TYPES["array"]
    ),
    **dict.fromkeys(
        (
            "patternProperties",
            "propertyNames",
            "dependencies",
            "dependentRequired",
            "dependentSchemas",
            "unevaluatedProperties",
        ),
        _TYPES["object"],
    ),
    **dict.fromkeys(("$dynamicRef", "$recursiveRef", "if", "id"), lambda _: True),
}
"""Keywords that only jsonschema judges, and the values to which they apply."""


@dataclass(slots=True, kw_only=True)
class _Walk:
    root: Any
    steps: int = field(default=0)
    old: bool = False
    quiet: int = field(default=0)
    """Above 0 only whether something fits is asked, and no words are made."""

    def spend(self, steps: int = 1) -> None:
        self.steps += steps
        if self.steps > _FUEL:
            raise Undecided("more steps than an inline check may take")

    def mismatch(self, path: Path, keyword: str, expected: Callable[[], str], value: Any) -> Mismatch:
        if self.quiet:
            return _QUIET
        return Mismatch(
            pointer=pointer_to(path), keyword=keyword, expected=expected(), observed=_brief(value)
        )

    def compare(self, schema: Any, value: Any, path: Path, depth: int) -> Iterator[Mismatch]:
        self.spend()
        if depth > _DEEPEST:
            raise Undecided("more levels than an inline check may take")
        if schema is False:
            yield self.mismatch(path, "false", lambda: "nothing at all", value)
        if not isinstance(schema, Mapping):
            return
        for keyword, applies in _ELSEWHERE.items():
            if keyword in schema and applies(value):
                raise Undecided(f"the keyword {keyword}")
        if "$id" in schema and schema is not self.root:
            raise Undecided("an embedded $id")
        yield from self._reference(schema, value, path, depth)
        if self.old and "$ref" in schema:
            return  # through draft-07 whatever stands beside $ref is ignored
        yield from self._plain(schema, value, path)
        yield from self._combined(schema, value, path, depth)
        if isinstance(value, Mapping):
            yield from self._object(schema, value, path, depth)
        if isinstance(value, list):
            yield from self._array(schema, value, path, depth)

    def _reference(self, schema: Mapping[str, Any], value: Any, path: Path, depth: int) -> Iterator[Mismatch]:
        if "$ref" not in schema:
            return
        reference = schema["$ref"]
        target = local_target(self.root, reference) if isinstance(reference, str) else None
        if not isinstance(reference, str) or not reference.startswith("#") or target is None:
            raise Undecided("a $ref that is not a pointer into the schema")
        yield from self.compare(target, value, path, depth + 1)

    def _combined(self, schema: Mapping[str, Any], value: Any, path: Path, depth: int) -> Iterator[Mismatch]:
        for branch in _listed(schema, "allOf"):
            yield from self.compare(branch, value, path, depth + 1)
        if "anyOf" in schema and not any(self._fits(b, value, depth) for b in _listed(schema, "anyOf")):
            yield self.mismatch(path, "anyOf", lambda: f"one of {len(schema['anyOf'])} alternatives", value)
        if "oneOf" in schema:
            fitting = sum(self._fits(branch, value, depth) for branch in _listed(schema, "oneOf"))
            if fitting != 1:
                words = f"exactly one of {len(schema['oneOf'])} alternatives ({fitting} fit)"
                yield self.mismatch(path, "oneOf", lambda: words, value)
        if "not" in schema and self._fits(schema["not"], value, depth):
            yield self.mismatch(path, "not", lambda: "not what the schema excludes", value)

    def _fits(self, schema: Any, value: Any, depth: int) -> bool:
        self.quiet += 1
        try:
            return next(self.compare(schema, value, (), depth + 1), None) is None
        finally:
            self.quiet -= 1

    def _object(
        self, schema: Mapping[str, Any], value: Mapping[str, Any], path: Path, depth: int
    ) -> Iterator[Mismatch]:
        required = _listed(schema, "required")
        self.spend(len(required))
        for name in required:
            if name not in value:
                yield Mismatch(
                    pointer=pointer_to((*path, str(name))),
                    keyword="required",
                    expected="a member of this name",
                    observed="absent",
                )
        known = _mapping(schema.get("properties"))
        for name, item in value.items():
            if name in known:
                yield from self.compare(known[name], item, (*path, name), depth + 1)
            elif schema.get("additionalProperties") is False:
                yield self.mismatch(
                    (*path, name), "additionalProperties", lambda: "no member of this name", item
                )
            elif "additionalProperties" in schema:
                yield from self.compare(schema["additionalProperties"], item, (*path, name), depth + 1)

    def _array(
        self, schema: Mapping[str, Any], value: list[Any], path: Path, depth: int
    ) -> Iterator[Mismatch]:
        items = schema.get("items", True)
        if isinstance(items, list):
            raise Undecided("items as an array")
        for index, item in enumerate(value if items is not True else ()):
            yield from self.compare(items, item, (*path, str(index)), depth + 1)

    def _plain(self, schema: Mapping[str, Any], value: Any, path: Path) -> Iterator[Mismatch]:
        if "type" in schema:
            wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            self.spend(len(wanted))
            if not any(isinstance(name, str) and name in _TYPES and _TYPES[name](value) for name in wanted):
                yield self.mismatch(path, "type", lambda: " or ".join(map(str, wanted)), value)
        if "const" in schema and not same(schema["const"], value):
            yield self.mismatch(path, "const", lambda: _brief(schema["const"]), value)
        if "enum" in schema:
            choices = _listed(schema, "enum")
            self.spend(len(choices))
            if not any(same(item, value) for item in choices):
                yield self.mismatch(path, "enum", lambda: "one of " + _brief(choices), value)
        yield from self._limits(schema, value, path)

    def _limits(self, schema: Mapping[str, Any], value: Any, path: Path) -> Iterator[Mismatch]:
        for keyword, (applies, holds, words) in _LIMITS.items():
            limit = schema.get(keyword)
            if isinstance(limit, bool):
                raise Undecided(f"{keyword} as in draft-04")
            if _is_number(limit) and applies(value) and not holds(value, limit):
                text = words.format(limit)
                yield self.mismatch(path, keyword, lambda text=text: text, value)  # type: ignore[misc]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def _brief(value: Any) -> str:
    import json

    if isinstance(value, str):
        return json.dumps(value[:200], ensure_ascii=False)
    if isinstance(value, Mapping) and len(value) > 8:
        return f"an object of {len(value)} members"
    if isinstance(value, list) and len(value) > 8:
        return f"an array of {len(value)} items"
    return json.dumps(value, ensure_ascii=False)[:200]
