"""Whether a command of a file that nobody named may be started: it is shown whole, and asked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from diagnose.cli_delivery import is_terminal, note

if TYPE_CHECKING:
    from diagnose.connector import Connector

__all__ = ["ask_to_start"]

_YES = frozenset({"y", "yes"})


def ask_to_start(connector: Connector, *, allowed: bool) -> bool:
    """Whether ``connector`` may start what it starts; asks on a terminal where nobody has said so.

    Raises UsageError CFG071 where nobody can be asked, or the answer is no.
    """
    if allowed or not connector.needs_consent:
        return allowed
    from diagnose.connector.consent import particulars, unconfirmed

    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise unconfirmed(connector)
    note("This starts a process, and you did not name the file that says so.")
    for label, text in particulars(connector):
        note(f"  {label:<12} {text}")
    sys.stderr.write("Start this process? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in _YES:
        raise unconfirmed(connector)
    return True
