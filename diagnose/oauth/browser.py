"""The browser of whoever logs in, found by the standard library in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from diagnose.wire.threads import in_daemon_thread

__all__ = ["opened_in_browser"]

_OPEN = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"


async def opened_in_browser(url: str) -> bool:
    """Whether ``url``, one that :func:`diagnose.oauth.acquisition.presentable` made, was opened."""
    return await in_daemon_thread(lambda: _opened(url))


def _opened(url: str) -> bool:
    nowhere = subprocess.DEVNULL
    # Isolated: a webbrowser.py in the current folder is not the standard library's. Its output is not ours.
    words = [sys.executable, "-I", "-c", _OPEN, url]
    try:
        done = subprocess.run(words, stdin=nowhere, stdout=nowhere, stderr=nowhere, check=False)  # noqa: S603
    except OSError:
        return False
    return done.returncode == 0
