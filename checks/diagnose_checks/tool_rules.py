"""Rules for one tool of a catalogue, judged on the raw JSON, each naming the tool and a JSON pointer.

A validator that reads the whole list (pydantic in the Python SDK, zod in the TypeScript SDK) throws every
tool away for one bad member, and its message hides which. The rows of TOOL003 are what the Python SDK 2.3
refuses, tried one by one against ``mcp_types.methods.validate_server_result``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Literal

from diagnose.display import hidden_characters
from diagnose.records import record
from diagnose_checks.schema_bounds import (
    dangling_reference,
    excess,
    external_reference,
    pointer_to,
    positions,
)
from diagnose_checks.schema_shape import SchemaFlaw, dialect_of, first_flaw

__all__ = ["Entry", "Flaw", "Profile", "brief", "judge_tool", "strict_name", "tool_name"]

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_STRICT_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SHOWN = 200
_POINTER_SHOWN = 300
_FLAWS_PER_RULE = 10
_ABSENT = object()


@record
class Profile:
    """What the rules depend on."""

    era: Literal["legacy", "modern"]
    version: str


@record
class Entry:
    """A tool as it came, and where it stood: page from 1, index on that page."""

    tool: Any
    page: int
    index: int
    exchange: int

    def at(self, *path: str) -> str:
        return f"/result/tools/{self.index}{pointer_to(path)[:_POINTER_SHOWN]}"


@record
class Flaw:
    """One broken rule of one tool."""

    code: str
    entry: Entry
    pointer: str
    expected: str
    observed: str


def tool_name(tool: Any) -> str | None:
    """The name, where there is one."""
    name = tool.get("name") if isinstance(tool, Mapping) else None
    return name if isinstance(name, str) else None


def strict_name(name: str) -> bool:
    """Does the name fit the model APIs as well (64 characters, no dot)?"""
    return _STRICT_NAME.fullmatch(name) is not None


def brief(value: Any) -> str:
    """A value in at most one line of JSON."""
    if value is _ABSENT:
        return "absent"
    if isinstance(value, Mapping) and len(value) > 6:
        return f"an object of {len(value)} members"
    if isinstance(value, list) and len(value) > 6:
        return f"an array of {len(value)} items"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


@record
class _Member:
    """One member of a tool that every reader types. ``era`` None: both."""

    at: tuple[str, ...]
    expected: str
    accepts: Callable[[Any], bool]
    required: bool = False
    era: Literal["legacy", "modern"] | None = None


_IS_OBJECT_TYPE: Callable[[Any], bool] = lambda value: value == "object"  # noqa: E731
_TASKS = ("forbidden", "optional", "required")
_MEMBERS = (
    _Member(at=("name",), expected="a string", accepts=_is_text, required=True),
    _Member(at=("inputSchema",), expected="a JSON object", accepts=_is_object, required=True),
    _Member(at=("inputSchema", "type"), expected='"object"', accepts=_IS_OBJECT_TYPE, required=True),
    _Member(at=("inputSchema", "$schema"), expected="a string", accepts=_is_text),
    # Through 2025-11-25 the schema type of the specification itself types these two.
    _Member(at=("inputSchema", "properties"), expected="a JSON object", accepts=_is_object, era="legacy"),
    _Member(at=("inputSchema", "required"), expected="an array of strings", accepts=_is_list, era="legacy"),
    _Member(at=("outputSchema",), expected="a JSON object", accepts=_is_object),
    _Member(
        at=("outputSchema", "type"),
        expected='"object"',
        accepts=_IS_OBJECT_TYPE,
        required=True,
        era="legacy",
    ),
    _Member(at=("title",), expected="a string", accepts=_is_text),
    _Member(at=("description",), expected="a string", accepts=_is_text),
    _Member(at=("annotations",), expected="a JSON object", accepts=_is_object),
    _Member(at=("icons",), expected="an array", accepts=_is_list),
    _Member(at=("_meta",), expected="a JSON object", accepts=_is_object),
    _Member(
        at=("execution", "taskSupport"),
        expected="one of " + ", ".join(_TASKS),
        accepts=lambda value: value in _TASKS,
        era="legacy",
    ),
)
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


def judge_tool(entry: Entry, profile: Profile) -> tuple[Flaw, ...]:
    """Everything wrong with one tool, in the order of the rules."""
    if not isinstance(entry.tool, Mapping):
        return (_flaw("TOOL003", entry, (), "a JSON object", entry.tool),)
    return tuple(flaw for rule in _RULES for flaw in islice(rule(entry, profile), _FLAWS_PER_RULE))


def _flaw(code: str, entry: Entry, path: tuple[str, ...], expected: str, observed: Any) -> Flaw:
    shown = observed if isinstance(observed, _Words) else brief(observed)
    return Flaw(code=code, entry=entry, pointer=entry.at(*path), expected=expected, observed=str(shown))


class _Words(str):
    """An observation that is already text and not a JSON value."""


def _at(tool: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = tool
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return _ABSENT
        value = value[part]
    return value


def _structure(entry: Entry, profile: Profile) -> Iterator[Flaw]:
    tool = entry.tool
    for row in _MEMBERS:
        parent = _at(tool, row.at[:-1])
        if row.era not in (None, profile.era) or not isinstance(parent, Mapping):
            continue
        value = _at(tool, row.at)
        optional = not row.required
        if (value is _ABSENT and optional) or row.accepts(value) or (value is None and optional):
            continue
        yield _flaw("TOOL003", entry, row.at, row.expected, value)
    for index, icon in enumerate(_listed(tool.get("icons"))):
        if not isinstance(icon, Mapping) or not isinstance(icon.get("src"), str):
            yield _flaw("TOOL003", entry, ("icons", str(index), "src"), "a string", _src(icon))
        elif icon.get("theme") not in (None, "light", "dark"):
            yield _flaw("TOOL003", entry, ("icons", str(index), "theme"), '"light" or "dark"', icon["theme"])


def _src(icon: Any) -> Any:
    return icon.get("src", _ABSENT) if isinstance(icon, Mapping) else icon


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _tolerated_types(entry: Entry, profile: Profile) -> Iterator[Flaw]:
    """What the Python SDK reads past and zod's ``optional()`` and ``boolean()`` do not."""
    tool = entry.tool
    for row in _MEMBERS:
        if not row.required and row.era in (None, profile.era) and _at(tool, row.at) is None:
            yield _flaw("TOOL026", entry, row.at, f"{row.expected}, or no member", None)
    annotations = tool.get("annotations")
    for name in _HINTS if isinstance(annotations, Mapping) else ():
        value = annotations.get(name, False)
        if not isinstance(value, bool):
            yield _flaw("TOOL026", entry, ("annotations", name), "true or false", value)


def _names(entry: Entry, profile: Profile) -> Iterator[Flaw]:
    name = tool_name(entry.tool)
    # A name with a hidden character is TOOL015's: one owner per symptom.
    if name is not None and _NAME.fullmatch(name) is None and not hidden_characters(name):
        yield _flaw("TOOL004", entry, ("name",), "1 to 128 of A-Z a-z 0-9 _ - .", name)


def _hidden(entry: Entry, profile: Profile) -> Iterator[Flaw]:
    tool = entry.tool
    for member in ("name", "title", "description"):
        found = _hidden_in(tool.get(member), prose=member != "name")
        if found:
            words = _Words(f"{', '.join(found[:6])} in {brief(tool[member][:80])}")
            yield _flaw("TOOL015", entry, (member,), "visible characters only", words)
            return
    for path, schema in positions(tool.get("inputSchema")):
        found = _hidden_in(schema.get("description"), prose=True) or _hidden_in(path[-1] if path else "")
        if found:
            words = _Words(", ".join(found[:6]))
            yield _flaw("TOOL015", entry, ("inputSchema", *path), "visible characters only", words)
            return


_LAYOUT = frozenset("\t\n\r")
_JOINERS = frozenset("\u200c\u200d\u200e\u200f\u061c")


def _hidden_in(text: Any, *, prose: bool = False) -> tuple[str, ...]:
    """Hidden characters of a text. In prose, layout and the joiners of scripts and emoji are not."""
    if not isinstance(text, str) or not hidden_characters(text):
        return ()
    if prose:
        text = "".join(
            char
            for index, char in enumerate(text)
            if char not in _LAYOUT and not (char in _JOINERS and _beside_script(text, index))
        )
    return hidden_characters(text)


def _beside_script(text: str, index: int) -> bool:
    around = text[max(index - 2, 0) : index] + text[index + 1 : index + 3]
    return any(ord(char) > 0x2FF and not hidden_characters(char) for char in around)


def _icons(entry: Entry, profile: Profile) -> Iterator[Flaw]:
    for index, icon in enumerate(_listed(entry.tool.get("icons"))):
        source = icon.get("src") if isinstance(icon, Mapping) else None
        if isinstance(source, str) and not source.lower().startswith(("https://", "data:")):
            yield _flaw(
                "TOOL022", entry, ("icons", str(index), "src"), "an https: or data: URL", source[:_SHOWN]
            )


def _schemas(entry: Entry, profile: Profile) -> Iterator[Flaw]:
    for member in ("inputSchema", "outputSchema"):
        schema = entry.tool.get(member)
        if isinstance(schema, Mapping):
            yield from _one_schema(entry, member, schema, profile)


def _one_schema(entry: Entry, member: str, schema: Mapping[str, Any], profile: Profile) -> Iterator[Flaw]:
    unions = [word for word in ("oneOf", "anyOf", "allOf") if word in schema]
    if member == "inputSchema" and unions:
        yield _flaw("TOOL009", entry, (member, unions[0]), "no oneOf, anyOf or allOf here", _Words("present"))
    flaw = _invalid(schema, profile)
    if flaw is not None:
        # A property map or a required list of the wrong type is TOOL003's in the legacy era.
        typed = profile.era == "legacy" and flaw.pointer in ("/properties", "/required", "/type", "/$schema")
        if not typed:
            parts = tuple(part.replace("~1", "/").replace("~0", "~") for part in flaw.pointer.split("/")[1:])
            yield _flaw("TOOL010", entry, (member, *parts), flaw.expected, flaw.observed)
        return
    over = excess(schema)
    if over is not None:
        yield Flaw(
            code="TOOL021",
            entry=entry,
            pointer=entry.at(member) + over.pointer[:_POINTER_SHOWN],
            expected=f"at most {over.limit}",
            observed=over.observed,
        )
        return
    outside = external_reference(schema)
    if outside is not None:
        yield Flaw(
            code="TOOL011",
            entry=entry,
            pointer=entry.at(member) + outside[0][:_POINTER_SHOWN],
            expected="a reference into the schema itself (#/$defs/...)",
            observed=brief(outside[1]),
        )
    nothing = dangling_reference(schema)
    if nothing is not None:
        yield Flaw(
            code="TOOL010",
            entry=entry,
            pointer=entry.at(member) + nothing[0][:_POINTER_SHOWN],
            expected="a pointer to something in the schema",
            observed=f"{brief(nothing[1])}, where nothing is",
        )


def _invalid(schema: Mapping[str, Any], profile: Profile) -> SchemaFlaw | None:
    dialect = dialect_of(schema)
    if dialect is None:
        return None
    flaw = first_flaw(schema, dialect)
    # A default dialect was only agreed with 2025-11-25; before it draft-07 is as good.
    if flaw is not None and "$schema" not in schema and profile.version < "2025-11-25":
        return first_flaw(schema, "draft-07")
    return flaw


_HEADER_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_MIRRORED = ("string", "integer", "boolean")


def _mirrored_parameters(entry: Entry, profile: Profile) -> Iterator[Flaw]:
    """``x-mcp-header`` (Streamable HTTP 2026-07-28, custom headers): a client MUST drop a tool that errs."""
    if profile.era != "modern":
        return
    seen: set[str] = set()
    for path, schema in positions(entry.tool.get("inputSchema")):
        if "x-mcp-header" not in schema:
            continue
        at, header = ("inputSchema", *path, "x-mcp-header"), schema["x-mcp-header"]
        problem = None
        if not path or path[::2] != ("properties",) * (len(path) // 2) or len(path) % 2:
            problem = "a property reached through properties alone"
        elif not isinstance(header, str) or not _HEADER_TOKEN.fullmatch(header):
            problem = "an HTTP token (RFC 9110 5.6.2)"
        elif schema.get("type") not in _MIRRORED:
            problem = "a property of type string, integer or boolean"
        elif header.lower() in seen:
            problem = "a header name of its own"
        if problem is not None:
            observed = header if problem.startswith(("an HTTP", "a header")) else schema.get("type", _ABSENT)
            yield _flaw("TOOL014", entry, at, problem, observed)
            return
        seen.add(str(header).lower())


_RULES: tuple[Callable[[Entry, Profile], Iterator[Flaw]], ...] = (
    _structure,
    _tolerated_types,
    _names,
    _hidden,
    _icons,
    _schemas,
    _mirrored_parameters,
)
