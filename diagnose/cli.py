"""The command line: commands are loaded when they are called, every refusal is one sentence.

Only click and the standard library are imported here and in the modules of the commands; what a command
needs beyond that it imports when it runs (``diagnose --help`` must stay quick).
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from diagnose.cli_delivery import prepare_streams, say
from diagnose.cli_words import as_usage_error, nearest
from diagnose.errors import ExitCode, UsageError

__all__ = ["main", "nearest_command"]

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("diagnose.cli_run", "Diagnose a connector: eleven steps, the one that breaks, and the fix."),
    "tui": ("diagnose.cli_tui", "The app: see where it breaks, why, and what to type, within one screen."),
    "list": (
        "diagnose.cli_list",
        "The connectors of every client on this machine, and their problems.",
    ),
    "login": ("diagnose.cli_login", "Log in to a connector, and keep the token for later runs."),
    "logout": ("diagnose.cli_logout", "Forget a stored login, and revoke it if you ask for that."),
    "history": ("diagnose.cli_history", "Earlier runs, newest first."),
    "diff": ("diagnose.cli_diff", "What changed between two runs of a connector."),
    "replay": ("diagnose.cli_replay", "Show a stored report as if it had just been made."),
    "serve": ("diagnose.cli_serve", "The app in a browser of this machine."),
    "demo": ("diagnose.cli_lab", "Start the built-in lab and diagnose it: the quickest look at everything."),
    "lab": ("diagnose.cli_lab", "The lab's servers, healthy and broken, for people who write clients."),
    "explain": ("diagnose.cli_explain", "What a code means, or which codes an error text points to."),
    "schema": ("diagnose.cli_schema", "The JSON Schema of the report."),
}
"""Each command with the module that has a click command of the same name, and its line in the help."""

_FUNCTIONS = {"list": "list_"}  # a name of the language has an underscore

_OWN_OPTIONS = frozenset({"--help", "-h", "--version"})


class _Commands(click.Group):
    """Loads a command's module when it is called; whatever is no command is the target of ``run``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(
            import_module(_COMMANDS[cmd_name][0]), _FUNCTIONS.get(cmd_name, cmd_name)
        )
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            raise UsageError(
                "CFG006",
                "there is no target",
                hint="type a URL, such as diagnose https://mcp.example.com/mcp; --help lists the commands",
            )
        if args[0] not in _COMMANDS and args[0] not in _OWN_OPTIONS:
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_Commands,
    subcommand_metavar="TARGET | COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="connector-diagnose", prog_name="diagnose", message="%(prog)s %(version)s")
def commands() -> None:
    """Walk an MCP connector through eleven steps and name the one that breaks, why, and who must change what.

    diagnose TARGET is short for diagnose run TARGET; a target is the URL of an MCP endpoint, the name of a
    connector that diagnose list shows, or two dashes and the command of a local server:
    diagnose -- npx -y some-server.
    """


def main(argv: list[str] | None = None) -> int:
    """Run one command line (default: the process's) and return its exit code; never raises."""
    prepare_streams()
    try:
        given: Any = commands.main(argv, prog_name="diagnose", standalone_mode=False)
        return int(given or 0)
    except UsageError as refusal:
        return _refused(refusal)
    except click.exceptions.Abort:
        return ExitCode.INTERRUPTED
    except click.ClickException as refusal:
        return _refused(as_usage_error(refusal))
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Exception as problem:  # the last door: our bug is one line, and no value of any variable
        return _our_bug(problem)


def _refused(refusal: UsageError) -> int:
    say(str(refusal))
    return int(getattr(refusal, "exit_code", ExitCode.USAGE))


def _our_bug(problem: Exception) -> int:
    frames = traceback.extract_tb(problem.__traceback__)
    place = (
        f"{frames[-1].filename.replace(chr(92), '/').rpartition('/')[2]}:{frames[-1].lineno}"
        if frames
        else "?"
    )
    say(
        f"BUG001 internal error: {type(problem).__name__} at {place}: "
        "this is a fault of diagnose and says nothing about the connector; diagnose explain BUG001"
    )
    return ExitCode.INTERNAL


def nearest_command(word: str) -> str | None:
    """The command that ``word`` was probably meant to be."""
    return nearest(word, tuple(_COMMANDS))
