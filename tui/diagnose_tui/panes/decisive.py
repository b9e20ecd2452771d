"""The finding that a pane speaks of: the selected step's, or the one that decides the run."""

from __future__ import annotations

from diagnose.model import Finding, StepResult
from diagnose_tui.view import View

__all__ = ["decisive"]


def decisive(view: View) -> tuple[StepResult, Finding] | None:
    """A step and its gravest finding: the selected step's, else that of the first that failed or warned.

    A remark decides nothing unless its step is selected.
    """
    step, finding = view.step, view.finding
    if step is not None and finding is not None:
        return step, finding
    for severity in ("error", "warning"):
        for other in view.steps:
            for found in other.findings:
                if found.severity == severity:
                    return other, found
    return None
