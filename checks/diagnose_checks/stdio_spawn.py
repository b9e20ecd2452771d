"""Step 2 of a process: does it start?"""

from __future__ import annotations

import errno
import time

from diagnose.connector.launch import Launch
from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose.wire.process import ServerProcess
from diagnose_checks.stdio_facts import LocateFacts, SpawnFacts

__all__ = ["spawn", "started"]


@step(
    "tcp",
    gives=SpawnFacts,
    needs=(LocateFacts,),
    codes=("STDIO",),
    on_timeout="STDIO009",
    deadline=5,
    called="Start process",
)
async def spawn(ctx: Context, located: LocateFacts) -> SpawnFacts:
    """Start the process exactly as the client does: argument vector, environment, directory; no shell."""
    ctx.transport_name = "stdio"
    began = time.monotonic()
    try:
        process = await started(ctx, located._launch)
    except (OSError, ValueError) as problem:
        raise _not_started(located, problem) from problem
    took = round((time.monotonic() - began) * 1000, 1)
    return SpawnFacts(pid=process.pid, started_in_ms=took, _process=process)


async def started(ctx: Context, launch: Launch, *, number: int = 1) -> ServerProcess:
    """A running process that the end of the run ends. Raises OSError and ValueError."""
    process = await ServerProcess.start(launch, number=number)
    ctx.closing.push_async_callback(process.close)
    return process


def _not_started(located: LocateFacts, problem: OSError | ValueError) -> Fault:
    wrong_format = isinstance(problem, OSError) and problem.errno == errno.ENOEXEC
    said = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
    evidence = Evidence(label=f"start of {located.program}", expected="a process", observed=said)
    code = "STDIO008" if wrong_format else "STDIO009"
    return Fault(code, evidence, command=located.command, path=located.program, detail=said)
