"""Tools: the catalogue of step 9, tool by tool, with what is wrong with each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from diagnose_tui.bodies import Row
from diagnose_tui.panes.pane import Pane
from diagnose_tui.tool_entries import ToolList, hints, rejudged, tool_list, tool_rows, unnamed
from diagnose_tui.view import View
from diagnose_tui.widgets.document import Document
from diagnose_tui.widgets.fields import Line
from diagnose_tui.widgets.rows import Rows

__all__ = ["ToolsPane"]

_SIDE_BY_SIDE = 90
_HINTS_FROM = 36
_MARKS: Mapping[str | None, tuple[str, str]] = {
    "error": ("failed", "bold $text-error"),
    "warning": ("warned", "$text-warning"),
    "info": ("not_applicable", ""),
    None: ("idle", ""),
}


class ToolsPane(Pane):
    """The list, a filter over it, and the tool under the cursor in full."""

    TITLE = "Tools"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+f", "find", "Find a tool", show=False),
        Binding("ctrl+n", "next_flawed", "Next tool with a problem", show=False),
    ]
    can_focus = False
    DEFAULT_CSS = """
    ToolsPane { overflow: hidden; layout: vertical; scrollbar-gutter: auto; }
    ToolsPane #tools-list { height: 4; width: 1fr; }
    ToolsPane #tools-head { height: 1; width: 1fr; color: $text-muted; }
    ToolsPane #tools-find { display: none; }
    ToolsPane.-finding #tools-find { display: block; }
    ToolsPane #tools-text { height: 1fr; margin-top: 1; }
    ToolsPane.-wide { layout: horizontal; }
    ToolsPane.-wide #tools-list { width: 40%; max-width: 60; margin-right: 2; }
    ToolsPane.-wide #tools-text { margin-top: 0; }
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._listed: ToolList | None = None
        self._made_of: tuple[object, ...] = ()
        self._matching: Sequence[int] = ()
        self._view: View | None = None

    @classmethod
    def blank(cls, view: View) -> str | None:
        step = next((step for step in view.steps if step.id == "list_tools"), None)
        if view.tools:
            return None
        if step is None:
            return "The list of tools is read in step 9, which has not run yet."
        if step.facts.get("tools") or step.facts.get("names"):
            return None
        if step.status == "skipped":
            return "Step 9 did not run, so the tools are not known."
        return (
            "The server lists no tools."
            if step.facts.get("tools") == 0
            else "No list of tools could be read."
        )

    def compose(self) -> ComposeResult:
        with Vertical(id="tools-list"):
            yield Static("", id="tools-head", markup=False)
            yield Line(placeholder="part of a name or description", id="tools-find")
            yield Rows(id="tools-rows")
        yield Document(id="tools-text")

    def focus(self, scroll_visible: bool = True) -> ToolsPane:
        self.query_one(Rows).focus(scroll_visible)
        return self

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= _SIDE_BY_SIDE, "-wide")
        self._fit()

    def _fit(self) -> None:
        """Above the tool, the list takes no more than it needs, and two fifths at most; beside it, all."""
        styles = self.query_one("#tools-list").styles
        if self.has_class("-wide"):
            styles.height = "1fr"
            return
        needed = len(self._matching) + 1 + self.has_class("-finding")
        styles.height = max(min(needed, self.size.height * 2 // 5), 3)

    @property
    def text(self) -> str:
        """What is shown, for the clipboard."""
        return self.query_one(Document).text

    def show(self, view: View) -> None:
        self._view = view
        steps = [step for step in view.steps if step.id in ("list_tools", "sample_call")]
        made_of = (view.tools, steps, len(view.exchanges) if not view.tools else 0)
        if self._listed is not None and _unchanged(made_of, self._made_of):
            return
        at = self._chosen()
        kept = self._listed.names[at] if self._listed is not None and at is not None else None
        self._listed, self._made_of = tool_list(view), made_of
        self._filter(kept)
        if unnamed(view):
            self.run_worker(partial(self._judge, self._listed, view), thread=True, exclusive=True)

    def _judge(self, listed: ToolList, view: View) -> None:
        """Find, off the event loop, the tools that a finding counts and does not name."""
        judged = rejudged(listed, view)
        self.app.call_from_thread(self._judged, listed, judged)

    def _judged(self, listed: ToolList, judged: ToolList) -> None:
        if self._listed is listed and self.is_attached:
            at = self._chosen()
            self._listed = judged
            self._filter(judged.names[at] if at is not None else None)

    def _chosen(self) -> int | None:
        """The number of the tool under the cursor."""
        cursor = self.query_one(Rows).cursor
        return self._matching[cursor] if cursor < len(self._matching) else None

    def _filter(self, kept: str | None = None) -> None:
        listed = self._listed
        if listed is None:
            return
        word = self.query_one(Input).value.strip().lower()
        self._matching = [at for at in range(len(listed.tools)) if not word or _holds(listed, at, word)]
        cursor = 0
        if kept is not None:
            cursor = next((at for at, number in enumerate(self._matching) if listed.names[number] == kept), 0)
        elif not word:
            cursor = min(listed.flaws, default=0)
        self.query_one(Rows).show(len(self._matching), self._draw, cursor=cursor)
        self._head(listed, word)
        self._fit()
        self._open(keep_place=kept is not None)

    def _head(self, listed: ToolList, word: str) -> None:
        total = len(listed.tools)
        shown = (
            f"{len(self._matching)} of {total} tools" if word else f"{total} tool{'' if total == 1 else 's'}"
        )
        flawed = len(listed.flaws)
        wrong = f", {flawed} with problems (^n)" if flawed else ""
        self.query_one("#tools-head", Static).update(Content(f"{shown}{wrong}   ^f find"))

    def _open(self, *, keep_place: bool = False) -> None:
        document, listed, at = self.query_one(Document), self._listed, self._chosen()
        if listed is None or at is None:
            blank = self.blank(self._view) if self._view is not None else None
            document.show([Row(blank or "No tool has this in its name or description.", "prose")])
            return
        rows = tool_rows(listed, at)
        if listed.note is not None:
            rows = [*rows, Row(""), Row(listed.note, "prose")]
        document.show(rows, keep_place=keep_place)

    def _draw(self, number: int, width: int, here: bool) -> Content:
        listed, view = self._listed, self._view
        assert listed is not None, "rows are drawn after they were shown"
        assert view is not None, "a list was made of a view"
        at = self._matching[number]
        sign, style = _MARKS[listed.gravity(at)]
        mark = view.glyphs.here if here else " "
        words = f" {hints(listed.tools[at])}" if width >= _HINTS_FROM else ""
        room = max(width - 4 - len(words), 4)
        name = Content(listed.names[at]).truncate(room, ellipsis=True, pad=True)
        return Content.assemble(mark, (view.glyphs.status[sign], "" if here else style), " ", name, words)

    @on(Rows.Moved)
    def _moved(self, event: Rows.Moved) -> None:
        event.stop()
        self._open()

    @on(Rows.Chosen)
    def _read(self, event: Rows.Chosen) -> None:
        event.stop()
        self.query_one(Document).focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._filter()

    @on(Input.Submitted)
    def _found(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one(Rows).focus()

    def on_key(self, event: events.Key) -> None:
        """Esc leaves the filter, and only the filter; Down goes to what it found."""
        if not self.query_one(Input).has_focus or event.key not in ("escape", "down"):
            return
        event.stop()
        event.prevent_default()
        if event.key == "escape":
            self.query_one(Input).value = ""
            self.remove_class("-finding")
            self._fit()
        self.query_one(Rows).focus()

    def action_find(self) -> None:
        self.add_class("-finding")
        self._fit()
        self.query_one(Input).focus()

    def action_next_flawed(self) -> None:
        listed, rows = self._listed, self.query_one(Rows)
        if listed is None:
            return
        flawed = [at for at, number in enumerate(self._matching) if number in listed.flaws]
        rows.cursor = next((at for at in flawed if at > rows.cursor), flawed[0] if flawed else rows.cursor)


def _unchanged(left: tuple[object, ...], right: tuple[object, ...]) -> bool:
    # The tools themselves are compared last: a list of thousands is, as a rule, the very same list.
    return len(left) == len(right) and left[1:] == right[1:] and (left[0] is right[0] or left[0] == right[0])


def _holds(listed: ToolList, at: int, word: str) -> bool:
    if word in listed.names[at].lower():
        return True
    tool = listed.tools[at]
    said = tool.get("description") if isinstance(tool, Mapping) else None
    return isinstance(said, str) and word in said.lower()
