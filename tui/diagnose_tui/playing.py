"""The lab inside the app: scenarios without any network, played when they are opened."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from diagnose.errors import UsageError
from diagnose_tui.entries import Entry

if TYPE_CHECKING:
    from diagnose_lab import Lab, Running

    from diagnose.pipeline import Run

__all__ = ["DEMOS", "Playing", "demo_entry"]

DEMOS: tuple[tuple[str, str], ...] = (
    ("tls-expired", "broken cert"),
    ("auth-issuer-mismatch", "broken login"),
    ("http-wrong-path", "broken URL"),
    ("healthy-modern", "healthy"),
)
"""What is offered where nobody asked for a scenario by name: faults of three kinds, and none."""


def demo_entry(name: str, label: str | None = None) -> Entry:
    """The row of a scenario."""
    return Entry(
        key=f"demo:{name}",
        name=f"demo {label or name}",
        kind="demo",
        client="built-in lab",
        target=f"diagnose demo {name}",
        scenario=name,
    )


class Playing:
    """The scenarios that play, each started once. Every method blocks: call it off the event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lab: Lab | None = None
        self._running: dict[str, Running] = {}
        self._closed = False

    def prepare(self, name: str) -> Run:
        """A run of the scenario ``name``, which plays from now on. Raises UsageError for an unknown one."""
        from diagnose.cli_lab import known_scenario, prepared

        return prepared(self._play(known_scenario(name)))

    def _play(self, name: str) -> Running:
        from diagnose_lab import Lab

        with self._lock:
            if self._closed:  # a run was asked for in the moment in which somebody left
                raise UsageError("CFG006", "the app was closed", hint="open it again")
            if self._lab is None:
                self._lab = Lab()
                self._lab.__enter__()
            if name not in self._running:
                self._running[name] = self._lab.start(name)
            return self._running[name]

    def close(self) -> None:
        """Stop every server of the lab."""
        with self._lock:
            self._closed = True
            lab, self._lab = self._lab, None
            self._running.clear()
        if lab is not None:
            lab.__exit__(None, None, None)
