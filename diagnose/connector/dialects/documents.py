"""One file of any format, read with a bound: the value in it, and where each part of the value stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from diagnose.connector.dialects import json_places
from diagnose.connector.json_document import content_of, decoded, parsed
from diagnose.display import display
from diagnose.records import record

__all__ = ["Document", "Format", "Path_", "format_of", "read_document"]

Format = Literal["json", "jsonc", "json?", "yaml", "toml"]
"""``json``: its client refuses comments. ``jsonc``: it reads them, and a comma too many.
``json?``: it refuses the comma, and what it does with comments is not proven."""

Path_ = tuple[str | int, ...]

_LIMITS = {"yaml": 1024 * 1024, "toml": 1024 * 1024}
_JSON_LIMIT = 16 * 1024 * 1024
"""Bytes. The settings file of a client may hold years of its history."""

_BOM = b"\xef\xbb\xbf"


@record
class Document:
    """What is in a file. ``marks`` gives line and column of a path, or of the nearest place above it."""

    value: Any
    file: str
    format: Format
    marks: Callable[[Path_], tuple[int, int] | None]
    has_bom: bool = False
    lenient_at: tuple[int, int] | None = None
    """Where the first comment or trailing comma stands, in JSON that has one."""


def format_of(path: Path) -> Format:
    """The format that the end of the name promises."""
    ends = {".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".jsonc": "jsonc"}
    return ends.get(path.suffix.lower(), "json")  # type: ignore[return-value]  # the words of Format


def read_document(path: Path, form: Format) -> Document:
    """Read a file. Raises UsageError: CFG018 for the file, CFG017, CFG040 and CFG041 for its syntax."""
    content, file = content_of(path, _LIMITS.get(form, _JSON_LIMIT)), str(display(str(path)))
    text = decoded(content, file)
    has_bom = content.startswith(_BOM)
    if form == "yaml":
        from diagnose.connector.dialects import yaml_text

        value, marks = yaml_text.read(text, file)
        return Document(value=value, file=file, format=form, marks=_nearest(marks.get), has_bom=has_bom)
    if form == "toml":
        from diagnose.connector.dialects import toml_text

        value, marks = toml_text.read(text, file)
        return Document(value=value, file=file, format=form, marks=_nearest(marks.get), has_bom=has_bom)
    plain, lenient = (text, None)
    if form != "json":
        plain, lenient = json_places.without_comments(text, commas=form == "jsonc")
    value = parsed(plain, file)
    return Document(
        value=value,
        file=file,
        format=form,
        marks=_nearest(json_places.Places(plain).find),
        has_bom=has_bom,
        lenient_at=None if lenient is None else line_and_column(text, lenient),
    )


def line_and_column(text: str, position: int) -> tuple[int, int]:
    """Both from 1."""
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def _nearest(find: Callable[[Path_], tuple[int, int] | None]) -> Callable[[Path_], tuple[int, int] | None]:
    def marked(at: Path_) -> tuple[int, int] | None:
        for length in range(len(at), -1, -1):
            found = find(at[:length])
            if found is not None:
                return found
        return None

    return marked
