"""Step 11 of a process: does it end when its stdin is closed, and does nothing stay behind?"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.records import record
from diagnose.step import Evidence, Facts, Fault, step
from diagnose.wire.process import CLOSE_GRACE, Closing, ServerProcess
from diagnose.wire.stdio_channel import StdioChannel
from diagnose_checks.facts import InitFacts
from diagnose_checks.stdio_alive import warn_noise
from diagnose_checks.stdio_facts import PipeFacts, SpawnFacts

__all__ = ["ProcessEndFacts", "end_process"]


@record
class ProcessEndFacts(Facts):
    """How the process was let go."""

    how: str
    took_ms: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    survivors: tuple[str, ...] | None = None


@step(
    "teardown",
    gives=ProcessEndFacts,
    needs=(SpawnFacts,),
    wants=(PipeFacts, InitFacts),
    codes=("DOWN", "STDIO"),
    on_timeout="STDIO030",
    deadline=3.5,
    always=True,
)
async def end_process(
    ctx: Context, spawned: SpawnFacts, pipes: PipeFacts | None, init: InitFacts | None
) -> ProcessEndFacts:
    """Close stdin, wait, SIGTERM, SIGKILL; name whoever survived."""
    channel = init._channel if init is not None else pipes._channel if pipes is not None else None
    process = channel.process if isinstance(channel, StdioChannel) else spawned._process
    if isinstance(channel, StdioChannel):
        channel.listen("no request, after the last one")
        warn_noise(ctx, channel)
    judged = process.alive
    closed = await process.close()
    facts = _facts(closed)
    if closed.survivors or closed.how == "not ended":
        raise _left_behind(process, closed, facts)
    if judged and closed.how in ("SIGTERM", "SIGKILL"):
        _warn_signal(ctx, process, closed)
    return facts


def _facts(closed: Closing) -> ProcessEndFacts:
    code = closed.exit_code
    return ProcessEndFacts(
        how=closed.how,
        took_ms=closed.ms,
        exit_code=code if code is not None and code >= 0 else None,
        signal=-code if code is not None and code < 0 else None,
        survivors=tuple(member.shown for member in closed.survivors) or None,
    )


def _left_behind(process: ServerProcess, closed: Closing, facts: ProcessEndFacts) -> Fault:
    names = "; ".join(f"{member.shown} (process {member.pid})" for member in closed.survivors)
    names = names or f"the server itself (process {process.pid})"
    seen = Evidence(
        label=f"processes of the server after it ended ({closed.how})", expected="none", observed=names
    )
    return Fault("STDIO031", seen, facts=facts, survivors=names, how=closed.how)


def _warn_signal(ctx: Context, process: ServerProcess, closed: Closing) -> None:
    ctx.warn(
        "STDIO030",
        Evidence(
            label="the process after its stdin was closed",
            expected=f"ended within {CLOSE_GRACE} s",
            observed=f"alive; ended by {closed.how} after {closed.ms / 1000:.1f} s",
        ),
        signal=closed.how,
        seconds=f"{closed.ms / 1000:.1f}",
        progress="alive",
    )
