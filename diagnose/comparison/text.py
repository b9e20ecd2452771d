"""A comparison for a person: by group, with the part in which two values differ marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from diagnose.comparison.model import Change, Compared, Comparison
from diagnose.report.difference import Difference, cells, difference
from diagnose.report.paint import Paint
from diagnose.report.wording import line
from diagnose.step import TITLES

__all__ = ["render"]

_INDENT = "    "
_WORDS = (("before", "green"), ("after", "bold yellow"))
_LONGEST = 600
_CONTEXT = 200
_STATUSES = {"passed": "passed", "warned": "passed with warnings", "failed": "FAILED", "error": "no verdict"}


def render(comparison: Comparison, *, color: bool = False, unicode: bool = True, width: int = 80) -> str:
    """The comparison as text."""
    paint = Paint(color=color, unicode=unicode, width=width)
    lines = [_side(word, run) for (word, _), run in zip(_WORDS, _runs(comparison), strict=True)]
    for group, changes in groupby(comparison.differences, key=lambda change: change.group):
        lines += ["", paint(group.capitalize(), "bold"), *_group(list(changes), paint)]
    lines += ["", *paint.wrapped(_conclusion(comparison), "")]
    for sentence in comparison.not_compared:
        lines += paint.wrapped(f"Not compared: {line(sentence)}", "")
    return "\n".join(lines) + "\n"


def _runs(comparison: Comparison) -> tuple[Compared, Compared]:
    return comparison.before, comparison.after


def _side(word: str, run: Compared) -> str:
    failed = f" at {TITLES[run.step][1]}, {run.code}" if run.step is not None and run.step in TITLES else ""
    said = f"{_STATUSES.get(run.status, run.status)}{failed}"
    return line(f"{word:<7}{run.id[:8]}  {run.started_at}  {run.target}  {said}")


def _group(changes: Sequence[Change], paint: Paint) -> Iterator[str]:
    told: set[str] = set()
    for change in changes:
        yield from paint.wrapped(line(change.label), "  ")
        yield from _pair(change, paint)
        if change.note is not None:
            told.add(change.note)
    for note in sorted(told):
        yield from paint.wrapped(f"{paint.glyph('warned')} {note}", "  ")


def _pair(change: Change, paint: Paint) -> Iterator[str]:
    texts = [None if text is None else line(text) for text in _cut(change.before, change.after)]
    gap = difference(texts[0], texts[1]) if texts[0] is not None and texts[1] is not None else None
    room = paint.width - len(_INDENT) - 8
    if gap is not None and any(cells(text or "") > room for text in texts):
        marked = f"{gap.before}[-{gap.expected}-]{{+{gap.observed}+}}{gap.after}"
        yield from paint.wrapped(marked, _INDENT)
        return
    for (word, style), text, middle in zip(_WORDS, texts, _middles(gap), strict=True):
        label = f"{_INDENT}{word:<8}"
        if text is None:
            yield f"{label}{paint('(not there)', 'dim')}"
        elif gap is not None:
            yield f"{label}{gap.before}{paint(middle, style)}{gap.after}"
        else:
            yield from _hanging(label, text, paint)
    if gap is not None:
        longest = max(cells(gap.expected), cells(gap.observed), 1)
        yield f"{_INDENT}{' ' * (8 + cells(gap.before))}{paint('^' * longest, 'bold yellow')}"


def _middles(gap: Difference | None) -> tuple[str, str]:
    return (gap.expected, gap.observed) if gap is not None else ("", "")


def _hanging(label: str, text: str, paint: Paint) -> list[str]:
    lines = paint.wrapped(text, " " * len(label))
    return [f"{label}{lines[0].strip()}", *lines[1:]] if lines else [f"{label}(empty)"]


def _cut(before: str | None, after: str | None) -> Iterator[str | None]:
    """Both texts from a little before the place at which they part, and no longer than a person reads."""
    one, other = before or "", after or ""
    pairs = enumerate(zip(one, other, strict=False))
    shared = next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
    start = max(shared - _CONTEXT, 0)
    for text in (before, after):
        if text is None:
            yield None
            continue
        shown = text[start : start + _LONGEST]
        rest = len(text) - start - len(shown)
        yield (
            ("... " if start else "")
            + shown
            + (f"... ({rest} characters more; --json has all)" if rest else "")
        )


def _conclusion(comparison: Comparison) -> str:
    count = len(comparison.differences)
    if not count:
        return "No difference in what both runs saw."
    return f"{count} difference{'s' if count > 1 else ''}."
