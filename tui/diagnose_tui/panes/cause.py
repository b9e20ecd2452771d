"""The first tab: what is wrong with the selected step and why, or what was found there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from diagnose.report.wording import ACTORS, STATUSES, headline, not_seen, reason
from diagnose.step import TITLES
from diagnose_tui.flow import MARGIN, Block, laid_out
from diagnose_tui.glyphs import STATUS_STYLES
from diagnose_tui.panes.evidence import bounded, evidence_blocks
from diagnose_tui.panes.facts import fact_blocks
from diagnose_tui.panes.flow_pane import FlowPane
from diagnose_tui.panes.waiting import waiting_for
from diagnose_tui.text import line, plain
from diagnose_tui.view import View

if TYPE_CHECKING:
    from diagnose.model import Finding, Problem, Report, StepResult

__all__ = ["CausePane", "cause_blocks", "gravest_first"]

_FIRST_LOOK = 8
"""Lines within which cause and fix both begin: what a small screen shows of this pane."""
_MOST_FINDINGS = 40
_WEIGHT = {"error": 0, "warning": 1, "info": 2}
_WORDS = {"error": "failed", "warning": "warned", "info": "passed"}
_GAP = Block(text=Content(""))


class CausePane(FlowPane):
    """Verdict, cause, fix and evidence of the selected step."""

    TITLE: ClassVar[str] = "Cause"

    @classmethod
    def blocks(cls, view: View, width: int) -> list[Block]:
        return cause_blocks(view, width)


def cause_blocks(view: View, width: int = 76) -> list[Block]:
    """Everything that the pane says of ``view``, in a column of ``width`` cells."""
    step = view.step
    if view.trouble is not None:
        return _problem(view.trouble, view)
    if step is None:
        return [*_pending(view), *_definition(view)]
    if step.status in ("failed", "warned"):
        return [*_faults(step, view, width), *_definition(view)]
    told = _not_run(step, view) if step.status in ("skipped", "not_applicable") else _passed(step, view)
    findings = gravest_first(step.findings)
    more = [block for finding in findings for block in (_GAP, *_finding(finding, view, width))]
    return [*told, *more, *_definition(view)]


def gravest_first(findings: Iterable[Finding]) -> list[Finding]:
    """Errors, warnings, then the rest; in the order of the report among themselves."""
    return sorted(findings, key=lambda finding: _WEIGHT[finding.severity])


def _faults(step: StepResult, view: View, width: int) -> list[Block]:
    blocks: list[Block] = []
    findings = gravest_first(step.findings)
    for place, finding in enumerate(findings[:_MOST_FINDINGS]):
        also = () if place else [*_works(view), *_also_broken(step, view)]
        blocks += [*([_GAP] if place else []), *_finding(finding, view, width, also)]
    if len(findings) > _MOST_FINDINGS:
        blocks += [_GAP, Block(text=line(f"{len(findings) - _MOST_FINDINGS} more findings: see JSON"))]
    if facts := fact_blocks(step.facts):
        blocks += [_GAP, _heading(f"Found in step {step.number} {step.title}"), *facts]
    return [*blocks, *_unseen(view)]


def _finding(finding: Finding, view: View, width: int, also: Sequence[Block] = ()) -> list[Block]:
    """One finding: the two lines that name it, what somebody must know, then what proves it."""
    status = _WORDS[finding.severity]
    head = [
        Block(text=plain(bounded(finding.summary), "bold")),
        Block(text=_status(status, f"{finding.code} {finding.name}, {finding.confidence}", view)),
    ]
    cause = Block(label="Cause", text=plain(bounded(finding.cause)))
    fix = Block(label="Fix", text=plain(bounded(finding.fix)))
    # A long cause would push the fix off a small screen.
    late = len(laid_out([*head, cause], width)) >= _FIRST_LOOK
    blocks = [*head, *([fix, cause] if late else [cause, fix])]
    blocks += [Block(label="Who acts", text=line(ACTORS[finding.actor])), *also, _GAP]
    for evidence in finding.evidence:
        blocks += evidence_blocks(evidence, width)
    rows = [("Where", finding.where), ("Rule", finding.rule)]
    rows += [("Ruled out", entry) for entry in finding.ruled_out]
    blocks += [Block(label=label, text=plain(bounded(text))) for label, text in rows if text]
    if finding.reproduce:
        blocks.append(Block(label="Reproduce", text=plain(finding.reproduce), wraps=False))
    return blocks


def _status(status: str, text: str, view: View) -> Content:
    """A status as sign and word, and what it is about."""
    mark = f"{view.glyphs.status[status]} {STATUSES[status]}"
    return Content.assemble((mark, STATUS_STYLES[status]), "  ", line(text))


def _works(view: View) -> list[Block]:
    """That a warning is no failure."""
    if view.report is None or not view.report.ok:
        return []
    return [Block(label="Verdict", text=line("The connector works; this is a warning."))]


def _also_broken(step: StepResult, view: View) -> list[Block]:
    """The other steps that failed, and whether one of them comes first."""
    others = [other for other in view.steps if other.status == "failed" and other.id != step.id]
    if not others:
        return []
    first = others[0].number < step.number
    return [Block(label="Broken too", text=line(", ".join(map(_named, others)) + (", first" * first)))]


def _named(step: StepResult) -> str:
    codes = ", ".join(dict.fromkeys(entry.code for entry in gravest_first(step.findings)[:1]))
    return f"{step.number} {step.title} {codes}".rstrip()


def _passed(step: StepResult, view: View) -> list[Block]:
    took = f" in {step.duration_ms:.1f} ms" if step.duration_ms is not None else ""
    blocks = [
        *_verdict(view),
        Block(text=_status(step.status, f"{step.number} {step.title}{took}", view)),
        *_reused(step),
        *fact_blocks(step.facts),
    ]
    return [*blocks, *_unseen(view)]


def _verdict(view: View) -> list[Block]:
    """The verdict of the run where it is not told by a step: nothing failed, or another did."""
    report = view.report
    if report is None:
        return []
    about = headline(report)
    return [
        Block(text=plain(bounded(report.verdict.summary), "bold")),
        *([Block(text=line(f" {view.glyphs.dot} ".join(about)), indent=2)] if about else []),
        *_way_to(report, view),
        _GAP,
    ]


def _way_to(report: Report, view: View) -> list[Block]:
    failed = report.verdict.failed_step
    if failed is None or failed.id == view.selected:
        return []
    title = next((step.title for step in report.steps if step.id == failed.id), failed.id)
    return [Block(text=line(f"Select step {failed.number} {title} for cause and fix."), indent=2)]


def _reused(step: StepResult) -> list[Block]:
    reused = step.facts.get("reused")
    if not isinstance(reused, dict):
        return []
    return [Block(text=line(f"Taken over from an earlier run, {reused.get('age_s', '?')} s old."))]


def _not_run(step: StepResult, view: View) -> list[Block]:
    why = reason(step, view.steps) or "it was not asked for"
    blocks = [Block(text=_status(step.status, f"{step.number} {step.title}: {why}", view))]
    blocker = next((other for other in view.steps if other.id == step.blocked_by), None)
    if blocker is not None and blocker.findings:
        finding = gravest_first(blocker.findings)[0]
        blocks += [
            Block(label=finding.code, text=plain(bounded(finding.summary))),
            Block(label="Fix", text=plain(bounded(finding.fix))),
            Block(
                text=line(f"Select step {blocker.number} {blocker.title} for the evidence."), indent=MARGIN
            ),
        ]
    return [*blocks, *_reused(step), *fact_blocks(step.facts)]


def _pending(view: View) -> list[Block]:
    """A step without a result: it runs, it waits for its turn, or nothing has been started."""
    number, title = TITLES.get(view.selected, (0, view.selected))
    if view.running == view.selected:
        return [Block(text=_waits("running", f"{number} {title}", view)), *waiting_for(view)]
    if view.running is not None:
        current, running = TITLES.get(view.running, (0, view.running))
        return [Block(text=_waits("queued", f"{number} {title}: {current} {running} runs first", view))]
    return [
        Block(text=plain("Nothing has been run yet.", "bold")),
        Block(text=plain("Enter or r runs it: eleven steps, and the first that breaks is shown here.")),
    ]


def _waits(status: str, text: str, view: View) -> Content:
    sign = view.glyphs.status[status]
    return Content.assemble((f"{sign} {status}", STATUS_STYLES[status]), "  ", line(text))


def _unseen(view: View) -> list[Block]:
    report = view.report
    unseen = not_seen(report) if report is not None else []
    return [_GAP, *(Block(label="Not seen", text=line(entry)) for entry in unseen)] if unseen else []


def _definition(view: View) -> list[Block]:
    """What is wrong with the lines of the file in which the connector stands."""
    return [block for problem in view.problems for block in (_GAP, *_problem(problem, view))]


def _problem(problem: Problem, view: View) -> list[Block]:
    status = _WORDS[problem.severity]
    blocks = [
        Block(text=plain(bounded(problem.what), "bold")),
        Block(text=_status(status, f"{problem.code} {problem.name}, in the definition", view)),
        Block(label="Fix", text=plain(bounded(problem.hint))),
    ]
    return [*blocks, Block(label="Where", text=line(problem.where))] if problem.where else blocks


def _heading(text: str) -> Block:
    return Block(text=line(text, "bold"))
