"""A home directory with the files of clients in it, as a process of its own sees it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["Machine", "http", "servers", "stdio"]

_MOVES = ("XDG_CONFIG_HOME", "COPILOT_HOME", "CODEX_HOME", "VIBE_HOME", "CLAUDE_CONFIG_DIR", "APPDATA")


class Machine:
    """A home, a project in it, and the variables that make a process take them for its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.project = self.home / "shop"
        self.project.mkdir(parents=True)
        self.env = {"HOME": str(self.home), "USERPROFILE": str(self.home), **dict.fromkeys(_MOVES, "")}

    def put(self, file: str, content: Any) -> Path:
        """Write a file below the home directory."""
        path = self.home / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            content if isinstance(content, str) else json.dumps(content, indent=1), encoding="utf-8"
        )
        return path


def servers(**entries: dict[str, Any]) -> dict[str, Any]:
    """The root that most clients have."""
    return {"mcpServers": entries}


def http(url: str = "https://mcp.example.com/mcp", **more: Any) -> dict[str, Any]:
    return {"type": "http", "url": url, **more}


def stdio(argv: Sequence[str], **more: Any) -> dict[str, Any]:
    return {"command": argv[0], "args": list(argv[1:]), **more}
