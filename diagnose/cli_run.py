"""``diagnose run``: one run, its progress on stderr, its report on stdout and in files."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from diagnose.cli_consent import ask_to_start
from diagnose.cli_delivery import (
    check_writable,
    deliver,
    is_terminal,
    note,
    say,
    show_cursor,
    speaks_unicode,
    write_file,
)
from diagnose.cli_keep import keep_run
from diagnose.cli_target import Asked, options_of, target_of
from diagnose.cli_words import Seconds, Word, refuse
from diagnose.deep_plan import announced, help_text
from diagnose.errors import ExitCode
from diagnose.report import FORMATS
from diagnose.step import TITLES

if TYPE_CHECKING:
    from diagnose.cli_progress import NoProgress
    from diagnose.model import Report
    from diagnose.options import Options
    from diagnose.pipeline import Run

__all__ = [
    "Printing",
    "WithCommand",
    "diagnose_and_print",
    "exit_code_of",
    "printing_of",
    "run",
    "unset",
]

_SAID = {"error": "an error", "warning": "a warning", "info": "a note"}
_STEP = Word(tuple(TITLES), aliases={str(number): step_id for step_id, (number, _) in TITLES.items()})


@dataclass(frozen=True, kw_only=True)
class Printing:
    """How the report leaves: the format on stdout, the files beside it, and how talkative it all is."""

    format: str = "text"
    reports: tuple[tuple[str, Path], ...] = ()
    quiet: bool = False
    verbose: int = 0
    color: str = "auto"

    def colored(self, stream: TextIO | None) -> bool:
        """``--color``, then NO_COLOR and FORCE_COLOR, then whether somebody looks."""
        if self.color != "auto":
            return self.color == "always"
        if os.environ.get("NO_COLOR"):
            return False
        if os.environ.get("FORCE_COLOR"):
            return True
        return is_terminal(stream) and os.environ.get("TERM") != "dumb"

    def progress(self) -> NoProgress:
        """What is shown while the run goes: nothing, unless somebody looks at stderr."""
        from diagnose.cli_progress import NoProgress, Progress

        if self.quiet or not is_terminal(sys.stderr) or not _moves_cursor():
            return NoProgress()
        # The text report repeats every step: on one and the same terminal the progress makes room for it.
        stays = self.format != "text" or not is_terminal(sys.stdout)
        return Progress(color=self.colored(sys.stderr), unicode=speaks_unicode(sys.stderr), stays=stays)

    def rendered(self, report: Report) -> str:
        """The report as stdout gets it."""
        if self.format != "text":
            from diagnose.report import render

            return render(report, self.format)
        from diagnose.report import as_text

        color, unicode = self.colored(sys.stdout), speaks_unicode(sys.stdout)
        return as_text.render(report, verbosity=self.verbose, color=color, unicode=unicode)


def _moves_cursor() -> bool:
    # Older consoles of Windows print escape sequences instead of obeying them.
    if sys.platform == "win32":
        return bool(os.environ.get("WT_SESSION") or os.environ.get("TERM"))
    return os.environ.get("TERM", "dumb") != "dumb"


class WithCommand(click.Command):
    """Whatever stands after two dashes is the command of a process, word by word as it was typed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words: list[str] = []
        if "--" in args:
            place = args.index("--")
            args, words = args[:place], args[place + 1 :]
            if not words:
                raise refuse("there is no command after the two dashes", "write -- COMMAND ARGS")
        rest = super().parse_args(ctx, args)
        ctx.params["command"] = tuple(words)
        return rest


@click.command(cls=WithCommand)
@click.argument("target", required=False)
@click.option("--format", type=Word(FORMATS), help="What stdout gets [default: text].")
@click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
@click.option("--report", multiple=True, metavar="FORMAT=PATH", help="Also write a report file; repeatable.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@click.option("-v", "--verbose", count=True, help="Facts and all evidence; twice: the exchanges as well.")
@click.option("--color", type=Word(("auto", "always", "never")), default="auto", help="Color the text.")
@click.option("--timeout", type=Seconds(), default=60.0, help="Deadline of the whole run [default: 60].")
@click.option("--step-timeout", type=Seconds(), help="Deadline of each step [default: the step's own].")
@click.option("--only", type=_STEP, metavar="STEP", help="This step and what it needs; its id or number.")
@click.option("--until", type=_STEP, metavar="STEP", help="Up to this step.")
@click.option("--era", type=Word(("auto", "legacy", "modern")), help="Protocol era to speak [default: auto].")
@click.option("--transport", type=Word(("auto", "streamable-http", "sse")), help="Transport [default: auto].")
@click.option("--sample", type=Word(("auto", "never")), default="auto", help="Whether a tool may be called.")
@click.option("--tool", metavar="NAME", help="The tool that step 10 calls.")
@click.option("--args", metavar="JSON", help="Its arguments, a JSON object.")
@click.option(
    "--confirm",
    multiple=True,
    metavar="TOOL",
    help="Allow a call that the connector wants confirmed; repeatable.",
)
@click.option("--config", metavar="FILE", help="Take the connector from this file; options override it.")
@click.option(
    "--header", multiple=True, metavar="'NAME: VALUE'", help="Send a header; ${env:X} is filled in."
)
@click.option("--bearer-env", metavar="VAR", help="Send the token in this environment variable.")
@click.option(
    "--credentials-from",
    metavar="STORE",
    help="Read, for this run alone, the login that mcp-remote, fastmcp or vibe keeps.",
)
@click.option("--ca-bundle", metavar="PEM", help="Trust these roots instead of the runtime's.")
@click.option(
    "--client-cert", metavar="PEM", help="Client certificate, with its key unless --client-key is given."
)
@click.option("--client-key", metavar="PEM", help="Its private key.")
@click.option("--proxy", metavar="URL", help="Go through this HTTP proxy; an empty text goes directly.")
@click.option("--resolver", metavar="IP[:PORT]", help="Ask this name server.")
@click.option(
    "--resolve", multiple=True, metavar="HOST:PORT:IP", help="Pin a host to an address; repeatable."
)
@click.option(
    "--env",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="Give the process a variable; alone, it is passed on.",
)
@click.option("--cwd", metavar="DIR", help="Start the process in this directory.")
@click.option(
    "--inherit",
    type=Word(("safe", "all", "none")),
    help="What the process gets of this environment [default: safe, as the official SDKs].",
)
@click.option(
    "--allow-stdio",
    is_flag=True,
    help="Start the command of a file that was found and not named, without being asked.",
)
@click.option("--no-login", is_flag=True, help="Leave a login that diagnose login stored alone.")
@click.option("--refresh", is_flag=True, help="Renew a stored login whose access token ended.")
@click.option("--deep", is_flag=True, help=help_text("--deep"))
@click.option("--register", is_flag=True, help=help_text("--register"))
@click.option("--runtime", is_flag=True, help="Let the official SDK client repeat the run.")
@click.option(
    "--fail-on", type=Word(("error", "warning")), default="error", help="What makes the exit code 1."
)
@click.option("--exit-by-step", is_flag=True, help="Exit with 10 + the number of the failing step, not 1.")
@click.option(
    "--keep/--no-keep", default=None, help="Keep the report in the history [default: on a terminal]."
)
def run(target: str | None, fail_on: str, exit_by_step: bool, keep: bool | None, **given: Any) -> int:
    """Diagnose TARGET: the URL of an MCP endpoint, or the name of a connector in the file of some client.

    A name is looked up in FILE, or in every file that diagnose list shows; CLIENT:NAME says whose. A local
    process is diagnosed by its command after two dashes: diagnose run [OPTIONS] -- COMMAND ARGS.

    Exit codes: 0 works, 1 a step failed, 2 usage, 3 no such connector, 4 --timeout ended it,
    70 a fault of diagnose itself, 130 interrupted.
    """
    printing, described = printing_of(given)
    asked = Asked(**described)
    options = options_of(asked)
    found_target = target_of(target, asked)
    allowed = ask_to_start(found_target.connector, allowed=asked.allow_stdio)
    from diagnose.api import start

    options = replace(options, allow_stdio=allowed)
    started = start(found_target.connector, options=options, problems=found_target.problems)
    if not printing.quiet:
        for problem in found_target.problems:
            say(f"{problem} ({_SAID[problem.severity]})")
    found, delivered = diagnose_and_print(started, printing)
    keep_run(found, asked=keep)
    code = exit_code_of(started, found, fail_on, exit_by_step)
    return code if delivered or code else ExitCode.USAGE


def unset() -> dict[str, Any]:
    """The options that describe connector and run, as if nobody had given one."""
    defaults = run.make_context("run", ["TARGET"]).params
    return {name: defaults[name] for name in Asked.__dataclass_fields__}


def _announce(options: Options) -> None:
    """What --deep and --register may send beyond what production sends, before it is sent."""
    flags = [flag for flag, given in (("--deep", options.deep), ("--register", options.register)) if given]
    for line in announced(*flags):
        note(line)


def printing_of(given: dict[str, Any]) -> tuple[Printing, dict[str, Any]]:
    """How the report leaves, and the options that say something else. Raises UsageError."""
    rest = dict(given)
    printing = Printing(
        format=_format(rest.pop("format"), rest.pop("as_json")),
        reports=_reports(rest.pop("report")),
        quiet=rest.pop("quiet"),
        verbose=rest.pop("verbose"),
        color=rest.pop("color"),
    )
    return printing, rest


def _format(format: str | None, as_json: bool) -> str:
    if as_json and format not in (None, "json"):
        raise refuse(f"--json and --format {format} exclude each other", "leave one of them out")
    return "json" if as_json else format or "text"


def _reports(entries: tuple[str, ...]) -> tuple[tuple[str, Path], ...]:
    known = Word(FORMATS)
    found: list[tuple[str, Path]] = []
    for entry in entries:
        word, equals, path = entry.partition("=")
        if not equals or not path:
            raise refuse(
                f"{entry[:80]!r} names no file",
                "write it as FORMAT=PATH, such as json=report.json",
                where="--report",
            )
        try:
            found.append((known.convert(word, None, None), Path(path)))
        except Exception as problem:
            problem.where = "--report"  # type: ignore[attr-defined]
            raise
        check_writable(Path(path))
    return tuple(found)


def diagnose_and_print(started: Run, printing: Printing) -> tuple[Report, bool]:
    """Walk the steps, print the report, write the files; False where stdout did not take it."""
    from diagnose.report import render

    if not printing.quiet:
        _announce(started.ctx.options)
    with printing.progress() as progress:
        found = asyncio.run(_watched(started, progress))
    for word, path in printing.reports:
        write_file(path, render(found, word))
    return found, deliver(printing.rendered(found))


async def _watched(started: Run, progress: NoProgress) -> Report:
    from diagnose.events import RunFinished

    _install(started)
    async with progress.moving(), aclosing(started.events()) as events:
        async for event in events:
            progress.show(event)
            if isinstance(event, RunFinished):
                return event.report
    raise AssertionError("a run ends with RunFinished")


def _install(started: Run) -> None:
    """The first signal ends the run and keeps its report, a second one ends the process."""
    loop = asyncio.get_running_loop()
    seen = 0

    def stop() -> None:
        nonlocal seen
        seen += 1
        if seen > 1:
            _end_processes()
            show_cursor()
            os._exit(ExitCode.INTERRUPTED)
        started.interrupt()

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:  # Windows: the handler runs between two steps of the interpreter
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
        except (ValueError, RuntimeError):  # not in the main thread: the signals are the caller's
            return


def _end_processes() -> None:
    """No server stays behind, also when nobody waits for its teardown."""
    module = sys.modules.get("diagnose.wire.process")
    if module is not None:
        module.kill_remaining()


def exit_code_of(started: Run, found: Report, fail_on: str, by_step: bool) -> int:
    """The process's exit code for a report."""
    code = started.exit_code
    if code not in (ExitCode.PASSED, ExitCode.FAILED):
        return code
    wanted = ("failed", "warned") if fail_on == "warning" else ("failed",)
    number = next((step.number for step in found.steps if step.status in wanted), None)
    if number is None:
        problems = any(problem.severity in ("error", "warning") for problem in found.connector.problems)
        return ExitCode.FAILED if problems and fail_on == "warning" else ExitCode.PASSED
    return 10 + number if by_step else ExitCode.FAILED
