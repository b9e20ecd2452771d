"""Flaws of tools and pages as findings: one per code, naming the first and the number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from diagnose.context import Context
from diagnose.records import record
from diagnose.step import Evidence, Facts, Fault
from diagnose.wire.rpc import RpcReply
from diagnose_checks.tool_pages import Pages, brief_member
from diagnose_checks.tool_rules import Entry, Flaw, Profile, judge_tool, tool_name

__all__ = ["Found", "judge_entries", "page_findings", "tool_findings"]

_SHOWN = 5
_NAME_SHOWN = 80


@record
class Found:
    """A finding before it is known whether it is the verdict."""

    code: str
    evidence: tuple[Evidence, ...]
    args: Mapping[str, Any]
    severity: Literal["warning"] | None = None

    def warn(self, ctx: Context) -> None:
        first = self.evidence[0]
        ctx.warn(
            self.code,
            *self.evidence,
            severity=self.severity,
            where=first.where,
            exchange=first.exchange,
            **self.args,
        )

    def fault(self, facts: Facts) -> Fault:
        first = self.evidence[0]
        return Fault(
            self.code, *self.evidence, facts=facts, where=first.where, exchange=first.exchange, **self.args
        )


def judge_entries(entries: Iterable[Entry], profile: Profile) -> tuple[Flaw, ...]:
    """Every flaw of every tool, duplicate names included."""
    flaws: list[Flaw] = []
    first: dict[str, Entry] = {}
    for entry in entries:
        flaws.extend(judge_tool(entry, profile))
        name = tool_name(entry.tool)
        if name is None:
            continue
        if name in first:
            earlier = first[name]
            flaws.append(
                Flaw(
                    code="TOOL005",
                    entry=entry,
                    pointer=entry.at("name"),
                    expected="a name that no other tool has",
                    observed=f"the name of page {earlier.page}, {earlier.at()}",
                )
            )
        first.setdefault(name, entry)
    return tuple(flaws)


def tool_findings(flaws: Iterable[Flaw], *, total: int) -> Iterable[Found]:
    """One finding per code: the first tool in full, the rest as evidence and a number."""
    by_code: dict[str, list[Flaw]] = {}
    for flaw in flaws:
        by_code.setdefault(flaw.code, []).append(flaw)
    for code, group in by_code.items():
        first = group[0]
        tools = len({id(flaw.entry) for flaw in group})
        name = tool_name(first.entry.tool)
        args: dict[str, object] = {
            "tool": name if name is not None else f"without a name, number {first.entry.index + 1}",
            "pointer": first.pointer,
            "expected": first.expected,
            "observed": first.observed,
            "page": first.entry.page,
            "count": tools,
            "total": total,
            "more": "" if tools == 1 else f" (and {tools - 1} more of {total} tools)",
        }
        yield Found(code=code, evidence=tuple(map(_evidence, group[:_SHOWN])), args=args)


def _evidence(flaw: Flaw) -> Evidence:
    name = tool_name(flaw.entry.tool)
    shown = name[:_NAME_SHOWN] if name is not None else f"number {flaw.entry.index + 1}"
    return Evidence(
        label=f"tool {shown}, page {flaw.entry.page}",
        expected=flaw.expected,
        observed=flaw.observed,
        where=flaw.pointer,
        exchange=flaw.entry.exchange,
    )


def page_findings(pages: Pages, profile: Profile, *, largest_event: int) -> Iterable[Found]:
    """What is wrong with the pages as results, beside their tools."""
    numbered = list(enumerate(pages.replies, start=1))
    if profile.era == "modern":
        yield from _envelope(numbered)
    for number, reply in numbered:
        if reply.streamed and reply.largest_event > largest_event:
            evidence = Evidence(
                label=f"page {number} of tools/list, the largest event",
                expected=f"at most {largest_event} bytes",
                observed=f"{reply.largest_event} bytes",
                exchange=reply.exchange.id,
            )
            args: dict[str, object] = {"page": number, "size": reply.largest_event, "limit": largest_event}
            yield Found(code="TOOL016", evidence=(evidence,), args=args)
            return


def _envelope(numbered: list[tuple[int, RpcReply]]) -> Iterable[Found]:
    types = [(number, evidence) for number, reply in numbered for evidence in _bad_type(reply, number)]
    hints = [(number, evidence) for number, reply in numbered for evidence in _bad_hints(reply, number)]
    shown = tuple(evidence for _, evidence in (*types, *hints))[:_SHOWN]
    # A page without resultType is an old result under a new version: the missing hints are the same fault.
    if types:
        page, first = types[0]
        yield Found(code="TOOL012", evidence=shown, args={"page": page, "observed": first.observed})
    elif hints:
        page, first = hints[0]
        args = {"page": page, "pointer": first.where, "expected": first.expected, "observed": first.observed}
        # A negative lifetime is read as 0 by the official Python client; the other breaches end its parsing.
        soft = all((evidence.observed or "").startswith("-") for _, evidence in hints)
        yield Found(code="TOOL013", evidence=shown, args=args, severity="warning" if soft else None)


def _bad_type(reply: RpcReply, number: int) -> Iterable[Evidence]:
    result = reply.result or {}
    if result.get("resultType") != "complete":
        observed = brief_member(result, "resultType")
        yield _page_evidence(reply, number, "resultType", '"complete"', observed)


def _page_evidence(reply: RpcReply, number: int, name: str, expected: str, observed: str) -> Evidence:
    return Evidence(
        label=f"page {number} of tools/list",
        expected=expected,
        observed=observed,
        where=f"/result/{name}",
        exchange=reply.exchange.id,
    )


def _bad_hints(reply: RpcReply, number: int) -> Iterable[Evidence]:
    """``ttlMs`` and ``cacheScope`` are required on every page (2026-07-28, caching)."""
    result: Mapping[str, Any] = reply.result or {}
    ttl = result.get("ttlMs")
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or ttl < 0 or ttl != int(ttl):
        observed = brief_member(result, "ttlMs")
        yield _page_evidence(reply, number, "ttlMs", "a whole number of at least 0", observed)
    if result.get("cacheScope") not in ("public", "private"):
        observed = brief_member(result, "cacheScope")
        yield _page_evidence(reply, number, "cacheScope", '"public" or "private"', observed)
