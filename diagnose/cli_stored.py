"""What a person types for a stored run: a file, the beginning of an id, or the name of a connector."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from diagnose.cli_delivery import say
from diagnose.cli_target import NoConnector
from diagnose.cli_words import nearest, refuse
from diagnose.display import display

if TYPE_CHECKING:
    from diagnose.history import Entry
    from diagnose.history.runs import History
    from diagnose.model import Report

__all__ = ["kept_history", "names_file", "report_of", "runs_of", "unknown"]

_LONGEST_ID = 36
_HEX = frozenset("0123456789abcdefABCDEF-")
_MOST_RUNS = 10_000


def kept_history() -> History:
    """The history of this user, for a command that has no use for an empty one. Raises UsageError."""
    from diagnose.history import open_history

    history = open_history(os.environ)
    if history.fault is not None:
        raise history.fault
    if history.place is None:
        raise refuse("the history is turned off", "leave the variable out", where="DIAGNOSE_HISTORY")
    if history.warning is not None:
        say(history.warning)
    return history


def names_file(word: str) -> bool:
    """Whether ``word`` is a path, and no id and no name."""
    path = Path(word)
    try:
        if "://" in word:
            return False
        return word == "-" or len(path.parts) > 1 or path.suffix == ".json" or path.exists()
    except (OSError, ValueError):  # longer than a name may be, or with a NUL in it
        return True


def report_of(word: str) -> Report:
    """The report that ``word`` means: a file, or a run of the history. Raises UsageError."""
    from diagnose.stored_report import report_file

    if names_file(word):
        return report_file(word)
    if not set(word) <= _HEX or len(word) > _LONGEST_ID:
        shown = display(word, limit=80)
        hint = "give the JSON report of a run, or an id that diagnose history lists"
        raise refuse(f"{shown!r} is neither a file nor the id of a run", hint)
    with kept_history() as history:
        return history.report(word)


def runs_of(
    history: History, word: str, *, failed: bool = False, limit: int = _MOST_RUNS
) -> tuple[Entry, ...]:
    """The runs of the connector that is called ``word``, or that has this URL, newest first."""
    for name in _forms(word):
        found = history.runs(name, failed=failed, limit=limit)
        if found:
            return found
    return ()


def _forms(word: str) -> Sequence[str]:
    """``word`` as a report would show it: a URL without its secrets; CLIENT:NAME also without the client."""
    from diagnose.connector.address import secrets_in
    from diagnose.redact import Redactor

    hide = Redactor()
    if "://" in word:
        try:
            hide.register(*secrets_in(word))
        except ValueError:  # no URL after all
            return (word,)
    shown = str(display(hide.text(word)))
    name = word.partition(":")[2]
    return (shown, name) if name and "://" not in word else (shown,)


def unknown(history: History, word: str) -> NoConnector:
    """The refusal of a name that no run has, with the nearest one that some run has."""
    known = list(dict.fromkeys(entry.connector for entry in history.runs(limit=_MOST_RUNS)))
    close = nearest(word, known)
    meant = f"did you mean {display(close, limit=80)}? " if close else ""
    hint = f"{meant}diagnose history lists what is kept; runs on a terminal are, and with --keep any"
    shown = display(_forms(word)[0], limit=80)
    return NoConnector("CFG011", f"no run of {shown!r} is kept", hint=hint)
