"""One request of step 4 and what became of it, reduced to what the classifiers ask."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus

from diagnose.connector.address import origin_of
from diagnose.records import record
from diagnose.step import Evidence
from diagnose.wire.http_wire import ExchangeFailed
from diagnose.wire.recorder import Recorded
from diagnose.wire.rpc import RpcChannel, RpcReply
from diagnose_checks.facts import Crash
from diagnose_checks.rpc_faults import said

__all__ = ["Outcome", "bearer_challenge", "speaks_mcp", "status_line"]

# RFC 9110 11.6.1: a list of challenges; the scheme starts the value or follows a comma.
_BEARER = re.compile(r"(?:^|,)\s*bearer(?:\s|,|$)", re.IGNORECASE)

# These statuses say why HTTP refused, whoever wrote the body: they belong to step 4 even as JSON-RPC errors.
_HTTP_REFUSALS = frozenset({403, 406, 413, 415, 421, 429})


@record
class Outcome:
    """What one request met: a reply, a broken exchange, or the end of the time it was given.

    ``crash`` says that the first request failed over its credential; this is then its contrast without one.
    """

    url: str
    method: str
    channel: RpcChannel | None = None
    reply: RpcReply | None = None
    failure: ExchangeFailed | None = None
    waited_s: float | None = None
    recorded: Recorded | None = None
    crash: Crash | None = None

    @property
    def status(self) -> int | None:
        return self.reply.status if self.reply is not None else None

    @property
    def exchange(self) -> Recorded | None:
        if self.reply is not None:
            return self.reply.exchange
        return self.failure.exchange if self.failure is not None else self.recorded

    @property
    def challenged(self) -> bool:
        """Answered with 401, or with 403 and a Bearer challenge: a matter of steps 5 and 6."""
        if self.reply is None:
            return False
        return self.reply.status == 401 or (
            self.reply.status == 403 and bearer_challenge(self.reply.exchange)
        )

    @property
    def speaks_mcp(self) -> bool:
        return self.reply is not None and speaks_mcp(self.reply)

    @property
    def reachable(self) -> bool:
        """Whether an MCP endpoint is behind this, open or locked."""
        return self.challenged or self.speaks_mcp

    @property
    def plainly_refused(self) -> bool:
        """What an endpoint of another era or transport says: 400, 404, 405, 410 or 422 without JSON-RPC.

        422 is the Rust SDK's word to a first message that is not ``initialize``.
        """
        plain = self.reply is not None and self.reply.status in (400, 404, 405, 410, 422)
        return plain and not self.speaks_mcp

    @property
    def may_know_initialize(self) -> bool:
        """Refused otherwise, by an answer that the official client follows with ``initialize`` all the same.

        A 429 is never followed by another request, a 421 is about the host alone, and a redirect is
        judged for itself.
        """
        if self.reply is None or self.reachable:
            return False
        return self.reply.http_status not in (421, 429) and not 300 <= self.reply.http_status < 400

    @property
    def summary(self) -> str:
        """What came back, in one line."""
        if self.reply is not None:
            return said(self.reply)
        if self.failure is not None:
            return f"no answer: {self.failure.detail}"
        return f"no answer within {self.waited_s or 0:.1f} s"

    def evidence(self, label: str | None = None, expected: str | None = None) -> Evidence:
        """This outcome as evidence."""
        shown = label or (self.method if self.method == "GET" else f"POST {self.method}")
        exchange = self.exchange
        return Evidence(
            label=shown,
            expected=expected,
            observed=self.summary,
            where=self.url,
            exchange=exchange.id if exchange is not None else None,
        )


def bearer_challenge(exchange: Recorded) -> bool:
    """Whether the answer asks for a Bearer token (RFC 6750 3)."""
    return any(
        name.lower() == "www-authenticate" and _BEARER.search(value)
        for name, value in exchange.response_headers
    )


def speaks_mcp(reply: RpcReply) -> bool:
    """Whether this answer to a JSON-RPC request can only come from an MCP endpoint, right or wrong.

    What is wrong with it is judged in step 7; step 4 fails only where nothing of JSON-RPC is in it.
    """
    if 400 <= reply.http_status < 500:
        return reply.message is not None and reply.status not in _HTTP_REFUSALS
    if not 200 <= reply.http_status < 300 or reply.http_status in (204, 205):
        return False
    if reply.status == 202 or reply.content_type == "text/event-stream":
        return True
    if not reply.content_type.startswith("application/json"):
        return False
    return reply.message is not None or not _foreign_json(reply)


def _foreign_json(reply: RpcReply) -> bool:
    """JSON that is readable and has nothing of JSON-RPC in it: another program's API."""
    if reply.problem("not-jsonrpc", "batch") is None:
        return False
    try:
        document = json.loads(bytes(reply.exchange.body))
    except (ValueError, RecursionError):
        return '"jsonrpc"' not in reply.text
    if isinstance(document, list):
        return not any(isinstance(item, Mapping) and "jsonrpc" in item for item in document)
    if not isinstance(document, Mapping):
        return True
    return "jsonrpc" not in document and not ("id" in document and {"result", "error"} & document.keys())


def status_line(exchange: Recorded | None) -> str:
    """``404 Not Found``, with the phrase of the registry where the server sent none."""
    if exchange is None or exchange.status is None:
        return "no status"
    phrase = exchange.reason
    if not phrase and exchange.status in HTTPStatus._value2member_map_:
        phrase = HTTPStatus(exchange.status).phrase
    return f"{exchange.status} {phrase}".strip()


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs share scheme, host and port; false where one of them has none."""
    try:
        return origin_of(one) == origin_of(other)
    except ValueError:
        return False
