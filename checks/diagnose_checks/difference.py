"""Two identifiers that should be the same bytes: where they part, in words and with a mark."""

from __future__ import annotations

from diagnose.records import record

__all__ = ["Difference", "clipped", "difference"]


@record
class Difference:
    """``at`` is the index of the first character that differs."""

    at: int
    slash_only: bool
    words: str


def difference(expected: str, observed: str) -> Difference | None:
    """How ``observed`` differs from ``expected``; None where they are the same bytes."""
    if expected == observed:
        return None
    at = next(
        (index for index, (a, b) in enumerate(zip(expected, observed, strict=False)) if a != b),
        min(len(expected), len(observed)),
    )
    slash_only = expected.rstrip("/") == observed.rstrip("/")
    if slash_only:
        words = "only a trailing slash differs"
    elif expected.lower() == observed.lower():
        words = f"only upper and lower case differ, first at character {at + 1}"
    else:
        got, wanted = _shown(observed, at), _shown(expected, at)
        words = f"they differ from character {at + 1} on: {got} instead of {wanted}"
    return Difference(at=at, slash_only=slash_only, words=words)


def _shown(text: str, at: int) -> str:
    return repr(text[at : at + 24]) if at < len(text) else "nothing more"


def clipped(text: str, limit: int = 80) -> str:
    """``text`` as it may stand in a sentence: what a stranger chose may be of any length."""
    return text if len(text) <= limit else f"{text[:limit]}..."
