"""The last thing before the terminal where it shows ASCII only: frames, scroll bars and everything else."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

__all__ = ["AsciiLines"]

_SIGNS = {
    **dict.fromkeys("│┃▏▎▍▌▐▕║", "|"),
    **dict.fromkeys("─━═╸╺╴╶▔▁▀▄", "-"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝┏┓┗┛", "+"),
    **dict.fromkeys("▂▃▅▆▇", " "),
    "█": "#",
    "…": "~",
    "·": ".",
    "•": "*",
    "▼": "v",
    "▲": "^",
    "▶": ">",
    "◀": "<",
    "\N{NO-BREAK SPACE}": " ",
}


class AsciiLines(LineFilter):
    """Replaces each sign by one as wide: a byte of UTF-8 may be a control character to such a terminal."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(_plain(text), style, control) for text, style, control in segments]


@lru_cache(4096)
def _plain(text: str) -> str:
    if text.isascii():
        return text
    return "".join(sign if sign.isascii() else _SIGNS.get(sign, "?" * cell_len(sign)) for sign in text)
