"""The way into the app and out of it, for the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from diagnose.options import Options
from diagnose_tui.app import DiagnoseApp
from diagnose_tui.crash import run_app
from diagnose_tui.entries import Entry

__all__ = ["show"]


def show(
    entries: Sequence[Entry],
    *,
    finder: Callable[[], Sequence[Entry]] | None,
    options: Options,
    go: bool,
    watch_s: float,
    at_once: int,
    ascii_only: bool | None,
) -> int:
    """Show the app until somebody leaves it, and return the exit code of the process."""
    app = DiagnoseApp(
        entries,
        finder=finder,
        options=options,
        go=go,
        watch_s=watch_s,
        at_once=at_once,
        ascii_only=ascii_only,
    )
    return run_app(app, os.environ)
