"""Markdown for step summaries, issues and chats: text from a server is escaped or fenced, never markup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from diagnose.model import Finding, Report, StepResult
from diagnose.report.paint import tame
from diagnose.report.wording import ACTORS, STATUSES, findings, headline, not_seen, reason, safe

__all__ = ["render"]

_MOST_BYTES = 1_000_000
"""A step summary over 1024 KiB is refused whole."""

# The last two keep "http://" and "www." from becoming links by themselves.
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&$@]|:(?=//)|(?<=www)\.)")
_WORDS = {"passed": "works", "warned": "works, with warnings", "failed": "is broken", "error": "no verdict"}


def render(report: Report) -> str:
    """The report as GitHub-flavoured Markdown, cut below the size that a step summary may have."""
    parts: list[str] = []
    room = _MOST_BYTES
    for part in _parts(report):
        room -= len(part.encode("utf-8", "backslashreplace")) + 2
        if room < 0:
            parts.append("*The rest is left out here; the JSON report holds it.*")
            break
        parts.append(part)
    return "\n\n".join(parts) + "\n"


def _parts(report: Report) -> Iterator[str]:
    yield f"## {_escaped(report.connector.name)}: {_WORDS[report.verdict.status]}"
    target = report.connector.url or report.connector.name
    yield f"{_code(target)} · {_escaped(' · '.join(headline(report)))} · {report.run.duration_ms:.0f} ms"
    yield f"**{_escaped(report.verdict.summary)}**"
    yield "\n".join(_table(report))
    for step, finding in findings(report, "error"):
        yield from _finding(step, finding)
    for step, finding in findings(report, "warning"):
        title = (
            f"**Warning {finding.code} {_code(finding.name)}** (step {step.number} {_escaped(step.title)})"
        )
        yield f"{title}: {_escaped(finding.summary)} *Fix:* {_escaped(finding.fix)}"
    unseen = not_seen(report)
    if unseen:
        yield "\n".join(["Not seen:", "", *(f"- {_escaped(entry)}" for entry in unseen)])


def _table(report: Report) -> Iterator[str]:
    yield "| # | Step | Result | Time | |"
    yield "| ---: | --- | --- | ---: | --- |"
    for step in report.steps:
        took = f"{step.duration_ms:.1f} ms" if step.duration_ms is not None else ""
        codes = ", ".join(dict.fromkeys(found.code for found in step.findings if found.severity != "info"))
        row = (str(step.number), step.title, STATUSES[step.status], took, codes or reason(step, report.steps))
        yield "| " + " | ".join(_escaped(cell) for cell in row) + " |"


def _finding(step: StepResult, finding: Finding) -> Iterator[str]:
    yield f"### {finding.code} {_code(finding.name)}"
    yield f"Step {step.number} {_escaped(step.title)}, {finding.confidence}: {_escaped(finding.summary)}"
    yield f"**Cause.** {_escaped(finding.cause)}"
    for evidence in finding.evidence:
        place = f" ({_escaped(evidence.where)})" if evidence.where else ""
        yield f"**Evidence.** {_escaped(evidence.label)}{place}"
        pair = (("expected", evidence.expected), ("observed", evidence.observed))
        yield _fenced("\n".join(f"{word}: {text}" for word, text in pair if text is not None))
    if finding.where:
        yield f"**Where.** {_escaped(finding.where)}"
    if finding.rule:
        yield f"**Rule.** {_escaped(finding.rule)}"
    yield f"**Who acts.** {_escaped(ACTORS[finding.actor])}"
    yield f"**Fix.** {_escaped(finding.fix)}"
    if finding.forward:
        yield f"**Forward.** {_escaped(finding.forward)}"
    if finding.ruled_out:
        yield f"**Ruled out.** {_escaped('; '.join(finding.ruled_out))}"
    if finding.reproduce:
        yield "**Reproduce.**"
        yield _fenced(finding.reproduce)


def _escaped(text: str) -> str:
    """``text`` as one line in which no character is markup."""
    return tame(_SPECIAL.sub(r"\\\1", " ".join(safe(text).split())))


def _code(text: str) -> str:
    """A code span around any text (CommonMark 6.1: a fence longer than every run of backticks inside)."""
    line = " ".join(safe(text).split())
    fence = "`" * (_longest_run(line) + 1)
    space = " " if "`" in line else ""
    return f"{fence}{space}{line}{space}{fence}"


def _fenced(text: str) -> str:
    """A code block around any text; the indent keeps a line from being a command to the runner."""
    block = "\n".join(tame(line) for line in safe(text).split("\n"))
    fence = "`" * max(_longest_run(block) + 1, 3)
    return f"{fence}text\n{block}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall(r"`+", text)), default=0)
