"""Step 8 of a process: is the second request answered by the same process, and does it keep to its part?"""

from __future__ import annotations

import asyncio

from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose.wire.failure import ExchangeFailed
from diagnose.wire.rpc_reply import RpcReply
from diagnose.wire.stdio_channel import StdioChannel
from diagnose_checks.facts import InitFacts, Lost, SessionFacts
from diagnose_checks.stdio_alive import warn_noise
from diagnose_checks.stdio_ends import last_words
from diagnose_checks.stdio_signs import missing_credential

__all__ = ["same_process"]

_BY_CAPABILITY = (("tools", "tools/list"), ("prompts", "prompts/list"), ("resources", "resources/list"))
_PATIENCE = 0.8
"""The part of the step's time that the request may take; the rest is for the contrast."""


@step(
    "session_open",
    gives=SessionFacts,
    needs=(InitFacts,),
    codes=("SESS", "STDIO"),
    on_timeout="SESS009",
    deadline=15,
)
async def same_process(ctx: Context, init: InitFacts) -> SessionFacts:
    """Send the second request: the first page of tools/list, whose content step 9 reads."""
    channel = init._channel
    assert isinstance(channel, StdioChannel), "these steps are for a process"
    method = next((asked for name, asked in _BY_CAPABILITY if name in init.capabilities), None)
    if method is None and init.era == "legacy":
        method = "ping"
    asked = await _ask(ctx, channel, method) if method is not None else None
    _warn_repeated(ctx, channel)
    _warn_requests(ctx, channel, asked)
    _warn_variable(ctx, channel)
    warn_noise(ctx, channel)
    listed = method == "tools/list"
    return SessionFacts(
        session="process",
        second_request=method or "none",
        _channel=channel,
        _first_page=asked if listed and isinstance(asked, RpcReply) else None,
        _lost=asked if listed and isinstance(asked, Lost) else None,
    )


async def _ask(ctx: Context, channel: StdioChannel, method: str) -> RpcReply | Lost:
    try:
        async with asyncio.timeout(ctx.time_left() * _PATIENCE):
            return await channel.call(method, step=ctx.step_id)
    except ExchangeFailed as problem:
        if problem.kind == "too-large":
            return Lost(kind="too-large", detail=problem.detail, exchange=problem.exchange)
        process = channel.process
        raise Fault(
            "STDIO029",
            Evidence(
                label=f"the process during {method}",
                expected="alive",
                observed=f"{process.ending()} after {process.seconds:.1f} s",
                exchange=problem.exchange.id,
            ),
            last_words(process),
            exchange=problem.exchange.id,
            method=method,
            ending=process.ending(),
        ) from problem
    except TimeoutError:
        return await _after_silence(ctx, channel)


async def _after_silence(ctx: Context, channel: StdioChannel) -> Lost:
    """Does only this request hang, or does nothing answer any more?"""
    exchange = ctx.recorder.of_step(ctx.step_id)[-1]
    seconds = f"{ctx.monotonic() - exchange.began:.1f}"
    lost = Lost(kind="no-answer", detail=f"nothing more came within {seconds} s", exchange=exchange)
    other = "ping" if channel.era == "legacy" else "server/discover"
    try:
        async with asyncio.timeout(ctx.time_left() * _PATIENCE):
            await channel.call(other, step=ctx.step_id)
    except (TimeoutError, ExchangeFailed):
        evidence = Evidence(
            label=f"answer to {exchange.method}",
            expected="an answer",
            observed=f"none after {seconds} s; {other} has none either",
            exchange=exchange.id,
        )
        raise Fault(
            "SESS009", evidence, exchange=exchange.id, seconds=seconds, progress=exchange.progress()
        ) from None
    return lost


def _warn_repeated(ctx: Context, channel: StdioChannel) -> None:
    """Second responses to the opening that came after it was judged: step 7's warning."""
    for pending in channel.repeated():
        if pending.exchange.step == ctx.step_id:
            continue
        problem = pending.late[0]
        ctx.warn(
            "INIT023",
            Evidence(
                label=f"answer to {pending.method}", observed=problem.detail, exchange=pending.exchange.id
            ),
            severity="warning",
            step="mcp_initialize",
            exchange=pending.exchange.id,
            method=pending.method,
            detail=problem.detail,
        )
        return


def _warn_requests(ctx: Context, channel: StdioChannel, asked: RpcReply | Lost | None) -> None:
    """Requests that nobody has a reason to expect: no capability for them was declared."""
    seen = [*channel.unasked, *(asked.others if isinstance(asked, RpcReply) else ())]
    methods = [str(message["method"])[:80] for message in seen if "method" in message and "id" in message]
    wanted = [method for method in dict.fromkeys(methods) if method != "ping" or channel.era == "modern"]
    if not wanted:
        return
    ctx.warn(
        "STDIO033",
        Evidence(label="requests of the server", expected="none", observed=", ".join(wanted)[:400]),
        methods=", ".join(wanted)[:200],
        era=channel.era,
    )


def _warn_variable(ctx: Context, channel: StdioChannel) -> None:
    """A variable that the server says it misses, although it works so far: step 3's warning."""
    process = channel.process
    found = missing_credential((said.text for said in process.stderr.lines), process.launch.env)
    if found is None:
        return
    name, line = found
    here = bool(ctx.environ.get(name))
    ctx.warn(
        "STDIO010" if here else "STDIO011",
        Evidence(label="a line on stderr", observed=line.strip()[:400]),
        Evidence(
            label=f"the variable {name}",
            expected="in the environment of the process",
            observed="set here, and not passed on to the process" if here else "set neither here nor there",
        ),
        severity="warning",
        confidence="likely",
        step="tls",
        where=f"env {name}",
        variable=name,
        line=line.strip()[:400],
        outcome="The server goes on without it; what needs it will fail when it is called.",
    )
