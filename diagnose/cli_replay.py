"""``diagnose replay``: a stored report, shown by the same renderers as a run's."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from diagnose.cli_delivery import deliver, is_terminal, write_file
from diagnose.cli_run import printing_of
from diagnose.cli_words import Word
from diagnose.errors import ExitCode
from diagnose.report import FORMATS

if TYPE_CHECKING:
    from diagnose.model import Report

__all__ = ["replay"]

_CODES = {"passed": ExitCode.PASSED, "warned": ExitCode.PASSED, "failed": ExitCode.FAILED}


@click.command()
@click.argument("stored", metavar="FILE_OR_ID")
@click.option("--format", type=Word(FORMATS), help="What stdout gets [default: text].")
@click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
@click.option("--report", multiple=True, metavar="FORMAT=PATH", help="Also write a report file; repeatable.")
@click.option("-v", "--verbose", count=True, help="Facts and all evidence; twice: the exchanges as well.")
@click.option("--color", type=Word(("auto", "always", "never")), default="auto", help="Color the text.")
@click.option("--exit-code", is_flag=True, help="Exit as the run did: 1 where a step failed.")
def replay(stored: str, exit_code: bool, **given: Any) -> int:
    """Show a stored report: a JSON file (- is standard input), or a run that diagnose history lists.

    On a terminal it opens in the app; --format text prints it. Nothing is sent. The file may come from
    anybody: it is checked, and redacted once more. Exit codes: 0 shown, 2 it cannot be read; with --exit-code
    those of diagnose run.
    """
    printing, _ = printing_of({**given, "quiet": False})
    from diagnose.cli_stored import report_of
    from diagnose.report import render

    report = report_of(stored)
    for word, path in printing.reports:
        write_file(path, render(report, word))
    if _opens_app(given):
        from diagnose.cli_tui import show_report

        shown = show_report(report)
        return shown if shown else _code(report) if exit_code else ExitCode.PASSED
    if not deliver(printing.rendered(report)):
        return ExitCode.USAGE
    return _code(report) if exit_code else ExitCode.PASSED


def _opens_app(given: dict[str, Any]) -> bool:
    """Whether somebody looks, at a terminal that an app can be drawn on, and asked for no text."""
    asked = given["format"] or given["as_json"] or given["report"] or given["verbose"]
    looks = is_terminal(sys.stdout) and is_terminal(sys.stdin) and os.environ.get("TERM", "dumb") != "dumb"
    return looks and not asked


def _code(report: Report) -> int:
    ours = (report.verdict.code or "").startswith("BUG")
    return _CODES.get(report.verdict.status, ExitCode.INTERNAL if ours else ExitCode.INTERRUPTED)
