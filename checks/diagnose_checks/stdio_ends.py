"""A process that ended before it answered: why, as far as its last words and its environment tell."""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import Evidence, Facts, Fault
from diagnose.wire.process import ServerProcess
from diagnose.wire.stdio_channel import StdioChannel
from diagnose_checks.stdio_signs import decisive_line, missing_variable, sign_of

__all__ = ["blocked_child", "exit_fault", "last_words", "variable_fault"]

_SHOWN = 400


def last_words(process: ServerProcess) -> Evidence:
    """The end of stderr as evidence."""
    said = process.stderr.last()
    return Evidence(label="the end of stderr", observed=said or "nothing was written to it")


def _ended(process: ServerProcess, opened_with: str) -> Evidence:
    return Evidence(
        label=f"the process after {opened_with}",
        expected="alive, with an answer",
        observed=f"{process.ending()} after {process.seconds:.1f} s",
    )


def exit_fault(ctx: Context, process: ServerProcess, opened_with: str, *contrast: Evidence) -> Fault:
    """The Fault of an end: what the last words prove, and otherwise how it ended."""
    lines = [said.text for said in process.stderr.lines]
    evidence = (_ended(process, opened_with), last_words(process), *contrast)
    sign = sign_of(lines)
    step = None if ctx.step_id == "http_reachability" else "http_reachability"
    if sign is not None:
        return Fault(
            sign.code,
            *evidence,
            step=step,
            ending=process.ending(),
            line=sign.line.strip()[:_SHOWN],
            subject=sign.subject,
            advice=sign.advice,
            command=process.launch.argv[0],
        )
    missing = missing_variable(lines, process.launch.env)
    if missing is not None:
        return variable_fault(ctx, process, *missing, *evidence)
    return Fault(
        "STDIO014",
        *evidence,
        step=step,
        ending=process.ending(),
        seconds=f"{process.seconds:.1f}",
        line=decisive_line(lines)[:_SHOWN],
        method=opened_with,
    )


def blocked_child(ctx: Context, channel: StdioChannel, tool: str, facts: Facts) -> Fault | None:
    """The Fault of a call that hangs because nobody reads what its child writes, where that is seen."""
    found = next(channel.process.family.blocked_children(), None)
    if found is None:
        return None
    child, waiting = found
    last = ctx.recorder.of_step(ctx.step_id)[-1]
    return Fault(
        "STDIO034",
        Evidence(
            label=f"stdout of {child.shown} (process {child.pid}), a child of the server",
            expected="a pipe that is read",
            observed=f"{waiting} bytes wait, and the pipe is full",
        ),
        facts=facts,
        exchange=last.id,
        tool=tool,
        child=child.shown,
        waiting=waiting,
    )


def variable_fault(ctx: Context, process: ServerProcess, name: str, line: str, *evidence: Evidence) -> Fault:
    """The Fault of a variable that a server misses: it is set here and not passed on, or it is not set."""
    here = bool(ctx.environ.get(name))
    found = Evidence(
        label=f"the variable {name}",
        expected="in the environment of the process",
        observed="set here, and not passed on to the process" if here else "set neither here nor there",
    )
    return Fault(
        "STDIO010" if here else "STDIO011",
        *evidence,
        found,
        step="tls",
        where=f"env {name}",
        variable=name,
        line=line.strip()[:_SHOWN],
        outcome=f"The server ended ({process.ending()}).",
    )
