"""One connector on the board: what its current run has said so far, and the place that somebody looks at."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from diagnose.events import RunFinished, RunStarted, StepFinished, StepStarted
from diagnose.step import TITLES
from diagnose_tui.consent import Consent, needed
from diagnose_tui.entries import Edited, Entry
from diagnose_tui.glyphs import UNICODE, Glyphs
from diagnose_tui.view import View
from diagnose_tui.walks import Began, Listed, Refused, Seen, Stopped, Told

if TYPE_CHECKING:
    from diagnose.connector import Connector
    from diagnose.model import Exchange, Finding, Problem, Report, StepResult
    from diagnose.pipeline import Run

__all__ = ["ORDER", "Session", "Status"]

ORDER: tuple[str, ...] = tuple(TITLES)
Status = Literal["idle", "queued", "running", "passed", "warned", "failed", "error"]


class Session:
    """The state of one row. It belongs to the thread of the screen; what a run says arrives as messages."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.edited: Edited | None = None
        self.agreed: Consent | None = None
        """What somebody said yes to."""
        self.status: Status = "idle"
        self.selected = ORDER[0]
        self.follows = True
        """Whether the cursor goes with the run; until somebody moves it."""
        self.run: Run | None = None
        """The last run that was walked to its end, for a run from a later step."""
        self.report: Report | None = None
        """The report that is shown: of the last run, of a login, or of an earlier run."""
        self.last: Report | None = None
        self.before: Report | None = None
        """The reports of the last run and of the one before it, as far as they were made here."""
        self.trouble: Problem | None = entry.reason
        self.running: StepStarted | None = None
        self.running_since = 0.0
        self.began_at = 0.0
        self._steps: dict[str, StepResult] = {}
        self._exchanges: dict[str, Sequence[Exchange]] = {}
        self.tools: Sequence[Any] = ()
        self.watched = 0.0
        """Seconds between two runs; 0 where nobody watches."""
        self.next_at = 0.0
        self.logs_in = False
        """Whether the run that goes is a login."""
        self.note = ""
        """What is to be said about how this run came to be."""
        self._going: Run | None = None
        self._waiting = 0
        """Runs that were asked for and did not begin."""
        if entry.report is not None:
            self.last = entry.report
            self.open(entry.report)

    @property
    def key(self) -> str:
        return self.entry.key

    @property
    def busy(self) -> bool:
        return self.status in ("queued", "running")

    @property
    def wanted_connector(self) -> Connector | None:
        """What the next run diagnoses; None for a scenario that does not play yet."""
        return self.edited.connector if self.edited is not None else self.entry.connector

    @property
    def runnable(self) -> bool:
        """Whether there is anything to run."""
        return self.edited is not None or self.entry.connector is not None or self.entry.kind == "demo"

    @property
    def in_force(self) -> bool:
        """Whether it belongs to all connectors: it can run, and its client would use it."""
        return self.runnable and self.entry.enabled and not self.entry.overridden

    @property
    def asks(self) -> Consent | None:
        """What somebody must say yes to before the next run."""
        connector = self.wanted_connector
        if connector is None or (connector.stdio is not None and self.entry.options.allow_stdio):
            return None
        consent = needed(connector, of_project=self.entry.of_project)
        return None if consent == self.agreed else consent

    def not_resumable(self, step: str | None = None) -> str | None:
        """Why the next run cannot begin at ``step``, or at the selected one."""
        if self.run is None:
            return "needs a run that came to its end"
        from diagnose.resumption import resumable

        return resumable(self.run, step or self.selected)

    @property
    def steps(self) -> list[StepResult]:
        """What has finished, in the order of the steps."""
        return [self._steps[step_id] for step_id in ORDER if step_id in self._steps]

    @property
    def elapsed_ms(self) -> float:
        """How long the run has taken, or took."""
        if self.report is not None:
            return self.report.run.duration_ms
        return (time.monotonic() - self.began_at) * 1000 if self.status == "running" else 0.0

    @property
    def refused_tools(self) -> dict[str, str]:
        """Why step 10 did not choose a tool by itself, by its name."""
        step = self._steps.get("sample_call")
        refused = step.facts.get("refused") if step is not None else None
        return dict(refused) if isinstance(refused, dict) else {}

    @property
    def code(self) -> str | None:
        """The code that the row shows: of the verdict, of the first warning, or of the definition."""
        if self.trouble is not None:
            return self.trouble.code
        if self.report is not None and self.report.verdict.code is not None:
            return self.report.verdict.code
        grave = (found for step in self.steps for found in step.findings if found.severity != "info")
        return next((found.code for found in grave), None)

    @property
    def finding(self) -> Finding | None:
        """The finding under the cursor."""
        return self.view().finding

    def queue(self) -> None:
        """A run was asked for and waits for its turn, or for the end of the one that goes."""
        self._waiting += 1
        self.trouble = None
        if self.status != "running":
            self.status = "queued"

    def select(self, step_id: str) -> None:
        """Put the cursor on a step, and leave it there."""
        self.selected, self.follows = step_id, False

    def open(self, report: Report) -> None:
        """Show a finished report, of this run or an earlier one."""
        self.report = report
        self._steps = {step.id: step for step in report.steps}
        self._exchanges = {}
        for exchange in report.exchanges:
            self._exchanges[exchange.step] = [*self._exchanges.get(exchange.step, ()), exchange]
        self.status = report.verdict.status
        self.running = None
        if not self.tools:
            from diagnose.observed import offered_tools

            self.tools = offered_tools(report)
        self._rest()

    def show_earlier(self, report: Report) -> None:
        """Show a run of the history; nothing can be gone on with from it."""
        when = report.run.started_at.replace("T", " ").partition(".")[0]
        self.note, self.run, self.follows, self.tools = f"the run of {when} UTC", None, True, ()
        self.trouble = None
        self.open(report)

    def take(self, told: Told) -> None:
        """Let what a run said become what is shown."""
        if isinstance(told, Began):
            self._begin(told.run)
        elif isinstance(told, RunStarted):
            self.began_at = time.monotonic()
        elif isinstance(told, StepStarted):
            self.running, self.running_since = told, time.monotonic()
            if self.follows:
                self.selected = told.id
        elif isinstance(told, StepFinished):
            self._steps[told.result.id] = told.result
            if self.running is not None and self.running.id == told.result.id:
                self.running = None
        elif isinstance(told, Seen):
            self._exchanges[told.step] = told.exchanges
        elif isinstance(told, Listed):
            self.tools = told.tools
        elif isinstance(told, Refused) and self.logs_in and self.report is not None:
            self._end(self.report.verdict.status)  # what is shown stays true
        elif isinstance(told, Refused):
            self._forget()
            self._end("error" if told.problem.code.startswith("BUG") else "failed")
            self.trouble = told.problem
        elif isinstance(told, Stopped):
            self._end(self.report.verdict.status if self.report is not None else "idle")
        elif isinstance(told, RunFinished):
            self._finish(told.report)

    def _finish(self, report: Report) -> None:
        if not self.logs_in:  # which is half a run, and nothing to compare with
            self.before, self.last = self.last, report
        self.run, self._going = self._going, None
        self.open(report)
        if self._waiting:
            self.status = "queued"

    def _begin(self, run: Run) -> None:
        self._forget()
        self._waiting -= 1
        self._going = run
        self.status, self.follows = "running", True
        self.began_at = time.monotonic()
        self.selected = ORDER[0]

    def _forget(self) -> None:
        """Let nothing of an earlier run stand beside what follows."""
        self.report, self.trouble, self.running, self.note = None, None, None, ""
        self._steps, self._exchanges, self.tools = {}, {}, ()

    def _end(self, status: Status) -> None:
        if self._going is None:
            self._waiting -= 1
        self.status = "queued" if self._waiting else status
        self.running, self._going, self.logs_in = None, None, False

    def _rest(self) -> None:
        """Put the cursor where the answer is, unless somebody has put it elsewhere."""
        if not self.follows or self.report is None:
            return
        failed = self.report.verdict.failed_step
        warned = next((step.id for step in self.report.steps if step.status == "warned"), None)
        self.selected = failed.id if failed is not None else warned or ORDER[-1]

    @property
    def target(self) -> str:
        """The address as a person reads it: of the run that is shown, or of the next one."""
        shown = self.report.connector if self.report is not None else None
        if shown is not None:
            return shown.url or " ".join(shown.command or ()) or self.entry.target
        return self.next_target

    @property
    def next_target(self) -> str:
        """The address of the next run, as it was edited."""
        connector = self.wanted_connector
        if connector is None or (self.edited is None and self.entry.kind == "connector"):
            return self.entry.target
        from diagnose.connector.dialects.shown import command_shown, url_shown

        stdio = connector.stdio
        return url_shown(connector.url) if stdio is None else command_shown(stdio.argv)

    def view(self, glyphs: Glyphs = UNICODE) -> View:
        """What the panes show."""
        exchanges = [one for step_id in ORDER for one in self._exchanges.get(step_id, ())]
        return View(
            name=self.entry.name,
            target=self.target,
            selected=self.selected,
            steps=self.steps,
            running=self.running.id if self.running is not None else None,
            exchanges=exchanges,
            report=self.report,
            tools=self.tools,
            problems=self.entry.problems,
            trouble=self.trouble,
            glyphs=glyphs,
        )
