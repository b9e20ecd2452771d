"""A measured figure beside its budget."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Figure", "as_table", "median", "spread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number, what it may be at most (or at least), and how it came about.

    ``budget`` is None where a figure only explains another one.
    """

    what: str
    value: float
    unit: str
    detail: str
    budget: float | None = None
    at_least: bool = False

    @property
    def held(self) -> bool | None:
        if self.budget is None:
            return None
        return self.value >= self.budget if self.at_least else self.value <= self.budget

    def plain(self) -> dict[str, Any]:
        """The figure for ``--json``."""
        return {**asdict(self), "held": self.held}


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float], scale: float = 1.0) -> str:
    """Least and greatest, for the reader who asks how steady a median is."""
    return f"{min(values) * scale:.0f}-{max(values) * scale:.0f}"


def as_table(figures: Sequence[Figure]) -> str:
    """The figures as lines of text."""
    rows = [("what", "measured", "budget", "", "how")]
    words = {True: "held", False: "NOT HELD", None: ""}
    for figure in figures:
        bound = "at least" if figure.at_least else "at most"
        budget = "" if figure.budget is None else f"{bound} {figure.budget:g} {figure.unit}".rstrip()
        rows.append(
            (
                figure.what,
                f"{figure.value:g} {figure.unit}".rstrip(),
                budget,
                words[figure.held],
                figure.detail,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]).rstrip()
        for row in rows
    )
