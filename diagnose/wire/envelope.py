"""JSON-RPC 2.0 as MCP asks for it, whatever carries it: versions, the channel's interface, the envelope."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from diagnose.wire.rpc_reply import RpcReply

__all__ = ["LEGACY_VERSIONS", "MODERN_VERSION", "RpcChannel", "encode", "with_meta"]

MODERN_VERSION = "2026-07-28"
LEGACY_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Newest first; the first is what we offer."""

_META = "io.modelcontextprotocol/"


class RpcChannel(Protocol):
    """What the MCP checks speak through, whatever carries it. Calls raise ExchangeFailed.

    What is about HTTP alone (``extra_headers``, ``without``, ``credential``, ``name``) means nothing to
    another carrier.
    """

    era: Literal["legacy", "modern"]
    version: str
    session_id: str | None

    async def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        step: str,
        name: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
        without: tuple[str, ...] = (),
        credential: bool = True,
    ) -> RpcReply: ...

    async def notify(
        self, method: str, *, step: str, extra_headers: Mapping[str, str] | None = None
    ) -> RpcReply: ...

    async def end_session(self, *, step: str, body: bytes = b"") -> RpcReply: ...


def with_meta(
    params: Mapping[str, Any] | None, *, version: str, client_name: str, client_version: str
) -> Mapping[str, Any]:
    """The parameters of a modern request (2026-07-28, base protocol): version and client in ``_meta``."""
    return {
        **(params or {}),
        "_meta": {
            f"{_META}protocolVersion": version,
            f"{_META}clientInfo": {"name": client_name, "version": client_version},
            f"{_META}clientCapabilities": {},
        },
    }


def encode(message: Mapping[str, Any]) -> bytes:
    """One message in one line."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
