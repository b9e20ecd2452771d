"""A file is code where it names a command: what is said before a file that nobody named starts one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from diagnose.connector.dialects.places import working_directory
from diagnose.connector.secret import spelt_secrets
from diagnose.display import display
from diagnose.errors import UsageError
from diagnose.redact import Redactor

if TYPE_CHECKING:
    from diagnose.connector.model import Connector, StdioTransport

__all__ = ["particulars", "unconfirmed"]

_INHERITED = {
    "safe": "PATH, HOME and the like",
    "all": "everything of this environment",
    "none": "nothing of this environment",
}


def particulars(connector: Connector) -> tuple[tuple[str, str], ...]:
    """What starting ``connector`` means: argument vector, directory, names of variables, file.

    Every word is quoted and whole, but for what a flag calls a secret; no variable's value is in it.
    """
    stdio = connector.stdio
    assert stdio is not None
    given = ", ".join(sorted(stdio.env)) or "no variable of its own"
    return (
        ("command", _words(stdio)),
        ("directory", str(display(stdio.cwd or str(working_directory())))),
        ("environment", f"{display(given)}; and {_INHERITED[stdio.inherits]}"),
        ("defined in", f"{display(str(connector.source))} ({connector.source.format})"),
    )


def _words(stdio: StdioTransport) -> str:
    redactor = Redactor()
    redactor.register(*spelt_secrets(stdio.args))
    return " ".join(str(display(json.dumps(word, ensure_ascii=False))) for word in redactor.argv(stdio.argv))


def unconfirmed(connector: Connector) -> UsageError:
    """The refusal to start a command that nobody has seen."""
    said = dict(particulars(connector))
    name = display(connector.name, limit=80)
    return UsageError(
        "CFG071",
        f"{name} starts a process, and nobody named the file that says so: {said['command']} in "
        f"{said['directory']}, with {said['environment']}",
        where=said["defined in"],
        hint="if this is what you want started, repeat it with --allow-stdio",
    )
