"""What a dialect is: one client's way to write connectors down, as a row of facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from diagnose.connector.dialects.documents import Format
from diagnose.records import record

__all__ = ["BASES", "PROCESS", "REMOTE", "TYPES", "AtPlace", "Dialect", "Transport", "project", "user"]

Transport = Literal["auto", "streamable-http", "sse", "stdio", "other"]
"""``other``: the client has it, and MCP does not (a WebSocket, a server inside the client)."""

BASES: Mapping[str, tuple[str | None, str]] = {
    "home": (None, "~"),
    "config": ("XDG_CONFIG_HOME", "~/.config"),
    "support": (None, "~/Library/Application Support"),
    "appdata": ("APPDATA", "~/AppData/Roaming"),
    "copilot": ("COPILOT_HOME", "~/.copilot"),
    "codex": ("CODEX_HOME", "~/.codex"),
    "vibe": ("VIBE_HOME", "~/.vibe"),
    "claude": ("CLAUDE_CONFIG_DIR", "~"),
}
"""Where a location begins: the variable that moves it, and where it is without that variable."""


@record
class AtPlace:
    """A file per operating system; ``{base}`` is one of ``BASES``, a project's path is relative to it."""

    scope: Literal["user", "project"]
    linux: str | None = None
    darwin: str | None = None
    win32: str | None = None


@record
class Dialect:
    """One client's configuration.

    ``fields`` maps a field of an entry (dotted where it lies deeper) to the slot that it fills:

    ``url command argv args env env_names env_from cwd env_file`` what is reached or started;
    ``headers headers_env headers_list authorization bearer bearer_env basic`` what is sent;
    ``oauth.*`` the OAuth client; ``tools.*`` the tool policy; ``network.*`` the route;
    ``enabled disabled`` whether it is on; ``ms s`` times in their unit; ``kept`` what only
    this client can do;
    ``word`` the transport; ``text`` what is for people.
    """

    key: str
    title: str
    format: Format
    roots: tuple[tuple[str, ...], ...]
    """Paths to the entries; ``*`` is any member, an empty path is the whole document."""
    fields: Mapping[str, str]
    source: str
    """Where the facts of this row come from."""
    places: tuple[AtPlace, ...] = ()
    unread: tuple[AtPlace, ...] = ()
    """Files in which people put entries and which this client does not read."""
    files: tuple[str, ...] = ()
    """Ends of paths that are this client's wherever they lie."""
    listed: bool = False
    """Whether the entries are a list; ``name_field`` is then in each of them."""
    name_field: str = "name"
    words: Mapping[str, Transport]
    bare: Transport | None = "auto"
    """What a URL without a word means; None: such an entry is not used."""
    syntax: tuple[str, ...] = ()
    """Which spellings of a reference are filled in (``interpolation.SYNTAX``)."""
    syntax_known: bool = True
    """Whether it is known that the client fills in nothing else."""
    unset: Literal["literal", "empty", "refused"] = "literal"
    """What an unset variable becomes."""
    inherits: Literal["safe", "all"] = "safe"
    desktop: bool = False
    carriers: tuple[Literal["http", "stdio"], ...] = ("http", "stdio")
    https_only: bool = False
    sockets: tuple[str, ...] = ()
    """Schemes of URLs that lead to a socket of this machine."""
    wins: tuple[str, ...] = ("local", "project", "user", "file")
    """Which scope goes before which, where a name stands in several."""
    strict_words: bool = True
    """Whether an entry with an unknown word is refused, and not read by what else it has."""
    needs_word: bool = False
    """Whether a process needs its word too: the others start one where there is a command."""
    env_values: bool = False
    """Whether ``env`` takes numbers, and ``null`` for a variable that is taken away."""
    splits: bool = False
    """Whether a command in one string is split as a shell would."""
    expands_home: bool = False
    """Whether ``~`` at the start of a command, an argument or a directory is the home directory."""
    appends_path: bool = False
    """Whether PATH in ``env`` is added to the client's own."""
    env_file_needed: bool = False
    """Whether a process whose ``envFile`` cannot be read is not started."""
    refuses: Mapping[str, str] = field(default_factory=dict)
    """Fields that make the client refuse an entry, and what to write instead."""
    guessed: bool = False
    """Whether the row stands for files whose client is not known."""


PROCESS: Mapping[str, str] = {
    "command": "command",
    "args": "args",
    "env": "env",
    "cwd": "cwd",
    "type": "word",
}
REMOTE: Mapping[str, str] = {"url": "url", "headers": "headers"}
TYPES: Mapping[str, Transport] = {"stdio": "stdio", "http": "streamable-http", "sse": "sse"}
"""What most clients have in common."""


def user(path: str, *, darwin: str | None = None, win32: str | None = None) -> AtPlace:
    """A file of the user, the same everywhere but where another is named."""
    return AtPlace(scope="user", linux=path, darwin=darwin or path, win32=win32 or path)


def project(path: str) -> AtPlace:
    """A file of a project, relative to its folder."""
    return AtPlace(scope="project", linux=path, darwin=path, win32=path)
