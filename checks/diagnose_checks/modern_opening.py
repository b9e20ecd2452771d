"""The modern era: what the answer to ``server/discover`` decides, and the contrasts that prove it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from diagnose.context import Context
from diagnose.records import record
from diagnose.step import Evidence, Fault
from diagnose.wire.rpc import LEGACY_VERSIONS, MODERN_VERSION, RpcChannel, RpcReply
from diagnose_checks.contrasts import answered
from diagnose_checks.discover_result import SERVER_INFO, Discovery
from diagnose_checks.era import Move, Opening, Row, classify_opening, read_opening
from diagnose_checks.facts import HttpFacts, InitFacts
from diagnose_checks.init_codes import (
    INIT_CODES,
    capabilities_of,
    defect_evidence,
    instructions_of,
    let_go,
    sdk_guess,
    server_words,
)
from diagnose_checks.legacy_opening import agree_legacy, ask_initialize
from diagnose_checks.opening import open_channel, say_first
from diagnose_checks.rpc_faults import exchange_faults, fault_of, said, seen, symptom, warn_oddities

__all__ = [
    "MOVES_OF_ANY_CARRIER",
    "Situation",
    "decide_era",
    "list_without_discover",
    "warn_draft",
    "without_discover",
]

_MIRRORED = ("MCP-Protocol-Version", "Mcp-Method")
_FALLBACK_SHARE = 0.9
"""Of the time left, what the fallback may take where the first answer is a fault already."""
_DRAFT_NAMES = {-32001: -32020, -32003: -32021, -32004: -32022}


@record
class Situation:
    """Where the answer to ``server/discover`` leaves us; ``http`` is None for another carrier."""

    ctx: Context
    http: HttpFacts | None
    channel: RpcChannel
    opening: Opening
    row: Row

    @property
    def reply(self) -> RpcReply:
        return self.opening.reply

    def seen(self, expected: str | None = None) -> Evidence:
        return seen("answer to server/discover", self.reply, expected)


async def decide_era(ctx: Context, http: HttpFacts, reply: RpcReply) -> InitFacts:
    """Follow the era table from the answer to ``server/discover``. Raises Fault."""
    channel = http._channel
    minted = reply.header("mcp-session-id")
    if minted:
        ctx.redactor.register(minted)
    opening = read_opening(reply)
    row = classify_opening(opening)
    warn_draft(ctx, opening)
    if row.move == "retry":
        with exchange_faults(INIT_CODES, "server/discover"):
            again = await channel.call("server/discover", step=ctx.step_id)
        opening = read_opening(again, attempt=1)
        row = classify_opening(opening)
    situation = Situation(ctx=ctx, http=http, channel=channel, opening=opening, row=row)
    return await _MOVES[row.move](situation)


def warn_draft(ctx: Context, opening: Opening) -> None:
    draft = opening.meaning.draft
    if draft is None:
        return
    reply = opening.reply
    ctx.warn(
        "INIT025",
        seen("error code of server/discover", reply, str(_DRAFT_NAMES[draft]), where="/error/code"),
        where="/error/code",
        exchange=reply.exchange.id,
        draft=draft,
        final=_DRAFT_NAMES[draft],
        message=reply.error_message,
    )


async def _adopt(at: Situation) -> InitFacts:
    ctx, reply, discovery = at.ctx, at.reply, at.opening.discovery
    assert discovery is not None, "the table adopts a DiscoverResult only"
    warn_oddities(ctx, reply, INIT_CODES)
    if discovery.hints:
        ctx.warn(
            "INIT015",
            *defect_evidence(discovery.hints, reply),
            where=discovery.hints[0].pointer,
            exchange=reply.exchange.id,
            members=", ".join(defect.pointer.removeprefix("/") for defect in discovery.hints),
        )
    if discovery.defects:
        first = discovery.defects[0]
        ctx.warn(
            "INIT014",
            *defect_evidence(discovery.defects, reply),
            severity="warning",
            where=first.pointer,
            **_defect_arguments(discovery),
        )
    return _modern_facts(at, sdk_would=at.row.sdk_would)


def _modern_facts(at: Situation, *, sdk_would: str, result: Mapping[str, Any] | None = None) -> InitFacts:
    if result is None:
        result = at.reply.result or {}
    meta = result.get("_meta")
    return InitFacts(
        era="modern",
        protocol_version=at.channel.version,
        **server_words(meta.get(SERVER_INFO) if isinstance(meta, Mapping) else None),
        instructions=instructions_of(result),
        capabilities=capabilities_of(result),
        supported_versions=at.opening.discovery.versions if at.opening.discovery else None,
        sdk_would=sdk_would,
        _channel=at.channel,
        _opened=at.reply,
    )


def _defect_arguments(discovery: Discovery) -> dict[str, Any]:
    first = next((defect for defect in discovery.defects if defect.fatal), discovery.defects[0])
    return {
        "pointer": first.pointer,
        "expected": first.expected,
        "observed": first.observed,
        "refused_by": first.refused_by,
    }


async def _invalid_discovery(at: Situation) -> InitFacts:
    discovery, result = at.opening.discovery, at.reply.result or {}
    assert discovery is not None, "the table has read a DiscoverResult"
    fatal = tuple(defect for defect in discovery.defects if defect.fatal)
    known = MODERN_VERSION in discovery.versions and isinstance(result.get("capabilities"), Mapping)
    raise Fault(
        "INIT014",
        *defect_evidence(fatal, at.reply),
        facts=_modern_facts(at, sdk_would=at.row.sdk_would) if known else None,
        where=fatal[0].pointer,
        exchange=at.reply.exchange.id,
        **_defect_arguments(discovery),
    )


async def _refused(at: Situation) -> InitFacts:
    observed = symptom(at.reply)
    assert observed is not None, "the table refuses over a JSON-RPC error only"
    named = Evidence(
        label="versions named by the server",
        expected=f"none, or an answer in {MODERN_VERSION}, which was offered twice",
        observed=", ".join(at.opening.meaning.supported or ()),
        exchange=at.reply.exchange.id,
    )
    raise fault_of(at.reply, observed, INIT_CODES, named)


async def _no_common_version(at: Situation) -> InitFacts:
    theirs = at.opening.meaning.supported or (at.opening.discovery.versions if at.opening.discovery else ())
    raise _disjoint(at, theirs)


def _disjoint(at: Situation, theirs: tuple[str, ...], *more: Evidence) -> Fault:
    ours = ", ".join((MODERN_VERSION, *LEGACY_VERSIONS))
    return Fault(
        "INIT013",
        Evidence(
            label="versions named by the server",
            expected=f"one of {ours}",
            observed=", ".join(theirs) or "none",
            exchange=at.reply.exchange.id,
        ),
        *more,
        exchange=at.reply.exchange.id,
        theirs=", ".join(theirs) or "none",
        ours=ours,
    )


async def _header_mismatch(at: Situation) -> InitFacts:
    sent = dict(at.reply.exchange.request_headers)
    bare = await answered(at.ctx, at.channel.call("server/discover", step=at.ctx.step_id, without=_MIRRORED))
    raise Fault(
        "INIT012",
        at.seen("a DiscoverResult: headers and body agree"),
        Evidence(
            label="headers as sent",
            observed="\n".join(f"{name}: {sent[name]}" for name in _MIRRORED if name in sent),
            exchange=at.reply.exchange.id,
        ),
        seen("the same request without these headers (the contrast)", bare),
        confidence="likely",
        exchange=at.reply.exchange.id,
        message=at.reply.error_message,
        reading=_mismatch_reading(at.reply, bare),
    )


def _mismatch_reading(reply: RpcReply, bare: RpcReply | None) -> str:
    """What the request without the mirrored headers shows about them."""
    if bare is None:
        return "it got no answer, so whether the headers are lost or changed on the way could not be seen"
    # The same refusal without the headers: then the server has not seen them in the first request either.
    theirs, ours = ((one.status, one.error_code, one.error_message) for one in (reply, bare))
    if theirs == ours:
        return "the answer is the same when the headers are not sent at all, so they are lost on the way"
    return "without the headers the answer differs: they arrive changed, or the server compares wrongly"


async def _missing_capability(at: Situation) -> InitFacts:
    required = ", ".join(at.opening.meaning.required) or "not named"
    raise Fault(
        "INIT016",
        at.seen("a DiscoverResult: this request needs no capability of the client"),
        exchange=at.reply.exchange.id,
        required=required,
    )


async def _initialize(at: Situation) -> InitFacts:
    assert at.http is not None, "other carriers have their own fallback"
    if at.ctx.connector.era == "modern":
        return await _pinned(at)
    channel = open_channel(at.ctx, at.http._http, at.http._url, modern=False)
    observed = symptom(at.reply)
    broken = observed is not None and observed.kind not in ("jsonrpc-error", "http-error")
    if observed is not None and broken:
        answer = await answered(at.ctx, say_first(channel, step=at.ctx.step_id), share=_FALLBACK_SHARE)
        if answer is None:
            raise fault_of(at.reply, observed, INIT_CODES, seen("answer to initialize", None))
        reply = answer
    else:
        reply = await ask_initialize(at.ctx, channel)
    try:
        facts = await agree_legacy(at.ctx, at.http, channel, reply)
    except Fault as problem:
        if problem.facts is not None or problem.finding.code not in ("INIT004", "INIT018", "INIT009"):
            raise
        refused = seen("answer to initialize", reply)
        # The first error stays the first: what the older era says of the same server explains nothing.
        if observed is not None and broken:
            raise fault_of(at.reply, observed, INIT_CODES, refused) from problem
        theirs = at.opening.discovery.versions if at.opening.discovery else at.opening.meaning.supported or ()
        if theirs and not set(theirs) & set(LEGACY_VERSIONS):
            raise _disjoint(at, theirs, refused) from problem
        listed = await list_without_discover(at)
        if listed is None:
            raise
        return without_discover(at, listed, refused, sdk_would="fail")
    if observed is not None and broken:
        _warn_broken_probe(at)
    return replace(facts, sdk=sdk_guess(at.reply, reply))


def _warn_broken_probe(at: Situation) -> None:
    observed = symptom(at.reply)
    assert observed is not None, "called for a broken reply only"
    fault = fault_of(at.reply, observed, INIT_CODES)
    at.ctx.warn(
        fault.finding.code,
        *fault.finding.evidence,
        severity="warning",
        exchange=at.reply.exchange.id,
        **dict[str, Any](fault.finding.args),
    )


async def _pinned(at: Situation) -> InitFacts:
    """The client speaks the modern era only, and does not need server/discover for it."""
    listed = await list_without_discover(at)
    if listed is not None:
        return without_discover(at, listed, None, sdk_would="modern")
    assert at.http is not None, "other carriers have their own contrast"
    channel = open_channel(at.ctx, at.http._http, at.http._url, modern=False)
    contrast = await answered(at.ctx, say_first(channel, step=at.ctx.step_id))
    if contrast is not None:
        await let_go(at.ctx, channel, contrast)
    works = contrast is not None and symptom(contrast) is None
    theirs = (contrast.result if contrast is not None else None) or {}
    observed = symptom(at.reply)
    if not works and observed is not None:
        raise fault_of(at.reply, observed, INIT_CODES)
    raise Fault(
        "INIT011",
        at.seen("a DiscoverResult that lists " + MODERN_VERSION),
        seen("initialize (the contrast)", contrast),
        confidence="certain" if works else "likely",
        exchange=at.reply.exchange.id,
        refusal=said(at.reply),
        theirs=str(theirs.get("protocolVersion", "an older version")),
    )


async def list_without_discover(at: Situation) -> RpcReply | None:
    """The answer to a modern tools/list where it proves the modern era, else None."""
    listed = await answered(at.ctx, at.channel.call("tools/list", step=at.ctx.step_id))
    if listed is None or symptom(listed) is not None:
        return None
    return listed if {"resultType", "cacheScope"} & set(listed.result or {}) else None


def without_discover(
    at: Situation, listed: RpcReply, refused: Evidence | None, *, sdk_would: str
) -> InitFacts:
    at.ctx.warn(
        "INIT017",
        at.seen("a DiscoverResult"),
        *((refused,) if refused is not None else ()),
        seen(f"tools/list at {MODERN_VERSION} (the contrast)", listed),
        exchange=at.reply.exchange.id,
        refusal=said(at.reply),
    )
    # Without a DiscoverResult nothing is declared; what was just listed is there.
    stated: dict[str, Any] = {"capabilities": {"tools": {}}, "_meta": (listed.result or {}).get("_meta")}
    return _modern_facts(at, sdk_would=sdk_would, result=stated)


_MOVES: Mapping[Move, Callable[[Situation], Awaitable[InitFacts]]] = {
    "modern": _adopt,
    "initialize": _initialize,
    "invalid-discovery": _invalid_discovery,
    "refused": _refused,
    "no-common-version": _no_common_version,
    "header-mismatch": _header_mismatch,
    "missing-capability": _missing_capability,
}

MOVES_OF_ANY_CARRIER: Mapping[Move, Callable[[Situation], Awaitable[InitFacts]]] = {
    move: _MOVES[move] for move in ("modern", "invalid-discovery", "no-common-version", "missing-capability")
}
"""What does not depend on how the answer came; each raises Fault or gives the facts."""
