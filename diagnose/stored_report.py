"""A report out of a file: a stranger's document until it has been read here.

What a run writes is redacted and made harmless by the run. Of a file nobody knows that, so both happen once
more, and whatever a renderer takes for granted is checked: no report makes one fail.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnose.errors import UsageError

if TYPE_CHECKING:
    from pydantic import ValidationError

    from diagnose.model import Report

__all__ = ["LIMIT", "report_file", "report_in"]

LIMIT = 32 * 1024 * 1024
"""Bytes. A report keeps 64 KiB of a body: one with two hundred full exchanges still fits."""

_MAJOR = "1"
_LONGEST_MS = 366 * 86_400_000.0
_HINT = "give the JSON report of a run: diagnose TARGET --report json=report.json"
_OTHERS: Mapping[str, str] = {
    "log": "a HAR file",
    "runs": "a SARIF file",
    "connectors": "a list of connectors",
    "mcpServers": "a file of connectors",
    "differences": "a comparison of two reports",
}
"""What else people have at hand, by a member of it."""

_At = tuple[str | int, ...]


def report_file(path: str) -> Report:
    """The report in a file, or on standard input for ``-``. Raises UsageError CFG025."""
    if path == "-":
        content = sys.stdin.buffer.read(LIMIT + 1) if sys.stdin is not None else b""
        where = "standard input"
    else:
        content, where = _content(Path(path)), path
    if len(content) > LIMIT:
        raise _refused(f"the file is larger than {LIMIT // 1024 // 1024} MiB", where)
    return report_in(content, where)


def _content(path: Path) -> bytes:
    try:
        # A pipe is as good as a file here (diagnose replay <(...)); a directory is not.
        with path.open("rb") as file:
            return file.read(LIMIT + 1)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "its name holds a NUL"
        raise _refused(f"the report cannot be read: {reason.lower()}", str(path)) from None


def report_in(content: bytes, where: str) -> Report:
    """The report that ``content`` is, redacted and checked. ``where`` names its place in a refusal.

    Raises UsageError CFG025 with line and JSON pointer.
    """
    from pydantic import ValidationError

    from diagnose.model import Report
    from diagnose.wire.strict_json import HostileJson, parse

    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        document = parse(content).value
    except HostileJson as problem:
        raise _refused(f"the file is no JSON: {problem}", where) from None
    _check_kind(document, where)
    text = content.decode()
    cleaned = _cleaned(document)
    try:
        report = Report.model_validate(cleaned, strict=False)
    except ValidationError as problem:
        at, what = _first(problem)
        raise _at_place(what, text, at, where) from None
    for at, what in _faults(report):
        raise _at_place(what, text, at, where)
    return report


def _check_kind(document: Any, where: str) -> None:
    """Refuse what is no report at all, in the word for what it is."""
    if not isinstance(document, dict) or "schema_version" not in document or "steps" not in document:
        known = document if isinstance(document, dict) else {}
        kind = next((word for member, word in _OTHERS.items() if member in known), None)
        raise _refused(f"the file is {kind}, and no report" if kind else "the file holds no report", where)
    version = document["schema_version"]
    if not isinstance(version, str) or version.partition(".")[0] != _MAJOR:
        from diagnose.display import display

        shown = display(str(version), limit=20)
        raise UsageError(
            "CFG025",
            f"the report has schema version {shown!r}, and this diagnose reads {_MAJOR}.x",
            where=where,
            hint="read it with the version of diagnose that wrote it, or a newer one",
        )


def _cleaned(document: dict[str, Any]) -> Any:
    """The document without secrets and without characters that act, as a run would have written it."""
    from diagnose.redact import Redactor

    redactor = Redactor()
    cleaned = redactor.clean(document)
    exchanges = cleaned.get("exchanges")
    for exchange in exchanges if isinstance(exchanges, list) else []:
        for name in ("request", "response"):
            part = exchange.get(name) if isinstance(exchange, dict) else None
            if isinstance(part, dict) and _are_pairs(part.get("headers")):
                part["headers"] = redactor.headers((key, value) for key, value in part["headers"])
    command = cleaned["connector"].get("command") if isinstance(cleaned.get("connector"), dict) else None
    if isinstance(command, list) and all(isinstance(word, str) for word in command):
        cleaned["connector"]["command"] = redactor.argv(command)
    return cleaned


def _are_pairs(headers: object) -> bool:
    return isinstance(headers, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)
        for pair in headers
    )


def _first(problem: ValidationError) -> tuple[_At, str]:
    """Place and words of the first fault; no value of the file is quoted."""
    fault = problem.errors(include_url=False, include_context=False, include_input=False)[0]
    message = fault["msg"]
    return tuple(fault["loc"]), f"{message[:1].lower()}{message[1:]}"


def _faults(report: Report) -> Iterator[tuple[_At, str]]:
    """What the schema allows and no run writes: every renderer relies on its absence."""
    from diagnose.step import TITLES

    try:
        aware = datetime.fromisoformat(report.run.started_at).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        yield ("run", "started_at"), "this is no time of RFC 3339"
    if not _is_time(report.run.duration_ms):
        yield ("run", "duration_ms"), "this is no duration"
    for index, (step, step_id) in enumerate(zip(report.steps, TITLES, strict=True)):
        if (step.id, step.number) != (step_id, TITLES[step_id][0]):
            yield ("steps", index, "id"), f"step {index + 1} is {step_id}"
        if not _is_time(step.started_ms) or not _is_time(step.duration_ms):
            yield ("steps", index), "this step has a time that is none"
        if step.status == "failed" and all(finding.severity != "error" for finding in step.findings):
            yield ("steps", index, "findings"), "a step that failed has a finding of severity error"
    for index, exchange in enumerate(report.exchanges):
        if not all(map(_is_time, exchange.timings_ms.values())):
            yield ("exchanges", index, "timings_ms"), "this holds a time that is none"
        for name, part in (("request", exchange.request), ("response", exchange.response or {})):
            yield from ((("exchanges", index, name, *at), what) for at, what in _odd(part))


def _is_time(value: float | None) -> bool:
    return value is None or (math.isfinite(value) and -_LONGEST_MS <= value <= _LONGEST_MS)


def _odd(part: Mapping[str, Any]) -> Iterator[tuple[_At, str]]:
    """What is wrong with one side of an exchange."""
    if not _are_pairs(part.get("headers") or []):
        yield ("headers",), "headers are pairs of name and value"
    for name in ("method", "url", "body", "reason", "http_version", "error"):
        if not isinstance(part.get(name), str | None):
            yield (name,), "this is text"
    for name in ("status", "body_size", "process"):
        number = part.get(name, 0)
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**53:
            yield (name,), "this is a whole number"


def _at_place(what: str, text: str, at: _At, where: str) -> UsageError:
    from diagnose.connector.dialects.json_places import Places
    from diagnose.connector.json_document import Place

    # A member that is missing has no place of its own: the object that lacks it has.
    places, found, length = Places(text), None, len(at)
    while found is None and length:
        found = places.find(at[:length])
        length -= 1
    line = f":{found[0]}" if found is not None else ""
    return _refused(f"the report is broken: {what}", str(Place(f"{where}{line}", at)))


def _refused(what: str, where: str) -> UsageError:
    return UsageError("CFG025", what, where=where, hint=_HINT)
