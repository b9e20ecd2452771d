"""The InitializeResult of the legacy era, checked on the raw JSON (schema 2024-11-05 to 2025-11-25)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from diagnose_checks.result_shape import STRICT_CLIENTS, Defect, capability_defects, kind_of, optional_text

__all__ = ["initialize_defects", "message_defects"]

_RESPONSE_MEMBERS = frozenset({"jsonrpc", "id", "result", "error"})


def initialize_defects(result: Mapping[str, Any]) -> tuple[Defect, ...]:
    """Everything that breaks the schema, the required members first."""
    return tuple(_defects(result))


def _defects(result: Mapping[str, Any]) -> Iterator[Defect]:
    yield from _required_text(result, "protocolVersion", "")
    yield from capability_defects(result)
    yield from _server_info(result)
    yield from optional_text(result, "instructions", "")
    if "_meta" in result and not isinstance(result["_meta"], Mapping):
        refused_by = {"refused_by": STRICT_CLIENTS} if result["_meta"] is None else {}
        yield Defect(pointer="/_meta", expected="an object", observed=kind_of(result["_meta"]), **refused_by)


def _server_info(result: Mapping[str, Any]) -> Iterator[Defect]:
    if "serverInfo" not in result:
        yield Defect(
            pointer="/serverInfo", expected="an object with name and version, required", observed="absent"
        )
        return
    info = result["serverInfo"]
    if not isinstance(info, Mapping):
        expected = "an object with name and version"
        yield Defect(pointer="/serverInfo", expected=expected, observed=kind_of(info))
        return
    yield from _required_text(info, "name", "/serverInfo")
    yield from _required_text(info, "version", "/serverInfo")
    for name in ("title", "description", "websiteUrl"):
        yield from optional_text(info, name, "/serverInfo")


def _required_text(holder: Mapping[str, Any], name: str, pointer: str) -> Iterator[Defect]:
    if name not in holder:
        yield Defect(pointer=f"{pointer}/{name}", expected="text, required", observed="absent")
    elif not isinstance(holder[name], str):
        yield Defect(pointer=f"{pointer}/{name}", expected="text", observed=kind_of(holder[name]))


def message_defects(message: Mapping[str, Any]) -> tuple[Defect, ...]:
    """Members that no response has: a strict reader takes such a message for something else."""
    extra = sorted(set(message) - _RESPONSE_MEMBERS)
    if "result" in message and "error" in message:
        extra = ["error", *extra]
    return tuple(
        Defect(
            pointer=f"(message)/{name}",
            expected="absent",
            observed=kind_of(message[name]),
            refused_by=STRICT_CLIENTS,
        )
        for name in extra[:4]
    )
