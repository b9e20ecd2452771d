"""``diagnose diff``: what changed between two runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from diagnose.cli_delivery import deliver, note, speaks_unicode
from diagnose.cli_words import Word, refuse
from diagnose.errors import ExitCode

if TYPE_CHECKING:
    from diagnose.history import Entry
    from diagnose.history.runs import History
    from diagnose.model import Report

__all__ = ["diff"]


@click.command()
@click.argument("before")
@click.argument("after", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.option("--color", type=Word(("auto", "always", "never")), default="auto", help="Color the text.")
def diff(before: str, after: str | None, as_json: bool, color: str) -> int:
    """Compare two runs: addresses, certificate, versions, tools, authentication, timings.

    Each is the JSON report of a run (- is standard input) or the beginning of an id that diagnose history
    lists. With one word, the name of a connector or its URL, its last two runs are compared; if the last one
    failed, it and the last one that worked.

    Exit codes: 0 no difference, 1 differences, 2 usage, 3 no run of that connector is kept.
    """
    from diagnose.cli_stored import report_of
    from diagnose.comparison import compare, to_dict

    if after is None:
        first, second = _last_two(before)
    elif before == after == "-":
        raise refuse("standard input is one report", "name a file for the other one")
    else:
        first, second = report_of(before), report_of(after)
    comparison = compare(first, second)
    if as_json:
        from diagnose.report.as_json import dumped

        text = dumped(to_dict(comparison))
    else:
        from diagnose.cli_run import Printing
        from diagnose.comparison.text import render

        colored = Printing(color=color).colored(sys.stdout)
        text = render(comparison, color=colored, unicode=speaks_unicode(sys.stdout))
    if not deliver(text):
        return ExitCode.USAGE
    return ExitCode.PASSED if comparison.same else ExitCode.FAILED


def _last_two(word: str) -> tuple[Report, Report]:
    """The two runs that one word means, and a line on stderr that says which. Raises UsageError."""
    from diagnose.cli_stored import kept_history

    with kept_history() as history:
        last = _last(history, word)
        report = history.report(last.id)
        earlier = None if last.worked else history.previous(report, worked=True)
        what = "the last run that worked"
        if earlier is None:
            earlier, what = history.previous(report), "the run before it"
        if earlier is None:
            raise refuse(
                f"one run of {last.connector} is kept, and there is nothing to compare it with",
                "run the diagnosis again on a terminal, or with --keep",
            )
        note(f"The run {last.short_id} is compared with {what}, {earlier.short_id}.")
        return history.report(earlier.id), report


def _last(history: History, word: str) -> Entry:
    """The newest run of the connector ``word``, or the run with that id."""
    from diagnose.cli_stored import names_file, runs_of, unknown
    from diagnose.errors import UsageError

    found = runs_of(history, word, limit=1)
    if found:  # a name may look like a path: those of the registry have a slash
        return found[0]
    if names_file(word):
        raise refuse("there is one report", "name a second one, or a connector that diagnose history lists")
    try:
        return history.find(word)
    except UsageError:
        raise unknown(history, word) from None
