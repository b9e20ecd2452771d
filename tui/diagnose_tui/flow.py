"""Paragraphs with a label in the margin, laid out for the width that there is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import events
from textual.content import Content
from textual.widgets import Static

from diagnose.records import record

__all__ = ["MARGIN", "Block", "Flow", "laid_out"]

MARGIN = 11
"""The cells that a label takes."""
_LONG = 15
"""A label of this length moves no other paragraph to the right."""
_NARROW = 50
"""Below this width a label takes a line of its own."""


@record
class Block:
    """One paragraph. ``wraps`` False keeps a line whole, however long: somebody copies it.

    ``margin`` is the width that its label takes; ``quiet`` labels are those of details.
    ``hang`` is how much further in the lines after the first begin, as in a list.
    """

    text: Content
    label: str = ""
    wraps: bool = True
    indent: int = 0
    margin: int = MARGIN
    quiet: bool = False
    hang: int = 0


class Flow(Static):
    """Blocks, one below the other; laid out again when the width changes."""

    DEFAULT_CSS = "Flow { width: 1fr; height: auto; }"

    def __init__(
        self, blocks: Iterable[Block] = (), *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__("", markup=False, id=id, classes=classes)
        self._blocks: tuple[Block, ...] = tuple(blocks)

    @property
    def blocks(self) -> tuple[Block, ...]:
        return self._blocks

    def show(self, blocks: Iterable[Block]) -> None:
        """Replace what is shown."""
        self._blocks = tuple(blocks)
        self._lay_out()

    def on_resize(self, event: events.Resize) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.size.width
        if width:
            self.update(Content("\n").join(laid_out(self._blocks, width)))


def laid_out(blocks: Sequence[Block], width: int) -> list[Content]:
    """The lines of ``blocks`` for ``width`` cells."""
    narrow = width < _NARROW
    common = (block.label for block in blocks if block.margin == MARGIN and not block.quiet)
    widest = max((len(label) + 1 for label in common if len(label) < _LONG), default=0)
    lines: list[Content] = []
    for block in blocks:
        style = "$text-muted" if block.quiet else "bold"
        column = block.margin if block.margin != MARGIN else max(MARGIN, widest)
        margin = block.indent + (0 if narrow or not block.label else column)
        if block.label and narrow:
            lines.append(Content.styled(" " * block.indent + block.label, style))
        parts = block.text.split("\n", allow_blank=True) or [Content("")]
        wrapped = [
            piece
            for part in parts
            for piece in _pieces(part, max(width - margin - block.hang, 20), block.wraps)
        ]
        for number, piece in enumerate(wrapped):
            head = Content(" " * (margin + (block.hang if number else 0)))
            if block.label and not narrow and number == 0:
                label = Content.styled(block.label, style)
                head = Content.assemble(
                    " " * block.indent, label.pad_right(max(column - label.cell_length, 1))
                )
            lines.append(Content.assemble(head, piece))
    return lines


def _pieces(part: Content, width: int, wraps: bool) -> list[Content]:
    if not wraps or part.cell_length <= width:
        return [part]
    return part.wrap(width)
