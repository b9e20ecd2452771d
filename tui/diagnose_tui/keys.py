# ruff: noqa: E501  # a table is read row by row
"""Every key, once: footer, help, palette and bindings are made from this table.

Why an action cannot be done right now is asked of the main screen (``why_not``), which does it as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from diagnose.records import record

__all__ = ["ACTIONS", "BY_ID", "Action", "key_shown"]

Group = Literal["Run", "Look", "Change", "Keep", "Screen"]


@record
class Action:
    """One thing that can be done. ``footer`` says how early it appears there; None: only in help and palette."""

    id: str
    keys: str
    label: str
    help: str
    group: Group
    footer: int | None = None


def _row(group: Group, id: str, keys: str, label: str, help: str, footer: int | None = None) -> Action:
    return Action(id=id, keys=keys, label=label, help=help, group=group, footer=footer)


ACTIONS: tuple[Action, ...] = (
    _row("Run", "run", "r", "Run", "Diagnose the selected connector, from the first step.", 1),
    _row("Run", "cancel", "c", "Cancel", "Stop the run; what it opened is closed, and what it found stays.", 2),
    _row("Run", "run_from", "s", "From here", "Run again from the selected step, with what the steps before it found.", 6),
    _row("Run", "run_all", "R", "All", "Diagnose every connector of the list, a few at a time.", 9),
    _row("Run", "watch", "w", "Watch", "Diagnose again and again, with a pause between the runs.", 10),
    _row("Look", "explain", "e", "Explain", "What the code of the selected step means, from the catalogue.", 3),
    _row("Look", "expand", "space", "Phases", "Show the phases of the selected step: connect, send, wait, receive."),
    _row("Look", "all_steps", "a", "All steps", "Show every step, or only those that matter."),
    _row("Look", "filter", "slash", "Filter", "Show only connectors whose name, client or address holds a word.", 8),
    _row("Look", "zoom", "z", "Zoom", "Give the detail pane the whole screen."),
    _row("Change", "new_target", "n", "New", "Type a URL, or the command of a local server.", 7),
    _row("Change", "edit", "o", "Options", "Change headers, credential, era, tool and arguments for the next run.", 5),
    _row("Change", "tool", "t", "Tool", "Pick the tool that step 10 calls, and its arguments."),
    _row("Change", "log_in", "l", "Log in", "Log in where step 6 lacks a token."),
    _row("Keep", "copy", "y", "Copy", "Copy the fix, the curl line, the report or what is shown.", 4),
    _row("Keep", "export", "x", "Export", "Write JSON, Markdown, curl or a picture to a file.", 11),
    _row("Keep", "history", "h", "History", "Earlier runs of this connector.", 12),
    _row("Keep", "diff", "d", "Diff", "What changed since the run before.", 13),
    _row("Screen", "privacy", "p", "Privacy", "Mask hosts and names, for a screen that others see."),
    _row("Screen", "freeze", "f", "Freeze", "Hold the picture still while runs go on."),
    _row("Screen", "theme", "T", "Theme", "The next theme; ansi-dark and ansi-light take the terminal's own colours."),
    _row("Screen", "help", "question_mark", "Help", "Every key, and why one is of no use right now.", 14),
    _row("Screen", "quit", "q", "Quit", "End every run, then the app.", 15),
)  # fmt: skip

BY_ID: Mapping[str, Action] = {action.id: action for action in ACTIONS}

_SHOWN = {"slash": "/", "question_mark": "?", "space": "Space", "enter": "Enter", "escape": "Esc"}


def key_shown(action: Action) -> str:
    """The key as a keyboard has it."""
    first = action.keys.partition(",")[0]
    return _SHOWN.get(first, first.replace("ctrl+", "^"))
