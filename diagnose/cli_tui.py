"""``diagnose tui``: the app, for somebody who sits at a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diagnose.cli_delivery import is_terminal
from diagnose.cli_run import WithCommand, run
from diagnose.cli_target import Asked, options_of, target_of
from diagnose.cli_words import Seconds, refuse

if TYPE_CHECKING:
    from diagnose.options import Options
    from diagnose_tui.entries import Entry

__all__ = ["tui"]

_OWN_OF_RUN = frozenset(
    {"format", "as_json", "report", "quiet", "verbose", "color", "fail_on", "exit_by_step", "only", "until"}
)
"""What ``run`` takes and an app does not: how a report is printed, and where a run ends."""

_OWN: tuple[click.Parameter, ...] = (
    click.Option(
        ["--demo"], multiple=True, metavar="SCENARIO", help="Play a scenario of the lab; repeatable."
    ),
    click.Option(["--watch"], type=Seconds(), default=30.0, help="Pause between watched runs [default: 30]."),
    click.Option(
        ["--at-once"], type=click.IntRange(1, 64), default=8, help="Runs side by side at most [default: 8]."
    ),
    click.Option(["--ascii"], is_flag=True, help="No sign beyond ASCII."),
)


def _tui(
    target: str | None, *, demo: tuple[str, ...], watch: float, at_once: int, ascii: bool, **given: Any
) -> int:
    _need_terminal()
    asked = Asked(**{**_unset(), **given})
    options = options_of(asked)
    entries, finder, go = _rows(target, demo, asked, options)
    from diagnose_tui.starting import show

    return show(
        entries,
        finder=finder,
        options=options,
        go=go,
        watch_s=watch,
        at_once=at_once,
        ascii_only=ascii or None,
    )


tui = WithCommand(
    "tui",
    callback=_tui,
    params=[one for one in run.params if one.name not in _OWN_OF_RUN] + list(_OWN),
    help="""Open the app: every connector of this machine, or TARGET, which is run at once.

    TARGET and the options are those of diagnose run; a local process is named by its command after two dashes.
    Where nothing is configured yet, the lab's servers are there to look at. In the app, ? lists the keys.""",
)


def _unset() -> dict[str, Any]:
    defaults = run.make_context("run", ["TARGET"]).params
    return {name: defaults[name] for name in Asked.__dataclass_fields__}


def _need_terminal() -> None:
    if os.environ.get("TEXTUAL_DRIVER"):  # the browser's side of textual-serve is no terminal
        return
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)) or os.environ.get("TERM") == "dumb":
        raise refuse(
            "the app needs a terminal that moves its cursor",
            "diagnose run TARGET prints the same facts line by line",
        )


def _rows(
    target: str | None, demo: tuple[str, ...], asked: Asked, options: Options
) -> tuple[Sequence[Entry], Callable[[], Sequence[Entry]] | None, bool]:
    """The rows that are there at once, what finds the others, and whether the first is run at once."""
    from diagnose.cli_lab import known_scenario
    from diagnose_tui.discovering import found_here, of_file, typed_entry
    from diagnose_tui.playing import DEMOS, demo_entry

    demos = [demo_entry(known_scenario(name)) for name in demo]
    if target is not None or asked.command:
        found = target_of(target, asked)
        first = typed_entry(found.connector, options, found.problems)
        return [first, *demos], None, True
    if demos:
        return demos, None, True
    offered = [demo_entry(name, label) for name, label in DEMOS]
    if asked.config is not None:
        return [*of_file(Path(asked.config), options), *offered], None, False
    return offered, partial(found_here, options), False
