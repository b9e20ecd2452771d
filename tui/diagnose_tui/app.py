"""The app: one main screen over a board of sessions, and the way in and out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.filter import LineFilter

from diagnose.options import Options
from diagnose_tui.ascii_lines import AsciiLines
from diagnose_tui.board import Board
from diagnose_tui.crash import CrashSafe
from diagnose_tui.entries import Entry
from diagnose_tui.glyphs import ASCII, glyphs_for
from diagnose_tui.panes import TABS
from diagnose_tui.screens.main import Heard, MainScreen
from diagnose_tui.screens.too_small import follow_size
from diagnose_tui.themes import dress
from diagnose_tui.walks import AT_ONCE, Told

if TYPE_CHECKING:
    from textual.command import Provider

    from diagnose_tui.panes.pane import Pane

__all__ = ["DiagnoseApp"]

_LEAVES = ("ctrl+c", "ctrl+q")
Finder = Callable[[], Sequence[Entry]]


def _commands() -> type[Provider]:
    from diagnose_tui.commands import Commands  # the catalogue is read when the palette opens

    return Commands


def _announced(options: Options) -> Sequence[str]:
    """What --deep and --register may send beyond what production sends, before it is sent."""
    if not (options.deep or options.register):
        return ()
    from diagnose.deep_plan import announced

    asked = (("--deep", options.deep), ("--register", options.register))
    return announced(*(flag for flag, given in asked if given))


class DiagnoseApp(CrashSafe[int]):
    """``entries`` are there at once, what ``finder`` reads comes when it is read; ``go`` runs the first."""

    TITLE = "Connector Diagnose"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_commands}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q,ctrl+c", "quit", "Quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False),
    ]

    def __init__(
        self,
        entries: Sequence[Entry] = (),
        *,
        finder: Finder | None = None,
        options: Options | None = None,
        go: bool = False,
        watch_s: float = 30.0,
        ascii_only: bool | None = None,
        at_once: int = AT_ONCE,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        super().__init__()
        dress(self, environ)
        self.board = Board(self._told, options=options or Options(), at_once=at_once, environ=environ)
        self.board.add(entries)
        self._finder = finder
        self._go = go
        glyphs = glyphs_for(ascii_only=ascii_only, environ=environ)
        self.main = MainScreen(self.board, glyphs)
        self._lines = (AsciiLines(),) if glyphs is ASCII else ()
        self.main.watch_s = watch_s

    def _told(self, key: str, told: Told) -> None:
        # Called in the thread of the runs; post_message hands over to this one.
        self.post_message(Heard(key, told))

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and self.main.opens and event.key not in _LEAVES:
            self.main.ahead.append((event.key, event.character))
        else:
            await super().on_event(event)

    def on_heard(self, message: Heard) -> None:
        self.main.take(message)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return (*super().get_line_filters(), *self._lines)

    def get_default_screen(self) -> MainScreen:
        return self.main

    def on_mount(self) -> None:
        self.call_after_refresh(self._begin)

    def on_resize(self, event: events.Resize) -> None:
        follow_size(self, event.size)

    def _begin(self) -> None:
        first = next(iter(self.board.sessions.values()), None)
        if first is not None and (self._go or first.entry.report is not None):
            self.main.enter(first.key)
        for sentence in _announced(self.board.options):
            self.main.say(sentence)
        if self._go and first is not None and first.runnable:
            self.main.do("run")
        if self._finder is not None:
            self.run_worker(partial(self._find, self._finder), thread=True, group="finding")
        self.run_worker(self._warm, thread=True, group="warming")

    def _find(self, finder: Finder) -> None:
        found = finder()
        self.call_from_thread(self.main.found, found)

    def _warm(self) -> None:
        """Import what the first key presses need while somebody still reads the list."""
        classes: dict[int, type[Pane]] = {place: tab.pane() for place, tab in enumerate(TABS)}
        self.call_from_thread(self.main.learn, classes)
        for name in ("diagnose.api", "diagnose_checks"):
            import_module(name)

    def action_command_palette(self) -> None:
        from diagnose_tui.commands import Palette

        app: App[Any] = self
        if not Palette.is_open(app):
            self.push_screen(Palette())

    async def action_quit(self) -> None:
        self.main.do("quit")

    def on_app_blur(self, event: events.AppBlur) -> None:
        self.main.blurred = True

    def on_app_focus(self, event: events.AppFocus) -> None:
        self.main.blurred = False

    async def on_unmount(self) -> None:
        from diagnose.wire.threads import in_daemon_thread

        await in_daemon_thread(partial(self.board.close, at_once=self.main.leaving))
