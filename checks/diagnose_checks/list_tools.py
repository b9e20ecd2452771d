"""Step 9: is the catalogue usable?"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose.wire.rpc import RpcReply
from diagnose.wire.threads import in_daemon_thread
from diagnose_checks.contrasts import answered
from diagnose_checks.facts import InitFacts, Lost, SessionFacts, ToolFacts
from diagnose_checks.rpc_faults import exchange_faults, seen
from diagnose_checks.tool_findings import Found, judge_entries, page_findings, tool_findings
from diagnose_checks.tool_pages import LIST_CODES, Pages, read_pages
from diagnose_checks.tool_rules import Flaw, Profile, strict_name, tool_name

__all__ = ["list_tools"]

_METHOD_NOT_FOUND = -32601
_NAMES_SHOWN = 200
_NAME_SHOWN = 128
_INLINE_BYTES = 256 * 1024
"""A larger catalogue is judged in a thread: the event loop owes others an answer within 100 ms."""
_KEEPS_FROM_CALLING = frozenset({"TOOL003", "TOOL005", "TOOL010", "TOOL014", "TOOL015", "TOOL021"})
_ERRORS = ("TOOL012", "TOOL013", "TOOL003", "TOOL016")
"""Errors that a page or tool brings, the more general first: that one is the verdict."""


@step(
    "list_tools",
    gives=ToolFacts,
    needs=(InitFacts, SessionFacts),
    codes=("TOOL",),
    on_timeout="TOOL019",
    deadline=15,
    about=frozenset({"endpoint", "network", "credential", "era", "depth"}),
)
async def list_tools(ctx: Context, init: InitFacts, session: SessionFacts) -> ToolFacts:
    """Read every page and judge every tool on the raw JSON."""
    offered = "tools" in init.capabilities
    if session._lost is not None:
        raise _lost(session._lost)
    first = session._first_page if session._first_page is not None else await _ask(ctx, init, session)
    if first is None or (not offered and first.error is not None):
        return _nothing(offered=offered)
    if first.error_code == _METHOD_NOT_FOUND:
        raise _declared_but_missing(first)
    pages = await read_pages(ctx, session._channel, first)
    profile = Profile(era=init.era, version=init.protocol_version)
    work: Callable[[], tuple[Flaw, ...]] = lambda: judge_entries(pages.entries, profile)  # noqa: E731
    flaws = await in_daemon_thread(work) if pages.bytes > _INLINE_BYTES else work()
    found = [
        *page_findings(pages, profile, largest_event=ctx.options.limits.event_sdk),
        *tool_findings(flaws, total=len(pages.entries)),
    ]
    if pages.fault is not None and pages.fault.finding.code == "TOOL006":
        # The same page came twice: that its tools did as well is no fault of their names.
        found = [item for item in found if item.code != "TOOL005"]
    empty = offered and pages.fault is None and not any(pages.sizes)
    if empty:
        await _judge_empty(ctx, init, session, first)
    _warn(ctx, pages, found, offered=offered)
    facts = _facts(pages, flaws, offered=offered)
    errors = sorted(
        (item for item in found if item.code in _ERRORS and item.severity is None),
        key=lambda item: _ERRORS.index(item.code),
    )
    _raise(ctx, pages.fault, errors, facts)
    return facts


async def _ask(ctx: Context, init: InitFacts, session: SessionFacts) -> RpcReply | None:
    """Ask for tools that nobody announced, where nothing else is announced either (or under --deep)."""
    announced = {"tools", "prompts", "resources", "completions"} & set(init.capabilities)
    if announced - {"tools"} and "tools" not in announced and not ctx.options.deep:
        return None
    with exchange_faults(LIST_CODES, "tools/list", page=1):
        return await session._channel.call("tools/list", step=ctx.step_id)


def _nothing(*, offered: bool) -> ToolFacts:
    return ToolFacts(tools=0, pages=0, page_sizes=(), names=(), offered=offered, _tools=())


def _lost(lost: Lost) -> Fault:
    """The answer to step 8's request that never became whole."""
    evidence = Evidence(
        label="answer to tools/list",
        expected="one JSON-RPC response with the first page",
        observed=lost.detail,
        exchange=lost.exchange.id,
    )
    code = {"no-answer": "TOOL019", "too-large": "TOOL017"}.get(lost.kind, "TOOL025")
    return Fault(
        code,
        evidence,
        exchange=lost.exchange.id,
        seconds=f"{time.monotonic() - lost.exchange.began:.1f}",
        progress=lost.detail,
        page=1,
        detail=lost.detail,
    )


def _declared_but_missing(reply: RpcReply) -> Fault:
    evidence = seen("answer to tools/list", reply, "a page of tools, as the tools capability promises")
    return Fault("TOOL024", evidence, exchange=reply.exchange.id, error_message=reply.error_message)


def _warn(ctx: Context, pages: Pages, found: list[Found], *, offered: bool) -> None:
    for item in found:
        if item.code not in _ERRORS or item.severity is not None:
            item.warn(ctx)
    total = sum(pages.sizes)
    if not pages.replies:
        return
    exchange = pages.replies[0].exchange.id
    if not offered and total:
        seen = Evidence(
            label="capabilities", expected='a member "tools"', observed="absent", where="/result/capabilities"
        )
        ctx.warn("TOOL018", seen, exchange=exchange, tools=total)
    if len(pages.sizes) > 1 and pages.fault is None:
        sizes = " + ".join(map(str, pages.sizes[:10])) + (" + ..." if len(pages.sizes) > 10 else "")
        paged = Evidence(label="page sizes", observed=sizes, exchange=exchange)
        ctx.warn(
            "TOOL020", paged, exchange=exchange, first=pages.sizes[0], tools=total, pages=len(pages.sizes)
        )


_ELSE = (("prompts", "prompts/list", "prompts"), ("resources", "resources/list", "resources"))


async def _judge_empty(ctx: Context, init: InitFacts, session: SessionFacts, first: RpcReply) -> None:
    """Warn, unless prompts or resources are listed instead: the SDKs declare tools for every server."""
    unseen: list[str] = []
    for capability, method, member in _ELSE:
        if capability not in init.capabilities:
            continue
        reply = await answered(ctx, session._channel.call(method, step=ctx.step_id))
        if reply is None:
            unseen.append(method)
        elif (reply.result or {}).get(member):
            return
    exchange = first.exchange.id
    evidence = Evidence(
        label="tools/list",
        expected="at least one tool",
        observed="an empty array",
        where="/result/tools",
        exchange=exchange,
    )
    elsewhere = (
        f"what else the server offers could not be seen ({' and '.join(unseen)} got no answer)"
        if unseen
        else "the server lists no prompts and no resources in their place"
    )
    ctx.warn("TOOL008", evidence, exchange=exchange, elsewhere=elsewhere)


def _raise(ctx: Context, ended: Fault | None, errors: list[Found], facts: ToolFacts) -> None:
    """The first error is the verdict; further ones are listed beside it."""
    if ended is None and not errors:
        return
    rest = errors if ended is not None else errors[1:]
    for item in rest:
        item.warn(ctx)
    if ended is not None:
        ended.facts = facts
        raise ended
    raise errors[0].fault(facts)


def _facts(pages: Pages, flaws: tuple[Flaw, ...], *, offered: bool) -> ToolFacts:
    tools = [entry.tool for entry in pages.entries]
    places = {id(entry): index for index, entry in enumerate(pages.entries)}
    names = [name for tool in tools if (name := tool_name(tool)) is not None]
    objects = [tool for tool in tools if isinstance(tool, Mapping)]
    return ToolFacts(
        tools=sum(pages.sizes),
        pages=len(pages.sizes),
        page_sizes=tuple(pages.sizes),
        names=tuple(name[:_NAME_SHOWN] for name in names[:_NAMES_SHOWN]),
        complete=pages.fault is None,
        offered=offered,
        read_only=sum(_hint(tool, "readOnlyHint") is True for tool in objects),
        with_output_schema=sum(isinstance(tool.get("outputSchema"), Mapping) for tool in objects),
        names_beyond_model_apis=sum(not strict_name(name) for name in names),
        definitions_sha256=_digest(tools) if tools else None,
        _tools=tuple(tools),
        _flawed=frozenset(places[id(flaw.entry)] for flaw in flaws if flaw.code in _KEEPS_FROM_CALLING),
    )


def _digest(tools: Sequence[Any]) -> str:
    """SHA-256 of the definitions, sorted as canonical JSON."""
    texts = sorted(json.dumps(tool, sort_keys=True, separators=(",", ":")) for tool in tools)
    return hashlib.sha256("\n".join(texts).encode("ascii")).hexdigest()


def _hint(tool: Mapping[str, Any], name: str) -> Any:
    annotations = tool.get("annotations")
    return annotations.get(name) if isinstance(annotations, Mapping) else None
