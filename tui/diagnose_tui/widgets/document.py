"""Lines of any number, of which only those on the screen are drawn."""

from __future__ import annotations

import re
import textwrap
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

from rich.cells import chop_cells
from textual import events
from textual.content import Content, Span
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.visual import Visual

from diagnose_tui.bodies import Kind, Row

__all__ = ["Document"]

_STYLES: Mapping[Kind, str] = {
    "title": "bold underline",
    "strong": "bold",
    "muted": "$text-muted",
    "error": "$text-error",
    "warning": "$text-warning",
}
_PROSE: frozenset[Kind] = frozenset(("prose", "muted", "error", "warning"))
"""Kinds that are wrapped between words."""
_JSON = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*"(?=: ))|(?P<string>"(?:[^"\\]|\\.)*"?)'
    r"|(?P<value>-?\d[\d.eE+-]*|true|false|null)|(?P<mark>[{}\[\],:])"
)
_JSON_STYLES = {"key": "$text-primary", "value": "$text-secondary", "mark": "$text-muted"}
_LONGEST_PROSE = 8000
"""A longer line is no sentence; it is cut at the edge like a line of JSON."""
_KEPT = 400
_NARROWEST = 12


class Document(ScrollView, can_focus=True):
    """Rows, wrapped to the width there is. Wrapping is arithmetic where it can be, and text where it must."""

    ALLOW_SELECT = True
    DEFAULT_CSS = """
    Document {
        height: 1fr; width: 1fr; scrollbar-gutter: stable; overflow-x: hidden; background: transparent;
    }
    """

    def __init__(self, rows: Sequence[Row] = (), *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: Sequence[Row] = rows
        self._starts: list[int] = [0]
        self._pieces: dict[int, list[str]] = {}
        self._drawn: dict[int, Content] = {}
        self._laid_for = 0

    @property
    def text(self) -> str:
        """What is shown, in the lines that it has by itself."""
        return "\n".join((row.margin + row.text).rstrip() for row in self._rows)

    @property
    def rows(self) -> Sequence[Row]:
        return self._rows

    def show(self, rows: Sequence[Row], *, keep_place: bool = False) -> None:
        """Show ``rows``, from the first or from where the reader is."""
        if rows == self._rows and self._laid_for:
            return
        place = self.scroll_offset.y if keep_place else 0
        self._rows = rows
        self._lay_out()
        self.scroll_to(y=place, animate=False, immediate=True)
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        if self._width != self._laid_for:
            self._lay_out()

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    def _lay_out(self) -> None:
        width = self._laid_for = self._width
        self._pieces, self._drawn = {}, {}
        if not width:
            return
        heights = [self._height(number, row, width) for number, row in enumerate(self._rows)]
        self._starts = [0, *accumulate(heights)]
        self.virtual_size = Size(width, self._starts[-1])

    def _room(self, row: Row, width: int) -> int:
        return max(width - len(row.margin), min(_NARROWEST, width))

    def _height(self, number: int, row: Row, width: int) -> int:
        room = self._room(row, width)
        text = row.text
        if text.isascii() and (len(text) <= room or row.kind not in _PROSE or len(text) > _LONGEST_PROSE):
            return max(-(-len(text) // room), 1)
        pieces = _wrapped(text, room) if row.kind in _PROSE and len(text) <= _LONGEST_PROSE else [text]
        pieces = [part for piece in pieces for part in (chop_cells(piece, room) or [""])]
        self._pieces[number] = pieces
        return len(pieces)

    def _content(self, number: int, part: int) -> Content:
        """Line ``part`` of row ``number``."""
        row = self._rows[number]
        if number not in self._drawn:
            if len(self._drawn) > _KEPT:
                self._drawn.clear()
            self._drawn[number] = _styled(row)
        whole = self._drawn[number]
        pieces = self._pieces.get(number)
        if pieces is None:
            room = self._room(row, self._laid_for)
            shown = whole[part * room : (part + 1) * room]
        elif row.kind in _PROSE:
            shown = Content.styled(pieces[part], _STYLES.get(row.kind, ""))
        else:
            start = sum(map(len, pieces[:part]))
            shown = whole[start : start + len(pieces[part])]
        margin = row.margin[: max(self._laid_for - _NARROWEST, 0)]
        if not margin:
            return shown
        margin = margin if part == 0 else " " * len(margin)
        return Content.assemble((margin, "bold"), shown)

    def _at(self, y: int) -> Content:
        number = bisect_right(self._starts, y) - 1
        return self._content(number, y - self._starts[number])

    def render_line(self, y: int) -> Strip:
        line, width, style = self.scroll_offset.y + y, self._width, self.visual_style
        if not self._laid_for or line >= self._starts[-1]:
            return Strip.blank(width, style.rich_style)
        content = self._at(line)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(line)) is not None:
            start, end = span
            chosen = self.screen.get_visual_style("screen--selection")
            content = content.stylize(chosen, start, len(content) if end == -1 else end)
        strips = Visual.to_strips(self, content, width, 1, style, apply_selection=False)
        strip = strips[0] if strips else Strip.blank(width, style.rich_style)
        return strip.crop_extend(0, width, style.rich_style).apply_offsets(0, line)

    def action_scroll_home(self) -> None:
        self.scroll_home(animate=False)

    def action_scroll_end(self) -> None:
        self.scroll_end(animate=False)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        lines = (self._at(y).plain for y in range(self._starts[-1] if self._laid_for else 0))
        return selection.extract("\n".join(lines)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False) or [""]


def _styled(row: Row) -> Content:
    if row.kind == "json":
        return _json(row.text)
    if row.kind == "header":
        name, colon, value = row.text.partition(":")
        return Content.assemble((name + colon, "$text-primary"), value)
    if row.kind == "pair":
        return Content(row.text, [Span(*row.part, "bold underline $text-warning")])
    return Content.styled(row.text, _STYLES.get(row.kind, ""))


def _json(text: str) -> Content:
    found = ((match, _JSON_STYLES.get(match.lastgroup or "")) for match in _JSON.finditer(text))
    return Content(text, [Span(match.start(), match.end(), style) for match, style in found if style])
