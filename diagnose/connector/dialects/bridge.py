"""mcp-remote and its like: a process in the file, and the real server in its arguments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from diagnose.connector.dialects.entry import Entry
from diagnose.records import record

__all__ = ["Bridge", "bridge_of", "fills_in_itself"]

_PACKAGE = re.compile(r"(?:mcp-remote|@[\w.-]+/mcp-remote)(?:@[\w.^~-]+)?")
_URL = re.compile(r"https?://", re.IGNORECASE)
_SHELLS = frozenset(
    {"sh", "bash", "zsh", "dash", "fish", "cmd", "cmd.exe", "powershell", "powershell.exe", "pwsh"}
)


@record
class Bridge:
    """What mcp-remote is told: the URL and its index, and headers with the index of each."""

    url: str
    url_index: int
    headers: tuple[tuple[str, int], ...]
    allows_http: bool


def words_of(entry: Entry) -> list[Any]:
    """Command and arguments as they are written."""
    command = entry.value("argv") or entry.value("command")
    args = entry.value("args")
    return [*(command if isinstance(command, list) else [command]), *(args if isinstance(args, list) else [])]


def bridge_of(args: Sequence[str]) -> Bridge | None:
    """The bridge that ``args`` start, or None; ``args`` may begin with the command."""
    start = next(
        (
            index
            for index, word in enumerate(args)
            if _PACKAGE.fullmatch(PurePath(word).name) or _PACKAGE.fullmatch(word)
        ),
        None,
    )
    if start is None:
        return None
    found = next((index for index in range(start + 1, len(args)) if _URL.match(args[index])), None)
    if found is None:
        return None
    headers = tuple(
        (args[index + 1], index + 1) for index in range(start + 1, len(args) - 1) if args[index] == "--header"
    )
    return Bridge(url=args[found], url_index=found, headers=headers, allows_http="--allow-http" in args)


def fills_in_itself(entry: Entry) -> bool:
    """Whether the program fills in ``${NAME}`` in its own arguments, so that one left there is right."""
    words = [word for word in words_of(entry) if isinstance(word, str)]
    return bool(words) and (PurePath(words[0]).name.lower() in _SHELLS or bridge_of(words) is not None)
