"""Words and questions that several formats share; none of them is markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from diagnose.display import display
from diagnose.step import TITLES

if TYPE_CHECKING:
    from diagnose.model import Finding, Report, StepResult

__all__ = [
    "ACTORS",
    "STATUSES",
    "failed_steps",
    "findings",
    "headline",
    "line",
    "not_seen",
    "reason",
    "safe",
    "source_line",
]

ACTORS: Mapping[str, str] = {
    "user": "you",
    "server_operator": "whoever runs the server",
    "server_author": "whoever writes the server's code",
    "idp_admin": "the administrator of the identity provider",
    "network_admin": "the administrator of the network",
    "client_vendor": "the maker of the client",
}

STATUSES: Mapping[str, str] = {
    "passed": "passed",
    "warned": "warned",
    "failed": "FAILED",
    "skipped": "skipped",
    "not_applicable": "n/a",
}

_CI_COMMAND = re.compile(r"##(?=\w*\[)")
_SOURCE = re.compile(r"(?P<file>.+?):(?P<line>\d+)(?: /.*)?")


def safe(text: str) -> str:
    """Text of a report, which may come from a file that somebody else wrote: no character of it acts.

    ``##[`` and ``##vso[`` are commands to build servers wherever they stand in a line of a log.
    """
    return _CI_COMMAND.sub(r"##\\", display(text, layout=True))


def line(text: str) -> str:
    """The same in one line: a line break is shown, not made."""
    return _CI_COMMAND.sub(r"##\\", display(str(text)))


def findings(report: Report, *severities: str) -> Iterator[tuple[StepResult, Finding]]:
    """Every finding with its step, in the order of the steps; all of them, or those of some severities."""
    for step in report.steps:
        for finding in step.findings:
            if not severities or finding.severity in severities:
                yield step, finding


def failed_steps(report: Report) -> list[StepResult]:
    return [step for step in report.steps if step.status == "failed"]


def reason(step: StepResult, steps: Iterable[StepResult] = ()) -> str:
    """Why a step did not run here or did not apply; empty for one that ran. ``steps`` know their titles."""
    if step.blocked_by is not None and step.blocked_by in TITLES:
        known = {other.id: other.title for other in steps}
        return f"blocked by {known.get(step.blocked_by, TITLES[step.blocked_by][1])}"
    told = step.facts.get("reason", "") if step.status in ("skipped", "not_applicable") else ""
    origin = step.facts.get("reused")
    if told or not isinstance(origin, Mapping):
        return str(told)
    return f"from an earlier run, {origin.get('age_s', 'some')} s before this one"


def headline(report: Report) -> list[str]:
    """What is known of the connector: transport, era, server, credential, what it offers."""
    parts = [] if report.connector.transport == "auto" else [report.connector.transport]
    facts = {step.id: step.facts for step in report.steps}
    opened = facts.get("mcp_initialize", {})
    if "era" in opened:
        parts.append(f"{opened['era']} era, {opened.get('protocol_version', 'version unknown')}")
    if opened.get("server_name"):
        version = f" {opened['server_version']}" if opened.get("server_version") else ""
        sdk = f" ({opened['sdk']})" if opened.get("sdk") else ""
        parts.append(f"server {opened['server_name']}{version}{sdk}")
    credential = facts.get("token_validity", {}).get("credential")
    if isinstance(credential, Mapping):
        parts.append(
            "no credential" if credential.get("type") == "none" else f"credential: {credential.get('type')}"
        )
    listed = facts.get("list_tools", {})
    parts += [_counted(listed[kind], kind) for kind in ("tools", "prompts", "resources") if kind in listed]
    return [line(str(part)) for part in parts]


def _counted(number: object, kind: str) -> str:
    return f"{number} {kind[:-1] if number == 1 else kind}"


def not_seen(report: Report) -> list[str]:
    """What this run could not look at, so that nobody takes silence for health."""
    unseen: list[str] = []
    for blocker in dict.fromkeys(step.blocked_by for step in report.steps if step.blocked_by):
        titles = [step.title for step in report.steps if step.blocked_by == blocker]
        by = next((step.title for step in report.steps if step.id == blocker), str(blocker))
        unseen.append(f"not reached because of {by}: {', '.join(titles)}")
    cut = [str(exchange.id) for exchange in report.exchanges if exchange.truncated]
    if cut:
        unseen.append(f"only the beginning was kept of the answers of exchanges {', '.join(cut)}")
    return [line(entry) for entry in unseen]


def source_line(report: Report) -> tuple[str, int] | None:
    """File and line in which the connector is defined, or None for one from the command line."""
    found = _SOURCE.fullmatch(report.connector.source or "")
    return (found["file"], int(found["line"])) if found else None
