"""JUnit XML: the connector is a test suite, each step a test case named ``03 tls``."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from diagnose.model import Finding, Report, StepResult
from diagnose.report.as_text import finding_lines
from diagnose.report.paint import Paint
from diagnose.report.wording import line, reason, safe

__all__ = ["render"]

# XML 1.0 2.2: what is not one of these characters must not stand in a document, in any spelling.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """The report as one test suite of eleven test cases."""
    failed = [step for step in report.steps if step.status == "failed"]
    ours = [step for step in failed if _decisive(step).code.startswith("BUG")]
    counts = {
        "tests": len(report.steps),
        "failures": len(failed) - len(ours),
        "errors": len(ours),
        "skipped": sum(step.status in ("skipped", "not_applicable") for step in report.steps),
    }
    attributes = {name: str(number) for name, number in counts.items()}
    attributes["time"] = _seconds(report.run.duration_ms)
    suites = ElementTree.Element("testsuites", {"name": "diagnose", **attributes})
    suite = ElementTree.SubElement(
        suites,
        "testsuite",
        {"name": _text(line(report.connector.name)), "timestamp": report.run.started_at, **attributes},
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(report):
        ElementTree.SubElement(properties, "property", {"name": name, "value": _text(line(value))})
    for step in report.steps:
        _case(suite, step, report)
    ElementTree.indent(suites)
    document = ElementTree.tostring(suites, encoding="unicode")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + document + "\n"


def _properties(report: Report) -> list[tuple[str, str]]:
    found = [
        ("url", report.connector.url),
        ("command", " ".join(report.connector.command) if report.connector.command else None),
        ("transport", report.connector.transport),
        ("verdict", report.verdict.summary),
        ("code", report.verdict.code),
    ]
    return [(name, value) for name, value in found if value]


def _case(suite: ElementTree.Element, step: StepResult, report: Report) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "classname": _text(line(report.connector.name)),
            "name": f"{step.number:02} {step.id}",
            "time": _seconds(step.duration_ms or 0.0),
        },
    )
    if step.status == "failed":
        decisive = _decisive(step)
        kind = "error" if decisive.code.startswith("BUG") else "failure"
        attributes = {"type": decisive.code, "message": _text(line(decisive.summary))}
        told = ElementTree.SubElement(case, kind, attributes)
        told.text = _text(_block(step, decisive))
    elif step.status in ("skipped", "not_applicable"):
        why = reason(step, report.steps)
        message = f"not applicable: {why}" if step.status == "not_applicable" else why
        ElementTree.SubElement(case, "skipped", {"message": _text(line(message))})
    lesser = [finding for finding in step.findings if finding.severity != "error"]
    if lesser:
        out = ElementTree.SubElement(case, "system-out")
        out.text = _text(
            "\n".join(f"{found.severity} {found.code}: {line(found.summary)}" for found in lesser)
        )


def _decisive(step: StepResult) -> Finding:
    return next(finding for finding in step.findings if finding.severity == "error")


def _block(step: StepResult, finding: Finding) -> str:
    lines = finding_lines(finding, Paint(), title=f"Step {step.number} {step.title}")
    return "\n" + "\n".join(lines) + "\n"


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.4f}"


def _text(value: str) -> str:
    return _FORBIDDEN.sub(lambda match: f"\\u{ord(match.group()):04x}", safe(value))
