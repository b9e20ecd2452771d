"""What a client owes a server that asks it something (JSON-RPC 2.0, 4): an answer, and at once.

Nothing is declared here, so everything but ``ping`` is refused, as the official client does without handlers.
Left without an answer, a server waits, and its silence would be our own doing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

__all__ = ["Respond", "answer_to"]

Respond = Callable[[Mapping[str, Any]], Awaitable[None]]

_INVALID_REQUEST = -32600  # the official client's code; -32601 comes back from some servers as their own


def answer_to(request: Mapping[str, Any]) -> dict[str, Any]:
    """The response to a request of the server's."""
    head = {"jsonrpc": "2.0", "id": request["id"]}
    if request["method"] == "ping":
        return {**head, "result": {}}
    message = f"{request['method'][:80]} not supported: this client declared no capability for it"
    return {**head, "error": {"code": _INVALID_REQUEST, "message": message}}
