"""``-- COMMAND ARGS``: a connector that starts a process, from the words of a command line."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnose.cli_words import refuse

if TYPE_CHECKING:
    from diagnose.cli_target import Asked
    from diagnose.connector import Connector, StdioTransport

__all__ = ["amended_process", "typed_process"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OF_HTTP = (
    ("header", "--header"),
    ("bearer_env", "--bearer-env"),
    ("credentials_from", "--credentials-from"),
    ("ca_bundle", "--ca-bundle"),
    ("client_cert", "--client-cert"),
    ("client_key", "--client-key"),
    ("proxy", "--proxy"),
    ("resolver", "--resolver"),
    ("resolve", "--resolve"),
    ("transport", "--transport"),
)


def typed_process(target: str | None, asked: Asked) -> Connector:
    """The connector of ``asked.command``. Raises UsageError."""
    from diagnose.connector import Connector, StdioTransport

    if target is not None:
        raise refuse(
            "there are a target and a command after the two dashes",
            "leave one of them out; options stand before the dashes",
        )
    if asked.config:
        raise refuse("--config is not for a typed command", "leave it out, or name a connector of the file")
    _refuse_http(asked)
    command, *args = asked.command
    if not command.strip():
        raise refuse("the command is empty", "write -- COMMAND ARGS")
    if any("\0" in word for word in asked.command):
        raise refuse("the command holds a NUL character", "leave it out: no program can be given one")
    if asked.cwd is not None and not asked.cwd:
        raise refuse("the directory is empty", "write --cwd DIR", where="--cwd")
    return Connector(
        name=Path(command).name or command,
        transport=StdioTransport(
            command=command,
            args=tuple(args),
            env=_variables(asked.env),
            cwd=os.path.expanduser(asked.cwd) if asked.cwd else None,  # noqa: PTH111  # Path drops a last slash
            inherits=asked.inherit or "safe",
        ),
        era=asked.era or "auto",
    )


def amended_process(base: Connector, stdio: StdioTransport, asked: Asked) -> Connector:
    """The connector of a file, as the options amend what it starts. Raises UsageError."""
    _refuse_http(asked)
    changes: dict[str, Any] = {"env": {**stdio.env, **_variables(asked.env)}} if asked.env else {}
    if asked.cwd:
        changes["cwd"] = os.path.expanduser(asked.cwd)  # noqa: PTH111  # Path drops a last slash
    if asked.inherit is not None:
        changes["inherits"] = asked.inherit
    update: dict[str, Any] = {"transport": stdio.model_copy(update=changes)} if changes else {}
    if asked.era is not None:
        update["era"] = asked.era
    return base.model_copy(update=update)


def _refuse_http(asked: Asked) -> None:
    for field, option in _OF_HTTP:
        if getattr(asked, field):
            raise refuse(f"{option} is not for a process", "leave it out; --env gives the process a variable")


def _variables(entries: tuple[str, ...]) -> dict[str, Any]:
    """What ``--env`` gives: a value, or the name of a variable that is passed on. No value is ever quoted."""
    from diagnose.connector import Secret

    found: dict[str, Any] = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not _NAME.fullmatch(name):
            raise refuse(
                "the text before the equals sign is no variable name"
                if equals
                else "the text is no variable name",
                "write --env NAME=VALUE, or --env NAME to pass a variable on",
                where="--env",
                code="CFG009",
            )
        if name in found:
            raise refuse(f"the variable {name} is given twice", "give it once", where="--env")
        found[name] = Secret(value) if equals else Secret(f"${{env:{name}}}")
    return found
