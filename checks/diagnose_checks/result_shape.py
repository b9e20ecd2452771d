"""Defects of the two results that open a connection, each with its JSON pointer.

The raw JSON is read, not a model of it: a client's validation error names a field, not its place.
``refused_by`` says who cannot read past the defect; empty means that no official client minds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from diagnose.records import record

__all__ = ["ALL_CLIENTS", "STRICT_CLIENTS", "Defect", "capability_defects", "kind_of", "optional_text"]

ALL_CLIENTS = "the Python and the TypeScript SDK"
STRICT_CLIENTS = "the TypeScript SDK (the Python SDK reads past it)"

_CAPABILITIES = ("tools", "prompts", "resources", "logging", "completions", "tasks")
_NAMED_CAPABILITIES = ("experimental", "extensions")
_FLAGS: Mapping[str, tuple[str, ...]] = {
    "tools": ("listChanged",),
    "prompts": ("listChanged",),
    "resources": ("listChanged", "subscribe"),
}
# Pydantic reads these as booleans, so the Python SDK does not mind; Zod does.
_LIKE_A_FLAG = ("true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "1", "0")


@record
class Defect:
    """One place that breaks the schema."""

    pointer: str
    expected: str
    observed: str
    refused_by: str = ALL_CLIENTS

    @property
    def fatal(self) -> bool:
        """Whether the official Python client cannot go on."""
        return self.refused_by == ALL_CLIENTS


def kind_of(value: Any) -> str:
    """A JSON value in words: its type, and the value itself where it is short."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, str):
        return f'the text "{value[:80]}"'
    return {None: "null", True: "true", False: "false"}.get(value, f"the number {str(value)[:40]}")


def optional_text(holder: Mapping[str, Any], name: str, pointer: str) -> Iterator[Defect]:
    """A member that may be absent and is text where it is there."""
    if name not in holder or isinstance(holder[name], str):
        return
    yield Defect(
        pointer=f"{pointer}/{name}",
        expected="text, or no such member",
        observed=kind_of(holder[name]),
        refused_by=STRICT_CLIENTS if holder[name] is None else ALL_CLIENTS,
    )


def capability_defects(result: Mapping[str, Any]) -> Iterator[Defect]:
    """``capabilities`` is an object of objects (schema, ServerCapabilities)."""
    if "capabilities" not in result:
        yield Defect(pointer="/capabilities", expected="an object, required", observed="absent")
        return
    declared = result["capabilities"]
    if not isinstance(declared, Mapping):
        yield Defect(pointer="/capabilities", expected="an object", observed=kind_of(declared))
        return
    for name in (*_CAPABILITIES, *_NAMED_CAPABILITIES):
        if name in declared:
            yield from _capability(name, declared[name])


def _capability(name: str, value: Any) -> Iterator[Defect]:
    pointer = f"/capabilities/{name}"
    if not isinstance(value, Mapping):
        refused_by = STRICT_CLIENTS if value is None else ALL_CLIENTS
        yield Defect(pointer=pointer, expected="an object", observed=kind_of(value), refused_by=refused_by)
        return
    for flag in _FLAGS.get(name, ()):
        if flag in value and not isinstance(value[flag], bool):
            tolerated = value[flag] is None or str(value[flag]).lower() in _LIKE_A_FLAG
            yield Defect(
                pointer=f"{pointer}/{flag}",
                expected="true or false",
                observed=kind_of(value[flag]),
                refused_by=STRICT_CLIENTS if tolerated else ALL_CLIENTS,
            )
    if name in _NAMED_CAPABILITIES:
        for key, entry in value.items():
            if not isinstance(entry, Mapping):
                yield Defect(
                    pointer=f"{pointer}/{_escaped(key)}", expected="an object", observed=kind_of(entry)
                )


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")  # RFC 6901 3
