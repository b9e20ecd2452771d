"""Do these arguments fit the schema of a tool? Judged within bounds, whatever the schema says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from itertools import islice
from typing import Any

from diagnose.records import record

__all__ = ["Judgement", "judged"]

_MOST_PROBLEMS = 20


@record
class Judgement:
    """What does not fit, by JSON pointer; ``unchecked`` is why it could not be judged here."""

    problems: Mapping[str, str] = field(default_factory=dict)
    unchecked: str | None = None


async def judged(schema: Any, arguments: Mapping[str, Any], environ: Mapping[str, str]) -> Judgement:
    """Compare in this thread what needs no pattern, and all else in a process that a deadline ends."""
    from diagnose_checks.schema_match import Undecided
    from diagnose_checks.schema_process import mismatch_in_process

    from diagnose.wire.threads import in_daemon_thread

    inline = await in_daemon_thread(lambda: _inline(schema, arguments))
    if inline is not None:
        return inline
    try:
        found = await mismatch_in_process(schema, dict(arguments), environ=environ)
    except Undecided as problem:
        return Judgement(unchecked=str(problem))
    return Judgement(problems=_told([found] if found is not None else []))


def _inline(schema: Any, arguments: Mapping[str, Any]) -> Judgement | None:
    """The judgement, or None where only ``jsonschema`` can give it."""
    from diagnose_checks.schema_bounds import excess
    from diagnose_checks.schema_match import Undecided, mismatches
    from diagnose_checks.schema_shape import dialect_of, first_flaw

    if not isinstance(schema, Mapping):
        return Judgement(unchecked="the tool has no schema for its arguments")
    over = excess(schema)
    if over is not None:
        return Judgement(unchecked=f"the schema has more than {over.limit}")
    dialect = dialect_of(schema)
    if dialect is None:
        return Judgement(unchecked="the schema names a dialect that is not known here")
    flaw = first_flaw(schema, dialect)
    if flaw is not None:
        return Judgement(unchecked=f"the schema is not valid at {flaw.pointer or '/'}")
    if dialect == "draft-04":  # it takes 1.0 for no integer; its own implementation decides
        return None
    try:
        return Judgement(problems=_told(list(islice(mismatches(schema, arguments), _MOST_PROBLEMS))))
    except Undecided:
        return None


def _told(found: list[Any]) -> dict[str, str]:
    told: dict[str, str] = {}
    for mismatch in found:
        missing = mismatch.keyword == "required" and mismatch.observed == "absent"
        said = "is required" if missing else f"expected {mismatch.expected}, observed {mismatch.observed}"
        told.setdefault(mismatch.pointer, said)
    return told
