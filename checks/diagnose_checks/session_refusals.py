"""Is a refused second request about the session, or about what was asked? A table over words and statuses.

Servers say "no session" with 400, 404, 409, 410 and 422, in JSON-RPC and in plain text, under any code; so
the words come first, and a bare status only where no word is there.
"""

from __future__ import annotations

import re
from typing import Literal

from diagnose.wire.rpc import RpcReply

__all__ = ["Refusal", "session_refusal"]

Refusal = Literal[
    "credential",  # 401 or 403, although the first request was served
    "not-initialized",  # the server says that nobody has initialized
    "missing-id",  # it wants a session id
    "unknown-session",  # it does not know the one we sent
    "version-header",  # it refuses MCP-Protocol-Version
    "unexplained",  # a session status without a word about it
]

_WORDS: tuple[tuple[re.Pattern[str], Refusal], ...] = (
    (
        re.compile(
            r"not (?:yet |been )*initiali[sz]ed|initiali[sz]e first|before initiali[sz]"
            r"|initiali[sz]ed notification|must (?:be )?initiali[sz]e",
            re.IGNORECASE,
        ),
        "not-initialized",
    ),
    (
        re.compile(
            r"missing.{0,24}session|no valid session|session[-_ ]?id.{0,40}(?:required|missing)"
            r"|(?:requires?|without).{0,30}session[-_ ]?id|no session",
            re.IGNORECASE,
        ),
        "missing-id",
    ),
    (
        re.compile(
            r"session.{0,60}(?:not found|unknown|expired|invalid|terminated|does not exist|closed)"
            r"|(?:unknown|invalid|expired|no such|could not find) session",
            re.IGNORECASE,
        ),
        "unknown-session",
    ),
    (
        re.compile(
            r"mcp-protocol-version|unsupported protocol ?version|protocol version.{0,40}support",
            re.IGNORECASE,
        ),
        "version-header",
    ),
)
_SESSION_STATUSES = frozenset({400, 404, 409, 410, 422})
# Said of the request itself: method not found, bad parameters, internal error, and the modern refusals.
_ABOUT_THE_REQUEST = frozenset({-32601, -32602, -32603, -32020, -32021, -32022})


def session_refusal(reply: RpcReply) -> Refusal | None:
    """Why a request was refused for its session or its HTTP state; None where it was not."""
    if reply.status in (401, 403):
        return "credential"
    if reply.result is not None or (not reply.refused and reply.error is None):
        return None
    for pattern, refusal in _WORDS:
        if pattern.search(reply.error_message or reply.text):
            return refusal
    if reply.status not in _SESSION_STATUSES or reply.error_code in _ABOUT_THE_REQUEST:
        return None
    return "unexplained"
