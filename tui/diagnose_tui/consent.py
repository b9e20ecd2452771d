"""What somebody must have said yes to before a run: a command or variables that a found file asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagnose.display import display

if TYPE_CHECKING:
    from diagnose.connector import Connector

__all__ = ["Consent", "needed"]


@dataclass(frozen=True, kw_only=True)
class Consent:
    """A question and what it is about. A yes holds for exactly this: what was changed is asked again."""

    title: str
    rows: tuple[tuple[str, str], ...]
    question: str
    yes: str


def needed(connector: Connector, *, of_project: bool) -> Consent | None:
    """What must be asked before ``connector`` is diagnosed; None where it may be at once.

    ``of_project``: its file belongs to a folder, which may have been cloned from anywhere.
    """
    if connector.needs_consent:
        from diagnose.connector.consent import particulars

        return Consent(
            title="This starts a process, and you did not name the file that says so.",
            rows=particulars(connector),
            question="Start this process?",
            yes="Start it",
        )
    if connector.stdio is not None or not of_project or not connector.source.discovered:
        return None
    names = connector.sent_variables
    if not names:
        return None
    return Consent(
        title="The file of a project sends variables of your environment, and you did not name that file.",
        rows=(
            ("to", str(connector.origin)),
            ("variables", str(display(", ".join(names)))),
            ("defined in", str(display(str(connector.source)))),
        ),
        question="Send them there?",
        yes="Send them",
    )
