"""What step 7 calls each symptom of a reply, and small readings that both eras share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from diagnose.context import Context
from diagnose.step import Evidence
from diagnose.wire.rpc import RpcChannel, RpcReply
from diagnose_checks.contrasts import answered
from diagnose_checks.result_shape import Defect
from diagnose_checks.rpc_faults import Codes

__all__ = [
    "FRESH_CONNECTION",
    "INIT_CODES",
    "capabilities_of",
    "defect_evidence",
    "instructions_of",
    "let_go",
    "sdk_guess",
    "server_words",
]

INIT_CODES: Codes = {
    "result-shape": "INIT006",
    "jsonrpc-error": "INIT004",
    "id-mismatch": "INIT005",
    "not-json": "INIT006",
    "not-jsonrpc": "INIT006",
    "encoding": "INIT006",
    "id-type": "INIT007",
    "accepted": "INIT009",
    "http-error": "INIT018",
    "content-type": "INIT018",
    "stream-ended": "INIT020",
    "connection-lost": "INIT020",
    "batch": "INIT023",
    "event-flood": "INIT023",
    "event-too-large": "INIT023",
    "answer-too-large": "INIT023",
    "duplicate-response": "INIT023",
    "hostile-json": "INIT024",
    "duplicate-member": "INIT024",
}

_LONGEST_NAME = 200
_LONGEST_INSTRUCTIONS = 4000
_LARGEST_CAPABILITIES = 16 * 1024
_MOST_CAPABILITIES = 50

FRESH_CONNECTION: Mapping[str, str] = {"Connection": "close"}
"""With this header the request after the next one finds no connection to reuse."""

_OFFICIAL_REFUSALS = (
    # The id that stands in error bodies of the Python SDK's handshake-era transport (1.x and 2.x).
    (re.compile(r'"id"\s*:\s*"server-error"'), "Python SDK"),
    (re.compile(r"Bad Request: (No valid session ID provided|Server not initialized)"), "TypeScript SDK"),
    (re.compile(r"Bad Request: Unsupported protocol version.*\(supported versions"), "TypeScript SDK"),
)


def sdk_guess(*replies: RpcReply | None) -> str | None:
    """The SDK behind a server, where one of its refusals shows it."""
    for reply in replies:
        if reply is not None:
            for pattern, name in _OFFICIAL_REFUSALS:
                if pattern.search(reply.text):
                    return name
    return None


def server_words(info: Any) -> dict[str, Any]:
    """Name, version and title of a serverInfo, as fields of InitFacts; what is no text is left out."""
    fields: Mapping[str, Any] = info if isinstance(info, Mapping) else {}
    names = {"server_name": "name", "server_version": "version", "server_title": "title"}
    texts = {ours: fields.get(theirs) for ours, theirs in names.items()}
    return {name: text[:_LONGEST_NAME] if isinstance(text, str) else None for name, text in texts.items()}


def instructions_of(result: Mapping[str, Any]) -> str | None:
    """The server's instructions as the facts keep them: the beginning, and how long they are."""
    words = result.get("instructions")
    if not isinstance(words, str) or len(words) <= _LONGEST_INSTRUCTIONS:
        return words if isinstance(words, str) else None
    return f"{words[:_LONGEST_INSTRUCTIONS]}... ({len(words)} characters)"


def capabilities_of(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The declared capabilities; of a declaration larger than any real one, the names."""
    declared = result.get("capabilities")
    if not isinstance(declared, Mapping):
        return {}
    if len(json.dumps(declared)) <= _LARGEST_CAPABILITIES:
        return declared
    return {str(name)[:_LONGEST_NAME]: {} for name in list(declared)[:_MOST_CAPABILITIES]}


def defect_evidence(defects: tuple[Defect, ...], reply: RpcReply) -> tuple[Evidence, ...]:
    """The first defects as pairs of what the schema asks for and what is there."""
    return tuple(
        Evidence(
            label=f"result of {reply.method}, {defect.pointer}",
            expected=defect.expected,
            observed=defect.observed,
            where=defect.pointer,
            exchange=reply.exchange.id,
        )
        for defect in defects[:5]
    )


async def let_go(ctx: Context, channel: RpcChannel, reply: RpcReply) -> None:
    """End a session that no later step will use: one that a contrast opened, or a broken handshake left."""
    session = reply.header("mcp-session-id")
    if reply.refused or reply.error is not None or not session or channel.era == "modern":
        return
    ctx.redactor.register(session)
    if not (session.isascii() and session.isprintable()):
        return
    channel.session_id = session
    await answered(ctx, channel.end_session(step=ctx.step_id))  # a courtesy: its outcome changes nothing
