"""Whether a run is kept for later, and that it never fails because of that."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from diagnose.cli_delivery import is_terminal, say

if TYPE_CHECKING:
    from diagnose.model import Report

__all__ = ["keep_run"]


def keep_run(report: Report, *, asked: bool | None) -> None:
    """Keep ``report`` in the history if ``asked`` to, or if nobody said and somebody looks.

    In a pipe or a build the report goes where whoever made the pipe wants it; a second copy in a home
    directory would be a surprise, and the machine is often gone a minute later.
    """
    somebody_looks = is_terminal(sys.stdout) or is_terminal(sys.stderr)
    built = os.environ.get("CI", "").lower() not in ("", "0", "false")
    if asked is False or (asked is None and (not somebody_looks or built)):
        return
    from diagnose.errors import UsageError
    from diagnose.history import open_history

    try:
        with open_history(os.environ) as history:
            history.add(report)
            if history.fault is not None:
                say(f"the run is not kept: {history.fault.without_code}")
            elif history.warning is not None:
                say(history.warning)
            elif asked and history.place is None:
                say("the run is not kept: DIAGNOSE_HISTORY=off turns the history off")
    except UsageError as problem:
        say(f"the run is not kept: {problem.without_code}")
