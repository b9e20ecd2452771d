"""Definitions side by side: which of them overrides which, and which mean the same server."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from pathlib import Path
from typing import Any

from diagnose.connector.defined import Defined, Origin, Twin
from diagnose.connector.dialects.rows import DIALECTS
from diagnose.connector.model import Connector

__all__ = ["applies", "changed", "related"]

_COMPARED = ("headers", "credential", "tools", "network")
_WINS = {row.key: row.wins for row in DIALECTS}


def related(found: tuple[Defined, ...], cwd: str) -> tuple[Defined, ...]:
    """The same definitions, each knowing the others that matter to it."""
    overrides, overridden = _precedence(found, cwd)
    twins = _twins(found)
    return tuple(
        changed(
            entry,
            overrides=tuple(overrides[index]),
            overridden_by=overridden.get(index),
            twins=tuple(twins[index]),
        )
        for index, entry in enumerate(found)
    )


def changed(entry: Defined, **changes: Any) -> Defined:
    """The same definition but for ``changes``."""
    return Defined(**{**{field.name: getattr(entry, field.name) for field in fields(entry)}, **changes})


def _precedence(found: tuple[Defined, ...], cwd: str) -> tuple[dict[int, list[Origin]], dict[int, Origin]]:
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, entry in enumerate(found):
        if entry.name and entry.reason is None and applies(entry, cwd):
            groups[entry.client, entry.name].append(index)
    overrides: dict[int, list[Origin]] = defaultdict(list)
    overridden: dict[int, Origin] = {}
    for (client, _), indices in groups.items():
        ranked = sorted(indices, key=lambda index: _rank(found[index], client))
        for index in ranked[1:]:
            overridden[index] = found[ranked[0]].origin
            overrides[ranked[0]].append(found[index].origin)
    return overrides, overridden


def _rank(entry: Defined, client: str) -> tuple[int, int]:
    wins = _WINS.get(client, ("local", "project", "user", "file"))
    depth = len(Path(entry.folder).parts) if entry.folder else 0
    return wins.index(entry.scope) if entry.scope in wins else len(wins), -depth


def applies(entry: Defined, cwd: str) -> bool:
    """Whether a definition is in force in ``cwd``: one of another project is not."""
    if entry.folder is None:
        return True
    folder, here = Path(entry.folder), Path(cwd)
    return folder == here or folder in here.parents


def _twins(found: tuple[Defined, ...]) -> dict[int, list[Twin]]:
    groups: dict[Any, list[int]] = defaultdict(list)
    for index, entry in enumerate(found):
        if entry.connector is not None:
            groups[_identity(entry, entry.connector)].append(index)
    twins: dict[int, list[Twin]] = defaultdict(list)
    for indices in groups.values():
        for index in indices:
            for other in indices:
                if other != index:
                    twins[index].append(_twin(found[index], found[other]))
    return twins


def _identity(entry: Defined, connector: Connector) -> Any:
    """What makes two definitions one server: where it is, or the command line that starts it."""
    if connector.stdio is not None:
        return entry.real_url or connector.stdio.argv
    return connector.url


def _twin(entry: Defined, other: Defined) -> Twin:
    mine, its = entry.connector, other.connector
    differs: list[str] = []
    if mine is not None and its is not None:
        if mine.transport.type != its.transport.type:
            differs.append("transport")
        elif mine.stdio is not None and its.stdio is not None:
            differs += [
                name
                for name in ("env", "cwd", "inherits")
                if getattr(mine.stdio, name) != getattr(its.stdio, name)
            ]
        differs += [name for name in _COMPARED if getattr(mine, name) != getattr(its, name)]
    if entry.enabled != other.enabled:
        differs.append("enabled")
    return Twin(client=other.client, name=other.name, origin=other.origin, differs=tuple(differs))
