"""``diagnose replay``: a stored report, shown by the same renderers as a run's."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
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
_APP = "diagnose.cli_tui"


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

    Nothing is sent. The file may come from anybody: it is checked, and redacted once more. Exit codes: 0
    shown, 2 it cannot be read; with --exit-code those of diagnose run.
    """
    printing, _ = printing_of({**given, "quiet": False})
    from diagnose.cli_stored import report_of
    from diagnose.report import render

    report = report_of(stored)
    for word, path in printing.reports:
        write_file(path, render(report, word))
    plain = given["format"] is None and not given["as_json"] and not given["report"] and not given["verbose"]
    if not (plain and _shown_in_the_app(report)) and not deliver(printing.rendered(report)):
        return ExitCode.USAGE
    return _code(report) if exit_code else ExitCode.PASSED


def _shown_in_the_app(report: Report) -> bool:
    """Open the app on ``report`` where somebody looks and the app is there; False leaves it to the text."""
    if not (is_terminal(sys.stdout) and is_terminal(sys.stdin)) or find_spec(_APP) is None:
        return False
    shown = getattr(import_module(_APP), "replay", None)
    if shown is None:
        return False
    shown(report)
    return True


def _code(report: Report) -> int:
    ours = (report.verdict.code or "").startswith("BUG")
    return _CODES.get(report.verdict.status, ExitCode.INTERNAL if ours else ExitCode.INTERRUPTED)
