"""Files of ``NAME=VALUE`` lines, as editors read them for a process; never printed."""

from __future__ import annotations

import re
from pathlib import Path

from diagnose.connector.json_document import content_of, decoded
from diagnose.connector.secret import Secret

__all__ = ["read_env_file"]

_LIMIT = 64 * 1024
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


def read_env_file(name: str, folder: str) -> dict[str, Secret]:
    """The variables in a file. Raises UsageError where it cannot be read."""
    path = Path(folder) / Path(name).expanduser()
    found: dict[str, Secret] = {}
    for line in decoded(content_of(path, _LIMIT), str(path)).splitlines():
        match = _LINE.fullmatch(line)
        if match is not None:
            value = match.group(2)
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            found[match.group(1)] = Secret.literal(value[1:-1] if quoted else value)
    return found
