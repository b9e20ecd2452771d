"""``load`` and ``discover``: files in, :class:`Defined` records out.

A file that cannot be read raises from ``load``, which was asked for it, and is one record with its reason in
``discover``, which goes on. An entry that cannot be used is a record with its reason in both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from diagnose.connector.defined import Defined, Origin, Problem
from diagnose.connector.dialects.bridge import bridge_of
from diagnose.connector.dialects.documents import Document, format_of, read_document
from diagnose.connector.dialects.entry import Entry, Here, read_slots
from diagnose.connector.dialects.file_traps import of_document, of_entry
from diagnose.connector.dialects.making import Made, make
from diagnose.connector.dialects.places import Claim, claims, home_of, known_files, working_directory
from diagnose.connector.dialects.recognition import Found, entries, has_root, recognised
from diagnose.connector.dialects.row import Dialect
from diagnose.connector.dialects.rows import DIALECTS, by_key
from diagnose.connector.dialects.shown import command_shown, url_shown
from diagnose.connector.dialects.together import changed, related
from diagnose.connector.dialects.traps import look
from diagnose.connector.json_document import kind_of
from diagnose.errors import UsageError
from diagnose.records import record

__all__ = ["discover", "load"]

_OWN = "connector-file"
_OWN_NAMES = frozenset({"name", "url", "transport"})
_MOST_ENTRIES = 1000
_Scope = Literal["user", "project", "local", "file"]


@record
class _File:
    path: Path
    row: Dialect
    scope: _Scope
    is_read: bool
    folder: str | None = None


def load(
    path: str | Path,
    *,
    dialect: str | None = None,
    environ: Mapping[str, str] | None = None,
    platform: str = sys.platform,
) -> tuple[Defined, ...]:
    """The connectors of one file, in its order.

    ``dialect`` is the key of a client (``cursor``, ``claude-code``, ...) or ``connector-file``; without it
    place, name and content decide. Raises UsageError where the file cannot be read or is none of them.
    """
    path = Path(path)
    environ = os.environ if environ is None else environ
    here = _here(environ, path.parent, platform)
    if dialect == _OWN:
        return _own(path)
    claim = _claim(path, here, None if dialect is None else _row(dialect))
    if claim is not None and (dialect is not None or not claim.row.guessed):
        return related(_read(_file(path, claim), here), here.cwd)
    document = read_document(path, format_of(path))
    if _is_own(document.value):
        return _own(path)
    row = recognised(document)
    if row is None:
        raise _unknown(document)
    return related(_entries(_file(path, Claim(row=row, scope="file")), document, here), here.cwd)


def _claim(path: Path, here: Here, row: Dialect | None) -> Claim | None:
    """Whose file it is; a client that was named counts, and its place says then what the file is to it."""
    absolute = Path(path).absolute()  # a link is its own place
    found = claims(absolute, here.environ, here.platform)
    if row is None:
        return next(found, None)
    return next((claim for claim in found if claim.row.key == row.key), Claim(row=row, scope="file"))


def discover(
    environ: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    platform: str = sys.platform,
) -> tuple[Defined, ...]:
    """The connectors of every known file of this machine and of the project around ``cwd``.

    Only reads: a command of such a file is started only with ``Options(allow_stdio=True)``. Who is overridden
    by whom, and which server stands in several files, is filled in.
    """
    environ = os.environ if environ is None else environ
    folder = Path(cwd) if cwd is not None else working_directory()
    here = _here(environ, folder, platform)
    found: list[Defined] = []
    for row, place, path, is_read in known_files(environ, folder, platform):
        project = _project_of(path, place.linux or "") if place.scope == "project" else None
        file = _File(path=path, row=row, scope=place.scope, is_read=is_read, folder=project)
        try:
            found += _read(file, here)
        except UsageError as problem:
            if is_read:
                found.append(_broken(file, problem))
    return related(tuple(_unasked(entry) for entry in found), str(folder))


def _unasked(entry: Defined) -> Defined:
    """The same, its connector marked as one of a file that nobody named."""
    if entry.connector is None:
        return entry
    source = entry.connector.source.model_copy(update={"discovered": True})
    return changed(entry, connector=entry.connector.model_copy(update={"source": source}))


def _here(environ: Mapping[str, str], cwd: Path, platform: str) -> Here:
    return Here(environ=environ, platform=platform, home=home_of(environ, platform), cwd=str(cwd))


def _row(key: str) -> Dialect:
    try:
        return by_key(key)
    except KeyError:
        keys = ", ".join([_OWN, *(row.key for row in DIALECTS)])
        raise UsageError("CFG061", f"no dialect is named {key[:60]!r}", hint=f"it is one of {keys}") from None


def _file(path: Path, claim: Claim) -> _File:
    return _File(path=path, row=claim.row, scope=claim.scope, is_read=claim.is_read, folder=claim.folder)


def _project_of(path: Path, ending: str) -> str:
    return str(path.parents[len(Path(ending).parts) - 1])


def _own(path: Path) -> tuple[Defined, ...]:
    from diagnose.connector.file import load_file

    made: list[Defined] = []
    for connector in load_file(path):
        origin = Origin(file=str(connector.source.file), pointer=connector.source.pointer or "")
        stdio = connector.stdio
        made.append(
            Defined(
                name=connector.name,
                client=_OWN,
                title="connector file",
                scope="file",
                origin=origin,
                connector=connector,
                transport=connector.transport.type,
                target=url_shown(connector.url) if stdio is None else command_shown(stdio.argv),
            )
        )
    return related(tuple(made), str(path.parent))


def _is_own(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    one = isinstance(value.get("url"), str) or "credential" in value or set(value) <= _OWN_NAMES
    several = get_close_matches("connectors", list(value), n=1, cutoff=0.8)
    return bool(several) or (one and not isinstance(value.get("remotes"), list))


def _unknown(document: Document) -> UsageError:
    value = document.value
    what = "the file holds no connector of a kind that is known"
    if not isinstance(value, dict | list):
        what = f"the file holds {kind_of(value)} and no connector"
    hint = 'write {"mcpServers": {"NAME": {"url": ...}}}, or see docs/connectors.md'
    return UsageError("CFG061", what, where=document.file, hint=hint)


def _read(file: _File, here: Here) -> tuple[Defined, ...]:
    form = file.row.format if file.row.format in ("yaml", "toml") else _json_form(file)
    return _entries(file, read_document(file.path, form), here)


def _json_form(file: _File) -> Any:
    # A client that reads plain JSON is asked with plain JSON; its .jsonc file is one that it named itself.
    return "jsonc" if file.path.suffix == ".jsonc" else file.row.format


def _entries(file: _File, document: Document, here: Here) -> tuple[Defined, ...]:
    row = file.row
    own = [(row, found, True) for found in entries(row, document.value)]
    if not has_root(row, document.value):
        other = recognised(document)
        if other is not None and other.key != row.key:
            own = [(other, found, False) for found in entries(other, document.value)]
    if len(own) > _MOST_ENTRIES:
        what = f"the file holds {len(own)} entries, and {_MOST_ENTRIES} are read"
        raise UsageError("CFG019", what, where=document.file, hint="split the file")
    problems = of_document(row, document, file.is_read)
    names: dict[str, int] = {}
    for _, found, _ in own:
        names[found.name] = names.get(found.name, 0) + 1
    return tuple(
        _defined(
            file,
            Entry(reads, document, found.at, found.raw, found.name, here, found.project or file.folder),
            found,
            rooted=rooted,
            twice=names[found.name] > 1,
            problems=problems,
        )
        for reads, found, rooted in own
    )


def _defined(
    file: _File, entry: Entry, found: Found, *, rooted: bool, twice: bool, problems: tuple[Problem, ...]
) -> Defined:
    entry.problems += problems
    of_entry(entry, file.row, is_read=file.is_read, rooted=rooted, twice=twice)
    made = Made()
    if not isinstance(entry.raw, dict):
        entry.note(
            "CFG019", "error", f"an entry is an object, and this is {kind_of(entry.raw)}", "write {...}"
        )
    else:
        read_slots(entry)
        made = make(entry)
        look(entry, made)
    bridge = bridge_of(made.argv)
    target = command_shown(made.argv) if made.argv else _address_shown(made)
    return Defined(
        name=found.name,
        client=file.row.key,
        title=file.row.title,
        scope="local" if found.project else file.scope,
        origin=entry.origin(),
        connector=made.connector if not entry.failed else None,
        problems=tuple(entry.problems),
        transport=made.transport,
        target=target or None,
        real_url=url_shown(bridge.url) if bridge else None,
        enabled=entry.value("enabled") is not False and entry.value("disabled") is not True,
        desktop=file.row.desktop,
        folder=found.project or file.folder,
        origins={slot.field: entry.origin(slot.at) for slot in entry.slots.values()},
        extra=entry.extra,
    )


def _address_shown(made: Made) -> str | None:
    """The URL as it is written: what a variable holds is the reader's own."""
    url = made.written or made.url
    return url and url_shown(url)


def _broken(file: _File, problem: UsageError) -> Defined:
    where = problem.where or str(file.path)
    origin = _origin(where)
    made = Problem(code=problem.code, severity="error", what=problem.what, hint=problem.hint, origin=origin)
    return Defined(
        name="",
        client=file.row.key,
        title=file.row.title,
        scope=file.scope,
        origin=replace(origin, pointer=""),
        problems=(made,),
        desktop=file.row.desktop,
        folder=file.folder,
    )


def _origin(where: str) -> Origin:
    """A place as an error names it: FILE, FILE:LINE:COLUMN, or FILE and a pointer."""
    file, line, column = [*where.rsplit(":", 2), "", ""][:3]
    if line.isdigit() and column.isdigit():
        return Origin(file=file, line=int(line), column=int(column))
    name, _, pointer = where.partition(" /")
    return Origin(file=name, pointer=f"/{pointer}" if pointer else "")
