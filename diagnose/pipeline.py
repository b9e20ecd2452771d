"""The run: order, deadlines, skip rules, guaranteed teardown; an async iterator of events.

Facts are stored by type. A step whose needs are missing is skipped and says which step blocks it; one
whose needs are there runs, whatever failed before it, because faults stack. A bug in one check is caught
here, becomes BUG001 and costs that check only.
"""

from __future__ import annotations

import asyncio
import time
import traceback
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import anyio

from diagnose import model
from diagnose.amendment import Amendment, amended
from diagnose.context import Context
from diagnose.environment import environment_of
from diagnose.errors import ExitCode, UsageError
from diagnose.events import Event, RunFinished, RunStarted, StepFinished, StepStarted
from diagnose.findings import printed
from diagnose.step import TITLES, Evidence, Facts, Fault, Finding, Step
from diagnose.verdict import verdict
from diagnose.version import VERSION

__all__ = ["TEARDOWN_GRACE", "Run"]

TEARDOWN_GRACE = 3.0
"""Seconds that teardown may take after the run was cut short."""


@dataclass(kw_only=True)
class Run:
    """One walk over the steps. Iterate :meth:`events` once; :meth:`interrupt` ends it early.

    ``afterwards`` looks at the run when the steps are done and everything is closed; a step that it amends
    finishes once more. It gets the event loop's time at which the run's deadline ends. ``exit_code`` is
    valid when the last event has come.
    """

    ctx: Context
    steps: tuple[Step, ...]
    afterwards: Callable[[Run, float], Awaitable[Sequence[Amendment]]] | None = None
    facts: dict[type[Facts], Facts] = field(default_factory=dict)
    results: list[model.StepResult] = field(default_factory=list)
    exit_code: ExitCode = ExitCode.PASSED
    _running: asyncio.Timeout | None = None
    _interrupted: bool = False
    _out_of_time: bool = False
    _blocked: dict[str, str | None] = field(default_factory=dict)
    _shown: dict[str, Facts] = field(default_factory=dict)
    _reattributed: list[model.StepResult] = field(default_factory=list)

    def interrupt(self) -> None:
        """Stop after the step that runs now; its teardown still happens. Safe to call from a signal."""
        self._interrupted = True
        if self._running is not None and not self._running.expired():  # what expires cannot be moved again
            self._running.reschedule(0)

    async def events(self) -> AsyncGenerator[Event, None]:
        """Walk the steps. The last event is always RunFinished; resources are closed before it comes."""
        ctx = self.ctx
        run_id = str(uuid.uuid4())
        # Loads anyio's backend, which takes 10 ms that the TCP step would otherwise be charged with.
        anyio.get_cancelled_exc_class()
        started_at = datetime.now(UTC)
        began = time.monotonic()
        deadline = began + ctx.options.timeout
        wanted = self._wanted()
        try:
            yield RunStarted(run_id=run_id, connector=ctx.connector.name, target=ctx.target)
            known = {step.id: step for step in self.steps}
            for step_id in TITLES:
                step = known.get(step_id)
                if step is None:
                    result = self._absent(step_id)
                    self.results.append(result)
                    yield StepFinished(result=result)
                    continue
                started_ms = round((time.monotonic() - began) * 1000, 1)
                skip = self._skip(step, wanted)
                if skip is not None:
                    result = self._skipped(step, *skip)
                else:
                    yield StepStarted(number=step.number, id=step.id, title=step.title, started_ms=started_ms)
                    result = await self._run_step(step, deadline + ctx.waited_s, started_ms)
                    for revised in self._reattributed:
                        yield StepFinished(result=revised)
                    self._reattributed.clear()
                self.results.append(result)
                yield StepFinished(result=result)
        finally:
            broken = await self._close()
        for amendment in (*broken, *await self._afterwards(deadline + ctx.waited_s)):
            yield StepFinished(result=self._amended(amendment))
        elapsed = round((time.monotonic() - began) * 1000, 1)
        report = self._report(run_id, started_at, elapsed)
        yield RunFinished(report=report)

    async def _close(self) -> Sequence[Amendment]:
        try:
            async with asyncio.timeout(TEARDOWN_GRACE):
                await self.ctx.closing.aclose()
        except TimeoutError:
            return ()  # a peer that will not let go cannot hold the report back; the process ends its sockets
        except Exception as problem:  # our own bug, as in a step
            return (Amendment(step="teardown", facts={}, finding=_bug(problem)),)
        return ()

    async def _afterwards(self, deadline: float) -> Sequence[Amendment]:
        left = deadline - time.monotonic()
        if self.afterwards is None or self._interrupted or self._out_of_time or left <= 0:
            return ()
        try:
            async with asyncio.timeout(None) as self._running:
                return await self.afterwards(self, asyncio.get_running_loop().time() + left)
        except TimeoutError:
            return ()  # interrupted
        except Exception as problem:  # our own bug, as in a step
            return (Amendment(step="teardown", facts={}, finding=_bug(problem)),)
        finally:
            self._running = None

    def _amended(self, amendment: Amendment) -> model.StepResult:
        ctx = self.ctx
        place = next(index for index, done in enumerate(self.results) if done.id == amendment.step)
        ctx.step_id = amendment.step
        self.results[place] = amended(
            self.results[place],
            facts=ctx.redactor.clean(dict(amendment.facts)),
            findings=[_printed(amendment.finding, ctx, ())] if amendment.finding is not None else [],
            exchanges=[exchange.id for exchange in ctx.recorder.of_step(amendment.step)],
        )
        return self.results[place]

    def _wanted(self) -> frozenset[str]:
        """The steps to run under ``--until`` and ``--only``: for one step, everything it needs as well."""
        options = self.ctx.options
        order = [step.id for step in self.steps]
        if options.only is not None:
            return frozenset(self._closure(options.only) | {"teardown"})
        if options.until is not None:
            return frozenset(order[: order.index(options.until) + 1]) | {"teardown"}
        return frozenset(order)

    def _closure(self, step_id: str) -> set[str]:
        step = next(step for step in self.steps if step.id == step_id)
        found = {step_id}
        for need in step.needs:
            giver = next(other for other in self.steps if other.gives is need)
            found |= self._closure(giver.id)
        return found

    def _skip(self, step: Step, wanted: frozenset[str]) -> tuple[str | None, str] | None:
        """Why a step does not run: the step that blocks it, if any, and a sentence."""
        missing = [need for need in step.needs if need not in self.facts]
        if step.id not in wanted:
            return None, "not asked for"
        if missing:
            giver = next(other for other in self.steps if other.gives is missing[0])
            blocker = self._blocked.get(giver.id, giver.id)
            reason = "not asked for" if blocker is None else f"needs what {blocker} did not give"
            return blocker, reason
        if (self._interrupted or self._out_of_time) and not step.always:
            return None, "interrupted" if self._interrupted else "the run's deadline had passed"
        return None

    def _absent(self, step_id: str) -> model.StepResult:
        """A step that this run was built without; a report always has eleven."""
        number, title = TITLES[step_id]
        facts = {"reason": "not part of this run"}
        return model.StepResult(number=number, id=step_id, title=title, status="skipped", facts=facts)

    def _skipped(self, step: Step, blocker: str | None, reason: str) -> model.StepResult:
        self._blocked[step.id] = blocker
        return model.StepResult(
            number=step.number,
            id=step.id,
            title=step.title,
            status="skipped",
            blocked_by=blocker,
            facts={"reason": reason},
        )

    async def _run_step(self, step: Step, deadline: float, started_ms: float) -> model.StepResult:
        ctx = self.ctx
        began, waited_before = time.monotonic(), ctx.waited_s
        allowed = self._allowed(step, deadline - began)
        faults: list[Finding] = []
        earlier: str | None = None
        try:
            async with asyncio.timeout(allowed) as scope:
                self._running = scope
                ctx.begin(step.id, ctx.monotonic() + allowed, scope)
                given = await step.run(ctx, *self._arguments(step))
                self.facts[type(given)] = given
        except Fault as fault:
            faults.append(fault.finding)
            earlier = fault.step if fault.step != step.id else None
            if fault.facts is not None:
                self.facts[type(fault.facts)] = fault.facts
            elif fault.shown is not None:
                self._shown[step.id] = fault.shown
        except TimeoutError as problem:
            if self._running is None or not self._running.expired():  # not our deadline: the check's own
                faults.append(_bug(problem))
            elif not self._interrupted:
                faults.append(self._timed_out(step, allowed, deadline + ctx.waited_s - waited_before))
        except UsageError:
            raise
        except Exception as problem:  # the one place where our own bug becomes a finding
            faults.append(_bug(problem))
        finally:
            self._running = None
        elapsed_ms = (time.monotonic() - began) * 1000
        if earlier is not None:
            self._reattributed.append(self._revised(earlier, faults[0]))
            return self._overtaken(step, earlier, started_ms, elapsed_ms)
        return self._result(step, faults, started_ms, elapsed_ms)

    def _revised(self, step_id: str, finding: Finding) -> model.StepResult:
        """The result of an earlier step, failed by what showed only now. Raises KeyError for a later step."""
        index = {done.id: place for place, done in enumerate(self.results)}[step_id]
        before = self.results[index]
        if any(found.code == finding.code for found in before.findings):
            return before  # two later steps may show the same fault
        shown = _printed(finding, self.ctx, _ruled_out(self.results[:index]))
        self.results[index] = before.model_copy(
            update={"status": "failed", "findings": [shown, *before.findings]}
        )
        return self.results[index]

    def _move(self, findings: list[Finding]) -> None:
        """Give findings that belong to earlier steps to them."""
        for finding in findings:
            place = next(index for index, done in enumerate(self.results) if done.id == finding.step)
            before = self.results[place]
            shown = _printed(finding, self.ctx, ())
            self.results[place] = amended(before, facts={}, findings=[shown], exchanges=before.exchanges)
            self._reattributed.append(self.results[place])

    def _overtaken(self, step: Step, blocker: str, started_ms: float, elapsed_ms: float) -> model.StepResult:
        """The result of a step that showed an earlier step's fault; what it sent stays on record."""
        return self._skipped(step, blocker, f"showed a fault of {blocker}").model_copy(
            update={
                "started_ms": started_ms,
                "duration_ms": round(elapsed_ms, 1),
                "exchanges": [exchange.id for exchange in self.ctx.recorder.of_step(step.id)],
            }
        )

    def _allowed(self, step: Step, left: float) -> float:
        options = self.ctx.options
        patience = step.patience if options.tool is not None else None
        own = options.step_timeout or patience or step.deadline
        if self._interrupted or self._out_of_time:
            return min(own, TEARDOWN_GRACE)
        return max(min(own, left), 0.001)

    def _arguments(self, step: Step) -> list[Facts | None]:
        return [self.facts[need] for need in step.needs] + [self.facts.get(want) for want in step.wants]

    def _timed_out(self, step: Step, allowed: float, deadline: float) -> Finding:
        exchanges = self.ctx.recorder.of_step(step.id)
        # What was waited for is what ended last: answers to the server's own requests may have begun later.
        last = max(reversed(exchanges), key=lambda exchange: exchange.ended, default=None)
        code = step.on_timeout if isinstance(step.on_timeout, str) else step.on_timeout(last)
        whose = "this step's deadline"
        confidence = None
        if time.monotonic() >= deadline:
            self._out_of_time, whose, confidence = True, "the run's own deadline (--timeout)", "possible"
        progress = last.progress() if last is not None else "no answer"
        told = {"seconds": f"{allowed:.1f}", "progress": progress}
        evidence = Evidence(
            label=f"answer within {allowed:.1f} s ({whose})",
            expected="a complete answer",
            observed=progress,
            exchange=last.id if last is not None else None,
        )
        late = self.ctx.late()
        if late is not None:
            named = late.finding
            return replace(
                named,
                args={**told, **named.args},
                evidence=(*named.evidence, evidence),
                confidence=confidence or named.confidence,
            )
        return Finding(
            code=code,
            args=told,
            evidence=(evidence,),
            confidence=confidence,
        )

    def _result(
        self, step: Step, faults: list[Finding], started_ms: float, elapsed_ms: float
    ) -> model.StepResult:
        ctx = self.ctx
        added, inapplicable = ctx.collected()
        self._move([finding for finding in added if finding.step not in (None, step.id)])
        added = [finding for finding in added if finding.step in (None, step.id)]
        ruled_out = _ruled_out(self.results)
        findings = [_printed(finding, ctx, ruled_out) for finding in (*faults, *added)]
        facts = self._public_facts(step)
        if self._interrupted and not faults and step.gives not in self.facts:
            status: model.StepStatus = "skipped"
            facts = {**facts, "reason": "interrupted"}
        elif any(finding.severity == "error" for finding in findings):
            status = "failed"
        elif inapplicable is not None:
            status, facts = "not_applicable", {**facts, "reason": inapplicable}
        elif any(finding.severity == "warning" for finding in findings):
            status = "warned"
        else:
            status = "passed"
        if step.gives not in self.facts:
            self._blocked[step.id] = step.id
        return model.StepResult(
            number=step.number,
            id=step.id,
            title=step.title,
            status=status,
            started_ms=started_ms,
            duration_ms=round(elapsed_ms, 1),
            facts=ctx.redactor.clean(facts),
            findings=findings,
            exchanges=[exchange.id for exchange in ctx.recorder.of_step(step.id)],
        )

    def _public_facts(self, step: Step) -> dict[str, Any]:
        given = self.facts.get(step.gives) or self._shown.get(step.id)
        return given.public() if given is not None else {}

    def _report(self, run_id: str, started_at: datetime, elapsed_ms: float) -> model.Report:
        ctx = self.ctx
        judged = verdict(self.results, interrupted=self._interrupted)
        self.exit_code = self._exit_code(judged)
        exchanges = [exchange.report(ctx.redactor) for exchange in ctx.recorder.exchanges]
        return model.Report(
            tool=model.Tool(name="connector-diagnose", version=VERSION),
            run=model.Run(
                id=run_id,
                started_at=started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                duration_ms=elapsed_ms,
            ),
            connector=model.ConnectorSummary(
                name=str(ctx.redactor.clean(ctx.connector.name)),
                transport=ctx.transport_name or ctx.connector.transport.type,
                **ctx.address(),
                source=str(ctx.connector.source),
            ),
            verdict=judged,
            steps=self.results,
            exchanges=exchanges,
            environment=environment_of(ctx),
            redactions=ctx.redactor.count,
        )

    def _exit_code(self, judged: model.Verdict) -> ExitCode:
        if self._interrupted:
            return ExitCode.INTERRUPTED
        if self._out_of_time:
            return ExitCode.DEADLINE
        if judged.status == "error":
            return ExitCode.INTERNAL
        return ExitCode.FAILED if judged.status == "failed" else ExitCode.PASSED


def _ruled_out(results: list[model.StepResult]) -> tuple[str, ...]:
    """The steps that passed, as a sentence about what is not the cause."""
    passed = [done.title for done in results if done.status in ("passed", "warned")]
    return (f"passed before: {', '.join(passed)}",) if passed else ()


def _printed(finding: Finding, ctx: Context, ruled_out: tuple[str, ...]) -> model.Finding:
    """The finding in print; one whose page is missing or does not fit costs itself, not the report."""
    try:
        return printed(finding, ctx, ruled_out=ruled_out)
    except Exception as problem:
        return printed(_bug(problem, finding.code), ctx)


def _bug(problem: Exception, code: str | None = None) -> Finding:
    """Our own failure, with where it happened and no value of any variable."""
    frames = traceback.extract_tb(problem.__traceback__)[-4:]
    trail = " < ".join(
        f"{frame.filename.replace(chr(92), '/').rpartition('/')[2]}:{frame.lineno} {frame.name}"
        for frame in reversed(frames)
    )
    label = f"where it happened, printing {code}" if code else "where it happened"
    evidence = Evidence(label=label, observed=f"{type(problem).__name__}: {trail}")
    return Finding(code="BUG001", args={"kind": type(problem).__name__}, evidence=(evidence,))
