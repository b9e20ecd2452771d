"""The command palette: the table of keys by name, and with it connectors, themes and codes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol, cast, runtime_checkable

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from diagnose.catalogue import codes, page
from diagnose.display import display
from diagnose.records import record
from diagnose_tui.keys import ACTIONS, Action, key_shown
from diagnose_tui.text import line
from diagnose_tui.themes import THEMES

__all__ = ["Commanded", "Commands", "Palette"]

_CODE_BEGUN = re.compile(r"(?:explain\s+)?([A-Za-z]{2,5}[0-9]{0,3})", re.IGNORECASE)
_MOST_CODES = 12


@runtime_checkable
class Commanded(Protocol):
    """What the palette needs of the main screen."""

    def connectors(self) -> Sequence[tuple[str, str, str]]:
        """The connectors of the list: key, name and whose file, as the screen shows them."""

    def why_not(self, action_id: str) -> str | None:
        """Why the action cannot be done right now, as a sentence; None where it can."""

    def do(self, action_id: str) -> None:
        """Do what the key of this action does."""

    def enter(self, key: str) -> None:
        """Put the cursor on the connector with this key, and show its run."""


@record
class _Command:
    text: str
    help: str
    act: Callable[[], Any]
    muted: bool = False


class Palette(CommandPalette):
    """Textual's palette without its emoji, which is two cells wide here and one there."""

    DEFAULT_CSS = "Palette SearchIcon { display: none; }"

    def __init__(self) -> None:
        super().__init__(placeholder="An action, a connector, a theme or a code", id="--command-palette")


class Commands(Provider):
    """Everything that has a name. What cannot be done now is there too, and says why."""

    async def discover(self) -> Hits:
        """Every action, then every theme."""
        if not isinstance(self.screen, Commanded):
            return
        for command in (*self._actions(self.screen), *self._themes()):
            yield DiscoveryHit(
                _shown(command, ()), command.act, text=command.text, help=cast(str, line(command.help))
            )

    async def search(self, query: str) -> Hits:
        """Whatever fits ``query``; a code in full before everything else."""
        if not isinstance(self.screen, Commanded):
            return
        matcher = self.matcher(query)
        for command in (*self._actions(self.screen), *self._connectors(self.screen), *self._themes()):
            score, offsets = matcher.fuzzy_search.match(query, command.text)
            if score > 0:
                yield self._hit(score, command, offsets)
        begun = _CODE_BEGUN.fullmatch(query.strip())
        wanted = begun.group(1).upper() if begun else None
        fitting = [code for code in codes() if wanted is not None and code.startswith(wanted)]
        for code in fitting[:_MOST_CODES]:
            yield self._hit(1e6 if code == wanted else 1.0, self._explained(code), ())

    def _hit(self, score: float, command: _Command, offsets: Sequence[int]) -> Hit:
        # A string would be read as markup, and this one may be a stranger's: content is not.
        help_text = cast(str, line(command.help))
        return Hit(score, _shown(command, offsets), command.act, text=command.text, help=help_text)

    def _actions(self, screen: Commanded) -> Iterator[_Command]:
        for action in ACTIONS:
            reason = screen.why_not(action.id)
            yield _Command(
                text=f"{action.label}  ({key_shown(action)})",
                help=action.help if reason is None else f"Not now: {reason}",
                act=partial(self._do, screen, action, reason),
                muted=reason is not None,
            )

    def _do(self, screen: Commanded, action: Action, reason: str | None) -> None:
        if reason is not None:
            self.app.notify(display(reason), title=action.label, severity="warning", markup=False)
            return
        screen.do(action.id)

    def _connectors(self, screen: Commanded) -> Iterator[_Command]:
        for key, name, client in screen.connectors():
            yield _Command(text=f"Go to {display(name)}", help=client, act=partial(screen.enter, key))

    def _themes(self) -> Iterator[_Command]:
        for name in THEMES:
            here = " (in use)" if name == self.app.theme else ""
            yield _Command(
                text=f"Theme {name}", help=f"Colours of the app{here}", act=partial(self._wear, name)
            )

    def _wear(self, name: str) -> None:
        self.app.theme = name

    def _explained(self, code: str) -> _Command:
        return _Command(text=f"Explain {code}", help=page(code).name, act=partial(self._explain, code))

    async def _explain(self, code: str) -> None:
        from diagnose_tui.screens.explain import ExplainScreen

        await self.app.push_screen(ExplainScreen(code))


def _shown(command: _Command, offsets: Sequence[int]) -> Content:
    shown = Content.styled(command.text, "$text-muted" if command.muted else "")
    for offset in offsets:
        shown = shown.stylize("underline", offset, offset + 1)
    return shown
