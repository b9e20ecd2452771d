"""What is started for a stdio connector: argument vector, environment, working directory.

Production and diagnosis both start this and nothing else.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from diagnose.connector.secret import PLACES, Secret, holds_secret, spelt_secrets
from diagnose.records import record

if TYPE_CHECKING:
    from diagnose.connector.model import StdioTransport

__all__ = ["SAFE_VARIABLES", "Launch", "inherited", "launch_of", "process_secrets", "safe_names"]

_SECRET_NAME = re.compile(r"key|token|secret|passw|credential", re.IGNORECASE)

SAFE_VARIABLES: Mapping[str, tuple[str, ...]] = {
    # mcp/client/stdio.py of the Python SDK 1.x and 2.x; the TypeScript SDK has the same names.
    "posix": ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"),
    "win32": (
        "APPDATA",
        "HOMEDRIVE",
        "HOMEPATH",
        "LOCALAPPDATA",
        "PATH",
        "PATHEXT",
        "PROCESSOR_ARCHITECTURE",
        "SYSTEMDRIVE",
        "SYSTEMROOT",
        "TEMP",
        "USERNAME",
        "USERPROFILE",
    ),
}
"""What the official SDKs pass on to a server by themselves."""


@record
class Launch:
    """One start, every reference filled in. ``given`` are the names that the connector itself sets."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str | None
    given: tuple[str, ...]


def safe_names(platform: str = sys.platform) -> tuple[str, ...]:
    """The names of the short list on this kind of system."""
    return SAFE_VARIABLES["win32" if platform == "win32" else "posix"]


def inherited(transport: StdioTransport, environ: Mapping[str, str]) -> dict[str, str]:
    """What the process gets of ``environ`` beside the connector's own variables."""
    if transport.inherits == "none":
        return {}
    if transport.inherits == "all":
        return dict(environ)
    # A value that begins with "()" is an exported shell function, which the SDKs leave out as well.
    return {
        name: environ[name] for name in safe_names() if name in environ and not environ[name].startswith("()")
    }


def process_secrets(transport: StdioTransport, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Every value that the process gets and nobody may print. Raises UsageError for an unset reference."""
    words = (*transport.args, transport.cwd or "")
    # What an argument refers to is a secret; the words around it are not.
    referred = {name for word in words for name in Secret(word).references} - PLACES
    passed = {
        name: value for name, value in inherited(transport, environ).items() if _SECRET_NAME.search(name)
    }
    return (
        *(
            value.resolve(environ, where=f"env {name}")
            for name, value in transport.env.items()
            if holds_secret(name, value)
        ),
        *(environ[name] for name in sorted(referred) if environ.get(name)),
        *passed.values(),
        *spelt_secrets(transport.args),
    )


def launch_of(transport: StdioTransport, environ: Mapping[str, str]) -> Launch:
    """Fill in the references. Raises UsageError CFG003 where a variable is unset or empty."""
    own = {name: value.resolve(environ, where=f"env {name}") for name, value in transport.env.items()}
    argv = tuple(
        Secret(word).resolve(environ, where=f"argument {position}" if position else "command")
        for position, word in enumerate(transport.argv)
    )
    cwd = Secret(transport.cwd).resolve(environ, where="cwd") if transport.cwd else None
    return Launch(argv=argv, env={**inherited(transport, environ), **own}, cwd=cwd, given=tuple(own))
