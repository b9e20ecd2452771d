"""Earlier runs, as the app needs them: read off the event loop, remembered for each row of the list."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from diagnose.errors import UsageError
from diagnose_tui.session import Session

if TYPE_CHECKING:
    from diagnose.history import Entry as Kept
    from diagnose.history.runs import History
    from diagnose.model import Report

__all__ = ["Keeping"]

_SHOWN = 200
"""Runs of one connector that are listed at most."""


class Keeping:
    """The history behind the board. What blocks says so; ``rows`` does not."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._history: History | None = None
        self._rows: dict[str, Sequence[Kept]] = {}
        self._warned: str | None = None
        self._opening = threading.Lock()

    @property
    def _opened(self) -> History:
        from diagnose.history import open_history

        with self._opening:
            if self._history is None:
                self._history = open_history(self._environ)
            return self._history

    def rows(self, key: str) -> Sequence[Kept]:
        """The runs of a row that are known so far, newest first."""
        return self._rows.get(key, ())

    def knows(self, key: str) -> bool:
        """Whether the runs of a row were read."""
        return key in self._rows

    def add(self, session: Session, report: Report) -> str | None:
        """Keep a report; blocks. What is to be said once, where nothing can be kept."""
        from diagnose.history.runs import target_of

        try:
            self._opened.add(report)
            self._rows[session.key] = self._runs(report.connector.name, target_of(report))
        except UsageError as problem:
            return self._once(str(problem))
        return self._once(self._opened.warning)

    def read(self, session: Session, *, alone: bool) -> str | None:
        """Read the runs of a row; blocks. What is to be said once, where nothing can be read.

        Connectors of one name are told apart by where they lead. A row may show that in other words than its
        reports do: where it is ``alone`` with its name, every run of the name is its own.
        """
        self._rows[session.key] = ()
        if session.entry.kind != "connector":
            return None
        name = session.entry.name
        try:
            self._rows[session.key] = self._runs(name, session.target) or (self._runs(name) if alone else ())
        except UsageError as problem:
            return self._once(str(problem))
        return None

    def _runs(self, name: str, target: str | None = None) -> Sequence[Kept]:
        return self._opened.runs(name, target=target, limit=_SHOWN)

    def report(self, run_id: str) -> Report:
        """A kept report, whole; blocks. Raises UsageError."""
        return self._opened.report(run_id)

    def previous(self, report: Report) -> Report | None:
        """The run before ``report``, whole; blocks. Raises UsageError."""
        found = self._opened.previous(report)
        return self._opened.report(found.id) if found is not None else None

    def _once(self, warning: str | None) -> str | None:
        if warning is None or warning == self._warned:
            return None
        self._warned = warning
        return warning

    def close(self) -> None:
        """Let go of the file; blocks."""
        if self._history is not None:
            self._history.close()
