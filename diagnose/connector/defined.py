"""A connector as some client's file defines it: what it is, where it stands, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from diagnose.errors import UsageError
from diagnose.records import record

if TYPE_CHECKING:
    from diagnose.connector.model import Connector

__all__ = ["Defined", "Origin", "Problem", "Twin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A place in a file; line and column count from 1, the pointer is that of RFC 6901."""

    file: str
    line: int | None = None
    column: int | None = None
    pointer: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        if self.line is not None and self.column is not None:
            place += f":{self.column}"
        return f"{place} {self.pointer}" if self.pointer else place


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a definition, in one sentence, and what to write instead; never a secret.

    ``error``: this client cannot use the entry. ``warning``: it can, and something will go wrong or leak.
    ``info``: nothing is wrong, and something of it cannot be seen or repeated from here.
    """

    code: str
    severity: Literal["error", "warning", "info"]
    what: str
    hint: str
    origin: Origin

    @property
    def name(self) -> str:
        """The dotted name of the finding, such as ``config.wrong-root-key``."""
        from diagnose.catalogue import page

        return page(self.code).name

    def as_dict(self) -> dict[str, str]:
        """The same as the members of a JSON object."""
        return {
            "code": self.code,
            "name": self.name,
            "severity": self.severity,
            "what": self.what,
            "hint": self.hint,
            "where": str(self.origin),
        }

    def as_error(self) -> UsageError:
        """The same as an exception."""
        return UsageError(self.code, self.what, hint=self.hint, where=str(self.origin))

    def __str__(self) -> str:
        return str(self.as_error())


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """Another definition of the same server, and the names of the settings in which the two differ."""

    client: str
    name: str
    origin: Origin
    differs: tuple[str, ...] = ()


@record
class Defined:
    """One entry of one file, or a file of which nothing could be read.

    ``connector`` is None where ``problems`` has an error, and where only this client can reach what it names
    (an extension, a socket); ``reason`` says which. A file that cannot be read at all is one such record with
    an empty ``name``. ``target`` is the URL or the command
    line with secrets masked. ``real_url`` is where a bridge such as mcp-remote leads. ``extra`` holds, by
    pointer within the entry, what the model has no place for: it is the file's own and may hold secrets.
    """

    name: str
    client: str
    title: str
    scope: Literal["user", "project", "local", "file"]
    origin: Origin
    connector: Connector | None = None
    problems: tuple[Problem, ...] = ()
    transport: str | None = None
    target: str | None = None
    real_url: str | None = None
    enabled: bool = True
    desktop: bool = False
    """Whether the client is started from a desktop, with its PATH and without the shell's variables."""
    folder: str | None = None
    """The project that the definition is for, where it is for one only."""
    origins: Mapping[str, Origin] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[Origin, ...] = ()
    overridden_by: Origin | None = None
    twins: tuple[Twin, ...] = ()

    @property
    def reason(self) -> Problem | None:
        """Why there is no connector, or None where there is one."""
        if self.connector is not None:
            return None
        errors = (problem for problem in self.problems if problem.severity == "error")
        return next(errors, next((problem for problem in self.problems if problem.code == "CFG064"), None))
