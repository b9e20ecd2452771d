"""A comparison as lines: by group, old above new, with the part that differs marked."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from diagnose.comparison import Change, Compared, Comparison
from diagnose.display import display
from diagnose.report.difference import difference
from diagnose.step import TITLES
from diagnose_tui.bodies import Row, prose_rows

__all__ = ["comparison_rows"]

_LONGEST = 4000
_STATUSES = {"passed": "passed", "warned": "passed with warnings", "failed": "FAILED", "error": "no verdict"}


def comparison_rows(comparison: Comparison) -> list[Row]:
    """Everything that differs, or that nothing does; what could not be compared comes last."""
    count = len(comparison.differences)
    said = f"{count} difference{'' if count == 1 else 's'}."
    rows = [Row(said if count else "No difference in what both runs saw.", "strong")]
    rows += [*_side("Before", comparison.before), *_side("After", comparison.after)]
    for group, changes in groupby(comparison.differences, key=lambda change: change.group):
        rows += [Row(""), Row(display(group.capitalize()), "title")]
        notes: dict[str, None] = {}
        for change in changes:
            rows += _change(change)
            if change.note is not None:
                notes[change.note] = None
        rows += [Row(display(note), "warning", "! ") for note in notes]
    if comparison.not_compared:
        rows.append(Row(""))
    for sentence in comparison.not_compared:
        rows += prose_rows("Unseen", str(display(sentence)))
    return rows


def _side(word: str, run: Compared) -> list[Row]:
    failed = f" at {TITLES[run.step][1]}, {run.code}" if run.step is not None and run.step in TITLES else ""
    said = f"{_STATUSES.get(run.status, run.status)}{failed}"
    return prose_rows(word, str(display(f"{run.id[:8]}  {run.started_at}  {said}  {run.target}")))


def _change(change: Change) -> Iterator[Row]:
    yield Row(display(change.label), "strong")
    old, new = (None if text is None else _one_line(text) for text in (change.before, change.after))
    gap = difference(old, new) if old is not None and new is not None else None
    start = len(gap.before) if gap is not None else 0
    for word, text, middle in (
        ("before", old, gap.expected if gap is not None else ""),
        ("after", new, gap.observed if gap is not None else ""),
    ):
        if text is None:
            yield Row("(not there)", "muted", f"  {word:<8}")
        else:
            yield Row(text, "pair", f"  {word:<8}", (start, start + len(middle)))


def _one_line(text: str) -> str:
    return str(display(text, limit=_LONGEST))
