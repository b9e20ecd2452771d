"""A pane that is one column of paragraphs, made of the view alone."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult

from diagnose_tui.flow import Block, Flow, laid_out
from diagnose_tui.panes.pane import Pane
from diagnose_tui.view import View

__all__ = ["FlowPane"]

_COPIED_WIDTH = 80
_Look = tuple[tuple[object, ...], ...]


class FlowPane(Pane):
    """Shows what ``blocks`` says; draws again only where that changed."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._flow = Flow()
        self._view: View | None = None
        self._look: _Look = ()

    @property
    def text(self) -> str:
        """What is shown, for the clipboard."""
        return "\n".join(line.plain.rstrip() for line in laid_out(self._flow.blocks, _COPIED_WIDTH))

    @classmethod
    def blocks(cls, view: View, width: int) -> list[Block]:
        """The paragraphs for ``view``, for a column of ``width`` cells."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        yield self._flow

    def show(self, view: View) -> None:
        before, self._view = self._view, view
        if before is not None and _place(before) != _place(view):
            self.scroll_home(animate=False)
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        width = self.scrollable_content_region.width
        if self._view is None or not width:
            return
        blocks = self.blocks(self._view, width)
        look = _look(blocks)
        if look != self._look:
            self._look = look
            self._flow.show(blocks)


def _place(view: View) -> tuple[str, str, str]:
    return view.name, view.target, view.selected


def _look(blocks: Sequence[Block]) -> _Look:
    """What can be seen of ``blocks``, comparable."""
    return tuple((block.label, block.text.plain, tuple(block.text.spans), block.indent) for block in blocks)
