"""A typed line as an argument vector, and back. No shell ever reads it."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Sequence

from diagnose.errors import UsageError

__all__ = ["as_line", "numbered", "words_of"]

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)


def words_of(typed: str, *, windows: bool = os.name == "nt") -> tuple[str, ...]:
    """The argument vector of a typed line, with quotes as a POSIX shell has them. Raises UsageError CFG006.

    On Windows a backslash is a part of a path and quotes nothing.
    """
    lexer = shlex.shlex(typed, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if windows:
        lexer.escape = ""
    try:
        words = tuple(lexer)
    except ValueError:
        what = "a quote is opened and not closed, or the line ends with a backslash"
        raise UsageError("CFG006", what, hint="close it with the same sign") from None
    if not words:
        raise UsageError("CFG006", "the command is empty", hint="type a command and its arguments")
    if _ASSIGNMENT.fullmatch(words[0]):
        what = "a variable before the command is for a shell, and no shell reads this"
        raise UsageError(
            "CFG006", what, hint="leave it out, and give the variable under Options, Environment"
        )
    return words


def as_line(words: Sequence[str], *, windows: bool = os.name == "nt") -> str:
    """A line that :func:`words_of` reads as ``words``."""
    if not windows:
        return shlex.join(words)
    return " ".join(word if re.fullmatch(r"[^\s'\"]+", word) else f'"{word}"' for word in words)


def numbered(words: Sequence[str]) -> tuple[str, ...]:
    """Every word on a line of its own, quoted: what the operating system will be given."""
    width = len(str(len(words)))
    return tuple(
        f"{number:>{width}}  {json.dumps(word, ensure_ascii=False)}" for number, word in enumerate(words)
    )
