"""Reports for tests of the app: real runs of the lab, each made once, and one that is all hostile."""

from __future__ import annotations

from functools import cache

from diagnose_lab import Lab
from scenario_runs import run

from diagnose.model import (
    ConnectorSummary,
    Environment,
    Evidence,
    Exchange,
    Finding,
    Report,
    Run,
    StepResult,
    Tool,
)
from diagnose.step import TITLES
from diagnose.verdict import verdict

__all__ = ["HOSTILE", "finding", "report_of", "report_with"]

HOSTILE = "[red]x[/red] [@click=app.bell]y[/] \x1b[31mz\x1b]8;;http://h\x07 \u202egnp.exe \u200b$(id) `id` "
"""Markup, terminal escapes, reversed and invisible characters."""


@cache
def report_of(lab: Lab, name: str) -> Report:
    """What a run of the scenario ``name`` found."""
    return Report.model_validate(run(lab, name).report)


def finding(
    code: str = "TLS003",
    *,
    text: str = "text",
    rule: str = "RFC 5280 4.1.2.5; every TLS client enforces it",
    evidence: list[Evidence] | None = None,
) -> Finding:
    """A finding in which every sentence holds ``text``."""
    return Finding(
        code=code,
        name="tls.expired-certificate",
        severity="error",
        side="remote",
        actor="server_operator",
        confidence="certain",
        summary=f"summary {text}",
        cause=f"cause {text}",
        fix=f"fix {text}",
        evidence=evidence or [Evidence(label=text, expected=f"a {text}", observed=f"b {text}", where=text)],
        where=text,
        rule=rule,
        reproduce=f"curl {text}",
        ruled_out=[text],
        forward=f"forward {text}",
    )


def report_with(
    findings: list[Finding],
    *,
    text: str = "text",
    url: str = "https://mcp.example/mcp",
    exchanges: list[Exchange] | None = None,
) -> Report:
    """A report whose third step failed with ``findings``; ``text`` stands wherever a stranger may write."""
    steps = [
        StepResult(
            number=number,
            id=step_id,
            title=title,
            status="passed",
            duration_ms=1.0,
            facts={text: [text, {text: text}]},
        )
        for step_id, (number, title) in TITLES.items()
    ]
    steps[2] = steps[2].model_copy(update={"status": "failed", "findings": findings})
    return Report(
        tool=Tool(name="connector-diagnose", version="0"),
        run=Run(id="1", started_at="2026-11-24T12:00:00Z", duration_ms=2.0),
        connector=ConnectorSummary(name=text, transport="streamable-http", url=url, source=text),
        verdict=verdict(steps),
        steps=steps,
        exchanges=exchanges or [],
        environment=Environment(python="3", openssl="3", platform="Linux"),
    )
