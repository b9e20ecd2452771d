"""A list of any number of one-line rows with one under the cursor; only those on the screen are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

__all__ = ["Draw", "Rows"]

Draw = Callable[[int, int, bool], Content]
"""Row number, width, whether the cursor is there: what the row looks like."""


class Rows(ScrollView, can_focus=True):
    """``draw`` is asked for a row when it comes into view."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "first", "First", show=False),
        Binding("end", "last", "Last", show=False),
        Binding("enter", "choose", "Open", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--cursor"}
    DEFAULT_CSS = """
    Rows { height: 1fr; width: 1fr; overflow-x: hidden; background: transparent; }
    Rows > .rows--cursor {
        background: $block-cursor-blurred-background;
        text-style: $block-cursor-blurred-text-style;
    }
    Rows:focus > .rows--cursor {
        background: $block-cursor-background;
        color: $block-cursor-foreground;
        text-style: $block-cursor-text-style;
    }
    """

    cursor: reactive[int] = reactive(0)

    class Moved(Message):
        """The cursor went to another row."""

        def __init__(self, rows: Rows, index: int) -> None:
            super().__init__()
            self.rows, self.index = rows, index

        @property
        def control(self) -> Rows:
            return self.rows

    class Chosen(Moved):
        """Enter, or a double click."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.count = 0
        self._draw: Draw = lambda number, width, here: Content("")

    def show(self, count: int, draw: Draw, *, cursor: int | None = None) -> None:
        """Show ``count`` rows; the cursor goes to row ``cursor`` or stays where it is. Posts nothing."""
        self.count, self._draw = count, draw
        with self.prevent(Rows.Moved):
            self.cursor = self.cursor if cursor is None else cursor
        self.virtual_size = Size(self.scrollable_content_region.width, count)
        self._follow()
        self.refresh()

    def validate_cursor(self, cursor: int) -> int:
        return max(min(cursor, self.count - 1), 0)

    def watch_cursor(self, before: int, after: int) -> None:
        self._follow()
        self.refresh()
        if before != after:
            self.post_message(self.Moved(self, after))

    def on_resize(self, event: events.Resize) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, self.count)
        self._follow()

    def _follow(self) -> None:
        if self.is_mounted and self.count:
            self.scroll_to_region(Region(0, self.cursor, 1, 1), force=True, animate=False, immediate=True)

    def render_line(self, y: int) -> Strip:
        number, width, style = (
            self.scroll_offset.y + y,
            self.scrollable_content_region.width,
            self.visual_style,
        )
        if number >= self.count:
            return Strip.blank(width, style.rich_style)
        here = number == self.cursor
        if here:
            style = self.get_visual_style("rows--cursor")
        content = self._draw(number, width, here)
        strips = Visual.to_strips(self, content, max(width, 1), 1, style, apply_selection=False)
        strip = strips[0] if strips else Strip.blank(width, style.rich_style)
        return strip.crop_extend(0, width, style.rich_style)

    def on_click(self, event: events.Click) -> None:
        number = self.scroll_offset.y + event.y
        if number < self.count:
            self.cursor = number
            if event.chain > 1:
                self.action_choose()

    def action_move(self, by: int) -> None:
        self.cursor += by

    def action_page(self, by: int) -> None:
        self.cursor += by * max(self.scrollable_content_region.height - 1, 1)

    def action_first(self) -> None:
        self.cursor = 0

    def action_last(self) -> None:
        self.cursor = self.count - 1

    def action_choose(self) -> None:
        if self.count:
            self.post_message(self.Chosen(self, self.cursor))
