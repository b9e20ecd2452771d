"""The handshake era: ``initialize``, its result, ``notifications/initialized``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from diagnose.context import Context
from diagnose.step import Evidence, Fault
from diagnose.wire.http_wire import HttpWire
from diagnose.wire.rpc import LEGACY_VERSIONS, MODERN_VERSION, RpcChannel, RpcReply
from diagnose_checks.contrasts import answered
from diagnose_checks.era import UNSUPPORTED_VERSION, meaning_of, read_opening
from diagnose_checks.facts import HttpFacts, InitFacts
from diagnose_checks.init_codes import (
    FRESH_CONNECTION,
    INIT_CODES,
    capabilities_of,
    defect_evidence,
    instructions_of,
    let_go,
    sdk_guess,
    server_words,
)
from diagnose_checks.initialize_result import initialize_defects, message_defects
from diagnose_checks.opening import open_channel, say_first
from diagnose_checks.rpc_faults import exchange_faults, fault_of, said, seen, symptom, warn_oddities

__all__ = ["adopt_contrast", "adopt_initialize", "agree_legacy", "ask_initialize"]

_ABOUT_VERSIONS = re.compile(r"version|protocol", re.IGNORECASE)
_METHOD_NOT_FOUND = -32601
_REPEATS = 3


async def ask_initialize(ctx: Context, channel: RpcChannel) -> RpcReply:
    """Send ``initialize``. Raises the Fault of an exchange that fails."""
    with exchange_faults(INIT_CODES, "initialize"):
        return await say_first(channel, step=ctx.step_id)


async def agree_legacy(ctx: Context, http: HttpFacts, channel: RpcChannel, reply: RpcReply) -> InitFacts:
    """Judge the answer to ``initialize`` and finish the handshake. Raises Fault."""
    if reply.status in (401, 403):
        raise Fault(
            "INIT026",
            seen("answer to initialize", reply),
            status=reply.status,
            challenge=reply.header("www-authenticate") or "none",
        )
    observed = symptom(reply)
    if observed is None:
        return await adopt_initialize(ctx, channel, reply)
    if observed.kind in ("jsonrpc-error", "http-error"):
        await _explain_refusal(ctx, http, reply)
    await let_go(ctx, channel, reply)
    raise fault_of(reply, observed, INIT_CODES)


async def adopt_contrast(ctx: Context, channel: RpcChannel, reply: RpcReply) -> InitFacts | None:
    """What later steps may use of a contrast that worked; its own faults do not hide what it proves."""
    try:
        return await answered(ctx, adopt_initialize(ctx, channel, reply))
    except Fault as fault:
        return fault.facts if isinstance(fault.facts, InitFacts) else None


async def adopt_initialize(ctx: Context, channel: RpcChannel, reply: RpcReply) -> InitFacts:
    """Take the result as the runtime does, and announce it. Raises Fault."""
    result: Mapping[str, Any] = reply.result or {}
    version = result.get("protocolVersion")
    if isinstance(version, str) and version not in LEGACY_VERSIONS:
        await let_go(ctx, channel, reply)
        raise _unknown_version(reply, version, channel.version)
    offered = channel.version
    defects = initialize_defects(result) + message_defects(reply.message or {})
    fatal = tuple(defect for defect in defects if defect.fatal)
    capabilities = result.get("capabilities")
    if fatal and not (isinstance(version, str) and isinstance(capabilities, Mapping)):
        await let_go(ctx, channel, reply)
        raise _invalid_result(reply, fatal)
    warn_oddities(ctx, reply, INIT_CODES)
    channel.version = str(version)
    facts = InitFacts(
        era="legacy",
        protocol_version=channel.version,
        offered_version=None if offered == channel.version else offered,
        **server_words(result.get("serverInfo")),
        instructions=instructions_of(result),
        capabilities=capabilities_of(result),
        sdk_would="legacy",
        _channel=channel,
        _session_id=_take_session(ctx, channel, reply),
        _opened=reply,
    )
    facts = await _announce(ctx, facts)
    if fatal:
        raise _invalid_result(reply, fatal, facts=replace(facts, sdk_would="fail"))
    if defects:
        ctx.warn(
            "INIT001",
            *defect_evidence(defects, reply),
            severity="warning",
            where=defects[0].pointer,
            pointer=defects[0].pointer,
            expected=defects[0].expected,
            observed=defects[0].observed,
            refused_by=defects[0].refused_by,
        )
    return facts


def _invalid_result(reply: RpcReply, defects: Any, facts: InitFacts | None = None) -> Fault:
    first = defects[0]
    return Fault(
        "INIT001",
        *defect_evidence(defects, reply),
        facts=facts,
        where=first.pointer,
        exchange=reply.exchange.id,
        pointer=first.pointer,
        expected=first.expected,
        observed=first.observed,
        refused_by=first.refused_by,
    )


def _unknown_version(reply: RpcReply, version: str, offered: str) -> Fault:
    known = ", ".join(LEGACY_VERSIONS)
    evidence = Evidence(
        label="result of initialize, /protocolVersion",
        expected=f"one of {known}",
        observed=version,
        where="/protocolVersion",
        exchange=reply.exchange.id,
    )
    return Fault(
        "INIT003",
        evidence,
        where="/protocolVersion",
        exchange=reply.exchange.id,
        version=version,
        offered=offered,
        known=known,
    )


def _take_session(ctx: Context, channel: RpcChannel, reply: RpcReply) -> str | None:
    """The session id, only from this success: ids on error answers are dead (specification, sessions)."""
    session = reply.header("mcp-session-id")
    if session is None:
        return None
    ctx.redactor.register(session)
    # What no header can carry is not sent; step 8 judges it.
    channel.session_id = session if session and session.isascii() and session.isprintable() else None
    return session


async def _announce(ctx: Context, facts: InitFacts) -> InitFacts:
    channel, sse = facts._channel, ctx.transport_name == "sse"
    if facts._session_id and channel.session_id is None:
        return facts
    with exchange_faults(INIT_CODES, "notifications/initialized"):
        first = await channel.notify("notifications/initialized", step=ctx.step_id)
    replies = [first]
    if first.status in (202, None) or (sse and not first.refused):
        pass
    elif not first.refused:
        _warn_announced(ctx, first, "nothing was refused")
    elif first.status not in (401, 403, 429):
        # A refusal is judged by whether it lasts, and by whether the server serves all the same.
        if channel.session_id is not None:
            replies += await _announce_again(ctx, channel)
        if all(reply.refused for reply in replies) and await _serves(ctx, channel):
            _warn_announced(ctx, first, "ping is answered with a result all the same")
    return replace(facts, initialized_status=first.status, _announced=tuple(replies))


async def _announce_again(ctx: Context, channel: RpcChannel) -> list[RpcReply]:
    asked = (
        channel.notify("notifications/initialized", step=ctx.step_id, extra_headers=FRESH_CONNECTION)
        for _ in range(_REPEATS)
    )
    replies = [await answered(ctx, again) for again in asked]
    return [reply for reply in replies if reply is not None]


async def _serves(ctx: Context, channel: RpcChannel) -> bool:
    reply = await answered(ctx, channel.call("ping", step=ctx.step_id))
    return reply is not None and symptom(reply) is None


def _warn_announced(ctx: Context, reply: RpcReply, served: str) -> None:
    evidence = seen("answer to notifications/initialized", reply, "HTTP 202 without a body")
    ctx.warn("INIT008", evidence, exchange=reply.exchange.id, status=reply.status, served=served)


async def _explain_refusal(ctx: Context, http: HttpFacts, reply: RpcReply) -> None:
    """Raise the Fault that a contrast proves; return where none does."""
    meaning = meaning_of(reply.error)
    if ctx.connector.era == "legacy":
        await _prove_modern_only(ctx, http._http, http._url, reply)
    supported = meaning.supported or ()
    if meaning.code == UNSUPPORTED_VERSION and MODERN_VERSION in supported:
        return
    about_version = meaning.code != _METHOD_NOT_FOUND and (
        bool(_ABOUT_VERSIONS.search(reply.text)) or reply.status == 400
    )
    if about_version:
        await _prove_older_version(ctx, http, reply)
    if meaning.code == UNSUPPORTED_VERSION and supported:
        raise Fault(
            "INIT013",
            Evidence(
                label="versions named by the server (error.data.supported)",
                expected=f"one of {MODERN_VERSION}, {', '.join(LEGACY_VERSIONS)}",
                observed=", ".join(supported),
                exchange=reply.exchange.id,
            ),
            exchange=reply.exchange.id,
            theirs=", ".join(supported),
            ours=", ".join((MODERN_VERSION, *LEGACY_VERSIONS)),
        )


async def _prove_modern_only(ctx: Context, wire: HttpWire, url: str, reply: RpcReply) -> None:
    """The client is pinned to the handshake era: does the server speak the modern one only?"""
    channel = open_channel(ctx, wire, url, modern=True)
    contrast = await answered(ctx, say_first(channel, step=ctx.step_id))
    discovery = read_opening(contrast).discovery if contrast is not None else None
    named = MODERN_VERSION in (meaning_of(reply.error).supported or ())
    works = discovery is not None and MODERN_VERSION in discovery.versions
    if not (named or works):
        return
    raise Fault(
        "INIT010",
        seen(f"initialize at {LEGACY_VERSIONS[0]} (as configured)", reply, "an InitializeResult"),
        seen(f"server/discover at {MODERN_VERSION} (the contrast)", contrast),
        confidence="certain" if works else "likely",
        exchange=reply.exchange.id,
        refusal=said(reply),
        proof=f"server/discover, sent as a contrast, lists {MODERN_VERSION}"
        if works
        else f"the refusal itself names {MODERN_VERSION}",
    )


async def _prove_older_version(ctx: Context, http: HttpFacts, reply: RpcReply) -> None:
    """Does the server refuse our version, instead of answering with one it has (lifecycle, negotiation)?"""
    for version in LEGACY_VERSIONS[1:]:
        channel = open_channel(ctx, http._http, http._url, modern=False)
        channel.version = version
        contrast = await answered(ctx, say_first(channel, step=ctx.step_id))
        if contrast is None or symptom(contrast) is not None:
            continue
        if (contrast.result or {}).get("protocolVersion") in LEGACY_VERSIONS:
            facts = await adopt_contrast(ctx, channel, contrast)
            raise Fault(
                "INIT002",
                seen(
                    f"initialize at {LEGACY_VERSIONS[0]}",
                    reply,
                    "a result that names a version the server has",
                ),
                seen(f"initialize at {version} (the contrast)", contrast),
                facts=replace(facts, sdk_would="fail", sdk=sdk_guess(reply)) if facts is not None else None,
                exchange=reply.exchange.id,
                offered=LEGACY_VERSIONS[0],
                works=version,
                refusal=said(reply),
            )
