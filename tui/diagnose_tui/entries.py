"""What can be diagnosed here: one entry for each connector, and one for each file that could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from diagnose.options import Options
from diagnose.records import record

if TYPE_CHECKING:
    from diagnose.connector import Connector
    from diagnose.model import Problem, Report

__all__ = ["Edited", "Entry"]


@record
class Entry:
    """A row of the list.

    ``connector`` is None where the definition is of no use (``problems`` says why), for a scenario of the
    lab that does not play yet, and for a stored report that belongs to no connector of this machine.
    """

    key: str
    name: str
    kind: Literal["connector", "demo", "report"] = "connector"
    client: str = ""
    """Whose file it stands in, as people call that program."""
    target: str = ""
    place: str = ""
    """File and line."""
    connector: Connector | None = None
    options: Options = field(default_factory=Options)
    problems: tuple[Problem, ...] = ()
    enabled: bool = True
    of_project: bool = False
    """Whether its file belongs to a folder, and not to a user."""
    overridden: bool = False
    """Whether another definition of its client goes before it."""
    scenario: str | None = None
    """The name of a scenario of the lab."""
    environ: Mapping[str, str] | None = None
    """The environment that the run gets; None: this process's."""
    report: Report | None = None

    @property
    def reason(self) -> Problem | None:
        """Why it cannot be diagnosed."""
        if self.connector is not None or self.kind != "connector":
            return None
        return next((problem for problem in self.problems if problem.severity == "error"), None)


@record
class Edited:
    """What somebody changed for the next runs of an entry; nothing of it is on disk."""

    connector: Connector
    options: Options
