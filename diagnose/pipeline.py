"""The run: order, deadlines, skip rules, guaranteed teardown; an async iterator of events.

Facts are stored by type. A step whose needs are missing is skipped and says which step blocks it; one
whose needs are there runs, whatever failed before it, because faults stack. A bug in one check is caught
here, becomes BUG001 and costs that check only.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio

from diagnose import model
from diagnose.amendment import Amendment, amended
from diagnose.context import Context
from diagnose.deadlines import timed_out
from diagnose.errors import ExitCode, UsageError
from diagnose.events import Event, RunFinished, RunStarted, StepFinished, StepStarted
from diagnose.findings import bug, printed_or_bug
from diagnose.learned import Ended, Learned
from diagnose.observed import CleanTools, LiveExchanges
from diagnose.reporting import report_of
from diagnose.step import TITLES, CatalogueFacts, Facts, Fault, Finding, Step

__all__ = ["TEARDOWN_GRACE", "Run"]

TEARDOWN_GRACE = 3.0
"""Seconds that teardown may take after the run was cut short."""


@dataclass(kw_only=True)
class Run:
    """One walk over the steps. Iterate :meth:`events` once; :meth:`interrupt` ends it early.

    ``afterwards`` looks at the run when the steps are done and everything is closed; a step that it amends
    finishes once more. It gets the event loop's time at which the run's deadline ends. ``reused`` is what an
    earlier run learned, by step id; a step takes it where all that it needs is as it was then.
    ``report`` and ``exit_code`` are valid when the last event has come, ``ended`` has each step's first
    result, and ``asked`` is the connector as it was given.
    """

    ctx: Context
    steps: tuple[Step, ...]
    afterwards: Callable[[Run, float], Awaitable[Sequence[Amendment]]] | None = None
    reused: Mapping[str, Learned] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    facts: dict[type[Facts], Facts] = field(default_factory=dict)
    results: list[model.StepResult] = field(default_factory=list)
    ended: dict[str, Ended] = field(default_factory=dict)
    report: model.Report | None = None
    exit_code: ExitCode = ExitCode.PASSED
    _running: asyncio.Timeout | None = None
    _in_teardown: bool = False
    _loop: asyncio.AbstractEventLoop | None = None
    _interrupted: bool = False
    _out_of_time: bool = False
    _blocked: dict[str, str | None] = field(default_factory=dict)
    _shown: dict[str, Facts] = field(default_factory=dict)
    _reattributed: list[model.StepResult] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.asked = self.ctx.connector
        self.started_at = datetime.now(UTC)
        self._began = time.monotonic()
        self._live = LiveExchanges(self.ctx.recorder, self.ctx.redactor.twin())

    def interrupt(self) -> None:
        """End the step that runs now, and the run after its teardown, which keeps its time.

        It may be called at any moment, before the first event and after the last one too, by a signal or by
        another task of the same loop; from another thread through ``loop.call_soon_threadsafe``.
        """
        self._interrupted = True
        scope = self._running
        if scope is None or scope.expired():  # what expires cannot be moved again
            return
        if not self._in_teardown:
            scope.reschedule(0)
        elif self._loop is not None:
            until = scope.when()
            grace = self._loop.time() + TEARDOWN_GRACE
            scope.reschedule(grace if until is None else min(until, grace))

    def exchanges(self) -> list[model.Exchange]:
        """What was sent and answered so far, as the report will hold it, while the run goes on.

        It may be asked many times a second: what has not changed since is not read anew.
        """
        return self._live.read(self._began)

    def exchanges_of(self, step: str) -> list[model.Exchange]:
        """Those of :meth:`exchanges` that belong to the step with that id."""
        done = next((result for result in self.results if result.id == step), None)
        sent = self.ctx.recorder.of_step(step)
        wanted = {exchange.id for exchange in sent} if done is None else set(done.exchanges)
        return self._live.read(self._began, wanted)

    def tools(self) -> Sequence[Any]:
        """The server's tools, from step 9 on; before it, none.

        They are the raw JSON of all pages, in order. What is taken out of the sequence is cleaned: in every
        string, also in names of members, secrets are masked and characters that act are written out.
        """
        listed = next((found for found in self.facts.values() if isinstance(found, CatalogueFacts)), None)
        return CleanTools(listed._tools if listed is not None else (), self.ctx.redactor.twin())

    async def events(self) -> AsyncGenerator[Event, None]:
        """Walk the steps. The last event is always RunFinished; resources are closed before it comes."""
        ctx = self.ctx
        self._loop = asyncio.get_running_loop()
        # Loads anyio's backend, which takes 10 ms that the TCP step would otherwise be charged with.
        anyio.get_cancelled_exc_class()
        self.started_at = datetime.now(UTC)
        began = self._began = time.monotonic()
        deadline = began + ctx.options.timeout
        wanted = self._wanted()
        try:
            yield RunStarted(run_id=self.id, connector=ctx.connector.name, target=ctx.target)
            checks = {step.id: step for step in self.steps}
            for step_id in TITLES:
                step = checks.get(step_id)
                if step is None:
                    result = self._absent(step_id)
                    self.results.append(result)
                    yield StepFinished(result=result)
                    continue
                started_ms = round((time.monotonic() - began) * 1000, 1)
                skip = self._skip(step, wanted)
                known = self.reused.get(step_id)
                if skip is not None:
                    result = self._skipped(step, *skip)
                elif known is not None and known.fits(self.facts):
                    result = self._take(known)
                else:
                    yield StepStarted(number=step.number, id=step.id, title=step.title, started_ms=started_ms)
                    skip = self._skip(step, wanted)  # whoever was told may have interrupted the run
                    if skip is not None:
                        result = self._skipped(step, *skip)
                    else:
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
        self.report = self._report(elapsed)
        yield RunFinished(report=self.report)

    def _take(self, learned: Learned) -> model.StepResult:
        """The result of a step that an earlier run made, with its facts and what its findings point at."""
        self.facts[type(learned.facts)] = learned.facts
        self.ctx.recorder.carry(learned.exchanges)
        self.ctx.proxies.update(learned.proxies)
        self.ended[learned.result.id] = Ended(result=learned.result, at=learned.at, reused=learned)
        return learned.reused(self.ctx.monotonic())

    async def _close(self) -> Sequence[Amendment]:
        try:
            async with asyncio.timeout(TEARDOWN_GRACE):
                await self.ctx.closing.aclose()
        except TimeoutError:
            return ()  # a peer that will not let go cannot hold the report back; the process ends its sockets
        except Exception as problem:  # our own bug, as in a step
            return (Amendment(step="teardown", facts={}, finding=bug(problem)),)
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
            return (Amendment(step="teardown", facts={}, finding=bug(problem)),)
        finally:
            self._running = None

    def _amended(self, amendment: Amendment) -> model.StepResult:
        ctx = self.ctx
        place = next(index for index, done in enumerate(self.results) if done.id == amendment.step)
        ctx.step_id = amendment.step
        self.results[place] = amended(
            self.results[place],
            facts=ctx.redactor.clean(dict(amendment.facts)),
            findings=[printed_or_bug(amendment.finding, ctx, ())] if amendment.finding is not None else [],
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
                self._running, self._in_teardown = scope, step.always
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
                faults.append(bug(problem))
            elif not self._interrupted:
                self._out_of_time = time.monotonic() >= deadline + ctx.waited_s - waited_before
                faults.append(timed_out(ctx, step, allowed, of_run=self._out_of_time))
        except UsageError:
            raise
        except Exception as problem:  # the one place where our own bug becomes a finding
            faults.append(bug(problem))
        finally:
            self._running, self._in_teardown = None, False
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
        shown = printed_or_bug(finding, self.ctx, _ruled_out(self.results[:index]))
        self.results[index] = before.model_copy(
            update={"status": "failed", "findings": [shown, *before.findings]}
        )
        return self.results[index]

    def _move(self, findings: list[Finding]) -> None:
        """Give findings that belong to earlier steps to them."""
        for finding in findings:
            place = next(index for index, done in enumerate(self.results) if done.id == finding.step)
            before, ctx = self.results[place], self.ctx
            shown, facts = printed_or_bug(finding, ctx, ()), ctx.redactor.clean(dict(finding.facts))
            self.results[place] = amended(before, facts=facts, findings=[shown], exchanges=before.exchanges)
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

    def _result(
        self, step: Step, faults: list[Finding], started_ms: float, elapsed_ms: float
    ) -> model.StepResult:
        ctx = self.ctx
        added, inapplicable = ctx.collected()
        self._move([finding for finding in added if finding.step not in (None, step.id)])
        added = [finding for finding in added if finding.step in (None, step.id)]
        ruled_out = _ruled_out(self.results)
        findings = [printed_or_bug(finding, ctx, ruled_out) for finding in (*faults, *added)]
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
        result = model.StepResult(
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
        self.ended[step.id] = Ended(result=result, at=ctx.monotonic())
        return result

    def _public_facts(self, step: Step) -> dict[str, Any]:
        given = self.facts.get(step.gives) or self._shown.get(step.id)
        return given.public() if given is not None else {}

    def _report(self, elapsed_ms: float) -> model.Report:
        report = report_of(
            self.ctx,
            self.results,
            run_id=self.id,
            started_at=self.started_at,
            began=self._began,
            elapsed_ms=elapsed_ms,
            interrupted=self._interrupted,
        )
        self.exit_code = self._exit_code(report.verdict)
        return report

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
