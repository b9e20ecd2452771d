"""The part in which two texts differ."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

__all__ = ["Difference", "cells", "difference"]

_SHARED_AT_LEAST = 0.3
"""Below this part in common the texts have nothing to do with each other, and a mark says nothing."""

_LONGEST_OPENING = 3
"""Texts that begin differently for longer than this are different sentences that end alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What both texts share before and after, and the middle in which each has its own."""

    before: str
    expected: str
    observed: str
    after: str


def difference(expected: str, observed: str) -> Difference | None:
    """Where ``observed`` differs; None where the texts are equal or share too little."""
    if expected == observed:
        return None
    shortest = min(len(expected), len(observed))
    start = 0
    while start < shortest and expected[start] == observed[start]:
        start += 1
    end = 0
    while end < shortest - start and expected[-1 - end] == observed[-1 - end]:
        end += 1
    longest = max(len(expected), len(observed))
    if start + end < _SHARED_AT_LEAST * longest:
        return None
    if not start and longest - end > _LONGEST_OPENING:
        return None
    return Difference(
        before=expected[:start],
        expected=expected[start : len(expected) - end],
        observed=observed[start : len(observed) - end],
        after=expected[len(expected) - end :],
    )


def cells(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
