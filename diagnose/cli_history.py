"""``diagnose history``: earlier runs, newest first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from diagnose.cli_delivery import printed, speaks_unicode
from diagnose.cli_words import Word, refuse

if TYPE_CHECKING:
    from diagnose.history import Entry
    from diagnose.history.runs import History
    from diagnose.report.paint import Paint

__all__ = ["history"]

_SCHEMA_VERSION = "1.0"
_STATUSES = {"passed": "passed", "warned": "warned", "failed": "failed", "error": "failed"}
_WORDS = {"passed": "passed", "warned": "warned", "failed": "FAILED", "error": "no verdict"}
_AGES = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"))


@click.command()
@click.argument("target", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, help="At most this many [default: 20].")
@click.option("--failed", is_flag=True, help="Only runs that failed.")
@click.option("--clear", is_flag=True, help="Forget the runs of TARGET, or all of them.")
@click.option("--color", type=Word(("auto", "always", "never")), default="auto", help="Color the text.")
def history(target: str | None, **given: Any) -> int:
    """List earlier runs: those of TARGET, which is the name of a connector or its URL, or all of them.

    Runs on a terminal are kept, and others with run --keep. diagnose replay ID shows one again, and
    diagnose diff compares two. Exit codes: 0 listed, 2 usage, 3 no run of TARGET is kept.
    """
    if given["clear"] and (given["failed"] or given["as_json"]):
        raise refuse("--clear stands alone", "leave out --failed and --json")
    from diagnose.cli_stored import kept_history, runs_of, unknown

    with kept_history() as kept:
        if given["clear"]:
            return _cleared(kept, target)
        if target is None:
            found = kept.runs(failed=given["failed"], limit=given["limit"])
        else:
            found = runs_of(kept, target, failed=given["failed"], limit=given["limit"])
            if not found and not (given["failed"] and runs_of(kept, target, limit=1)):
                raise unknown(kept, target)
        return printed(_document(found) if given["as_json"] else _table(found, given["color"]))


def _cleared(kept: History, target: str | None) -> int:
    from diagnose.cli_stored import runs_of, unknown

    if target is None:
        return printed(f"Forgotten: {_counted(kept.remove(), 'run')}")
    found = runs_of(kept, target)
    if not found:
        raise unknown(kept, target)
    return printed(f"Forgotten: {_counted(sum(kept.remove(run=entry.id) for entry in found), 'run')}")


def _document(entries: Sequence[Entry]) -> str:
    runs = [
        {
            "id": entry.id,
            "connector": entry.connector,
            "target": entry.target,
            "started_at": entry.started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "duration_ms": entry.duration_ms,
            "status": entry.status,
            "step": entry.step,
            "code": entry.code,
            "server_version": entry.server_version,
            "protocol_version": entry.protocol_version,
        }
        for entry in entries
    ]
    from diagnose.report.as_json import dumped

    return dumped({"schema_version": _SCHEMA_VERSION, "runs": runs})


def _table(entries: Sequence[Entry], color: str) -> str:
    from diagnose.cli_run import Printing
    from diagnose.report.paint import Paint, tame
    from diagnose.report.wording import line

    if not entries:
        return "No run is kept. Runs on a terminal are, and others with --keep.\n"
    paint = Paint(color=Printing(color=color).colored(sys.stdout), unicode=speaks_unicode(sys.stdout))
    now = datetime.now(UTC)
    lines: list[str] = []
    for (name, target), runs in groupby(entries, key=lambda entry: (entry.connector, entry.target)):
        # The name of a typed URL is its host, and says nothing that the URL does not.
        shown, beside = (target, "") if name in target else (name, f"  {line(target)}")
        lines += [*([""] if lines else []), tame(f"{paint(line(shown), 'bold')}{beside}")]
        lines += [_row(entry, now, paint) for entry in runs]
    return "\n".join(lines) + "\n"


def _row(entry: Entry, now: datetime, paint: Paint) -> str:
    from diagnose.report.wording import line
    from diagnose.step import TITLES

    when = entry.started_at.astimezone().strftime("%Y-%m-%d %H:%M")
    ago = _ago((now - entry.started_at).total_seconds())
    status = paint.status(_STATUSES.get(entry.status, "failed"), f"{_WORDS.get(entry.status, '?'):<10}")
    took = f"{entry.duration_ms / 1000:5.1f} s"
    step = f"step {TITLES[entry.step][0]}" if entry.step is not None and entry.step in TITLES else ""
    place = ", ".join(part for part in (step, line(entry.code or "")) if part)
    return f"  {line(entry.short_id)}  {when}  {ago:<12}{status} {took}  {place}".rstrip()


def _ago(seconds: float) -> str:
    for length, word in _AGES:
        if seconds >= length:
            return f"{int(seconds // length)} {word} ago"
    return "just now" if seconds >= 0 else "in the future"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
