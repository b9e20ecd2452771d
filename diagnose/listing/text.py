"""The list for a person: readable at 80 columns, without colour and in plain ASCII."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from diagnose.listing.model import Duplicate, Listed, Listing, Place
from diagnose.model import Problem
from diagnose.report.paint import Paint
from diagnose.report.wording import line

__all__ = ["render"]

_GLYPHS = {
    "error": ("failed", "bold red"),
    "warning": ("warned", "yellow"),
    "info": ("not_applicable", "dim"),
}
_VERDICTS = {"passed": "passed", "warned": "warned", "failed": "failed", "error": "failed"}
_INDENT = "      "
_SHOWN_TOOLS = 8


def render(
    listing: Listing, *, verbosity: int = 0, color: bool = False, unicode: bool = True, width: int = 80
) -> str:
    """The list as text. ``verbosity`` 1 adds every problem in full; errors always are."""
    paint = Paint(color=color, unicode=unicode, width=width)
    lines: list[str] = []
    for (title, scope, file), entries in groupby(
        listing.connectors, key=lambda entry: (entry.title, entry.scope, entry.place.file)
    ):
        kind = "" if scope == "file" else f", {scope}"
        lines += [*_head(f"{line(title)}{kind}", file, paint)]
        for entry in entries:
            lines += _entry(entry, paint, verbosity)
        lines.append("")
    for broken in listing.broken_files:
        lines += [*_head(line(broken.title), _at(broken.place), paint)]
        lines += [*_problem(broken.problem, "  ", paint, whole=True), ""]
    lines += _duplicates(listing.duplicate_tools, paint)
    return "\n".join([*lines, *paint.wrapped(_conclusion(listing), "")]) + "\n"


def _head(title: str, file: str, paint: Paint) -> list[str]:
    return paint.wrapped(f"{title}: {line(file)}", "")


def _entry(entry: Listed, paint: Paint, verbosity: int) -> list[str]:
    state = [] if entry.enabled else ["switched off"]
    state += [] if entry.applies else [f"for {line(entry.folder or 'another project')} only"]
    state += ["cannot be used"] if not entry.usable else []
    where = [f"line {entry.place.line}"] if entry.place.line else [line(entry.place.pointer)]
    facts = "  ".join([entry.transport or "no transport", *where, *state])
    lines = [f"  {paint(line(entry.name) or '(no name)', 'bold')}  {line(facts)}"]
    for text in _facts(entry):
        lines += paint.wrapped(text, _INDENT)
    for problem in entry.problems:
        lines += _problem(problem, _INDENT, paint, whole=verbosity > 0 or problem.severity == "error")
    return lines + _diagnosis(entry, paint)


def _facts(entry: Listed) -> Iterator[str]:
    if entry.target:
        yield line(entry.target)
    if entry.bridged_url:
        yield f"leads to {line(entry.bridged_url)}"
    for place in entry.overrides:
        yield f"goes before {_at(place)}"
    if entry.overridden_by:
        yield f"overridden by {_at(entry.overridden_by)}"
    for twin in entry.same_server:
        settings = f"different {', '.join(twin.differs)}" if twin.differs else "with the same settings"
        yield f"same server as {line(f'{twin.client}:{twin.name}')}, {settings}"


def _problem(problem: Problem, indent: str, paint: Paint, *, whole: bool) -> list[str]:
    glyph, style = _GLYPHS[problem.severity]
    head = f"{paint.glyph(glyph)} {problem.code} {problem.name}"
    if not whole:
        return [f"{indent}{paint(head, style)}"]
    place = f" ({line(problem.where)})" if problem.where else ""
    said = paint.wrapped(f"{problem.what}{place}: {problem.hint}", f"{indent}  ")
    return [f"{indent}{paint(head, style)}", *said]


def _diagnosis(entry: Listed, paint: Paint) -> list[str]:
    found = entry.diagnosis
    if found is None:
        return []
    if found.status == "not_run":
        return paint.wrapped(f"{paint.glyph('not_applicable')} not diagnosed: {found.summary}", _INDENT)
    at = f" at {found.failed_step}, {found.code}" if found.failed_step else ""
    glyph = paint.glyph(_VERDICTS[found.status])
    count = (
        f", {len(found.tools)} tool{'s' if len(found.tools) != 1 else ''}" if not found.failed_step else ""
    )
    return paint.wrapped(f"{glyph} {found.status}{at}{count}: {found.summary}", _INDENT)


def _duplicates(duplicates: list[Duplicate], paint: Paint) -> list[str]:
    """One paragraph for each set of connectors, however many names they share."""
    groups: dict[tuple[str, ...], list[Duplicate]] = {}
    for entry in duplicates:
        groups.setdefault((entry.severity, *entry.connectors), []).append(entry)
    lines: list[str] = []
    for (severity, *connectors), entries in groups.items():
        glyph, style = _GLYPHS[severity]
        names = [line(entry.tool) for entry in entries]
        rest = f" and {len(names) - _SHOWN_TOOLS} more" if len(names) > _SHOWN_TOOLS else ""
        lines.append(paint(f"{paint.glyph(glyph)} {entries[0].code} {entries[0].name}", style))
        told = "in one client" if severity == "warning" else "in different clients, which harms nobody"
        text = f"{', '.join(names[:_SHOWN_TOOLS])}{rest}: {' and '.join(map(line, connectors))}, {told}"
        lines += [*paint.wrapped(text, "  "), ""]
    return lines


def _at(place: Place) -> str:
    return line(place.file if place.line is None else f"{place.file}:{place.line}")


def _conclusion(listing: Listing) -> str:
    entries = listing.connectors
    if not entries and not listing.broken_files:
        return "No connector is defined in the files of the clients that are known (docs/connectors.md)."
    clients = len({entry.client for entry in entries})
    counted = [f"{_count(len(entries), 'connector')} of {_count(clients, 'client')}"]
    unusable = sum(not entry.usable for entry in entries)
    warned = sum(any(found.severity == "warning" for found in entry.problems) for entry in entries)
    counted += [f"{unusable} cannot be used"] if unusable else []
    counted += [f"{warned} with warnings"] if warned else []
    failed = sum(entry.diagnosis is not None and entry.diagnosis.status == "failed" for entry in entries)
    counted += [f"{failed} failed"] if failed else []
    counted += [f"{_count(len(listing.broken_files), 'file')} not read"] if listing.broken_files else []
    return f"{', '.join(counted)}."


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
