"""The report for a person: readable at 80 columns, without colour and in plain ASCII."""

from __future__ import annotations

from collections.abc import Sequence

from diagnose.model import Evidence, Exchange, Finding, Report, StepResult
from diagnose.report.difference import cells, difference
from diagnose.report.paint import Paint, tame
from diagnose.report.wording import (
    ACTORS,
    STATUSES,
    failed_steps,
    findings,
    headline,
    line,
    not_seen,
    reason,
    safe,
)

__all__ = ["finding_lines", "render"]

_LABEL = 11
_SHOWN_BODY = 4000
_VERDICTS = {
    "passed": ("PASSED", "bold green"),
    "warned": ("PASSED with warnings", "bold yellow"),
    "failed": ("FAILED", "bold red"),
    "error": ("NO VERDICT", "bold red"),
}


def render(
    report: Report, *, verbosity: int = 0, color: bool = False, unicode: bool = True, width: int = 80
) -> str:
    """The report as text. ``verbosity`` 1 adds facts and every finding in full, 2 the exchanges."""
    paint = Paint(color=color, unicode=unicode, width=width)
    lines = [*_header(report, paint), ""]
    for step in report.steps:
        lines += _step_lines(step, report.steps, paint, verbosity)
    lines.append("")
    failed = failed_steps(report)
    for position, step in enumerate(failed):
        for finding in (entry for entry in step.findings if entry.severity == "error"):
            title = f"Step {step.number} {step.title}" + (" (also broken)" if position else "")
            lines += [*finding_lines(finding, paint, title=title), ""]
    if failed:
        for entry in not_seen(report):
            lines += _labelled("Not seen", entry, paint)
        lines.append("")
    lines += _lesser(report, paint, verbosity)
    lines += _conclusion(report, paint)
    if verbosity > 1:
        for exchange in report.exchanges:
            lines += ["", *_exchange_lines(exchange, paint)]
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines) + "\n"


def _header(report: Report, paint: Paint) -> list[str]:
    word, style = _VERDICTS[report.verdict.status]
    target = report.connector.url or " ".join(report.connector.command or []) or report.connector.name
    dot = f" {paint.glyph('dot')} "
    about = [*headline(report), f"{report.run.duration_ms:.0f} ms"]
    return [f"{paint(word, style)}  {line(target)}", *paint.wrapped(dot.join(about), "  ")]


def _step_lines(step: StepResult, steps: Sequence[StepResult], paint: Paint, verbosity: int) -> list[str]:
    took = f"{step.duration_ms:8.1f} ms" if step.duration_ms is not None else " " * 11
    said = ", ".join(dict.fromkeys(entry.code for entry in step.findings if entry.severity != "info"))
    after = said or line(reason(step, steps))
    status = paint.status(step.status, f"{STATUSES[step.status]:<8}")
    lines = [f"  {status} {step.number:>2} {step.title:<18}{took}  {after}".rstrip()]
    if verbosity:
        for name, value in step.facts.items():
            if name != "reason":
                lines += paint.wrapped(f"{name}: {_fact(value)}", " " * 15)
    return lines


def _fact(value: object) -> str:
    if isinstance(value, list | tuple):
        nested = any(isinstance(item, dict) for item in value)
        return ("; " if nested else ", ").join(map(_fact, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_fact(item)}" for key, item in value.items()) or "none"
    return str(value)


def _labelled(label: str, text: str, paint: Paint) -> list[str]:
    """``text`` wrapped beside its label."""
    lines = paint.wrapped(text, " " * (_LABEL + 2))
    if lines:
        lines[0] = f"  {paint(label.ljust(_LABEL), 'bold')}{lines[0][_LABEL + 2 :]}"
    return lines


def finding_lines(finding: Finding, paint: Paint, *, title: str) -> list[str]:
    """One finding in full: verdict, evidence, place, rule, who acts, what to change, how to see it again."""
    style = "bold red" if finding.severity == "error" else "bold yellow"
    name = f"{finding.code} {finding.name}"
    lines = [f"{paint(line(name), style)}  {title}, {finding.confidence}"]
    lines += [paint(part, "bold") for part in paint.wrapped(finding.summary, "  ")]
    lines.append("")
    lines += _labelled("Cause", finding.cause, paint)
    for evidence in finding.evidence:
        lines += _evidence_lines(evidence, paint)
    if finding.where:
        lines += _labelled("Where", finding.where, paint)
    if finding.rule:
        lines += _labelled("Rule", finding.rule, paint)
    lines += _labelled("Who acts", ACTORS[finding.actor], paint)
    lines += _labelled("Fix", finding.fix, paint)
    if finding.forward:
        lines += _labelled("Forward", finding.forward, paint)
    for entry in finding.ruled_out:
        lines += _labelled("Ruled out", entry, paint)
    if finding.reproduce:
        # Never wrapped: somebody pastes it. Line breaks in it stay visible as lines of one block.
        first, *rest = map(tame, safe(finding.reproduce).split("\n"))
        lines.append(f"  {paint('Reproduce'.ljust(_LABEL), 'bold')}{first}")
        lines += [" " * (_LABEL + 2) + more for more in rest]
    return lines


def _evidence_lines(evidence: Evidence, paint: Paint) -> list[str]:
    place = f" ({evidence.where})" if evidence.where else ""
    lines = _labelled("Evidence", f"{evidence.label}{place}", paint)
    expected, observed = evidence.expected, evidence.observed
    gap = (
        difference(safe(expected), safe(observed)) if expected is not None and observed is not None else None
    )
    room = paint.width - _LABEL - 14
    short = all(text is None or ("\n" not in text and cells(text) <= room) for text in (expected, observed))
    indent = " " * (_LABEL + 2)
    if gap is not None and not short:
        marked = f"{gap.before}[-{gap.expected}-]{{+{gap.observed}+}}{gap.after}"
        return [*lines, f"{indent}[-expected-]{{+observed+}}", *paint.block(marked, indent)]
    for word, text in (("expected", expected), ("observed", observed)):
        if text is None:
            continue
        if "\n" in text:
            lines += [f"{indent}{word}", *paint.block(text, indent + "  ")]
        elif gap is not None:
            middle = gap.expected if word == "expected" else gap.observed
            shown = paint(middle, "green" if word == "expected" else "bold red")
            lines.append(f"{indent}{word}  {gap.before}{shown}{gap.after}")
        else:
            lines += _hanging(word, text, paint, indent)
    if gap is not None:
        carets = "^" * max(cells(gap.observed), 1)
        lines.append(f"{indent}          {' ' * cells(gap.before)}{paint(carets, 'bold red')}")
    return lines


def _hanging(word: str, text: str, paint: Paint, indent: str) -> list[str]:
    lines = paint.wrapped(text, indent + " " * 10)
    if not lines:
        return [f"{indent}{word}  (empty)"]
    lines[0] = f"{indent}{word}  {lines[0].strip()}"
    return lines


def _lesser(report: Report, paint: Paint, verbosity: int) -> list[str]:
    """Warnings in short, or everything that is no error in full."""
    lines: list[str] = []
    if verbosity:
        for step, finding in findings(report, "warning", "info"):
            lines += [*finding_lines(finding, paint, title=f"Step {step.number} {step.title}"), ""]
        return lines
    for step, finding in findings(report, "warning"):
        mark = paint(f"{paint.glyph('warned')} {finding.code}", "yellow")
        lines.append(f"{mark} {line(finding.name)}  (step {step.number} {step.title})")
        lines += paint.wrapped(finding.summary, "  ")
        lines += _labelled("Fix", finding.fix, paint)
    return [*lines, ""] if lines else lines


def _conclusion(report: Report, paint: Paint) -> list[str]:
    verdict = report.verdict
    if verdict.failed_step is None:
        return paint.wrapped(verdict.summary, "")
    more = f"diagnose explain {verdict.code} tells more; -v shows facts, -vv the exchanges."
    return paint.wrapped(more, "")


def _exchange_lines(exchange: Exchange, paint: Paint) -> list[str]:
    request, response = exchange.request, exchange.response
    process = request.get("process")
    where = f"process {process}, stdin" if process is not None else request.get("url")
    sent = line(f"{request.get('method')} {where}")
    lines = [paint(f"Exchange {exchange.id} ({exchange.step})", "bold"), f"  > {sent}"]
    lines += _message(request, "  > ", paint)
    if response is None:
        return [*lines, "  < no answer"]
    if "status" in response:
        answered = f"{response.get('http_version', '')} {response['status']} {response.get('reason', '')}"
        lines.append(f"  < {line(answered.strip())}")
        lines += _message(response, "  < ", paint)
    if response.get("error"):
        lines.append(f"  < ended by: {line(response['error'])}")
    if exchange.timings_ms:
        lines.append(
            "  " + ", ".join(f"{name} {value:.1f} ms" for name, value in exchange.timings_ms.items())
        )
    return lines


def _message(part: dict[str, object], mark: str, paint: Paint) -> list[str]:
    headers = part.get("headers")
    lines = [
        f"{mark}{line(f'{name}: {value}')}" for name, value in (headers if isinstance(headers, list) else [])
    ]
    body = str(part.get("body") or "")
    if body:
        shown = body[:_SHOWN_BODY]
        rest = f"\n... {len(body) - _SHOWN_BODY} more characters in the JSON report" if body != shown else ""
        lines += [mark.rstrip(), *paint.block(shown + rest, mark)]
    return lines
