"""The way into the app and out of it, for the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from diagnose.options import Options
from diagnose_tui.app import DiagnoseApp
from diagnose_tui.crash import run_app
from diagnose_tui.entries import Entry
from diagnose_tui.walks import AT_ONCE

__all__ = ["show"]

_SIZE = ("COLUMNS", "LINES")


def show(
    entries: Sequence[Entry],
    *,
    finder: Callable[[], Sequence[Entry]] | None = None,
    options: Options | None = None,
    go: bool = False,
    watch_s: float = 30.0,
    at_once: int = AT_ONCE,
    ascii_only: bool | None = None,
) -> int:
    """Show the app until somebody leaves it, and return the exit code of the process."""
    environ = dict(os.environ)  # what a local process gets stays as it is
    if "TEXTUAL_DRIVER" not in environ:
        # A shell that exports its size holds Textual at it for good; the terminal knows its own.
        for name in _SIZE:
            os.environ.pop(name, None)
    app = DiagnoseApp(
        entries,
        finder=finder,
        options=options,
        go=go,
        watch_s=watch_s,
        at_once=at_once,
        ascii_only=ascii_only,
        environ=environ,
    )
    return run_app(app, environ)
