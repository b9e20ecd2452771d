"""Annotations for GitHub Actions: one, for the first failing step, because a job shows only a few."""

from __future__ import annotations

from diagnose.model import Finding, Report, StepResult
from diagnose.report.paint import tame
from diagnose.report.wording import ACTORS, findings, safe, source_line

__all__ = ["render"]


def render(report: Report) -> str:
    """A workflow command for the first failing step, or for the first warning; else a plain line."""
    first = next(findings(report, "error"), None) or next(findings(report, "warning"), None)
    if first is None:
        return tame(" ".join(safe(report.verdict.summary).split())) + "\n"
    return _annotation(report, *first) + "\n"


def _annotation(report: Report, step: StepResult, finding: Finding) -> str:
    properties: dict[str, str] = {}
    defined = source_line(report)
    if defined is not None:
        properties = {"file": defined[0], "line": str(defined[1])}
    properties["title"] = (
        f"diagnose ({finding.code}): step {step.number} {step.title} of {report.connector.name}"
    )
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    lines = [finding.summary, finding.cause, f"Fix: {finding.fix}", f"Who acts: {ACTORS[finding.actor]}."]
    if finding.reproduce:
        lines.append(f"Reproduce: {finding.reproduce}")
    level = "error" if finding.severity == "error" else "warning"
    return f"::{level} {listed}::{_data(chr(10).join(lines))}"


def _data(text: str) -> str:
    return safe(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
