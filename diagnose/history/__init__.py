"""Earlier runs of this user: whole reports in one private SQLite file, pruned as new ones come in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from diagnose.errors import UsageError
from diagnose.records import record

if TYPE_CHECKING:
    from diagnose.history.runs import History

__all__ = ["Entry", "open_history"]


@record
class Entry:
    """One run of the history, as a list shows it; :meth:`History.report` gives the whole of it.

    ``connector`` and ``target`` (the redacted URL or command) together say whose run it is.
    """

    id: str
    connector: str
    target: str
    started_at: datetime
    duration_ms: float
    status: str
    step: str | None
    code: str | None
    server_version: str | None
    protocol_version: str | None

    @property
    def worked(self) -> bool:
        """Whether the connector worked in this run: every step passed, warnings allowed."""
        return self.status in ("passed", "warned")

    @property
    def short_id(self) -> str:
        """As much of the id as a person types."""
        return self.id[:8]


def open_history(environ: Mapping[str, str]) -> History:
    """The history of this user, in the folder for state. May wait for a disk.

    Where nothing can be kept there, and with ``DIAGNOSE_HISTORY=off``, it lives in memory: ``place`` is None
    then, and ``warning`` says why unless it was asked for. Raises UsageError CFG006 for another word than on
    and off, and CFG026 in a Python that was built without SQLite.
    """
    try:
        from diagnose.history.runs import opened
    except ImportError as problem:
        raise UsageError(
            "CFG026",
            f"this Python has no SQLite: {problem}",
            hint="use one that was built with it, or set DIAGNOSE_HISTORY=off",
        ) from problem
    return opened(environ)
