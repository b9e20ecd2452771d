"""The one sentence: the first step that failed, and its decisive finding."""

from __future__ import annotations

from collections.abc import Sequence

from diagnose import model

__all__ = ["verdict"]


def verdict(results: Sequence[model.StepResult], *, interrupted: bool = False) -> model.Verdict:
    """Judge a run. The first failed step wins, whatever failed after it."""
    failed = next((step for step in results if step.status == "failed"), None)
    if failed is not None:
        decisive = next(finding for finding in failed.findings if finding.severity == "error")
        ours = decisive.code.startswith("BUG")
        return model.Verdict(
            status="error" if ours else "failed",
            failed_step=model.FailedStep(number=failed.number, id=failed.id),
            code=decisive.code,
            name=decisive.name,
            summary=decisive.summary,
            cause=decisive.cause,
            fix=decisive.fix,
            actor=decisive.actor,
            confidence=decisive.confidence,
        )
    if interrupted:
        last = next((step for step in reversed(results) if step.status in ("passed", "warned")), None)
        after = f" after {last.title}" if last is not None else ""
        summary = f"The run was interrupted{after}; nothing had failed so far."
        return model.Verdict(status="error", summary=summary)
    warnings = [finding for step in results for finding in step.findings if finding.severity == "warning"]
    ran = sum(step.status != "skipped" for step in results)
    reused = sum("reused" in step.facts for step in results)
    if warnings:
        more = f" and {len(warnings) - 1} more" if len(warnings) > 1 else ""
        return model.Verdict(
            status="warned", summary=f"The connector works, with a warning: {warnings[0].summary}{more}"
        )
    whole = "All steps passed" if ran == len(results) else f"All {ran} steps that were asked for passed"
    before = f", {reused} of them in an earlier run" if reused else ""
    return model.Verdict(status="passed", summary=f"{whole}{before}: the connector works.")
