"""Walking again from a step on: what an earlier run of the same connector learned before it is reused.

Only knowledge is: addresses, documents, a catalogue. A connection, a session and a process were closed with
their run, so the steps that open them run again, and so does every step that failed.
"""

from __future__ import annotations

from collections.abc import Mapping

from diagnose import model
from diagnose.context import Context
from diagnose.errors import UsageError
from diagnose.learned import Learned, same_aspect, shown
from diagnose.pipeline import Run
from diagnose.records import record
from diagnose.step import TITLES, Step

__all__ = ["Resume", "knowledge", "resumable"]

_NOT_OVER = "the earlier run is not over yet"


@record
class Resume:
    """A finished run, and the id of the step from which on everything is done again."""

    run: Run
    step: str


def resumable(run: Run, step: str) -> str | None:
    """Why a run cannot be gone on with from ``step``, as one sentence; None where it can.

    Raises UsageError CFG006 for a step that does not exist.
    """
    number = _number(step)
    if run.report is None:
        return f"{_NOT_OVER[0].upper()}{_NOT_OVER[1:]}."
    for before in run.results[: number - 1]:
        if before.status == "skipped":
            return f"{before.title} did not run ({_why(before, run)}), so there is nothing to go on from."
        if before.status == "failed" and not _gave(run, before.id):
            return f"{before.title} failed, and what comes after it is not known: run again from there."
    return None


def knowledge(resume: Resume, ctx: Context, steps: tuple[Step, ...]) -> Mapping[str, Learned]:
    """What a run with ``ctx`` over ``steps`` may reuse, by step id. Raises UsageError CFG006."""
    run, number = resume.run, _number(resume.step)
    if run.report is None:
        raise UsageError("CFG006", _NOT_OVER, hint="wait for its last event, RunFinished, and start then")
    asked = (run.asked, run.ctx), (ctx.connector, ctx)
    same = {
        aspect: same_aspect(aspect, *asked)
        for aspect in {aspect for step in steps for aspect in step.about or ()}
        if (ctx.connector.stdio is None) == (run.asked.stdio is None)
    }
    return {
        step.id: learned
        for step in steps
        if step.number < number
        and step.about is not None
        and step in run.steps
        and all(same.get(aspect, False) for aspect in step.about)
        and (learned := _learned(run, step)) is not None
    }


def _number(step: str) -> int:
    if step not in TITLES:
        raise UsageError("CFG006", f"there is no step {step!r}", hint=f"take one of {', '.join(TITLES)}")
    return TITLES[step][0]


def _why(skipped: model.StepResult, run: Run) -> str:
    if skipped.blocked_by is None:
        return str(skipped.facts.get("reason", "not asked for"))
    return f"{run.results[TITLES[skipped.blocked_by][0] - 1].title} stood before it"


def _gave(run: Run, step_id: str) -> bool:
    return any(step.id == step_id and step.gives in run.facts for step in run.steps)


def _learned(run: Run, step: Step) -> Learned | None:
    """What ``run`` knows of a step, if it can be reused: it did not fail, neither then nor in hindsight."""
    ended = run.ended.get(step.id)
    failed = run.results[step.number - 1].status == "failed"
    if ended is None or failed or step.gives not in run.facts:
        return None
    if ended.reused is not None:
        return ended.reused
    pointed_at = {
        *ended.result.exchanges,
        *(
            evidence.exchange
            for finding in ended.result.findings
            for evidence in finding.evidence
            if evidence.exchange is not None
        ),
    }
    return Learned(
        facts=run.facts[step.gives],
        result=ended.result,
        run_id=run.id,
        at=ended.at,
        given={kind: shown(run.facts, kind) for kind in (*step.needs, *step.wants)},
        exchanges=tuple(run.ctx.recorder.get(number) for number in sorted(pointed_at)),
        proxies=dict(run.ctx.proxies),
    )
