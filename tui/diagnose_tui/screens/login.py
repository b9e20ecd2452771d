"""Somebody is to log in: where, at whom, and how long they have been waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from diagnose.connector.address import origin_of
from diagnose_tui.flow import Block, Flow
from diagnose_tui.screens.sheet import Sheet
from diagnose_tui.text import line, plain

__all__ = ["LoginScreen"]


class LoginScreen(Sheet[bool]):
    """``url`` is whole and safe to open; ``registered_at`` is where a client was registered for this login.

    Gives False where somebody does not want to log in; True once the wait is over, however it ended.
    """

    HEADING = "Log in"
    KEYS = "b open the browser   y copy the URL   Esc do not log in"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "browse", "Open the browser", show=False),
        Binding("y", "copy", "Copy the URL", show=False),
        Binding("escape", "leave", "Do not log in", show=False),
    ]
    # No frame at the sides of the URL: a terminal's own selection of its lines then holds nothing else.
    DEFAULT_CSS = """
    LoginScreen > .frame { max-width: 100%; padding: 0; }
    LoginScreen > .frame { border: none; border-top: solid $border; border-bottom: solid $border; }
    LoginScreen .body { scrollbar-gutter: auto; }
    LoginScreen .url { color: $text-accent; margin: 1 0; }
    LoginScreen .told { color: $text-muted; }
    """

    def __init__(
        self, url: str, registered_at: str | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        super().__init__()
        self._url = url
        self._registered_at = registered_at
        self._clock = clock
        self._began = clock()
        self._over = False
        self._left = False
        self._said = ""

    def body(self) -> Iterable[Widget]:
        yield Static(
            Content("Log in at this URL; the browser brings the answer back to this machine."), markup=False
        )
        yield Static(plain(self._url), classes="url", markup=False)
        yield Flow(self._about())

    def foot(self) -> Iterable[Widget]:
        yield Static("", classes="told", markup=False)

    def on_mount(self) -> None:
        self._tell()
        self.set_interval(1.0, self._tell)

    def on_screen_resume(self) -> None:
        # Another screen lay above this one when the wait ended.
        if self._over:
            self._leave(True)

    def over(self) -> None:
        """The wait has ended: close, now or when nothing lies above any more."""
        self._over = True
        if self.app.screen is self:
            self._leave(True)

    def action_leave(self) -> None:
        self._leave(False)

    def _leave(self, waited: bool) -> None:
        if not self._left:  # the answer may come in the very moment in which somebody gives up
            self._left = True
            self.dismiss(waited)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._url)
        self._say("The URL was handed to the terminal's clipboard.")

    @work(exclusive=True)
    async def action_browse(self) -> None:
        from diagnose.oauth.browser import opened_in_browser

        self._say("Opening the browser.")
        opened = await opened_in_browser(self._url)
        self._say("The browser has it." if opened else "The browser could not be opened: copy the URL.")

    def _about(self) -> list[Block]:
        blocks = [Block(label="Asked by", text=line(origin_of(self._url)))]
        if self._registered_at is not None:
            said = f"a client was registered for this login at {self._registered_at}"
            blocks.append(Block(label="Client", text=line(said)))
        return blocks

    def _say(self, sentence: str) -> None:
        self._said = sentence
        self._tell()

    def _tell(self) -> None:
        minutes, seconds = divmod(int(self._clock() - self._began), 60)
        self.query_one(".told", Static).update(Content(f"Waiting for {minutes}:{seconds:02}.  {self._said}"))
