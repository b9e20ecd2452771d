"""Which themes are offered, which one the app starts with, and which terminals it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from textual.app import App
from textual.filter import Monochrome, NoColor
from textual.theme import BUILTIN_THEMES

from diagnose.errors import UsageError

__all__ = ["DEFAULT", "THEMES", "check_terminal", "dress", "first_theme", "next_theme"]

DEFAULT = "textual-dark"

THEMES: tuple[str, ...] = (
    "textual-dark",
    "catppuccin-latte",
    "tokyo-night",
    "catppuccin-mocha",
    "catppuccin-macchiato",
    "catppuccin-frappe",
    "dracula",
    "gruvbox",
    "monokai",
    "flexoki",
    "rose-pine",
    "rose-pine-moon",
    "atom-one-dark",
    "ansi-dark",
    "ansi-light",
)
"""Those in which every status reads well: a contrast of 4.5 or more (WCAG 2.2, 1.4.3). The last two are the
terminal's own colours."""


_MUTED: Mapping[str, str] = {
    "textual-dark": "#A5A5A5",
    "textual-light": "#565656",
    "nord": "#B0B3B9",
    "gruvbox": "#B1AFAE",
    "catppuccin-mocha": "#ACADB4",
    "dracula": "#AAABB0",
    "tokyo-night": "#A7A9B0",
    "monokai": "#ABABAB",
    "flexoki": "#A4A3A3",
    "catppuccin-latte": "#5C5D5F",
    "catppuccin-frappe": "#B3B4BC",
    "catppuccin-macchiato": "#AEB0B8",
    "solarized-light": "#5F5C55",
    "solarized-dark": "#9BAEB3",
    "rose-pine": "#A5A4AB",
    "rose-pine-moon": "#A9A8B2",
    "rose-pine-dawn": "#666461",
    "atom-one-dark": "#A6ADB9",
    "atom-one-light": "#595959",
}
"""$text-muted of Textual's themes is "auto 60%", which is worked out where a rule of CSS takes it and comes
out brighter than other text where content does. These are about the colours that it is on $surface; "dim" is
less than 3 to 1 in some of these themes."""


def dress(app: App[Any], environ: Mapping[str, str]) -> None:
    """Give ``app`` its first theme, and colours as ``environ`` asks for them. Raises UsageError CFG006."""
    for name, muted in _MUTED.items():
        theme = BUILTIN_THEMES[name]
        app.register_theme(replace(theme, variables={**theme.variables, "text-muted": muted}))
    _obey_no_color(app, environ)
    app.theme = first_theme(environ)
    app.stylesheet.set_variables(app.get_css_variables())  # the default theme is no change of theme


def first_theme(environ: Mapping[str, str]) -> str:
    """The theme to start with: ``DIAGNOSE_THEME``, then ``TEXTUAL_THEME``, then the default.

    Raises UsageError CFG006 for a ``DIAGNOSE_THEME`` that does not exist. Somebody who asks for a theme by
    its name gets it, also one that is not offered. ``TEXTUAL_THEME`` is a list for every Textual app.
    """
    own = environ.get("DIAGNOSE_THEME", "").strip()
    if own:
        if own not in BUILTIN_THEMES:
            raise UsageError(
                "CFG006",
                f"there is no theme {own[:40]!r}",
                where="DIAGNOSE_THEME",
                hint=f"the themes are {', '.join(THEMES)}",
            )
        return own
    shared = (name.strip() for name in environ.get("TEXTUAL_THEME", "").split(","))
    return next((name for name in shared if name in BUILTIN_THEMES), DEFAULT)


def next_theme(current: str) -> str:
    """The theme after ``current``; the first one after a theme that is not offered."""
    place = THEMES.index(current) + 1 if current in THEMES else 0
    return THEMES[place % len(THEMES)]


def check_terminal(environ: Mapping[str, str], *, terminals: bool, target: str = "TARGET") -> None:
    """Raises UsageError CFG006 where no app can be drawn; ``terminals``: stdin and stdout are terminals."""
    what = None
    if not terminals:
        what = "the app needs a terminal, and standard input or output is none"
    elif environ.get("TERM") == "dumb":
        what = "the app cannot be drawn on this terminal (TERM=dumb)"
    if what is not None:
        raise UsageError("CFG006", what, hint=f"the same facts, line by line: diagnose run {target}")


def _obey_no_color(app: App[Any], environ: Mapping[str, str]) -> None:
    """Colours as ``environ`` asks for them: none where ``NO_COLOR`` is set, unless it is empty.

    no-color.org: "when present and not an empty string"; Textual takes any value, and only this process's.
    """
    app.no_color = bool(environ.get("NO_COLOR"))
    app._filters = [kept for kept in app._filters if not isinstance(kept, (Monochrome, NoColor))]
    if app.no_color:
        app._filters.append(NoColor() if app.native_ansi_color else Monochrome())
