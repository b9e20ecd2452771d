"""The lines around the panes: what is diagnosed, which pane is open, which keys do something now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from diagnose_tui.glyphs import STATUS_STYLES, Glyphs
from diagnose_tui.keys import ACTIONS, Action, key_shown
from diagnose_tui.text import line

__all__ = ["Headline", "KeyBar", "Tabs"]


class Headline(Widget):
    """Two lines: the verdict and the address, and what is known of the server."""

    DEFAULT_CSS = "Headline { height: 2; width: 1fr; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._lines: tuple[Content, Content] = (Content(""), Content(""))

    def show(self, word: str, status: str, target: str, about: str, flags: str) -> None:
        """``flags`` say what the screen does beside it: watch, privacy, frozen."""
        first = Content.assemble((word, STATUS_STYLES.get(status, "bold")), "  ", line(target, "bold"))
        second = Content.assemble(
            (f"{flags}  " if flags else "", "$text-warning"), line(about, "$text-muted")
        )
        self._lines = (first, second)
        self.refresh()

    def render(self) -> Content:
        width = self.content_size.width
        return Content("\n").join([one.truncate(width, ellipsis=True) for one in self._lines])


class Tabs(Widget):
    """One line of numbered tabs."""

    DEFAULT_CSS = "Tabs { height: 1; width: 1fr; padding: 0 1; background: $boost; }"

    class Chosen(Message):
        """Somebody clicked a tab."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def __init__(self, titles: Sequence[str]) -> None:
        super().__init__()
        self._titles = tuple(titles)
        self._open = 0
        self._blank: frozenset[int] = frozenset()

    def show(self, place: int, blank: frozenset[int]) -> None:
        """``place`` is open; ``blank`` have nothing to show now."""
        if (place, blank) != (self._open, self._blank):
            self._open, self._blank = place, blank
            self.refresh()

    def render(self) -> Content:
        return Content.assemble(*[part for place in range(len(self._titles)) for part in self._tab(place)])

    @property
    def _gap(self) -> int:
        """The cells between two tabs: one where two do not fit."""
        return 2 if sum(len(title) + 4 for title in self._titles) <= self.content_size.width else 1

    def _tab(self, place: int) -> list[tuple[str, str]]:
        before, after = (" ", " ") if self._gap == 2 else ("", " ")
        style = "reverse bold" if place == self._open else "$text-muted" if place in self._blank else ""
        return [(f"{before}{place + 1} {self._titles[place]}{after}", style)]

    def on_click(self, event: events.Click) -> None:
        left = 1
        for place, title in enumerate(self._titles):
            left += len(title) + 2 + self._gap
            if event.x < left:
                self.post_message(self.Chosen(place))
                return


class KeyBar(Widget):
    """The keys that do something now; those that do not are in brackets, and the second line says why."""

    DEFAULT_CSS = """
    KeyBar { height: 1; width: 1fr; padding: 0 1; background: $panel; }
    KeyBar.tall { height: 2; }
    """

    def __init__(self, why_not: Callable[[str], str | None], glyphs: Glyphs) -> None:
        super().__init__()
        self._why_not = why_not
        self._glyphs = glyphs

    def render(self) -> Content:
        width = self.content_size.width
        shown = sorted((one for one in ACTIONS if one.footer is not None), key=lambda one: one.footer or 0)
        reasons = {one.id: self._why_not(one.id) for one in shown}
        last = next(one for one in shown if one.id == "help")
        room = width - len(_shown(last, None)) - 2
        fitting: set[str] = set()
        for one in sorted(shown, key=lambda one: reasons[one.id] is not None):  # what can be done goes first
            cells = len(_shown(one, reasons[one.id])) + 2
            if one is not last and cells <= room:
                room -= cells
                fitting.add(one.id)
        keys = Content("  ").join(
            [_key(one, reasons[one.id]) for one in shown if one.id in fitting or one is last]
        )
        if not self.has_class("tall"):
            return keys
        why = f"  {self._glyphs.dot} ".join(
            f"{key_shown(one)} {why}" for one in shown if (why := reasons[one.id])
        )
        return Content("\n").join([keys, line(why, "$text-muted").truncate(width, ellipsis=True)])


def _shown(action: Action, why: str | None) -> str:
    said = f"{key_shown(action)} {action.label}"
    return f"({said})" if why is not None else said


def _key(action: Action, why: str | None) -> Content:
    if why is not None:
        return Content.styled(_shown(action, why), "$text-muted")
    return Content.assemble((key_shown(action), "bold $text-accent"), f" {action.label}")
