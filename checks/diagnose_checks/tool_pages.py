"""The pages of a catalogue: fetched in turn, each judged as an answer before its tools are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from diagnose.context import Context
from diagnose.step import Evidence, Fault
from diagnose.wire.rpc import RpcChannel, RpcReply
from diagnose_checks.rpc_faults import Codes, exchange_faults, judge_reply
from diagnose_checks.tool_rules import Entry, brief

__all__ = ["LIST_CODES", "Pages", "page_fault", "read_pages"]

LIST_CODES: Codes = {
    "http-error": "TOOL023",
    "jsonrpc-error": "TOOL001",
    "result-shape": "TOOL002",
    "not-json": "TOOL025",
    "not-jsonrpc": "TOOL025",
    "accepted": "TOOL025",
    "content-type": "TOOL025",
    "id-mismatch": "TOOL025",
    "stream-ended": "TOOL025",
    "connection-lost": "TOOL025",
    "answer-too-large": "TOOL017",
}
"""What each symptom of a tools/list answer means at this step."""


@dataclass(slots=True, kw_only=True)
class Pages:
    """What was read; ``fault`` is what ended the reading early."""

    replies: list[RpcReply] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    fault: Fault | None = None

    @property
    def bytes(self) -> int:
        return sum(reply.exchange.body_size for reply in self.replies)


async def read_pages(ctx: Context, channel: RpcChannel, first: RpcReply) -> Pages:
    """Follow ``nextCursor`` to the end, to the caps, or to the first answer that cannot be used."""
    pages = Pages()
    reply, cursors = first, set[str]()
    try:
        while True:
            cursor = _take(pages, reply, ctx.options.limits.tools)
            _refuse_endless(ctx, pages, cursor, cursors)
            if cursor is None:
                return pages
            cursors.add(cursor)
            with exchange_faults(LIST_CODES, "tools/list", page=len(pages.sizes) + 1):
                reply = await channel.call("tools/list", {"cursor": cursor}, step=ctx.step_id)
    except Fault as fault:
        pages.fault = fault
    return pages


def _take(pages: Pages, reply: RpcReply, limit: int) -> str | None:
    """Keep the tools of one page and give its cursor; an empty string is a cursor (pagination)."""
    number = len(pages.sizes) + 1
    reading, repair = _blame(reply, number)
    result = judge_reply(reply, LIST_CODES, page=number, reading=reading, repair=repair)
    tools = result.get("tools")
    if not isinstance(tools, list):
        raise page_fault("TOOL002", reply, number, "/result/tools", "an array", brief_member(result, "tools"))
    pages.replies.append(reply)
    pages.sizes.append(len(tools))
    # Four million zeros fit into one body; no more entries are made than the cap lets pass.
    room = max(limit + 1 - len(pages.entries), 0)
    pages.entries.extend(
        Entry(tool=tool, page=number, index=index, exchange=reply.exchange.id)
        for index, tool in enumerate(tools[:room])
    )
    cursor = result.get("nextCursor")
    if cursor is not None and not isinstance(cursor, str):
        raise page_fault("TOOL002", reply, number, "/result/nextCursor", "a string", brief(cursor))
    return cursor


_CANNOT_PRODUCE = (
    "the list itself cannot be produced",
    "Correct the exception that the server's log shows at the time of this exchange, in the code that builds "
    "the list. Let tools/list answer with a result; a tool whose backend is down belongs in the list and "
    "fails when it is called.",
)
_REFUSED_REQUEST = (
    "this one is refused as invalid, although it carries all that the protocol demands",
    "Compare the request of this exchange with the one in the server's log. Where they differ, let the "
    "gateway between them pass body and headers unchanged; where they are the same, correct the server's "
    "check.",
)
_REFUSED_CURSOR = (
    "this one is refused as invalid, and only the cursor is new in it: it is the server's own nextCursor",
    "Let tools/list accept every cursor that it has given, on every replica.",
)
_INVALID = frozenset({-32600, -32602})


def _blame(reply: RpcReply, page: int) -> tuple[str, str]:
    """What a JSON-RPC error says about a page, and the repair."""
    if reply.error_code not in _INVALID:
        return _CANNOT_PRODUCE
    return _REFUSED_REQUEST if page == 1 else _REFUSED_CURSOR


def brief_member(result: Mapping[str, Any], name: str) -> str:
    """A member as evidence shows it."""
    return brief(result[name]) if name in result else "absent"


def page_fault(
    code: str, reply: RpcReply, page: int, pointer: str, expected: str, observed: str, **args: Any
) -> Fault:
    """A Fault about one member of one page."""
    evidence = Evidence(
        label=f"page {page} of tools/list, {pointer}",
        expected=expected,
        observed=observed,
        where=pointer,
        exchange=reply.exchange.id,
    )
    known: dict[str, Any] = {
        "page": page,
        "pointer": pointer,
        "expected": expected,
        "observed": observed,
        "detail": f"{pointer} is {observed}, expected {expected}",
    }
    return Fault(code, evidence, where=pointer, exchange=reply.exchange.id, **{**known, **args})


def _refuse_endless(ctx: Context, pages: Pages, cursor: str | None, cursors: set[str]) -> None:
    limits, number, tools = ctx.options.limits, len(pages.sizes), sum(pages.sizes)
    reply = pages.replies[-1]
    if cursor is not None and cursor in cursors:
        expected = "a cursor that no page before has given, or none"
        raise page_fault(
            "TOOL006",
            reply,
            number,
            "/result/nextCursor",
            expected,
            brief(cursor),
            cursor=brief(cursor),
            tools=tools,
        )
    if tools > limits.tools or (cursor is not None and number >= limits.pages):
        more = ", and more to come" if cursor is not None else ""
        raise page_fault(
            "TOOL007",
            reply,
            number,
            "/result/nextCursor" if cursor is not None else "/result/tools",
            f"an end within {limits.pages} pages and {limits.tools} tools",
            f"{tools} tools on {number} {'page' if number == 1 else 'pages'}{more}",
            tools=tools,
        )
