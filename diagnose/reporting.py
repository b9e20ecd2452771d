"""The report of a run: its results, what was recorded, and the world in which it was made."""

from __future__ import annotations

from datetime import datetime

from diagnose import model
from diagnose.catalogue import page
from diagnose.context import Context
from diagnose.environment import environment_of
from diagnose.errors import UsageError
from diagnose.redact import Redactor
from diagnose.verdict import verdict
from diagnose.version import VERSION

__all__ = ["problem_of", "recorded", "report_of"]


def report_of(
    ctx: Context,
    results: list[model.StepResult],
    *,
    run_id: str,
    started_at: datetime,
    began: float,
    elapsed_ms: float,
    interrupted: bool,
) -> model.Report:
    """The whole report. ``began`` is on the monotonic clock."""
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
            problems=[model.Problem(**ctx.redactor.clean(entry.as_dict())) for entry in ctx.problems],
        ),
        verdict=verdict(results, interrupted=interrupted),
        steps=results,
        exchanges=recorded(ctx, began),
        environment=environment_of(ctx),
        redactions=ctx.redactor.count,
    )


def recorded(ctx: Context, began: float) -> list[model.Exchange]:
    """Every exchange of the report; one of an earlier run began before this one did."""
    every = (*ctx.recorder.carried, *ctx.recorder.exchanges)
    return [exchange.report(ctx.redactor, run_began=began) for exchange in every]


def problem_of(refusal: UsageError) -> model.Problem:
    """Input that cannot be used, as a document or a screen shows it: redacted, with the name of its code."""
    said = {
        "code": refusal.code,
        "name": page(refusal.code).name,
        "severity": "error",
        "what": refusal.what,
        "hint": refusal.hint,
        "where": refusal.where,
    }
    return model.Problem(**Redactor().clean(said))
