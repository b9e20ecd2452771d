"""Every key, why one is of no use right now, and where things lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, get_args

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from diagnose.oauth.store import state_folder
from diagnose_tui.crash import crash_folder
from diagnose_tui.flow import Block, Flow
from diagnose_tui.keys import Action, Group, key_shown
from diagnose_tui.text import line

__all__ = ["HelpScreen", "places"]

_LEFT: tuple[Group, ...] = ("Run", "Look")
_EVERYWHERE = (
    ("Esc", "Leave what is open."),
    ("Tab", "The next part of the screen; Shift+Tab the one before."),
    ("1 to 8", "The tabs of the detail pane."),
    ("PgUp PgDn", "The page of the open pane, wherever the cursor is."),
    ("paste", "A URL or a command: it is put into New, and nothing runs before Enter."),
    ("^z", "Suspend; fg comes back."),
    ("^p", "The palette: every action by name, themes, connectors and codes."),
)
_IN_PANES = (
    ("Left Right", "Exchange: the exchange before and after."),
    ("^f ^n", "Tools: filter; the next tool with a problem."),
    ("Space d", "History: mark a run; compare two."),
)
_SWITCHES = (
    ("NO_COLOR", "Any value but an empty one: no colours."),
    ("DIAGNOSE_ASCII", "Any value: signs that every terminal has."),
    ("DIAGNOSE_THEME", "The theme at the start; ansi-dark and ansi-light take the terminal's own colours."),
    ("TEXTUAL_ANIMATIONS", "none: nothing moves but what runs."),
)


def places(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What is kept on this machine, and where."""
    folder, crashes = state_folder(environ), crash_folder(environ)
    if folder is None:
        return (("State", "nowhere: this user has no home, and DIAGNOSE_STATE_DIR is not set"),)
    return (("State", f"{folder}: history of runs, and logins"), ("Crashes", str(crashes)))


class HelpScreen(ModalScreen[None]):
    """The table of keys. ``rows`` pairs each action with why it cannot be done right now, or None."""

    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-one"), (100, "-two")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "close", "Close", show=False),
    ]
    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > Vertical {
        width: 100%; max-width: 140; height: auto; max-height: 100%;
        background: $surface; border: solid $border; padding: 0 1;
    }
    HelpScreen VerticalScroll { height: auto; max-height: 100%; scrollbar-gutter: stable; }
    HelpScreen Horizontal { height: auto; }
    HelpScreen.-one Horizontal { layout: vertical; }
    HelpScreen.-two #left { margin-right: 3; }
    HelpScreen .last { dock: bottom; height: 1; color: $text-muted; background: $surface; }
    """

    def __init__(
        self, rows: Sequence[tuple[Action, str | None]], kept: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__()
        self._rows = tuple(rows)
        self._kept = tuple(kept)

    def compose(self) -> ComposeResult:
        others = tuple(group for group in get_args(Group) if group not in _LEFT)
        with Vertical() as frame:
            frame.border_title = "Keys"
            with VerticalScroll(), Horizontal():
                yield Flow(
                    self._of(_LEFT) + _table("Everywhere", _EVERYWHERE) + _table("In panes", _IN_PANES),
                    id="left",
                )
                yield Flow(self._of(others) + _table("Kept", self._kept) + _table("Variables", _SWITCHES))
            yield Static("Esc closes   Up and Down scroll", classes="last", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        self.dismiss(None)

    def _of(self, groups: Sequence[Group]) -> list[Block]:
        blocks: list[Block] = []
        for group in groups:
            blocks.append(Block(text=Content.styled(group, "bold $text-accent")))
            blocks += [_row(action, reason) for action, reason in self._rows if action.group == group]
            blocks.append(Block(text=Content("")))
        return blocks


def _row(action: Action, reason: str | None) -> Block:
    parts = [
        Content.styled(action.label, "bold" if reason is None else "$text-muted"),
        line(f"  {action.help}"),
    ]
    if reason is not None:
        parts.append(line(f" Not now: {reason}", "$text-muted"))
    return Block(label=key_shown(action), text=Content.assemble(*parts))


def _table(title: str, rows: Sequence[tuple[str, str]]) -> list[Block]:
    if not rows:
        return []
    blocks = [Block(text=Content.styled(title, "bold $text-accent"))]
    for name, text in rows:
        if len(name) < 10:
            blocks.append(Block(label=name, text=line(text)))
        else:
            blocks.append(Block(text=Content.assemble(Content.styled(name, "bold"), line(f"  {text}"))))
    return [*blocks, Block(text=Content(""))]
