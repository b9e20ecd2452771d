"""Where in a run something happened and how long it took, as a bar of cells."""

from __future__ import annotations

__all__ = ["bar"]


def bar(started_ms: float, duration_ms: float, total_ms: float, width: int) -> tuple[int, int]:
    """The first cell and the number of cells of what began at ``started_ms``.

    At least one cell, and never beyond ``width``: what took no time still happened.
    """
    if width < 1 or total_ms <= 0:
        return 0, 0
    first = min(int(started_ms / total_ms * width), width - 1)
    last = max(round((started_ms + duration_ms) / total_ms * width), first + 1)
    return first, min(last, width) - first
