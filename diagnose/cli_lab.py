"""``diagnose lab`` and ``diagnose demo``: servers on loopback, healthy and broken in one exact way each."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from diagnose.cli_delivery import deliver, printed, say
from diagnose.cli_words import nearest
from diagnose.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from diagnose_lab import Lab, Running, Scenario

    from diagnose.cli_run import Printing
    from diagnose.model import Report
    from diagnose.pipeline import Run

__all__ = ["demo", "known_scenario", "lab", "prepared"]

_HEALTHY = "healthy-modern"
_BROKEN = ("tls-expired", "auth-prm-missing", "http-wrong-path")
"""What a demonstration shows first, if this installation has it."""

_NO_SUCH_PORT = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)
_NOT_FOR_LOOPBACK = frozenset(
    {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"}
)


@click.group()
def lab() -> None:
    """The lab's servers, healthy and broken, for people who write clients."""


@lab.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_scenarios(as_json: bool) -> int:
    """List the scenarios with the step and the code that each must produce."""
    from diagnose_lab.listing import rows

    found = rows()
    return printed(json.dumps(found, indent=2) if as_json else "\n".join(_table(found)))


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    columns = ("name", "transport", "era", "step", "code")
    shown = [{key: str(row[key] or "-") for key in (*columns, "title")} for row in rows]
    widths = {key: max(len(key), *(len(row[key]) for row in shown)) for key in columns}
    for row in ({key: key.upper() for key in (*columns, "title")}, *shown):
        yield "  ".join([*(row[key].ljust(widths[key]) for key in columns), row["title"]]).rstrip()


@lab.command()
@click.argument("scenario")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Listen on this port [default: a free one]."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line instead of words.")
def serve(scenario: str, port: int, as_json: bool) -> int:
    """Start SCENARIO and keep it up until interrupted.

    The first line printed is its URL, or the command of a local server; the second is a line to paste.
    """
    from diagnose_lab.serve import serve as keep_up

    try:
        return keep_up(known_scenario(scenario), port, json_output=as_json)
    except BrokenPipeError:
        return ExitCode.USAGE
    except OSError as problem:
        reason = (problem.strerror or "unknown reason").lower()
        if problem.errno not in _NO_SUCH_PORT:
            say(f"the address of the server could not be written to stdout: {reason}")
            return ExitCode.USAGE
        raise UsageError(
            "CFG006",
            f"port {port} cannot be used: {reason}",
            where="--port",
            hint="name a free port, or none",
        ) from problem


@click.command()
@click.argument("scenario", required=False)
@click.option("-v", "--verbose", count=True, help="Facts and all evidence; twice: the exchanges as well.")
@click.option("--json", "as_json", is_flag=True, help="Print the report of SCENARIO, and nothing else.")
def demo(scenario: str | None, verbose: int, as_json: bool) -> int:
    """Start the built-in lab and diagnose it, without any network.

    With SCENARIO the exit code is that of its diagnosis. Without: a healthy server and a broken one are
    shown, and the exit code is 0 when each was found to be what it was made to be.
    """
    from diagnose_lab import Lab

    if scenario is None and as_json:
        raise UsageError(
            "CFG006",
            "demo shows two servers, and --json prints one report",
            where="--json",
            hint=f"name one of them: diagnose demo {_first_broken()} --json",
        )
    with Lab() as started:
        if scenario is not None:
            return _show(started, known_scenario(scenario), verbose=verbose, as_json=as_json).exit_code
        shown = [
            _show(started, name, heading=f"[{number}/2] ", verbose=verbose)
            for number, name in enumerate((_HEALTHY, _first_broken()), 1)
        ]
    told = deliver(
        "That is all there is to it: diagnose URL does the same with your connector,\n"
        "and diagnose tui shows every connector of this machine on one screen.\n"
        "diagnose lab list names the other servers, diagnose demo NAME shows one of them."
    )
    return ExitCode.PASSED if told and all(entry.as_made for entry in shown) else ExitCode.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """How a demonstration ended: as its scenario was made, and with which exit code of its run."""

    as_made: bool
    exit_code: int


def _show(lab: Lab, name: str, *, heading: str = "", verbose: int = 0, as_json: bool = False) -> _Shown:
    """Play and diagnose one scenario; not as made where the outcome is another, or nobody could read it."""
    from diagnose.cli_run import Printing

    printing = Printing(verbose=verbose, format="json" if as_json else "text")
    running = lab.start(name)
    try:
        scenario = running.scenario
        if running.command != "run":
            raise UsageError(
                "CFG006",
                f"{name} is about a login, and demo logs in nowhere",
                hint=f"diagnose lab serve {name}, and in another terminal the line that it prints",
            )
        opening = f"{heading}The lab now plays {name} on this machine: {scenario.title}"
        told = as_json or deliver(f"{opening}\n$ {running.command_line}\n\n")
        report, delivered, code = _diagnosed(running, printing)
    finally:
        running.stop()
    met = meets(scenario, report)
    said = "That is what was found." if met else "SOMETHING ELSE was found."
    told = told and (as_json or deliver(f"\nExpected: {_expected(scenario)}. {said}\n\n"))
    # A report that nobody got is no success, whatever it says.
    complete = told and delivered
    return _Shown(as_made=complete and met, exit_code=code if complete else code or ExitCode.USAGE)


def _diagnosed(running: Running, printing: Printing) -> tuple[Report, bool, int]:
    from diagnose.cli_run import diagnose_and_print

    started = prepared(running)
    report, delivered = diagnose_and_print(started, printing)
    return report, delivered, int(started.exit_code)


def prepared(running: Running) -> Run:
    """A run of a scenario that plays, with the options and the environment that its command line has.

    Of a scenario about a login it is the run before anybody has logged in.
    """
    from diagnose.api import start
    from diagnose.cli_login import login
    from diagnose.cli_run import run, unset
    from diagnose.cli_target import Asked, connector_of, options_of

    command = login if running.command == "login" else run
    given = command.make_context(running.command, [*running.args, *running.target]).params
    asked = Asked(**{name: given.get(name, default) for name, default in unset().items()})
    environ = _environ(running.env)
    _keep_login(running, environ)
    connector = connector_of(running.url or None, asked, environ)
    return start(connector, options=options_of(asked), environ=environ)


def _keep_login(running: Running, environ: Mapping[str, str]) -> None:
    """Store what the scenario says that an earlier login has stored, in the scenario's own folder."""
    if running.stored is None:
        return
    from diagnose.oauth.record import StoredLogin
    from diagnose.oauth.store import open_store

    store = open_store({**environ, "DIAGNOSE_KEYRING": "off"})
    store.put(StoredLogin.model_validate(running.stored))


def _environ(added: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what would lead loopback elsewhere, and the scenario's own."""
    kept = {name: value for name, value in os.environ.items() if name.lower() not in _NOT_FOR_LOOPBACK}
    return {**kept, **added}


def meets(scenario: Scenario, report: Report) -> bool:
    """Whether a report says exactly what the scenario was made to show."""
    expect = scenario.expect
    allowed = {expect.code, *expect.also}
    seen = [
        (step.id, finding.code, finding.severity)
        for step in report.steps
        for finding in step.findings
        if finding.severity != "info"
    ]
    if any(code not in allowed for _, code, _ in seen):
        return False
    if expect.code is None:
        return report.ok
    if expect.severity == "warning":
        return report.ok and (expect.step, expect.code, "warning") in seen
    failed = report.verdict.failed_step
    return failed is not None and (failed.id, report.verdict.code) == (expect.step, expect.code)


def _expected(scenario: Scenario) -> str:
    expect = scenario.expect
    if expect.code is None:
        return "every step passes"
    return f"{expect.code} ({expect.severity}) at step {expect.step}"


def _first_broken() -> str:
    from diagnose_lab import names, scenarios

    known = names()
    wanted = next((name for name in _BROKEN if name in known), None)
    return wanted or next(entry.name for entry in scenarios() if entry.expect.code is not None)


def known_scenario(name: str) -> str:
    """The name, or the path of a scenario file. Raises UsageError CFG015."""
    from diagnose_lab import names

    known = names()
    if name in known:
        return name
    if name.endswith(".toml"):
        return _own(name)
    close = nearest(name, known)
    meant = f"did you mean {close}? " if close else ""
    raise UsageError(
        "CFG015", f"the lab has no scenario {name[:60]!r}", hint=f"{meant}diagnose lab list names all of them"
    )


def _own(path: str) -> str:
    """A scenario file of the user's own. Raises UsageError CFG015."""
    from diagnose_lab import ScenarioError, load

    try:
        load(path)
    except ScenarioError as problem:
        raise UsageError(
            "CFG015", str(problem), hint="diagnose lab list names the packaged ones"
        ) from problem
    return path
