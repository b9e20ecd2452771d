"""What can be taken out of the app: texts for the clipboard and for files, and the names of those files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from diagnose.display import display
from diagnose.errors import UsageError
from diagnose.model import Report
from diagnose.records import record
from diagnose_tui.view import View

__all__ = [
    "COPIES",
    "EXPORTS",
    "TERMINALS_TAKE",
    "Copy",
    "Export",
    "Wanted",
    "copied",
    "export_text",
    "file_name",
    "trouble_with",
    "write_export",
]

TERMINALS_TAKE = 74_994
"""Bytes that most terminals take by OSC 52: 100,000 in base64, less the sequence around them."""

_LONGEST_NAME = 60
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_WIDTH = 80


@record
class Copy:
    """A row of the copy menu. ``make`` gives the text, empty where ``lacks`` says what is missing."""

    key: str
    title: str
    make: Callable[[View], str]
    lacks: str


@record
class Export:
    """A row of the export screen; ``ending`` is that of its files."""

    id: str
    title: str
    ending: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody chose to write; ``replace``: over the file that is there."""

    format: str
    path: Path
    replace: bool = False


def _of_pane(module: str, name: str) -> Callable[[View], str]:
    """What a pane makes of a view; the pane is imported when somebody copies."""

    def made(view: View) -> str:
        text: str = getattr(import_module(f"diagnose_tui.panes.{module}"), name)(view)
        return text

    return made


def _of_report(format: str) -> Callable[[View], str]:
    return lambda view: export_text(view.report, format) if view.report is not None else ""


_NO_FINDING = "no step has a finding"
_NO_REPORT = "needs a finished run"

COPIES: tuple[Copy, ...] = (
    Copy(key="f", title="Fix", make=_of_pane("fix", "fix_text"), lacks=_NO_FINDING),
    Copy(key="w", title="Text to forward", make=_of_pane("fix", "forward_text"), lacks=_NO_FINDING),
    Copy(key="u", title="curl line", make=_of_pane("curl", "curl_text"), lacks="nothing was sent"),
    Copy(key="j", title="JSON report", make=_of_report("json"), lacks=_NO_REPORT),
    Copy(key="m", title="Markdown report", make=_of_report("markdown"), lacks=_NO_REPORT),
    Copy(key="t", title="Text report", make=_of_report("text"), lacks=_NO_REPORT),
)
"""What can be copied, by its key; what a pane shows comes beside these."""

EXPORTS: tuple[Export, ...] = (
    Export(id="json", title="JSON, the whole report", ending=".json"),
    Export(id="markdown", title="Markdown, for an issue", ending=".md"),
    Export(id="text", title="Text, as diagnose run prints it", ending=".txt"),
    Export(id="junit", title="JUnit XML, for a test report", ending=".xml"),
    Export(id="sarif", title="SARIF, for code scanning", ending=".sarif"),
    Export(id="har", title="HAR, for a browser's network view", ending=".har"),
    Export(id="curl", title="curl lines, one for each finding", ending=".sh"),
    Export(id="svg", title="SVG, a picture of this screen", ending=".svg"),
)


def export_text(report: Report, format: str) -> str:
    """``report`` in one of the formats of a file; not for a picture. Raises KeyError for any other word."""
    if format == "curl":
        return _curl_lines(report)
    if format == "text":
        from diagnose.report.as_text import render as as_text

        return as_text(report, verbosity=1, width=_WIDTH)
    from diagnose.report import render

    return render(report, format)


def _curl_lines(report: Report) -> str:
    """The lines that show each finding again, under its name as a comment."""
    parts: dict[str, list[str]] = {}
    for step in report.steps:
        for finding in step.findings:
            if finding.reproduce:
                parts.setdefault(finding.reproduce, []).append(f"{finding.code} {finding.name}")
    said = [f"# {display(', '.join(names))}\n{display(line, layout=True)}\n" for line, names in parts.items()]
    return "\n".join(said)


def copied(text: str) -> str:
    """What is said once ``text`` was handed to the terminal: whether it can have taken it."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > TERMINALS_TAKE:
        return (
            f"{size // 1000} KB are more than most terminals take ({TERMINALS_TAKE // 1000} KB): "
            "if the clipboard is empty or cut, x writes a file"
        )
    return f"copied {len(text)} characters; if your terminal takes no OSC 52: x writes a file"


def file_name(report: Report, ending: str) -> str:
    """NAME-STEP-STATUS-YYYYMMDD-HHMMSS; a name of a connector is nobody's path."""
    verdict = report.verdict
    name = _UNSAFE.sub("-", report.connector.name)[:_LONGEST_NAME].strip("-._") or "connector"
    step = _UNSAFE.sub("-", verdict.failed_step.id) if verdict.failed_step is not None else "all"
    digits = re.sub(r"\D", "", report.run.started_at[:19])
    when = f"{digits[:8]}-{digits[8:14]}" if len(digits) == 14 else "undated"
    return f"{name}-{step[:_LONGEST_NAME]}-{verdict.status}-{when}{ending}"


def trouble_with(wanted: Wanted) -> str | None:
    """Why the file cannot be written as things stand, in one sentence; None where it can. Blocks."""
    from diagnose.cli_delivery import check_writable

    path = _expanded(wanted.path)
    if "\0" in str(path):
        return f"{str(path)!r} is no name of a file: type another one"
    try:
        check_writable(path)
    except UsageError as problem:
        return f"{problem.what}: {problem.hint}"
    if os.path.lexists(path) and not wanted.replace:
        return f"{str(path)!r} exists already: ctrl+o replaces it, or type another name"
    return None


def write_export(path: Path, text: str, *, replace: bool = False) -> Path:
    """Write ``text`` whole or not at all, readable by its owner only; where it lies. Blocks.

    Raises UsageError CFG013 for what cannot be written, and, without ``replace``, for a file that is there.
    """
    from diagnose.cli_delivery import check_writable, write_file

    path = _expanded(path)
    if "\0" in str(path):
        raise UsageError("CFG013", f"{str(path)!r} is no name of a file", hint="type another one")
    try:
        check_writable(path)
        if not replace:
            _claim(path)
        write_file(path, text)
    except UsageError as problem:
        raise UsageError(problem.code, problem.what, hint=problem.hint) from problem
    return path.absolute()


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # ~somebody who is not known here
        return path


def _claim(path: Path) -> None:
    """Make the file, so that nothing can come to lie there meanwhile."""
    try:
        path.open("x").close()
    except FileExistsError:
        raise UsageError(
            "CFG013", f"{str(path)!r} exists already", hint="type another name, or say that it is replaced"
        ) from None
    except OSError as problem:
        raise UsageError(
            "CFG013", f"{str(path)!r} cannot be written ({problem.strerror})", hint="type another name"
        ) from problem
