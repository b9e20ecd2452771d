"""The first words that a client says, whatever carries them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagnose.version import VERSION

if TYPE_CHECKING:
    from diagnose.wire.stdio_channel import Pending, StdioChannel

__all__ = ["initialize_params", "say"]


def initialize_params(protocol_version: str) -> dict[str, object]:
    """What a legacy client says first (lifecycle, initialization)."""
    return {
        "protocolVersion": protocol_version,
        "capabilities": {},
        "clientInfo": {"name": "connector-diagnose", "version": VERSION},
    }


def say(channel: StdioChannel, step: str) -> Pending:
    """``server/discover`` on a modern channel, ``initialize`` on a legacy one."""
    if channel.era == "modern":
        return channel.send("server/discover", step=step)
    return channel.send("initialize", initialize_params(channel.version), step=step)
