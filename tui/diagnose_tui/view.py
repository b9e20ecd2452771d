"""What a pane is shown: one run as far as it is, and the step under the cursor. Values only, already safe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from diagnose.records import record
from diagnose_tui.glyphs import UNICODE, Glyphs

if TYPE_CHECKING:
    from diagnose.model import Exchange, Finding, Problem, Report, StepResult

__all__ = ["View", "view_of"]


@record
class View:
    """One run and the place in it.

    ``steps`` holds what has finished so far, in order; ``running`` is the id of the step that runs.
    ``report`` is there once the run is over. ``tools`` are the raw tools of step 9, redacted.
    ``trouble`` is why nothing could be started, or what is wrong with the definition.
    """

    name: str
    target: str
    selected: str = "dns"
    steps: Sequence[StepResult] = ()
    running: str | None = None
    exchanges: Sequence[Exchange] = ()
    report: Report | None = None
    tools: Sequence[Any] = ()
    problems: Sequence[Problem] = ()
    trouble: Problem | None = None
    glyphs: Glyphs = UNICODE

    @property
    def step(self) -> StepResult | None:
        """The result of the selected step, if it has one."""
        return next((step for step in self.steps if step.id == self.selected), None)

    @property
    def finding(self) -> Finding | None:
        """The finding that decides the selected step: its gravest and first."""
        step = self.step
        if step is None or not step.findings:
            return None
        by_weight = {"error": 0, "warning": 1, "info": 2}
        return min(step.findings, key=lambda finding: by_weight[finding.severity])

    @property
    def step_exchanges(self) -> list[Exchange]:
        """The exchanges of the selected step."""
        step = self.step
        wanted = set(step.exchanges) if step is not None else set()
        return [
            exchange
            for exchange in self.exchanges
            if exchange.id in wanted or (step is None and exchange.step == self.selected)
        ]


def view_of(report: Report, selected: str | None = None, *, glyphs: Glyphs = UNICODE) -> View:
    """A finished report at ``selected``, or at the step that failed."""
    failed = report.verdict.failed_step
    warned = next((step.id for step in report.steps if step.status == "warned"), None)
    connector = report.connector
    return View(
        name=connector.name,
        target=connector.url or " ".join(connector.command or ()),
        selected=selected or (failed.id if failed else warned or report.steps[0].id),
        steps=report.steps,
        exchanges=report.exchanges,
        report=report,
        problems=connector.problems,
        glyphs=glyphs,
    )
