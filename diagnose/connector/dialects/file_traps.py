"""What is wrong with the file around an entry: its place, its root key, its signs, its names."""

from __future__ import annotations

import json

from diagnose.connector.defined import Origin, Problem
from diagnose.connector.dialects.documents import Document
from diagnose.connector.dialects.entry import Entry
from diagnose.connector.dialects.row import BASES, Dialect

__all__ = ["of_document", "of_entry"]


def of_document(row: Dialect, document: Document, is_read: bool) -> tuple[Problem, ...]:
    """What holds for every entry of a file."""
    found: list[Problem] = []
    if document.has_bom and document.format in ("json", "json?", "jsonc"):
        found.append(
            Problem(
                code="CFG063",
                severity="warning",
                what="the file begins with a byte order mark, which JSON.parse of a client may refuse",
                hint="save it as UTF-8 without BOM",
                origin=Origin(file=document.file, line=1, column=1),
            )
        )
    if document.lenient_at is not None and document.format == "json?" and not row.guessed:
        line, column = document.lenient_at
        found.append(
            Problem(
                code="CFG068",
                severity="warning",
                what=f"a comment or a comma too many, which not every version of {row.title} reads",
                hint="remove it",
                origin=Origin(file=document.file, line=line, column=column),
            )
        )
    return tuple(found)


def of_entry(entry: Entry, row: Dialect, *, is_read: bool, rooted: bool, twice: bool) -> None:
    """What holds for this entry because of where it stands."""
    if not is_read:
        paths = (getattr(place, _system(entry)) for place in row.places)
        files = ", ".join(_plain(path) for path in paths if path)
        entry.note("CFG043", "error", f"{row.title} does not read this file", f"move the entry to {files}")
    elif not rooted:
        _wrong_root(entry, row)
    if not entry.name.strip() and entry.row.name_field:
        entry.note("CFG060", "error", "the entry has no name", 'give it one, such as "docs"')
    elif twice:
        entry.note(
            "CFG059", "warning", f"two entries are named {entry.name[:60]!r}", "give each its own name"
        )
    holder = entry.document.value
    for part in entry.at[:-1]:
        holder = holder[part]
    if isinstance(entry.raw, dict) and getattr(holder, "twice", None) == entry.at[-1]:
        what = f"two entries are named {entry.name[:60]!r}, and the client keeps the last one"
        entry.note("CFG059", "warning", what, "give each its own name")


def _wrong_root(entry: Entry, row: Dialect) -> None:
    found, wanted = _root_of(entry), row.roots[0][0] if row.roots[0] else ""
    if found and wanted:
        what, hint = f"the entries stand under {found}", f"rename {found} to {json.dumps(wanted)}"
    elif found:
        what, hint = f"the entries stand under {found}", "leave out the key around them"
    else:
        what, hint = "the entries stand alone", f'put them into {{"{wanted}": ...}}'
    if entry.row.listed != row.listed:
        hint += f"; it takes {'a list' if row.listed else 'names with entries'}"
    reads = f"reads {wanted}" if wanted else "takes them alone"
    entry.note("CFG042", "error", f"{what}, and {row.title} {reads}", hint, entry.at[:1] if found else None)


def _root_of(entry: Entry) -> str:
    first = entry.at[0] if len(entry.at) > 1 else ""
    return first if isinstance(first, str) else ""


def _system(entry: Entry) -> str:
    return entry.here.platform if entry.here.platform in ("darwin", "win32") else "linux"


def _plain(path: str) -> str:
    """A place without its variables, as most people have it."""
    return path.format(**{name: default for name, (_, default) in BASES.items()})
