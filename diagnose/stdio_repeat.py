"""One line for a shell that starts a server as its client does and says to it what the run said."""

from __future__ import annotations

import re
import shlex

from diagnose.connector import StdioTransport
from diagnose.connector.launch import safe_names
from diagnose.context import Context
from diagnose.wire.recorder import Recorded

__all__ = ["repeat_line"]

_REFERENCE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_LISTENS_S = 5


def repeat_line(ctx: Context, exchange: Recorded | None) -> str:
    """The line; no secret is in it, variables stand in their place. Without an exchange nothing is said."""
    process = ctx.connector.stdio
    assert process is not None, "only a process is started"
    words = [*_environment(process, ctx), *map(_word, ctx.redactor.argv(process.argv))]
    command = " ".join(words)
    if process.cwd:
        command = f"cd {_word(process.cwd)} && {command}"
    if exchange is None:
        return f"({command}) < /dev/null"
    said = [
        other.request_body.decode("utf-8", "replace")
        for other in ctx.recorder.exchanges
        if other.process == exchange.process and other.id <= exchange.id
    ]
    lines = " ".join(shlex.quote(ctx.redactor.text(line)) for line in said)
    # A server that reads to the end of stdin may leave before it answers: so stdin stays open for a while.
    return f"(printf '%s\\n' {lines}; sleep {_LISTENS_S}) | ({command})"


def _environment(process: StdioTransport, ctx: Context) -> list[str]:
    own: list[str] = []
    for name, value in process.env.items():
        shown = str(value)
        if not value.references:
            plain = value.resolve(ctx.environ, where=f"env {name}")
            hidden = ctx.redactor.header(name, plain) != plain
            shown = f"${{env:{name}}}" if hidden else plain
        elif shown == "***":
            shown = f"${{env:{name}}}"
        own.append(f"{name}={_word(shown)}")
    if process.inherits == "all":
        return ["env", *own] if own else []
    kept = () if process.inherits == "none" else safe_names()
    passed = [f'{name}="${name}"' for name in kept if name in ctx.environ and name not in process.env]
    return ["env", "-i", *passed, *own]


def _word(text: str) -> str:
    """A word in which references are the shell's own, and nothing else acts."""
    if not _REFERENCE.search(text):
        return shlex.quote(text) if "[redacted]" not in text else '"$DIAGNOSE_SECRET"'
    parts = _REFERENCE.split(text)
    pieces = [
        f'"${{{part}}}"' if place % 2 else (shlex.quote(part) if part else "")
        for place, part in enumerate(parts)
    ]
    return "".join(pieces)
