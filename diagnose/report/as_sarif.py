"""SARIF 2.1.0 for code scanning: rules from the catalogue, one result per finding."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from diagnose.catalogue import codes, page
from diagnose.catalogue.explain import plain
from diagnose.model import Finding, Report, StepResult
from diagnose.report.as_json import dumped
from diagnose.report.wording import ACTORS, findings, source_line

__all__ = ["render"]

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_LINK = re.compile(r"([\\\[\]])")


def render(report: Report) -> str:
    """The findings of the report as one SARIF run."""
    found = list(findings(report))
    rules = sorted({finding.code for _, finding in found})
    driver = {
        "name": report.tool.name,
        "version": report.tool.version,
        "semanticVersion": report.tool.version,
        "rules": [_rule(code) for code in rules],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"diagnose/{_identifier(report.connector.name)}/"},
        "invocations": [
            {"executionSuccessful": report.verdict.status != "error", "startTimeUtc": report.run.started_at}
        ],
        "results": [_result(report, step, finding, rules.index(finding.code)) for step, finding in found],
    }
    return dumped(
        {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    )


def _rule(code: str) -> dict[str, Any]:
    if code not in codes():  # a report of another version may hold codes that this one does not know
        return {"id": code}
    entry = page(code)
    rule: dict[str, Any] = {
        "id": code,
        "name": entry.name,
        "shortDescription": {"text": _message(plain(entry.summary))},
        "fullDescription": {"text": _message(plain(entry.cause))},
        "help": {"text": entry.body, "markdown": entry.body},
        "defaultConfiguration": {"level": _LEVELS[entry.severity]},
        "properties": {"tags": [entry.step, entry.side, entry.actor]},
    }
    if entry.spec:
        rule["helpUri"] = entry.spec
    return rule


def _result(report: Report, step: StepResult, finding: Finding, index: int) -> dict[str, Any]:
    sentences = [finding.summary, finding.cause, f"Fix: {finding.fix}", f"Who acts: {ACTORS[finding.actor]}."]
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": _message("\n".join(sentences))},
        "locations": [_location(report, step)],
        "partialFingerprints": {"connectorCode/v1": _fingerprint(report, finding)},
        "properties": {"step": step.id, "number": step.number, "confidence": finding.confidence},
    }


def _location(report: Report, step: StepResult) -> dict[str, Any]:
    defined = source_line(report)
    if defined is not None:
        file, line = PurePath(defined[0]), defined[1]
        uri = file.as_uri() if file.is_absolute() else quote(file.as_posix())
        physical: dict[str, Any] = {"artifactLocation": {"uri": uri}, "region": {"startLine": line}}
    else:
        physical = {"artifactLocation": {"uri": report.connector.url or _identifier(report.connector.name)}}
    logical = {"fullyQualifiedName": f"{report.connector.name}/{step.number:02} {step.id}", "kind": "member"}
    return {"physicalLocation": physical, "logicalLocations": [logical]}


def _message(text: str) -> str:
    # SARIF 3.11.6: brackets in a plain message are a link, unless they are escaped.
    return _LINK.sub(r"\\\1", text)


def _identifier(name: str) -> str:
    return quote(name, safe="")


def _fingerprint(report: Report, finding: Finding) -> str:
    return hashlib.sha256(f"{report.connector.name}\n{finding.code}".encode()).hexdigest()
