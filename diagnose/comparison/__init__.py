"""What changed between two runs of a connector, and what could not be compared.

Two runs of the same healthy server have no difference. So values that a server or this machine draws anew
for each run do not count: ports, session ids, dates, process ids, sizes and estimates of an answer, the days
that a certificate has left, the order of addresses and of tools, and times below a threshold.
"""

from __future__ import annotations

from typing import Any

from diagnose.comparison.model import Change, Compared, Comparison
from diagnose.comparison.rows import compared_facts
from diagnose.comparison.steps import compared_steps, compared_timings, compared_verdicts, not_reached
from diagnose.comparison.tools import compared_tools
from diagnose.model import Report

__all__ = ["GROUPS", "SCHEMA_VERSION", "Change", "Compared", "Comparison", "compare", "to_dict"]

SCHEMA_VERSION = "1.0"

GROUPS = (
    "verdict",
    "connector",
    "steps",
    "addresses",
    "certificate",
    "protocol",
    "server",
    "capabilities",
    "tools",
    "authentication",
    "sample call",
    "timings",
    "environment",
)
"""The groups of differences, in the order in which they are told."""


def compare(before: Report, after: Report) -> Comparison:
    """Compare two runs; ``before`` is the one that the other is measured against."""
    tools, unseen = compared_tools(before, after)
    found = [
        *compared_verdicts(before, after),
        *compared_facts(before, after),
        *compared_steps(before, after),
        *tools,
        *compared_timings(before, after),
    ]
    return Comparison(
        before=_side(before),
        after=_side(after),
        # The sort is stable: within a group the order is that of the tables, which is that of the steps.
        differences=tuple(sorted(found, key=lambda change: GROUPS.index(change.group))),
        not_compared=(*not_reached(before, after), *unseen),
    )


def _side(report: Report) -> Compared:
    verdict, connector = report.verdict, report.connector
    return Compared(
        id=report.run.id,
        started_at=report.run.started_at,
        connector=connector.name,
        target=connector.url or " ".join(connector.command or []) or connector.name,
        status=verdict.status,
        step=verdict.failed_step.id if verdict.failed_step is not None else None,
        code=verdict.code,
    )


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """The comparison as a document; within ``schema_version`` 1.x members are only added."""
    return {
        "schema_version": SCHEMA_VERSION,
        "before": _members(comparison.before),
        "after": _members(comparison.after),
        "differences": [_members(change) for change in comparison.differences],
        "not_compared": list(comparison.not_compared),
    }


def _members(part: Compared | Change) -> dict[str, Any]:
    return {name: getattr(part, name) for name in type(part).__dataclass_fields__}
