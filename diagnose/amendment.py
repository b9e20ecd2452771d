"""What becomes known of a step after the walk over the steps is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diagnose import model
from diagnose.step import Finding

__all__ = ["Amendment", "amended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """Facts to add to a step, and a finding."""

    step: str
    facts: Mapping[str, Any]
    finding: Finding | None = None


def amended(
    before: model.StepResult,
    *,
    facts: Mapping[str, Any],
    findings: Sequence[model.Finding],
    exchanges: Sequence[int],
) -> model.StepResult:
    """The result with more facts and findings; the decisive finding of a failed step stays the first."""
    together = [*before.findings, *findings] if before.status == "failed" else [*findings, *before.findings]
    severities = {finding.severity for finding in together}
    status = before.status
    if "error" in severities:
        status = "failed"
    elif "warning" in severities and status in ("passed", "not_applicable"):
        status = "warned"
    return before.model_copy(
        update={
            "status": status,
            "facts": {**before.facts, **facts},
            "findings": together,
            "exchanges": list(exchanges),
        }
    )
