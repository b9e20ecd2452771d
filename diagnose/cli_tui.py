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
from diagnose.cli_run import WithCommand, run, unset
from diagnose.cli_target import Asked, options_of, target_of
from diagnose.cli_words import Seconds, refuse

if TYPE_CHECKING:
    from diagnose_tui.entries import Entry

    from diagnose.model import Report
    from diagnose.options import Options

__all__ = ["show_report", "tui"]

_OWN_OF_RUN = frozenset(
    {
        "format",
        "as_json",
        "report",
        "quiet",
        "verbose",
        "color",
        "fail_on",
        "exit_by_step",
        "only",
        "until",
        "keep",
    }
)
"""What ``run`` takes and an app does not: how a report is printed, and where a run ends."""

_OF_TARGET = {
    "header": "--header",
    "bearer_env": "--bearer-env",
    "credentials_from": "--credentials-from",
    "ca_bundle": "--ca-bundle",
    "client_cert": "--client-cert",
    "client_key": "--client-key",
    "proxy": "--proxy",
    "resolver": "--resolver",
    "resolve": "--resolve",
    "transport": "--transport",
    "era": "--era",
    "env": "--env",
    "cwd": "--cwd",
    "inherit": "--inherit",
    "tool": "--tool",
}

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
    _need_terminal(target)
    if target is None and not given["command"]:
        _check_has_target(given)
    asked = Asked(**{**unset(), **given})
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

    TARGET and the options are those of diagnose run; a local process is its command after two dashes.
    Where nothing is configured yet, the lab's servers are there to look at. In the app, ? lists the keys.""",
)


def show_report(report: Report) -> int:
    """Open the app on a stored report; the exit code of the app."""
    from diagnose_tui.discovering import report_entry
    from diagnose_tui.starting import show

    return show([report_entry(report)])


def _need_terminal(target: str | None) -> None:
    if os.environ.get("TEXTUAL_DRIVER"):  # the browser's side of textual-serve is no terminal
        return
    from diagnose_tui.themes import check_terminal

    shown = target if target is not None and "://" not in target else "TARGET"
    check_terminal(os.environ, terminals=is_terminal(sys.stdin) and is_terminal(sys.stdout), target=shown)


def _check_has_target(given: dict[str, Any]) -> None:
    """An option that describes a connector has nothing to describe where none is named. Raises UsageError."""
    defaults = unset()
    for name, option in _OF_TARGET.items():
        if given.get(name) not in (None, defaults[name]):
            raise refuse(
                f"{option} has no connector to go to",
                "name one: diagnose tui TARGET; in the app, o changes what the next run sends",
            )


def _rows(
    target: str | None, demo: tuple[str, ...], asked: Asked, options: Options
) -> tuple[Sequence[Entry], Callable[[], Sequence[Entry]] | None, bool]:
    """The rows that are there at once, what finds the others, and whether the first is run at once."""
    from diagnose_tui.discovering import found_here, of_file, typed_entry
    from diagnose_tui.playing import DEMOS, demo_entry

    from diagnose.cli_lab import known_scenario

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
