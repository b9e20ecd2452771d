"""A Textual app with the widgets of ours and nothing behind them: what a first paint costs at least."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input, OptionList, Static


class Bare(App[None]):
    CSS = """
    #list { width: 36; }
    #keys { dock: bottom; height: 2; }
    #filter { display: none; }
    """

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(id="list"):
                yield Static("4 connectors")
                yield Input(id="filter")
                yield OptionList("one", "two", "three", "four")
                yield Static("")
            with Vertical():
                yield Static("target")
                yield Static("steps")
                with Vertical():
                    yield Static("tabs")
                    with VerticalScroll():
                        yield Static("details")
        yield Static("Help", id="keys")


if __name__ == "__main__":
    Bare().run()
