"""``diagnose list``: the connectors of every client on this machine, with file, line and what is wrong."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from diagnose.cli_delivery import deliver, note, speaks_unicode
from diagnose.cli_run import Printing
from diagnose.cli_words import Seconds, Word, nearest, refuse
from diagnose.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from diagnose.connector import Defined
    from diagnose.listing.model import Listing

__all__ = ["list_"]

_NAMED = "--config"


@click.command("list")
@click.option("--config", metavar="FILE", help="List the connectors of this file as well.")
@click.option("--client", metavar="NAME", help="Only those of this client, such as cursor or claude-code.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.option("-v", "--verbose", count=True, help="Every problem in full.")
@click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr while --deep goes on.")
@click.option("--color", type=Word(("auto", "always", "never")), default="auto", help="Color the text.")
@click.option("--deep", is_flag=True, help="Diagnose each up to its list of tools, and compare the lists.")
@click.option("--allow-stdio", is_flag=True, help="With --deep: start what the files name, unasked.")
@click.option("--timeout", type=Seconds(), default=60.0, help="With --deep: seconds for each [default: 60].")
@click.option(
    "--fail-on", type=Word(("error", "warning")), help="What makes the exit code 1 [default: nothing]."
)
def list_(fail_on: str | None, **given: Any) -> int:
    """List the connectors in the files of every client on this machine, and what is wrong with them.

    Nothing is started or sent without --deep. Exit codes: 0 listed, 1 --fail-on, 2 usage, or FILE cannot
    be read.
    """
    if given["allow_stdio"] and not given["deep"]:
        raise refuse("--allow-stdio has nothing to start", "add --deep")
    client = _client(given["client"])
    from diagnose.listing.gathering import definitions, listing_of

    found, unread = definitions(os.environ, given["config"])
    listing, entries = listing_of(found, client)
    if unread is not None:
        listing.broken_files.append(_unread(unread, given["config"]))
    if given["deep"]:
        _diagnose(listing, entries, given)
    delivered = deliver(_shown(listing, given))
    if unread is not None or not delivered:
        return ExitCode.USAGE
    bad = {"error": {"error"}, "warning": {"error", "warning"}}.get(fail_on or "", set())
    return ExitCode.FAILED if bad & listing.severities else ExitCode.PASSED


def _client(word: str | None) -> str | None:
    """The key of a client. Raises UsageError for a word that is none."""
    if word is None:
        return None
    from diagnose.connector.dialects.rows import DIALECTS

    keys = {row.key.lower(): row.key for row in DIALECTS} | {"connector-file": "connector-file"}
    titles = {row.title.lower(): row.key for row in DIALECTS}
    found = keys.get(word.lower()) or titles.get(word.lower())
    if found is None:
        close = nearest(word, list(keys))
        meant = f"did you mean {close}? " if close else ""
        hint = f"{meant}it takes one of {', '.join(sorted(keys))}"
        raise refuse(f"{word[:60]!r} is no client that is known", hint, where="--client")
    return found


def _unread(problem: UsageError, file: str) -> Any:
    from diagnose.listing.model import BrokenFile, Place
    from diagnose.redact import Redactor
    from diagnose.reporting import problem_of

    place = Place(file=str(Redactor().clean(file)))
    return BrokenFile(client="", title=_NAMED, place=place, problem=problem_of(problem))


def _diagnose(listing: Listing, entries: tuple[Defined, ...], given: dict[str, Any]) -> None:
    from diagnose.cli_list_deep import diagnose_all

    told = (lambda _: None) if given["quiet"] else note
    diagnose_all(listing, entries, allowed=given["allow_stdio"], timeout=given["timeout"], told=told)


def _shown(listing: Listing, given: dict[str, Any]) -> str:
    if given["as_json"]:
        return listing.to_json()
    from diagnose.listing.text import render

    color = Printing(color=given["color"]).colored(sys.stdout)
    return render(listing, verbosity=given["verbose"], color=color, unicode=speaks_unicode(sys.stdout))
