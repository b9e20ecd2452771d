"""How text looks: glyphs with a plain twin, colour that only repeats what a word already says."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from diagnose.report.wording import safe

__all__ = ["WIDTH", "Paint", "tame"]

WIDTH = 80

_CODES: Mapping[str, str] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
    "bold red": "1;31",
    "bold green": "1;32",
    "bold yellow": "1;33",
}
_STATUS_STYLE: Mapping[str, str] = {
    "passed": "green",
    "warned": "yellow",
    "failed": "bold red",
    "skipped": "dim",
    "not_applicable": "dim",
}
_GLYPHS: Mapping[str, tuple[str, str]] = {
    "passed": ("✓", "+"),
    "warned": ("!", "!"),
    "failed": ("✗", "x"),
    "skipped": ("·", "."),
    "not_applicable": ("-", "-"),
    "dot": ("·", "|"),
}
_COMMAND = re.compile(r"^(\s*)::")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paint:
    """What the output can show."""

    color: bool = False
    unicode: bool = True
    width: int = WIDTH

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.color and text else text

    def glyph(self, name: str) -> str:
        return _GLYPHS[name][0 if self.unicode else 1]

    def status(self, name: str, word: str) -> str:
        """A status as glyph and word; the colour adds nothing to them."""
        return self(f"{self.glyph(name)} {word}", _STATUS_STYLE[name])

    def wrapped(self, text: str, indent: str) -> list[str]:
        """``text`` in lines behind ``indent``; a word that is longer than a line stays whole."""
        lines = textwrap.wrap(
            safe(text),
            width=max(self.width - len(indent), 30),
            break_long_words=False,
            break_on_hyphens=False,
        )
        return [tame(indent + line) for line in lines]

    def block(self, text: str, indent: str) -> list[str]:
        """``text`` with its own line breaks; the gutter shows which lines are the server's, not ours."""
        lines = safe(text).expandtabs(4).split("\n")
        return [f"{indent}| {line}".rstrip() for line in lines]


def tame(line: str) -> str:
    """A line that begins with ``::`` is a command to GitHub's runner, whatever white space comes first."""
    return _COMMAND.sub(r"\1\\::", line)
