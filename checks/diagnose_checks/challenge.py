"""``WWW-Authenticate`` as servers really send it (RFC 9110 11.6.1): many schemes, many lines, bad quoting.

Nothing is raised: what can be read is read, and what breaks the grammar is listed, because strict clients
stop there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field

from diagnose.records import record

__all__ = ["Challenge", "Challenges", "parse_challenges"]

_LONGEST = 16 * 1024
_MOST = 32
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))")
_PARAMETER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SCOPES = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")
_BLANK = re.compile(r"[ \t]*")
_SEPARATOR = re.compile(r"[ \t,]*")
# What people type for quotes and no parser takes for one; the values between them are clear all the same.
_FALSE_QUOTES = {"'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\u201d": "\u201d"}


@record
class Challenge:
    """One scheme with its parameters; names are in lower case, the first of two equal ones counts."""

    scheme: str
    params: Mapping[str, str] = field(default_factory=dict)
    token68: str | None = None

    def is_scheme(self, *names: str) -> bool:
        """Whether the scheme is one of these; schemes have no case (RFC 9110 11.1)."""
        return self.scheme.lower() in {name.lower() for name in names}


@record
class Challenges:
    """All challenges of one answer, in order, and every breach of the grammar."""

    found: tuple[Challenge, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def schemes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(challenge.scheme for challenge in self.found if challenge.scheme))

    def of(self, *schemes: str) -> Challenge | None:
        """The first challenge of one of these schemes."""
        return next((challenge for challenge in self.found if challenge.is_scheme(*schemes)), None)

    def parameter(self, name: str) -> str | None:
        """A parameter of the Bearer challenge; where there are several, of the first that has it."""
        for challenge in self.found:
            if challenge.is_scheme("Bearer", "DPoP", "") and name in challenge.params:
                return challenge.params[name]
        return None


def parse_challenges(values: Iterable[str]) -> Challenges:
    """Read the values of all ``WWW-Authenticate`` lines of one answer."""
    reading = _Reading()
    for value in values:
        if len(value) > _LONGEST:
            reading.problem(f"longer than {_LONGEST} characters")
        reading.line(value[:_LONGEST])
    return Challenges(
        found=tuple(
            Challenge(scheme=scheme, params=params, token68=token68)
            for scheme, params, token68 in reading.found[:_MOST]
        ),
        problems=tuple(dict.fromkeys(reading.problems))[:_MOST],
    )


class _Reading:
    def __init__(self) -> None:
        self.found: list[tuple[str, dict[str, str], str | None]] = []
        self.problems: list[str] = []

    def problem(self, text: str) -> None:
        self.problems.append(text)

    def line(self, text: str) -> None:
        position, parted, open_challenge = 0, True, False
        while True:
            gap = _SEPARATOR.match(text, position)
            assert gap is not None
            parted = parted or "," in gap.group()
            position = gap.end()
            if position >= len(text):
                return
            named = _PARAMETER.match(text, position)
            if named is not None and not self._is_scheme_with_token68(text, position):
                if not open_challenge:
                    self.problem(f"the parameter {named.group(1)} stands before any scheme")
                    self.found.append(("", {}, None))
                    open_challenge = True
                elif not parted:
                    self.problem(f"no comma before {named.group(1)}")
                position = self._parameter(text, named)
                parted = False
                continue
            known = len(self.found)
            position = self._scheme(text, position, parted=parted or not open_challenge)
            open_challenge = open_challenge or len(self.found) > known
            parted = True  # the first parameter follows its scheme without a comma

    def _is_scheme_with_token68(self, text: str, position: int) -> bool:
        word = _TOKEN.match(text, position)
        return (
            word is not None
            and text[word.end() : word.end() + 1] == " "
            and bool(_TOKEN68.match(text, word.end() + 1))
        )

    def _scheme(self, text: str, position: int, *, parted: bool) -> int:
        word = _TOKEN.match(text, position)
        if word is None:
            self.problem(f"the character {text[position]!r} belongs to no scheme and no parameter")
            rest = text.find(",", position)
            return len(text) if rest < 0 else rest
        if not parted:
            self.problem(f"no comma before {word.group()}")
        blank = _BLANK.match(text, word.end())
        assert blank is not None
        coded = _TOKEN68.match(text, blank.end()) if blank.group() else None
        if coded is not None:
            self.found.append((word.group(), {}, coded.group()))
            return coded.end()
        self.found.append((word.group(), {}, None))
        return word.end()

    def _parameter(self, text: str, named: re.Match[str]) -> int:
        name, start = named.group(1).lower(), named.end()
        value, end = self._value(text, start, name)
        params = self.found[-1][1]
        if name in params:
            self.problem(f"{name} stands twice")
        if name == "scope" and not _SCOPES.fullmatch(value):
            self.problem("scope holds a character that no scope may hold (RFC 6749 3.3)")
        params.setdefault(name, value)
        return end

    def _value(self, text: str, start: int, name: str) -> tuple[str, int]:
        quoted = _QUOTED.match(text, start)
        if quoted is not None:
            return re.sub(r"\\(.)", r"\1", quoted.group(1), flags=re.DOTALL), quoted.end()
        opening = text[start : start + 1]
        if opening == '"':
            self.problem(f"the quote of {name} is never closed")
            return text[start + 1 :], len(text)
        if opening in _FALSE_QUOTES:
            closing = text.find(_FALSE_QUOTES[opening], start + 1)
            if closing > 0:
                self.problem(f"{name} is quoted with {opening} instead of a double quote")
                return text[start + 1 : closing], closing + 1
        end = next((index for index in range(start, len(text)) if text[index] in ", \t"), len(text))
        value = text[start:end]
        if not _TOKEN.fullmatch(value):
            self.problem(f"the value of {name} needs quotes" if value else f"{name} has no value")
        return value, end
