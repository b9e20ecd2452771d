"""What stands in the files, as the list shows it: no secret in it, and no character that acts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diagnose.connector import Defined, Origin, discover, load
from diagnose.connector.dialects.places import working_directory
from diagnose.connector.dialects.together import applies, related
from diagnose.errors import UsageError
from diagnose.listing.model import BrokenFile, Listed, Listing, Place, Twin
from diagnose.model import Problem
from diagnose.redact import Redactor

__all__ = ["definitions", "listed", "listing_of"]


def definitions(
    environ: Mapping[str, str], file: str | None
) -> tuple[tuple[Defined, ...], UsageError | None]:
    """Everything that is defined here and in ``file``, and why ``file`` could not be read."""
    found = discover(environ)
    if file is None:
        return found, None
    try:
        named = load(file, environ=environ)
    except UsageError as problem:
        return found, problem
    # The same file counts once, and as one that was named.
    path = _resolved(file)
    others = tuple(entry for entry in found if _resolved(entry.origin.file) != path)
    return related((*others, *named), str(working_directory())), None


def _resolved(file: str) -> Path:
    try:
        return Path(file).resolve()
    except (OSError, RuntimeError, ValueError):
        return Path(file)


def listing_of(found: tuple[Defined, ...], client: str | None = None) -> tuple[Listing, tuple[Defined, ...]]:
    """The document, and the definitions of its connectors in the same order."""
    wanted = [entry for entry in found if client is None or entry.client == client]
    files = [entry for entry in wanted if _is_file(entry)]
    entries = tuple(entry for entry in wanted if not _is_file(entry))
    document = Listing(
        connectors=[listed(entry) for entry in entries], broken_files=[_broken(entry) for entry in files]
    )
    return document, entries


def _is_file(entry: Defined) -> bool:
    # An entry that has no name has a place in its file; what could not be read has none.
    return not entry.name and not entry.origin.pointer


def listed(entry: Defined) -> Listed:
    """One definition as the list has it."""
    return Listed(
        **_clean(
            {
                "name": entry.name,
                "client": entry.client,
                "title": entry.title,
                "scope": entry.scope,
                "place": _place(entry.origin),
                "folder": entry.folder,
                "transport": entry.transport,
                "target": entry.target,
                "bridged_url": entry.real_url,
                "enabled": entry.enabled,
                "usable": entry.connector is not None,
                "applies": applies(entry, str(working_directory())),
                "overrides": [_place(origin) for origin in entry.overrides],
                "overridden_by": _place(entry.overridden_by) if entry.overridden_by else None,
            }
        ),
        same_server=[
            Twin(
                **_clean(
                    {
                        "client": twin.client,
                        "name": twin.name,
                        "place": _place(twin.origin),
                        "differs": list(twin.differs),
                    }
                )
            )
            for twin in entry.twins
        ],
        problems=[Problem(**_clean(problem.as_dict())) for problem in entry.problems],
    )


def _broken(entry: Defined) -> BrokenFile:
    assert entry.reason is not None
    return BrokenFile(
        client=entry.client,
        title=entry.title,
        place=Place(**_clean(_place(entry.origin))),
        problem=Problem(**_clean(entry.reason.as_dict())),
    )


def _place(origin: Origin) -> dict[str, Any]:
    return {
        "file": origin.file,
        "line": origin.line,
        "column": origin.column,
        "pointer": origin.pointer,
    }


def _clean(values: Mapping[str, Any]) -> dict[str, Any]:
    redactor = Redactor()
    return {name: redactor.clean(value) for name, value in values.items()}
