"""From the files of clients to the rows of the list. Reads files: call it off the event loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from diagnose.display import display
from diagnose.redact import Redactor
from diagnose_tui.entries import Entry

if TYPE_CHECKING:
    from diagnose import model
    from diagnose.connector import Connector, Defined
    from diagnose.connector import Problem as Wrong
    from diagnose.model import Report
    from diagnose.options import Options

__all__ = ["entries_of", "found_here", "of_file", "report_entry", "typed_entry"]


def found_here(options: Options) -> tuple[Entry, ...]:
    """Every connector of every client of this machine, and each file that cannot be read."""
    from diagnose.connector import discover

    return entries_of(discover(), options)


def of_file(path: Path, options: Options) -> tuple[Entry, ...]:
    """The connectors of one file. Raises UsageError where it cannot be read."""
    from diagnose.connector import load

    return entries_of(load(path), options)


def entries_of(defined: Iterable[Defined], options: Options) -> tuple[Entry, ...]:
    """The rows of definitions, in their order."""
    return tuple(_entry(one, options) for one in defined)


def _entry(defined: Defined, options: Options) -> Entry:
    cleaned = Redactor()
    file = defined.origin.file
    return Entry(
        key=f"{defined.client}:{defined.origin}:{defined.name}",
        name=defined.name or Path(file).name,
        client=defined.title,
        target=defined.target or ("" if defined.name else "this file cannot be read"),
        place=str(display(f"{file}:{defined.origin.line}" if defined.origin.line else file)),
        connector=defined.connector,
        options=options,
        problems=tuple(_problem(problem, cleaned) for problem in defined.problems),
        enabled=defined.enabled,
        of_project=defined.folder is not None,
        overridden=defined.overridden_by is not None,
    )


def _problem(problem: Wrong, cleaned: Redactor) -> model.Problem:
    from diagnose import model

    return model.Problem(**cleaned.clean(problem.as_dict()))


def report_entry(report: Report) -> Entry:
    """The row of a stored report, which can be looked at and not run."""
    connector = report.connector
    return Entry(
        key=f"report:{report.run.id}",
        name=connector.name,
        kind="report",
        client="stored report",
        target=connector.url or " ".join(connector.command or ()),
        place=connector.source or "",
        problems=tuple(connector.problems),
        report=report,
    )


def typed_entry(
    connector: Connector, options: Options, problems: Sequence[Wrong] = (), *, key: str = "typed"
) -> Entry:
    """The row of a target that somebody typed."""
    from diagnose.connector.dialects.shown import command_shown, url_shown

    stdio = connector.stdio
    cleaned = Redactor()
    return Entry(
        key=f"{key}:{connector.name}",
        name=connector.name,
        client="" if connector.source.file is None else connector.source.format,
        target=url_shown(connector.url) if stdio is None else command_shown(stdio.argv),
        place="" if connector.source.file is None else str(connector.source),
        connector=connector,
        options=options,
        problems=tuple(_problem(problem, cleaned) for problem in problems),
    )
