"""Earlier runs, as the app needs them: read off the event loop, remembered for each row of the list."""

from __future__ import annotations

import os
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

    @property
    def _opened(self) -> History:
        from diagnose.history import open_history

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
        try:
            self._opened.add(report)
            self.read(session)
        except UsageError as problem:
            return self._once(str(problem))
        return self._once(self._opened.warning)

    def read(self, session: Session) -> str | None:
        """Read the runs of a row; blocks. What is to be said once, where nothing can be read."""
        if session.entry.kind != "connector":
            self._rows[session.key] = ()
            return None
        try:
            found = self._opened.runs(session.entry.name, limit=_SHOWN)
        except UsageError as problem:
            self._rows[session.key] = ()
            return self._once(str(problem))
        # Two connectors of one name in two files are told apart by where they lead.
        same = tuple(one for one in found if one.target == session.target)
        self._rows[session.key] = same or (found if session.report is None else ())
        return None

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
