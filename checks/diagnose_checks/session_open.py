"""Step 8: does the second request know the first?

Only the session and the HTTP state are judged here. A refusal that is about what was asked, and an answer
that never became whole, go on to step 9.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose.wire.http_wire import ExchangeFailed
from diagnose.wire.rpc import RpcReply
from diagnose_checks.facts import InitFacts, Lost, SessionFacts
from diagnose_checks.proxy_contrasts import next_tunnel_refused
from diagnose_checks.replicas import answers, ask_again, repeat, tally
from diagnose_checks.rpc_faults import said, seen
from diagnose_checks.session_contrasts import prove_refusal, replicas_fault
from diagnose_checks.session_refusals import session_refusal

__all__ = ["session_open"]

_BY_CAPABILITY = (("tools", "tools/list"), ("prompts", "prompts/list"), ("resources", "resources/list"))
_PATIENCE = 0.8
"""The part of the step's time that the request may take; the rest is for the contrast."""
# The answer had begun: the session was honoured, and what is wrong with the answer is step 9's to say.
_BEGUN = frozenset({"truncated", "too-large", "encoding"})


@step(
    "session_open", gives=SessionFacts, needs=(InitFacts,), codes=("SESS",), on_timeout="SESS009", deadline=15
)
async def session_open(ctx: Context, init: InitFacts) -> SessionFacts:
    """Send the second request: the first page of tools/list, whose content step 9 reads."""
    _check_id(ctx, init)
    method = _second_request(init)
    if method is None:
        return _facts(ctx, init, "none", None)
    asked = await _ask(ctx, init, method)
    if isinstance(asked, Lost):
        return _facts(ctx, init, method, asked)
    refusal = session_refusal(asked)
    if refusal is not None:
        await prove_refusal(ctx, init, method, asked, refusal)
    elif _announced_in_part(init):
        # The session was known to some who got the announcement only: asked again, to count.
        replies = [*init._announced, asked, *await repeat(ctx, init._channel, method)]
        raise replicas_fault(init, method, replies)
    _check_minted(ctx, init, asked)
    repeated = await _second_connection(ctx, init, method, asked) if ctx.options.deep else None
    return _facts(ctx, init, method, asked, repeated)


def _facts(
    ctx: Context,
    init: InitFacts,
    method: str,
    asked: RpcReply | Lost | None,
    repeated: dict[str, int] | None = None,
) -> SessionFacts:
    session = init._channel.session_id
    kind: Literal["session id", "stateless", "event stream"] = "session id" if session else "stateless"
    listed = isinstance(asked, RpcReply) and method == "tools/list"
    return SessionFacts(
        session="event stream" if ctx.transport_name == "sse" else kind,
        session_id_length=len(session) if session else None,
        second_request=method,
        repeated=repeated,
        _channel=init._channel,
        _first_page=asked if listed and isinstance(asked, RpcReply) else None,
        _lost=asked if isinstance(asked, Lost) and method == "tools/list" else None,
    )


def _second_request(init: InitFacts) -> str | None:
    for capability, method in _BY_CAPABILITY:
        if capability in init.capabilities:
            return method
    return "ping" if init.era == "legacy" else None


def _check_id(ctx: Context, init: InitFacts) -> None:
    """Visible ASCII only (Streamable HTTP, session management)."""
    session = init._session_id
    if session is None or (session != "" and all(0x21 <= ord(char) <= 0x7E for char in session)):
        return
    bad = sorted({f"U+{ord(char):04X}" for char in session if not 0x21 <= ord(char) <= 0x7E})
    observed = f"{len(session)} characters, among them {', '.join(bad[:6])}" if session else "an empty value"
    evidence = Evidence(
        label="Mcp-Session-Id in the answer to initialize",
        expected="visible ASCII characters, 0x21 to 0x7E",
        observed=observed,
        where="Mcp-Session-Id",
        exchange=init._opened.exchange.id if init._opened is not None else None,
    )
    if session and init._channel.session_id is None:
        raise Fault("SESS003", evidence, where="Mcp-Session-Id", observed=observed)
    # A blank inside is carried by every client here and cut off elsewhere; an empty id is taken for none.
    ctx.warn("SESS003", evidence, severity="warning", where="Mcp-Session-Id", observed=observed)


async def _ask(ctx: Context, init: InitFacts, method: str) -> RpcReply | Lost:
    try:
        async with asyncio.timeout(ctx.time_left() * _PATIENCE):
            return await init._channel.call(method, step=ctx.step_id)
    except ExchangeFailed as problem:
        if problem.kind == "proxy":
            raise next_tunnel_refused(problem) from problem
        if problem.kind in _BEGUN:
            return Lost(kind=problem.kind, detail=problem.detail, exchange=problem.exchange)
        return await _after_loss(ctx, init, method, problem)
    except TimeoutError:
        return await _after_silence(ctx, init, method)


async def _after_silence(ctx: Context, init: InitFacts, method: str) -> Lost:
    """Does only this request hang, or does nothing answer any more?"""
    exchange = ctx.recorder.of_step(ctx.step_id)[-1]
    seconds = f"{ctx.monotonic() - exchange.began:.1f}"
    progress = exchange.progress()
    lost = Lost(kind="no-answer", detail=f"nothing more came within {seconds} s", exchange=exchange)
    if exchange.status is not None and exchange.status < 300:
        return lost
    try:
        async with asyncio.timeout(ctx.time_left() * _PATIENCE):
            other = await _other_request(ctx, init)
    except TimeoutError:
        other = None
    if other is not None:
        return lost
    evidence = Evidence(
        label=f"answer to {method}",
        expected="an answer",
        observed=f"{progress} after {seconds} s; another request, on a new connection, has none either",
        exchange=exchange.id,
    )
    raise Fault("SESS009", evidence, exchange=exchange.id, seconds=seconds, progress=progress)


async def _other_request(ctx: Context, init: InitFacts) -> RpcReply | None:
    return await ask_again(ctx, init._channel, "ping" if init.era == "legacy" else "server/discover")


async def _after_loss(ctx: Context, init: InitFacts, method: str, problem: ExchangeFailed) -> RpcReply | Lost:
    """The connection broke before an answer: the connection, the request, or the server?"""
    exchange = problem.exchange
    again = await ask_again(ctx, init._channel, method)
    evidence = Evidence(
        label=f"answer to {method}",
        expected="an answer",
        observed=f"{exchange.progress()}: {problem.detail}",
        exchange=exchange.id,
    )
    if again is not None:
        contrast = seen("the same request on a new connection (the contrast)", again)
        ctx.warn(
            "SESS013",
            evidence,
            contrast,
            severity="warning",
            exchange=exchange.id,
            method=method,
            detail=problem.detail,
            reading="on a new connection the same request is answered, so the kept connection is what breaks",
        )
        return again
    if await _other_request(ctx, init) is not None:
        return Lost(kind=problem.kind, detail=problem.detail, exchange=exchange)
    raise Fault(
        "SESS013",
        evidence,
        exchange=exchange.id,
        method=method,
        detail=problem.detail,
        reading="neither the same request nor another one is answered on new connections",
    )


def _announced_in_part(init: InitFacts) -> bool:
    """Whether notifications/initialized was accepted once and refused once, under one session."""
    outcomes = {not reply.refused for reply in init._announced}
    return len(outcomes) == 2


def _check_minted(ctx: Context, init: InitFacts, asked: RpcReply) -> None:
    """A modern server mints no session; an id on a refusal means nothing in either era."""
    if init.era != "modern":
        return
    for reply in (init._opened, asked):
        session = reply.header("mcp-session-id") if reply is not None and reply.result is not None else None
        if reply is not None and session is not None:
            ctx.redactor.register(session)
            ctx.warn(
                "SESS006",
                Evidence(
                    label=f"Mcp-Session-Id in the answer to {reply.method}",
                    expected="no such header",
                    observed=f"an id of {len(session)} characters",
                    where="Mcp-Session-Id",
                    exchange=reply.exchange.id,
                ),
                where="Mcp-Session-Id",
                exchange=reply.exchange.id,
                method=reply.method,
            )
            return


async def _second_connection(
    ctx: Context, init: InitFacts, method: str, asked: RpcReply
) -> dict[str, int] | None:
    """``--deep``: the same request on other connections must get the same answer."""
    replies = [asked, *await repeat(ctx, init._channel, method)]
    if all(_alike(asked, reply) for reply in replies):
        return tally(replies)
    if init.era == "legacy":
        raise replicas_fault(init, method, replies)
    raise Fault(
        "SESS007",
        answers("the same request on five connections", replies, said(asked, limit=120)),
        exchange=replies[-1].exchange.id,
        method=method,
        counts=", ".join(f"{count} x HTTP {status}" for status, count in tally(replies).items()),
    )


def _alike(first: RpcReply, other: RpcReply) -> bool:
    return (first.status, first.error_code) == (other.status, other.error_code)
