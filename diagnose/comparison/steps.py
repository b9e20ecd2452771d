"""Verdicts, statuses and times of the eleven steps, compared."""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.comparison.model import Change
from diagnose.model import Report, StepResult

__all__ = ["compared_steps", "compared_timings", "compared_verdicts", "not_reached"]

_WORDS = {"passed": "passed", "warned": "passed with warnings", "failed": "failed", "error": "no verdict"}
_SLOWER_BY = 2.0
"""At least twice as long, or half: below that, the load of either machine explains it."""
_SLOWER_BY_MS = 300.0
"""And this much: one lost packet costs 200 ms and more (the smallest retransmission timeout of Linux), and
says nothing about the server."""


def compared_verdicts(before: Report, after: Report) -> Iterator[Change]:
    """The status, and the first step that failed with its code."""
    pairs = [(_WORDS[report.verdict.status], _place(report)) for report in (before, after)]
    (status, place), (other_status, other_place) = pairs
    if status != other_status:
        yield Change(group="verdict", label="status", before=status, after=other_status)
    if place != other_place:
        verdict = after.verdict if after.verdict.failed_step is not None else before.verdict
        step = verdict.failed_step.id if verdict.failed_step is not None else None
        yield Change(group="verdict", label="first failure", before=place, after=other_place, step=step)


def _place(report: Report) -> str | None:
    failed = report.verdict.failed_step
    return f"{report.verdict.code} at {report.step(failed.id).title}" if failed is not None else None


def compared_steps(before: Report, after: Report) -> Iterator[Change]:
    """Status and codes of each step that both runs reached."""
    for one, other in zip(before.steps, after.steps, strict=True):
        if "skipped" in (one.status, other.status):
            continue
        ours, theirs = _outcome(one), _outcome(other)
        if ours != theirs:
            yield Change(group="steps", label=other.title, before=ours, after=theirs, step=other.id)


def _outcome(step: StepResult) -> str:
    """The status with its codes; notes come and go with the weather, and no verdict rests on one."""
    codes = sorted({finding.code for finding in step.findings if finding.severity != "info"})
    return " ".join([step.status.replace("_", " "), *codes])


def compared_timings(before: Report, after: Report) -> Iterator[Change]:
    """The steps that took much longer or much less, where both ended well: a failure ends when it likes."""
    for one, other in zip(before.steps, after.steps, strict=True):
        if not {one.status, other.status} <= {"passed", "warned"}:
            continue
        ours, theirs = one.duration_ms or 0.0, other.duration_ms or 0.0
        if abs(theirs - ours) >= _SLOWER_BY_MS and max(ours, theirs) >= _SLOWER_BY * min(ours, theirs):
            yield Change(
                group="timings",
                label=other.title,
                before=f"{ours:.0f} ms",
                after=f"{theirs:.0f} ms",
                step=other.id,
            )


def not_reached(before: Report, after: Report) -> Iterator[str]:
    """Sentences about the steps that one run had and the other had not."""
    for word, report, against in (("first", before, after), ("second", after, before)):
        titles = [
            step.title
            for step in report.steps
            if step.status == "skipped" and against.step(step.id).status != "skipped"
        ]
        if titles:
            yield f"what the {word} run did not reach: {', '.join(titles)}"
