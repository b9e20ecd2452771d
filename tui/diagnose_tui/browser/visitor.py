"""The process of one visitor: ``diagnose tui``, which ends when the server is gone, however that went."""

from __future__ import annotations

import os
import signal
import sys
import threading

from diagnose.cli import main

__all__ = ["LIFELINE"]

LIFELINE = "DIAGNOSE_LIFELINE"
"""The variable with the number of a pipe that the server holds open as long as it lives."""


def _watch(lifeline: int) -> None:
    """Wait for the end of the pipe, which needs nobody's word: a killed server says none."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)  # textual's driver ends the app in good order


def _start() -> int:
    held = os.environ.pop(LIFELINE, "")
    if held.isdigit():
        threading.Thread(target=_watch, args=(int(held),), daemon=True).start()
    return main(["tui", *sys.argv[1:]])


if __name__ == "__main__":
    raise SystemExit(_start())
