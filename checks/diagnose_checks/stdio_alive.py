"""Step 4 of a process: is it alive after the first write, and does its stdout hold JSON-RPC only?"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.records import record
from diagnose.step import Evidence, Fault, step
from diagnose.version import VERSION
from diagnose.wire.envelope import LEGACY_VERSIONS, MODERN_VERSION
from diagnose.wire.process import ServerProcess
from diagnose.wire.stdio_channel import Pending, StdioChannel
from diagnose_checks.first_words import initialize_params, say
from diagnose_checks.stdio_ends import exit_fault, last_words
from diagnose_checks.stdio_facts import LocateFacts, PipeFacts, SpawnFacts
from diagnose_checks.stdio_signs import sign_of
from diagnose_checks.stdio_spawn import started
from diagnose_checks.stdio_wait import Patience, Waited, wait_for

__all__ = ["alive", "channel_of", "warn_noise"]

_SLOW_START = 10.0
"""The shortest limit that a widespread client sets for a start, in seconds."""
_LIMITS = ((10, "10 s"), (30, "30 s"), (60, "60 s"))
_SHOWN = 300


@step(
    "http_reachability",
    gives=PipeFacts,
    needs=(LocateFacts, SpawnFacts),
    codes=("STDIO",),
    on_timeout="STDIO020",
    deadline=86_400,
    called="Alive on pipes",
)
async def alive(ctx: Context, located: LocateFacts, spawned: SpawnFacts) -> PipeFacts:
    """Send the first message of the era and watch what the process does."""
    channel = channel_of(ctx, spawned._process, modern=ctx.connector.era != "legacy")
    pending = say(channel, ctx.step_id)
    waited = await wait_for(ctx, channel, pending, Patience())
    if waited.why == "ended" and channel.process.exit_code is not None:
        return await _after_exit(ctx, located, channel, pending, waited)
    _refuse(ctx, channel, pending, waited)
    warn_noise(ctx, channel)
    _warn_cold_start(ctx, channel, waited)
    return _facts(located, channel, pending, waited)


def channel_of(ctx: Context, process: ServerProcess, *, modern: bool) -> StdioChannel:
    """A channel of one era on a process to which nothing was said yet."""
    return StdioChannel(
        process=process,
        recorder=ctx.recorder,
        now=ctx.monotonic,
        era="modern" if modern else "legacy",
        version=MODERN_VERSION if modern else LEGACY_VERSIONS[0],
        client_version=VERSION,
    )


def _facts(
    located: LocateFacts,
    channel: StdioChannel,
    pending: Pending,
    waited: Waited,
    spoiled: str | None = None,
) -> PipeFacts:
    at = channel.first_message_at
    if waited.reply is None:
        channel.give_up(pending)
    return PipeFacts(
        opened_with=pending.method,
        first_answer_ms=round((at - channel.process.began) * 1000, 1) if at is not None else None,
        cold_start=waited.installed if waited.fetched else None,
        starts=channel.process.number,
        unread_bytes=channel.process.unread() or None,
        stderr_lines=len(channel.process.stderr.lines),
        _channel=channel,
        _opening=waited.reply,
        _pending=pending,
        _spoiled=spoiled,
        _launch=located._launch,
    )


async def _after_exit(
    ctx: Context, located: LocateFacts, channel: StdioChannel, pending: Pending, waited: Waited
) -> PipeFacts:
    """It ended: on its own, or because it was asked server/discover? A fresh process tells."""
    first = channel.process
    if pending.method == "initialize" or sign_of(said.text for said in first.stderr.lines) is not None:
        raise exit_fault(ctx, first, pending.method)
    await first.close()
    fresh = channel_of(ctx, await started(ctx, located._launch, number=first.number + 1), modern=False)
    asked = fresh.send("initialize", initialize_params(fresh.version), step=ctx.step_id)
    again = await wait_for(ctx, fresh, asked, Patience())
    if again.reply is None:
        contrast = Evidence(
            label="initialize on a fresh process (the contrast)",
            observed=again.problem.detail if again.problem is not None else "no answer either",
            exchange=asked.exchange.id,
        )
        raise exit_fault(ctx, first, pending.method, contrast)
    warn_noise(ctx, fresh)
    return _facts(located, fresh, asked, again, spoiled=f"{first.ending()} after {first.seconds:.1f} s")


def _refuse(ctx: Context, channel: StdioChannel, pending: Pending, waited: Waited) -> None:
    """Raise the Fault of a stdout that no client can read, or of a stdin that nobody reads."""
    process, exchange = channel.process, pending.exchange.id
    if waited.why == "ended":
        seen = Evidence(label="stdout of the process", expected="open", observed=process.ending())
        raise Fault("STDIO022", seen, last_words(process), exchange=exchange, pid=process.pid)
    if waited.why == "installing":
        seen = Evidence(label="the process and its children", expected="a server", observed=waited.installed)
        raise Fault(
            "STDIO019",
            seen,
            last_words(process),
            confidence=None if process.seconds >= _SLOW_START else "possible",
            exchange=exchange,
            seconds=f"{process.seconds:.0f}",
            state="is not over",
            doing=waited.installed,
            limits=_passed(process.seconds),
        )
    if waited.why == "not-read":
        raise _not_read(channel, pending, waited)
    if waited.line is not None:
        raise _unreadable(channel, pending, waited)


def _not_read(channel: StdioChannel, pending: Pending, waited: Waited) -> Fault:
    process = channel.process
    seen = Evidence(
        label="bytes in the stdin pipe of the process",
        expected="0: the request is read",
        observed=f"{process.unread()} after {waited.seconds:.1f} s",
        exchange=pending.exchange.id,
    )
    return Fault(
        "STDIO020",
        seen,
        last_words(process),
        confidence=None if waited.seconds >= Patience().working else "possible",
        exchange=pending.exchange.id,
        seconds=f"{waited.seconds:.1f}",
        method=pending.method,
    )


@record
class _Unreadable:
    code: str
    expected: str


_UNREADABLE = {
    "encoding": _Unreadable(code="STDIO023", expected="UTF-8"),
    "glued": _Unreadable(code="STDIO018", expected="a line that holds the message and nothing else"),
    "framing": _Unreadable(code="STDIO024", expected="one message in one line, and a newline after it"),
    "too-large": _Unreadable(code="STDIO024", expected="one message in one line"),
}


def _unreadable(channel: StdioChannel, pending: Pending, waited: Waited) -> Fault:
    line = waited.line
    assert line is not None, "called with a line"
    meant = _UNREADABLE[waited.why]
    seen = Evidence(
        label=f"line on stdout after {pending.method}",
        expected=meant.expected,
        observed=line.text[:_SHOWN],
        exchange=pending.exchange.id,
    )
    after = (line.at - channel.process.began) * 1000
    return Fault(
        meant.code,
        seen,
        exchange=pending.exchange.id,
        method=pending.method,
        detail=line.detail,
        line=line.text[:_SHOWN],
        during=pending.method,
        after=f"{after:.0f} ms",
        count=1,
        effect="The answer itself stands in this line, so every client misses it.",
    )


def warn_noise(ctx: Context, channel: StdioChannel) -> None:
    """Warn of the first line on stdout that is no message; in a later step it is step 4's warning still."""
    if not channel.noise or channel.noise_told:
        return
    channel.noise_told = True
    first = channel.noise[0]
    ctx.warn(
        "STDIO018",
        Evidence(
            label=f"stdout, {first.after_ms:.0f} ms after the start",
            expected="JSON-RPC messages only",
            observed="\n".join(noise.line.text[:_SHOWN] for noise in channel.noise[:3]),
        ),
        severity="warning",
        step=None if ctx.step_id == "http_reachability" else "http_reachability",
        line=first.line.text[:_SHOWN],
        during=first.during,
        after=f"{first.after_ms:.0f} ms",
        count=channel.noise_count,
        effect="The official clients skip it; others end the connection or show a parse error.",
    )


def _passed(seconds: float) -> str:
    gone = [name for limit, name in _LIMITS if seconds >= limit]
    return f"clients that wait {', '.join(gone)} have given up" if gone else "no client has given up yet"


def _warn_cold_start(ctx: Context, channel: StdioChannel, waited: Waited) -> None:
    at = channel.first_message_at
    took = (at or ctx.monotonic()) - channel.process.began
    if waited.reply is None or took < _SLOW_START:
        return
    doing = waited.installed or "the server itself takes this long"
    seen = Evidence(
        label="from the start to the first answer",
        expected="less than 10 s",
        observed=f"{took:.1f} s: {doing}",
    )
    ctx.warn(
        "STDIO019",
        seen,
        last_words(channel.process),
        severity="warning",
        exchange=waited.reply.exchange.id,
        seconds=f"{took:.0f}",
        state="took long",
        doing=doing,
        limits=_passed(took),
    )
