"""A connector as a connector file in which no secret stands: each is a reference to a variable."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from diagnose.connector.address import secrets_in
from diagnose.connector.model import Connector, SampleCall, StdioTransport
from diagnose.connector.secret import Secret, holds_secret, spelt_secrets
from diagnose.errors import UsageError
from diagnose.records import record
from diagnose.redact import MASK, Redactor

__all__ = ["Written", "connector_document", "save_private"]

_TOKENS = ("access_token", "refresh_token", "expires_at")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")


@record
class Written:
    """The text of a file; ``variables`` are to be set before it is used, each with what it holds.

    ``left_out`` says in sentences what of the connector is not in it.
    """

    text: str
    variables: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...]


def connector_document(
    connector: Connector, *, known: Connector | None = None, sample: SampleCall | None = None
) -> Written:
    """The file of ``connector``, and ``sample`` as its sample call. Raises UsageError CFG006.

    A literal value is written only where ``known``, the connector as some file has it, has it in the open.
    """
    writing = _Writing(connector=connector, known=known)
    document = {
        "name": connector.name,
        **writing.reached(),
        "credential": writing.credential(),
        "tools": _set_members(connector.tools),
        "network": writing.network(),
        "era": None if connector.era == "auto" else connector.era,
        "sample": writing.sample(sample or connector.sample),
    }
    filled = {name: part for name, part in document.items() if part}
    text = json.dumps(filled, indent=2, ensure_ascii=True) + "\n"
    return Written(text=text, variables=tuple(writing.variables.items()), left_out=tuple(writing.left_out))


@dataclass(kw_only=True)
class _Writing:
    connector: Connector
    known: Connector | None
    variables: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def reached(self) -> dict[str, Any]:
        transport = self.connector.transport
        if isinstance(transport, StdioTransport):
            return {"transport": self._process(transport)}
        if transport.filled or secrets_in(transport.url):
            what = "the URL holds a key, and a connector file takes no reference there"
            hint = "give the key as a header or an API key, and the URL without it"
            raise UsageError("CFG006", what, hint=hint)
        headers = self._values(self.connector.headers, self.known.headers if self.known else {}, "header")
        if transport.type == "auto":
            return {"url": transport.url, "headers": headers}
        return {"transport": {"type": transport.type, "url": transport.url}, "headers": headers}

    def _process(self, stdio: StdioTransport) -> dict[str, Any]:
        known = self.known.stdio.env if self.known is not None and self.known.stdio is not None else {}
        given = {
            "type": "stdio",
            "command": stdio.command,
            "args": list(self._arguments(stdio)),
            "env": self._values(stdio.env, known, "variable"),
            "cwd": stdio.cwd,
            "inherits": None if stdio.inherits == "safe" else stdio.inherits,
        }
        return {name: part for name, part in given.items() if part}

    def _arguments(self, stdio: StdioTransport) -> Iterator[str]:
        redactor = Redactor()
        secrets = sorted(spelt_secrets(stdio.args), key=len, reverse=True)
        redactor.register(*secrets)
        for number, (word, shown) in enumerate(zip(stdio.args, redactor.argv(stdio.argv)[1:], strict=True)):
            if word == shown:
                yield word
                continue
            inside = next((secret for secret in secrets if secret in word), word)
            reference = self._variable(f"ARG_{number + 1}", f"the value hidden in argument {number + 1}")
            yield word.replace(inside, reference)

    def _values(self, values: Mapping[str, Secret], known: Mapping[str, Secret], noun: str) -> dict[str, str]:
        found = {}
        for name, value in values.items():
            if not value.references and not holds_secret(name, value) and known.get(name) == value:
                found[name] = Secret.escaped(value.resolve({}, where=name))
            else:
                found[name] = self._reference(value, name, f"the {noun} {name}", whole=noun == "variable")
        return found

    def _reference(self, value: Secret, suffix: str, what: str, *, whole: bool = False) -> str:
        """``value`` as a reference: its own, or one to a new variable. A default may be a secret: it goes."""
        shown = str(value)
        if shown != "***":
            return shown.replace(":-***}", "}")
        return self._variable(suffix, what, whole=whole)

    def _variable(self, suffix: str, what: str, *, whole: bool = False) -> str:
        wanted = suffix if whole else _NOT_IN_NAMES.sub("_", f"{self.connector.name}_{suffix}").strip("_")
        wanted = wanted if whole else wanted.upper()
        name = wanted if wanted[:1].isalpha() or wanted[:1] == "_" else f"MCP_{wanted}"
        number = 2
        while name in self.variables:
            name, number = f"{wanted}_{number}", number + 1
        self.variables[name] = what
        return f"${{env:{name}}}"

    def credential(self) -> dict[str, Any] | None:
        credential = self.connector.credential
        if credential.type == "none":
            return None
        found: dict[str, Any] = {"type": credential.type}
        for name, value in credential:
            if name == "type" or value == type(credential).model_fields[name].default:
                continue
            key = type(credential).model_fields[name].alias or name
            if name in _TOKENS and not (isinstance(value, Secret) and value.references):
                self.left_out.append(f"The {name} is left out: diagnose login gets a token of your own.")
            elif isinstance(value, Secret):
                found[key] = self._reference(value, name, f"the {name} of the {credential.type} credential")
            elif isinstance(value, Mapping):
                found[key] = {
                    header: self._reference(inner, header, f"the header {header}")
                    for header, inner in value.items()
                }
            else:
                found[key] = str(Path(value).absolute()) if isinstance(value, Path) else value
        return found

    def network(self) -> dict[str, Any]:
        found = _set_members(self.connector.network)
        for name, value in found.items():
            if isinstance(value, Path):
                found[name] = str(value.absolute())
        if "@" in str(found.get("proxy")):
            del found["proxy"]
            self.left_out.append("The proxy is left out, because it holds a password: set HTTPS_PROXY.")
        return found

    def sample(self, sample: SampleCall | None) -> dict[str, Any] | None:
        if sample is None:
            return None
        arguments = dict(sample.arguments)
        if MASK in json.dumps(Redactor().clean(arguments)):
            self.left_out.append("The arguments are left out, because they look as if they held a secret.")
            arguments = {}
        return {"tool": sample.tool, "arguments": arguments} if arguments else {"tool": sample.tool}


def _set_members(part: BaseModel) -> dict[str, Any]:
    """What differs from the defaults."""
    fields = type(part).model_fields
    return {name: _plain(value) for name, value in part if value != fields[name].default}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def save_private(path: Path, text: str, *, replaces: bool = False) -> None:
    """Write a file that its owner alone may read. Raises FileExistsError, and UsageError CFG006.

    What is there already is replaced in one move, and only if ``replaces``.
    """
    import secrets

    if path.is_symlink() or (path.exists() and not path.is_file()):
        hint = "name a new file, or one that is no link"
        raise UsageError("CFG006", "the path leads to something that is no file of its own", hint=hint)
    if path.exists() and not replaces:
        raise FileExistsError(path)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}") if replaces else path
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        opened = os.open(fresh, flags, 0o600)
        try:
            with os.fdopen(opened, "wb") as file:
                file.write(text.encode())
            if replaces:
                fresh.replace(path)
        except BaseException:
            with suppress(OSError):
                fresh.unlink()
            raise
    except FileExistsError:
        raise
    except OSError as problem:
        what = f"the file cannot be written: {problem.strerror or type(problem).__name__}"
        raise UsageError("CFG006", what, hint="name a file in a directory that you may write to") from problem
