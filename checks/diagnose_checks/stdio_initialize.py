"""Step 7 of a process: the era by the rules of the stdio binding (2026-07-28, stdio, backward compatibility).

A DiscoverResult or a recognised modern error is a modern server; any other error, or silence until a short
deadline, is a legacy one, and ``initialize`` follows on the same process. Only where that is not answered
either is a fresh process asked, because the probe may have spoiled the first one.
"""

from __future__ import annotations

from typing import Any

from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose.wire.envelope import LEGACY_VERSIONS, MODERN_VERSION
from diagnose.wire.process_tree import LAUNCHERS, Member, launcher_of
from diagnose.wire.rpc_reply import RpcReply
from diagnose.wire.stdio_channel import StdioChannel
from diagnose_checks.era import classify_opening, meaning_of, read_opening
from diagnose_checks.facts import InitFacts
from diagnose_checks.first_words import initialize_params, say
from diagnose_checks.init_codes import INIT_CODES
from diagnose_checks.legacy_opening import adopt_initialize
from diagnose_checks.modern_opening import (
    MOVES_OF_ANY_CARRIER,
    Situation,
    list_without_discover,
    warn_draft,
    without_discover,
)
from diagnose_checks.rpc_faults import exchange_faults, fault_of, said, symptom
from diagnose_checks.stdio_alive import channel_of, warn_noise
from diagnose_checks.stdio_ends import exit_fault, last_words
from diagnose_checks.stdio_facts import PipeFacts
from diagnose_checks.stdio_signs import is_lock
from diagnose_checks.stdio_spawn import started
from diagnose_checks.stdio_wait import Patience, Waited, wait_for

__all__ = ["initialize_over_stdio"]

_SAME_PROCESS = Patience(idle=2.0, working=6.0)
_FRESH_PROCESS = Patience(idle=4.0, working=10.0)
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "cmd.exe", "env", "cmd"})


@step(
    "mcp_initialize",
    gives=InitFacts,
    needs=(PipeFacts,),
    codes=("INIT", "STDIO"),
    on_timeout="INIT019",
    deadline=40,
)
async def initialize_over_stdio(ctx: Context, pipes: PipeFacts) -> InitFacts:
    """Agree on an era and a version."""
    channel, opening = pipes._channel, pipes._opening
    if opening is None:
        facts = await _after_silence(ctx, pipes)
    elif opening.method == "initialize":
        facts = await _agree(ctx, pipes, channel, opening)
        if pipes._spoiled is not None:
            raise _dies_on_discover(ctx, pipes, opening, facts)
    else:
        facts = await _decide(ctx, pipes, channel, opening)
    warn_noise(ctx, facts._channel)  # type: ignore[arg-type]  # the channel of these steps
    return facts


async def _decide(ctx: Context, pipes: PipeFacts, channel: StdioChannel, reply: RpcReply) -> InitFacts:
    """Follow the era table from the answer to ``server/discover``. Raises Fault."""
    opening = read_opening(reply)
    row = classify_opening(opening)
    at = Situation(ctx=ctx, http=None, channel=channel, opening=opening, row=row)
    warn_draft(ctx, opening)
    if row.move == "retry":
        with exchange_faults(INIT_CODES, "server/discover"):
            again = await channel.call("server/discover", step=ctx.step_id)
        opening = read_opening(again, attempt=1)
        at = Situation(ctx=ctx, http=None, channel=channel, opening=opening, row=classify_opening(opening))
    shared = MOVES_OF_ANY_CARRIER.get(at.row.move)
    if shared is not None:
        return await shared(at)
    observed = symptom(at.reply)
    if observed is not None and observed.kind != "jsonrpc-error":
        # What came was no usable answer at all: the older era explains nothing of it.
        raise fault_of(at.reply, observed, INIT_CODES)
    if ctx.connector.era == "modern":
        return await _pinned(ctx, pipes, at)
    channel.era, channel.version = "legacy", LEGACY_VERSIONS[0]
    waited = await _ask(ctx, channel, _SAME_PROCESS)
    if waited.reply is not None:
        return await _agree(ctx, pipes, channel, waited.reply)
    return await _on_fresh_process(ctx, pipes, channel, waited, f"answered with {said(at.reply)}")


async def _ask(ctx: Context, channel: StdioChannel, patience: Patience) -> Waited:
    try:
        pending = channel.send("initialize", initialize_params(channel.version), step=ctx.step_id)
        waited = await wait_for(ctx, channel, pending, patience)
    finally:
        channel.listen("initialize")
    if waited.reply is None:
        channel.give_up(pending)
    return waited


async def _after_silence(ctx: Context, pipes: PipeFacts) -> InitFacts:
    """Nobody answered the first message: a legacy server that drops what it does not know, or a hang?"""
    channel = pipes._channel
    if pipes.opened_with == "initialize" or ctx.connector.era == "modern":
        raise _silent(ctx, pipes, channel)
    channel.era, channel.version = "legacy", LEGACY_VERSIONS[0]
    waited = await _ask(ctx, channel, _SAME_PROCESS)
    late = channel.late(pipes._pending)
    if late is not None and read_opening(late).discovery is not None:
        # It was slow and not silent: what it answered first is what counts.
        channel.era, channel.version = "modern", MODERN_VERSION
        return await _decide(ctx, pipes, channel, late)
    if waited.reply is None:
        return await _on_fresh_process(ctx, pipes, channel, waited, "no answer")
    facts = await _agree(ctx, pipes, channel, waited.reply)
    if late is None:
        _warn_silent(ctx, pipes, waited.reply, "on the same process")
    return facts


async def _agree(ctx: Context, pipes: PipeFacts, channel: StdioChannel, reply: RpcReply) -> InitFacts:
    """Judge the answer to ``initialize`` and finish the handshake. Raises Fault."""
    observed = symptom(reply)
    if observed is None:
        return await adopt_initialize(ctx, channel, reply)
    if observed.kind == "jsonrpc-error":
        await _prove_modern_only(ctx, pipes, channel, reply)
    raise fault_of(reply, observed, INIT_CODES)


async def _fresh(ctx: Context, pipes: PipeFacts, before: StdioChannel, *, modern: bool) -> StdioChannel:
    """A channel on a new process; the one before is ended first, because it may hold what both need."""
    await before.process.close()
    process = await started(ctx, pipes._launch, number=before.process.number + 1)
    return channel_of(ctx, process, modern=modern)


async def _on_fresh_process(
    ctx: Context, pipes: PipeFacts, channel: StdioChannel, before: Waited, discovered: str
) -> InitFacts:
    """``initialize`` where the process that was probed does not answer it."""
    same = _outcome(before)
    fresh = await _fresh(ctx, pipes, channel, modern=False)
    waited = await _ask(ctx, fresh, _FRESH_PROCESS)
    if waited.reply is not None:
        facts = await _agree(ctx, pipes, fresh, waited.reply)
        if before.why == "ended":
            raise _dies_on_discover(ctx, pipes, waited.reply, facts, same)
        _warn_silent(ctx, pipes, waited.reply, "on a fresh process only")
        return facts
    process = fresh.process
    lock = is_lock(line.text for line in process.stderr.lines) if not process.alive else None
    if lock is not None:
        raise Fault(
            "STDIO027",
            Evidence(
                label="the first start", observed=f"alive; server/discover: {discovered}; initialize: {same}"
            ),
            Evidence(
                label="the second start (for initialize)",
                expected="an answer",
                observed=f"{process.ending()}; {lock}",
            ),
            line=lock.strip(),
            ending=process.ending(),
        )
    if not process.alive:
        raise exit_fault(ctx, process, "initialize")
    raise _silent(ctx, pipes, fresh)


def _outcome(waited: Waited) -> str:
    if waited.reply is not None:
        return said(waited.reply)
    if waited.problem is not None:
        return waited.problem.detail
    return f"no answer within {waited.seconds:.1f} s"


def _warn_silent(ctx: Context, pipes: PipeFacts, reply: RpcReply, where: str) -> None:
    exchange = pipes._pending.exchange
    ctx.warn(
        "STDIO025",
        Evidence(
            label="server/discover",
            expected="a result or an error",
            observed="no answer, and the process lives",
            exchange=exchange.id,
        ),
        Evidence(
            label=f"initialize {where} (the contrast)", observed=said(reply), exchange=reply.exchange.id
        ),
        exchange=exchange.id,
        where_answered=where,
    )


def _dies_on_discover(
    ctx: Context, pipes: PipeFacts, reply: RpcReply, facts: InitFacts, ending: str | None = None
) -> Fault:
    discover = next(exchange for exchange in ctx.recorder.exchanges if exchange.method == "server/discover")
    return Fault(
        "STDIO026",
        Evidence(
            label="the process after server/discover",
            expected="alive, with an error: method not found",
            observed=pipes._spoiled or ending,
            exchange=discover.id,
        ),
        Evidence(
            label="initialize on a fresh process (the contrast)",
            observed=said(reply),
            exchange=reply.exchange.id,
        ),
        facts=facts,
        exchange=discover.id,
        ending=pipes._spoiled or ending or "it ended",
    )


def _silent(ctx: Context, pipes: PipeFacts, channel: StdioChannel) -> Fault:
    """It lives, reads and says nothing: somebody else may have read what was meant for it."""
    process = channel.process
    thief = _reader_besides(channel)
    last = ctx.recorder.exchanges[-1]
    seen = Evidence(
        label=f"answer to {last.method}",
        expected="one JSON-RPC response",
        observed=f"none within {ctx.monotonic() - last.began:.1f} s; the process lives, its request was read",
        exchange=last.id,
    )
    if thief is not None:
        reader = Evidence(
            label="processes that hold the server's stdin",
            expected="the server alone",
            observed=f"also {thief.shown} (process {thief.pid})",
        )
        return Fault(
            "STDIO021",
            seen,
            reader,
            step="http_reachability",
            exchange=last.id,
            child=thief.shown,
            pid=thief.pid,
        )
    return Fault(
        "INIT019",
        seen,
        last_words(process),
        exchange=last.id,
        seconds=f"{process.seconds:.1f}",
        progress="no answer",
    )


def _reader_besides(channel: StdioChannel) -> Member | None:
    """A child of the server that has its stdin too; launchers and shells hand it on to the server."""
    inode = channel.process.stdin_inode()
    if inode is None:
        return None
    readers = {member.pid: member for member in channel.process.family.readers_of(inode)}
    for member in readers.values():
        parent = readers.get(member.parent)
        if parent is not None and not _hands_on(parent):
            return member
    return None


def _hands_on(member: Member) -> bool:
    return member.name in _SHELLS or launcher_of(member.argv) in LAUNCHERS


async def _prove_modern_only(ctx: Context, pipes: PipeFacts, channel: StdioChannel, reply: RpcReply) -> None:
    """The client is pinned to the handshake era: does the server speak the modern one only?"""
    if ctx.connector.era != "legacy":
        return
    fresh = await _fresh(ctx, pipes, channel, modern=True)
    waited = await wait_for(ctx, fresh, say(fresh, ctx.step_id), _FRESH_PROCESS)
    if waited.reply is None:
        return
    discovery = read_opening(waited.reply).discovery
    works = discovery is not None and MODERN_VERSION in discovery.versions
    if not works and MODERN_VERSION not in (meaning_of(reply.error).supported or ()):
        return
    raise Fault(
        "INIT010",
        Evidence(
            label=f"initialize at {LEGACY_VERSIONS[0]} (as configured)",
            expected="an InitializeResult",
            observed=said(reply),
            exchange=reply.exchange.id,
        ),
        Evidence(
            label=f"server/discover at {MODERN_VERSION} on a fresh process (the contrast)",
            observed=said(waited.reply),
            exchange=waited.reply.exchange.id,
        ),
        confidence="certain" if works else "likely",
        exchange=reply.exchange.id,
        refusal=said(reply),
    )


async def _pinned(ctx: Context, pipes: PipeFacts, at: Situation) -> InitFacts:
    """The client speaks the modern era only, and does not need server/discover for it."""
    listed = await list_without_discover(at)
    if listed is not None:
        return without_discover(at, listed, None, sdk_would="modern")
    fresh = await _fresh(ctx, pipes, pipes._channel, modern=False)
    waited = await _ask(ctx, fresh, _FRESH_PROCESS)
    works = waited.reply is not None and symptom(waited.reply) is None
    observed = symptom(at.reply)
    if not works and observed is not None:
        raise fault_of(at.reply, observed, INIT_CODES)
    theirs: Any = (waited.reply.result or {}).get("protocolVersion") if waited.reply is not None else None
    raise Fault(
        "INIT011",
        at.seen("a DiscoverResult that lists " + MODERN_VERSION),
        Evidence(
            label="initialize on a fresh process (the contrast)",
            observed=_outcome(waited),
            exchange=waited.reply.exchange.id if waited.reply is not None else None,
        ),
        confidence="certain" if works else "likely",
        exchange=at.reply.exchange.id,
        refusal=said(at.reply),
        theirs=str(theirs or "an older version"),
    )
