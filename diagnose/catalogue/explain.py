"""Find a page: by code, by name, or by the words of an error that somebody pasted."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from diagnose.catalogue import Page, codes, page

__all__ = ["Candidate", "candidates", "find", "near", "plain"]

_WORD = re.compile(r"[a-z0-9_]+")
_MOST = 5
_MISREAD = str.maketrans("OIL", "011")
_WHOLE_SYMPTOM = 12.0
"""A symptom that stands in the text, word for word, outweighs any number of words in common."""
_LAST_WORD = 10.0
"""An error text goes from the general to the particular: what stands last in it says the most."""
_LATER = 0.02
"""What breaks early breaks for everybody: of two pages that fit alike the earlier step comes first."""
_EMPTY_WORDS = """
a an and are as at be but by can cannot could did do does error exception failed failure for from get had has
have i in into is it its mcp my no not of on or our server client that the then there this to was we were when
which with you your
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A page that may explain a text, how well it fits, and the pages it must be told apart from."""

    page: Page
    score: float
    symptom: str | None
    look_alikes: tuple[Page, ...]


def find(text: str) -> Page | None:
    """The page whose code or name ``text`` is, in any case; None for anything else."""
    word = text.strip()
    if word.upper() in codes():
        return page(word.upper())
    return _by_name().get(word.lower())


def near(text: str) -> tuple[str, ...]:
    """Codes that ``text`` was probably meant to be, by code or by name, the nearest first."""
    word = text.strip()
    prefix = re.match(r"[A-Za-z]*", word)
    letters = prefix.group().upper() if prefix else ""
    digits = word.upper()[len(letters) :].translate(_MISREAD)
    by_code = _closest(letters + digits, codes())
    by_name = _closest(word.lower(), tuple(_by_name()))
    return tuple(dict.fromkeys([*by_code, *(_by_name()[name].code for name in by_name)]))[:3]


def _closest(word: str, known: tuple[str, ...]) -> list[str]:
    rated = [(difflib.SequenceMatcher(None, word, entry).ratio(), entry) for entry in known]
    return [entry for ratio, entry in sorted(rated, key=lambda row: (-row[0], row[1])) if ratio >= 0.7][:3]


def is_code_like(text: str) -> bool:
    """Whether ``text`` looks like a code or a name and not like an error text."""
    word = text.strip()
    prefixes = {name.partition(".")[0] for name in _by_name()}
    named = re.fullmatch(r"([a-z0-9]+)\.[a-z0-9-]+", word)
    return bool(re.fullmatch(r"[A-Za-z]{2,5}[0-9]{2,4}", word)) or bool(named and named.group(1) in prefixes)


def candidates(text: str, *, steps: tuple[str, ...] = (), most: int = _MOST) -> tuple[Candidate, ...]:
    """Pages that may explain an error text, the likeliest first; empty where no word fits.

    ``steps`` are the ids of the steps in their order.
    """
    asked = _words(text)
    joined = " ".join(asked)
    weights = _weights()
    scored: list[tuple[float, str | None, Page]] = []
    for entry in _pages():
        symptom = max(
            (known for known in entry.symptoms if _holds(joined, known)),
            key=lambda known: len(known),
            default=None,
        )
        shared = set(asked) & (_vocabulary(entry) | set(_words(symptom or "")))
        score = sum(weights.get(word, 0.0) for word in shared)
        if symptom is not None:
            score += _WHOLE_SYMPTOM + _LAST_WORD * _how_far(joined, symptom)
        score *= 1 - _LATER * (steps.index(entry.step) if entry.step in steps else 0)
        if score > 0:
            scored.append((score, symptom, entry))
    scored.sort(key=lambda row: (-row[0], row[2].code))
    best, shared_symptom = scored[0][:2] if scored else (0.0, None)
    return tuple(
        Candidate(page=entry, score=round(score, 2), symptom=symptom, look_alikes=_look_alikes(entry))
        for place, (score, symptom, entry) in enumerate(scored)
        # A vendor's catch-all message is the symptom of many pages: all of them are listed, or none is right.
        if score >= best * 0.4 and (place < most or (symptom is not None and symptom == shared_symptom))
    )


def plain(template: str) -> str:
    """A message template for somebody who reads it without a run: ``{host}`` becomes ``<host>``."""
    return re.sub(r"(?<!\{)\{(\w+)\}(?!\})", r"<\1>", template).replace("{{", "{").replace("}}", "}")


def _look_alikes(entry: Page) -> tuple[Page, ...]:
    return tuple(page(code) for code in entry.look_alikes if code in codes())


def _holds(joined: str, symptom: str) -> bool:
    wanted = " ".join(_words(symptom))
    # A symptom of few words has them in other orders and inside others; only whole words count.
    return bool(wanted) and (
        f" {wanted} " in f" {joined} " or (len(joined) > 7 and f" {joined} " in f" {wanted} ")
    )


def _how_far(joined: str, symptom: str) -> float:
    """Where in the text the symptom ends: 0 at its beginning, 1 at its end."""
    wanted = " ".join(_words(symptom))
    found = f" {joined} ".rfind(f" {wanted} ")
    return (found + len(wanted)) / max(len(joined), 1) if found >= 0 else 0.5


def _words(text: str, *, keep_all: bool = True) -> list[str]:
    found = _WORD.findall(text.lower())
    return found if keep_all else [word for word in found if word not in _EMPTY]


@cache
def _vocabulary(entry: Page) -> frozenset[str]:
    texts: Iterable[str] = (entry.name, entry.summary, *entry.symptoms, entry.code)
    return frozenset(word for text in texts for word in _words(text, keep_all=False) if len(word) > 1)


@cache
def _weights() -> dict[str, float]:
    """A word weighs the more the fewer pages hold it."""
    counted = Counter(word for entry in _pages() for word in _vocabulary(entry))
    return {word: math.log(1 + len(codes()) / times) for word, times in counted.items()}


@cache
def _pages() -> tuple[Page, ...]:
    return tuple(page(code) for code in codes())


@cache
def _by_name() -> dict[str, Page]:
    return {entry.name: entry for entry in _pages()}
