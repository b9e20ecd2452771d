"""A form for the arguments of a tool, from its ``inputSchema``: a stranger's document of any shape.

Building a form is linear in what it shows and never fails: what it cannot express is a field for JSON.
Nothing here matches a pattern of the schema; that is left to :mod:`diagnose_checks.schema_process`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import isinf
from typing import Any, Literal

from diagnose_checks.schema_bounds import excess, local_target, pointer_to

from diagnose.display import display
from diagnose.errors import UsageError

__all__ = [
    "ABSENT",
    "MOST_FIELDS",
    "Form",
    "FormField",
    "collected",
    "form_of",
    "json_object",
    "json_text",
    "parsed",
    "typed_text",
]

Kind = Literal["text", "number", "integer", "choice", "list", "json"]

MOST_FIELDS = 60
_DEEPEST = 3
_MOST_CHOICES = 200
_LONGEST_LABEL = 60
_LONGEST_DESCRIPTION = 400
_LONGEST_LINE = 2000
_MOST_REFERENCES = 8
_SCALARS = ("string", "number", "integer", "boolean")
_WORDS: Mapping[Kind, str] = {
    "text": "text",
    "number": "a number",
    "integer": "a whole number",
    "choice": "one of the list",
    "list": "one value on each line",
    "json": "JSON",
}


class Absent:
    """The one value that is no value."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


@dataclass(frozen=True, kw_only=True)
class FormField:
    """One value of the arguments. ``path`` are its member names; ``items`` is the type of a list's items."""

    path: tuple[str, ...]
    kind: Kind
    required: bool = False
    description: str = ""
    choices: tuple[Any, ...] = ()
    items: str = "string"
    value: Any = ABSENT

    @property
    def pointer(self) -> str:
        return pointer_to(self.path)

    @property
    def label(self) -> str:
        shown = " / ".join(self.path)
        return shown if len(shown) <= _LONGEST_LABEL else shown[:_LONGEST_LABEL] + "..."

    @property
    def wanted(self) -> str:
        """What belongs into it, in words."""
        return _WORDS[self.kind]


@dataclass(frozen=True, kw_only=True)
class Form:
    """The fields in their order, the required objects around them, and what of the arguments has no field."""

    fields: tuple[FormField, ...] = ()
    objects: tuple[tuple[str, ...], ...] = ()
    note: str = ""
    rest: Mapping[str, Any] = field(default_factory=dict)


def form_of(schema: Any, arguments: Mapping[str, Any] | None = None) -> Form:
    """The form of ``schema``, filled with ``arguments``, or with what the schema itself offers."""
    if not isinstance(schema, Mapping):
        return Form(
            note="The tool has no schema for its arguments: write them as JSON.", rest=arguments or {}
        )
    over = excess(schema)
    if over is not None:
        note = f"The schema has more than {over.limit}: write the arguments as JSON."
        return Form(note=note, rest=arguments or {})
    walk = _Walk(root=schema, given=arguments)
    found = list(islice(walk.members(schema, (), 0, True), MOST_FIELDS + 1))
    note = f"Only the first {MOST_FIELDS} fields are here; the others are given as JSON."
    fields = tuple(found[:MOST_FIELDS])
    return Form(
        fields=fields,
        objects=tuple(walk.objects),
        note=note if len(found) > MOST_FIELDS else "",
        rest=_without(arguments or {}, [one.path for one in fields]),
    )


@dataclass(kw_only=True)
class _Walk:
    root: Any
    given: Mapping[str, Any] | None
    objects: list[tuple[str, ...]] = field(default_factory=list)

    def members(
        self, schema: Mapping[str, Any], path: tuple[str, ...], depth: int, needed: bool
    ) -> Iterator[FormField]:
        properties = schema.get("properties")
        if not isinstance(properties, Mapping):
            return
        listed = schema.get("required")
        required = {name for name in listed if isinstance(name, str)} if isinstance(listed, list) else set()
        for name in sorted(properties, key=lambda name: name not in required):
            yield from self.value(properties[name], (*path, str(name)), needed and name in required, depth)

    def value(self, schema: Any, path: tuple[str, ...], required: bool, depth: int) -> Iterator[FormField]:
        node, described = self._resolved(schema)
        if self._opens(node, path, depth):
            if required:
                self.objects.append(path)
            yield from self.members(node, path, depth + 1, required)
            return
        kind, choices, items = _kind_of(node)
        value = self._start(node, path, required)
        if value is not ABSENT and not _expressible(kind, choices, items, value):
            kind = "json"
        yield FormField(
            path=path,
            kind=kind,
            required=required,
            description=described,
            choices=choices,
            items=items,
            value=value,
        )

    def _opens(self, node: Mapping[str, Any], path: tuple[str, ...], depth: int) -> bool:
        """Whether an object is shown as its members: few of them, known, and not too deep."""
        properties = node.get("properties")
        if node.get("type") != "object" or not isinstance(properties, Mapping) or not properties:
            return False
        beside = ("patternProperties", "oneOf", "anyOf", "allOf", "if", "$ref", "const", "enum")
        present = self._present(path)
        fits = present is ABSENT or (isinstance(present, Mapping) and len(present) > 0)
        return depth < _DEEPEST and fits and not any(word in node for word in beside)

    def _resolved(self, schema: Any) -> tuple[Mapping[str, Any], str]:
        """The schema behind local references and behind an alternative to null, and its description."""
        described = ""
        for _ in range(_MOST_REFERENCES):
            if not isinstance(schema, Mapping):
                return {}, described
            described = described or _described(schema)
            reference, branch = schema.get("$ref"), _only_branch(schema)
            if isinstance(reference, str) and reference.startswith("#"):
                schema = local_target(self.root, reference)
            elif branch is not None:
                schema = branch
            else:
                return schema, described
        return {}, described

    def _present(self, path: tuple[str, ...]) -> Any:
        value: Any = self.given if self.given is not None else ABSENT
        for name in path:
            value = value.get(name, ABSENT) if isinstance(value, Mapping) else ABSENT
        return value

    def _start(self, node: Mapping[str, Any], path: tuple[str, ...], required: bool) -> Any:
        if self.given is not None:
            return self._present(path)
        if not required:
            return ABSENT
        for keyword in ("const", "default"):
            if keyword in node:
                return node[keyword]
        examples = node.get("examples")
        return examples[0] if isinstance(examples, list) and examples else ABSENT


def _only_branch(schema: Mapping[str, Any]) -> Any:
    """What is left of ``anyOf`` or ``oneOf`` without null: how many generators write an optional value."""
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword)
        if isinstance(branches, list) and "properties" not in schema:
            left = [
                one for one in branches[:3] if not (isinstance(one, Mapping) and one.get("type") == "null")
            ]
            if len(left) == 1 and len(branches) == 2:
                return left[0]
    return None


def _described(schema: Mapping[str, Any]) -> str:
    text = schema.get("description") or schema.get("title")
    said = [text[:_LONGEST_DESCRIPTION]] if isinstance(text, str) else []
    if "default" in schema:
        said.append(f"Default: {json_text(schema['default'])[:80]}")
    return " ".join(said)


def _kind_of(node: Mapping[str, Any]) -> tuple[Kind, tuple[Any, ...], str]:
    """Kind, choices and type of the items of a field."""
    choices = (node["const"],) if "const" in node else node.get("enum")
    if isinstance(choices, list | tuple) and 0 < len(choices) <= _MOST_CHOICES:
        return "choice", tuple(choices), "string"
    named = _type_of(node)
    if named == "boolean":
        return "choice", (True, False), "string"
    if named == "string":
        return "text", (), "string"
    if named == "number" or named == "integer":
        return ("number" if named == "number" else "integer"), (), "string"
    items = node.get("items")
    if named == "array" and isinstance(items, Mapping) and not {"enum", "const", "$ref"} & set(items):
        of = _type_of(items)
        if of in _SCALARS:
            return "list", (), str(of)
    return "json", (), "string"


def _type_of(node: Mapping[str, Any]) -> str | None:
    named = node.get("type")
    if isinstance(named, list):
        left = [one for one in named if one != "null"]
        named = left[0] if len(left) == 1 else None
    return named if isinstance(named, str) else None


def _expressible(kind: Kind, choices: Sequence[Any], items: str, value: Any) -> bool:
    """Whether a field of this kind can show ``value`` and give it back as it is."""
    if kind == "json":
        return True
    if kind == "choice":
        return any(json_text(one) == json_text(value) for one in choices)
    if kind == "list":
        return isinstance(value, list) and all(_expressible(_OF[items], (), "", one) for one in value)
    if kind == "text":
        return isinstance(value, str) and 0 < len(value) <= _LONGEST_LINE and str(display(value)) == value
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole or (kind == "number" and isinstance(value, float))


_OF: Mapping[str, Kind] = {"string": "text", "number": "number", "integer": "integer", "boolean": "json"}


def typed_text(one: FormField) -> str:
    """What stands in a field at first."""
    if one.value is ABSENT or one.kind == "choice":
        return ""
    if one.kind == "list":
        return "\n".join(item if one.items == "string" else json_text(item) for item in one.value)
    return one.value if one.kind == "text" else json_text(one.value)


def parsed(one: FormField, typed: str) -> Any:
    """The value of a field as it was typed; ABSENT where nothing was. Raises UsageError CFG012."""
    if not typed.strip():
        return ABSENT
    return _PARSERS[one.kind](one, typed)


def _number(one: FormField, typed: str) -> Any:
    value = _from_json(typed.strip(), "write a number, such as 3 or 2.5")
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole and not isinstance(value, float):
        raise UsageError("CFG012", "this is no number", hint="write one, such as 3 or 2.5")
    if one.kind == "integer" and not whole and not float(value).is_integer():
        raise UsageError("CFG012", "this is no whole number", hint="write one, such as 3")
    return value


def _several(one: FormField, typed: str) -> Any:
    lines = [line for line in typed.splitlines() if line.strip()]
    if one.items == "string":
        return lines
    return [_from_json(line.strip(), f"write one {one.items} on each line") for line in lines]


def _chosen(one: FormField, typed: str) -> Any:
    return one.choices[int(typed)]


_PARSERS: Mapping[Kind, Callable[[FormField, str], Any]] = {
    "text": lambda _, typed: typed,
    "number": _number,
    "integer": _number,
    "choice": _chosen,
    "list": _several,
    "json": lambda _, typed: _from_json(typed, 'write one JSON value, such as {"a": 1} or "text"'),
}


def json_object(typed: str) -> dict[str, Any]:
    """The arguments of a call, typed as JSON. Raises UsageError CFG012."""
    hint = 'write one JSON object, such as {"query": "tea"}'
    value = _from_json(typed, hint)
    if not isinstance(value, dict):
        raise UsageError("CFG012", "the arguments are no JSON object", hint=hint)
    return value


def _from_json(typed: str, hint: str) -> Any:
    def no_constant(word: str) -> Any:
        raise ValueError(f"{word} is no JSON")

    def finite(word: str) -> float:
        if isinf(float(word)):
            raise ValueError("the number is too large for JSON's readers")
        return float(word)

    try:
        return json.loads(typed, parse_constant=no_constant, parse_float=finite)
    except json.JSONDecodeError as problem:
        what = f"the JSON is broken at line {problem.lineno}, column {problem.colno}: {problem.msg}"
    except ValueError as problem:  # a constant of JavaScript, or a number of thousands of digits
        what = str(problem).partition(";")[0]
    except RecursionError:
        what = "the JSON is nested too deeply"
    raise UsageError("CFG012", what, hint=hint)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON in which no character acts: what would is written as its escape."""
    try:
        text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
        if str(display(text, layout=True)) != text:
            text = json.dumps(value, indent=indent).replace("\x7f", "\\u007f")
    except (ValueError, RecursionError, TypeError):
        return "null"
    return text


def collected(form: Form, values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments: the values of the fields by their pointers, and what no field shows."""
    made: dict[str, Any] = _copied(form.rest)
    for path in form.objects:
        _enter(made, path)
    for one in form.fields:
        value = values.get(one.pointer, ABSENT)
        if value is not ABSENT:
            _enter(made, one.path[:-1])[one.path[-1]] = value
    return made


def _enter(into: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """The object at ``path``, made where there is none."""
    for name in path:
        inner = into.get(name)
        if not isinstance(inner, dict):
            inner = into[name] = {}
        into = inner
    return into


def _copied(value: Any) -> Any:
    return {name: _copied(inner) for name, inner in value.items()} if isinstance(value, Mapping) else value


def _without(arguments: Mapping[str, Any], paths: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    """``arguments`` without the members that have a field."""
    kept: dict[str, Any] = {}
    for name, value in arguments.items():
        inner = [path[1:] for path in paths if path[0] == name]
        if () in inner:
            continue
        if inner and isinstance(value, Mapping):
            rest = _without(value, inner)
            if rest:
                kept[name] = rest
        else:
            kept[name] = value
    return kept
