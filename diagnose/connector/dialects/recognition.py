"""Whose file this is: by its place and name first, and by what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from diagnose.connector.dialects.documents import Document, Path_
from diagnose.connector.dialects.row import Dialect
from diagnose.connector.dialects.rows import DIALECTS, by_key
from diagnose.records import record

__all__ = ["Found", "entries", "recognised"]

_TARGETS = (
    "url",
    "command",
    "serverUrl",
    "httpUrl",
    "cmd",
    "uri",
    "server_url",
    "transport",
    "type",
    "identifier",
)


@record
class Found:
    """One entry of a document; ``project`` is the folder that it is for, where it is for one only."""

    name: str
    at: Path_
    raw: Any
    project: str | None = None


def entries(row: Dialect, value: Any) -> Iterator[Found]:
    """The entries of a document in this dialect, in their order."""
    for root in row.roots:
        if not root and not _is_bare(row, value):
            continue
        for at, found in _reached(value, root, ()):
            project = str(at[1]) if "*" in root else None
            if row.listed and isinstance(found, list):
                for index, raw in enumerate(found):
                    if root != ("tools",) or (isinstance(raw, dict) and raw.get("type") == "mcp"):
                        yield Found(
                            name=_name(row, raw, value, at, index), at=(*at, index), raw=raw, project=project
                        )
            elif not row.listed and isinstance(found, dict):
                for name, raw in found.items():
                    yield Found(name=str(name), at=(*at, name), raw=raw, project=project)


def has_root(row: Dialect, value: Any) -> bool:
    """Whether the place where this client looks is there, in the shape that it takes."""
    wanted = list if row.listed else dict
    return any(
        isinstance(found, wanted)
        for root in row.roots
        if root or _is_bare(row, value)
        for _, found in _reached(value, root, ())
    )


def _is_bare(row: Dialect, value: Any) -> bool:
    """Whether the document itself is the entries: each of them names a target."""
    several = value if row.listed and isinstance(value, list) else None
    if not row.listed and isinstance(value, dict):
        several = list(value.values())
    if not several or not all(isinstance(entry, dict) for entry in several):
        return False
    if row.key == "openai-responses":
        return all(entry.get("type") == "mcp" for entry in several)
    return all(any(name in entry for name in _TARGETS) for entry in several)


def _reached(value: Any, root: tuple[str, ...], at: Path_) -> Iterator[tuple[Path_, Any]]:
    if not root:
        yield at, value
    elif isinstance(value, dict):
        names = list(value) if root[0] == "*" else [name for name in value if name == root[0]]
        for name in names:
            yield from _reached(value[name], root[1:], (*at, name))


def _name(row: Dialect, raw: Any, document: Any, at: Path_, index: int) -> str:
    given = raw.get(row.name_field) if isinstance(raw, dict) and row.name_field else None
    if isinstance(given, str):
        return given
    if row.key == "server-json" and isinstance(document, dict):
        title = document.get("name")
        return f"{title if isinstance(title, str) else 'server'}#{at[-1]}{index}"
    return ""


_BY_CONTENT = (
    "vscode",
    "zed",
    "codex",
    "vibe",
    "goose",
    "continue",
    "librechat",
    "anthropic-messages",
    "server-json",
    "mcp-servers",
    "openai-responses",
    "opencode",
    "langchain",
    "fastmcp",
)
"""The order in which a file of no known place is compared with the dialects."""

_YAML_OR_TOML = {"yaml": ("goose", "continue", "librechat"), "toml": ("codex", "vibe")}


def recognised(document: Document) -> Dialect | None:
    """The dialect that the content of a document is in; ``mcp-servers`` where several clients share it."""
    only = _YAML_OR_TOML.get(document.format)
    for key in _BY_CONTENT:
        row = by_key(key)
        if (only is None) == (row.format in ("yaml", "toml")) or (only is not None and key not in only):
            continue
        if _fits(row, document.value):
            return row
    return next((row for row in DIALECTS if _fits(row, document.value)), None)


def _fits(row: Dialect, value: Any) -> bool:
    """Whether the place is there and what is in it looks like connectors: many files have ``servers``."""
    if not has_root(row, value):
        return False
    found = list(entries(row, value))
    if row.key == "langchain":  # without its word a bare map may be anybody's
        return all("transport" in entry.raw for entry in found)
    return not found or any(
        isinstance(entry.raw, dict) and any(name in entry.raw for name in _TARGETS) for entry in found
    )
