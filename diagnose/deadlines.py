"""A deadline that ended a step, as the finding that it means."""

from __future__ import annotations

from dataclasses import replace

from diagnose.context import Context
from diagnose.step import Evidence, Finding, Step

__all__ = ["timed_out"]


def timed_out(ctx: Context, step: Step, allowed: float, *, of_run: bool) -> Finding:
    """The step's own code, refined by how far the last exchange got.

    ``allowed`` is in seconds; ``of_run`` says that the run's deadline was the nearer one.
    """
    exchanges = ctx.recorder.of_step(step.id)
    # What was waited for is what ended last: answers to the server's own requests may have begun later.
    last = max(reversed(exchanges), key=lambda exchange: exchange.ended, default=None)
    code = step.on_timeout if isinstance(step.on_timeout, str) else step.on_timeout(last)
    whose = "the run's own deadline (--timeout)" if of_run else "this step's deadline"
    confidence = "possible" if of_run else None
    progress = last.progress() if last is not None else "no answer"
    told = {"seconds": f"{allowed:.1f}", "progress": progress}
    evidence = Evidence(
        label=f"answer within {allowed:.1f} s ({whose})",
        expected="a complete answer",
        observed=progress,
        exchange=last.id if last is not None else None,
    )
    late = ctx.late()
    if late is None:
        return Finding(code=code, args=told, evidence=(evidence,), confidence=confidence)
    named = late.finding
    return replace(
        named,
        args={**told, **named.args},
        evidence=(*named.evidence, evidence),
        confidence=confidence or named.confidence,
    )
