"""What was typed, checked word by word: every refusal names the nearest thing that would have worked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from diagnose.errors import UsageError

if TYPE_CHECKING:
    _TextType = click.ParamType[str]
    _NumberType = click.ParamType[float]
else:  # generic since click 8.4 only
    _TextType = _NumberType = click.ParamType

__all__ = ["Seconds", "Word", "as_usage_error", "nearest", "refuse"]

_LONGEST_TIME = 86_400.0
_NO_COMMAND = re.compile(r"No such command '([\w-]{1,40})'")
_OPTION = re.compile(r"--?[a-z][a-z-]{0,30}")


def refuse(what: str, hint: str, *, where: str | None = None, code: str = "CFG006") -> UsageError:
    """A wrong option or call, in the words of a UsageError."""
    return UsageError(code, what, hint=hint, where=where)


def nearest(word: str, allowed: Sequence[str]) -> str | None:
    """The allowed word that ``word`` was probably meant to be."""
    import difflib

    lowered = {entry.lower(): entry for entry in allowed}
    found = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.55)
    if found:
        return lowered[found[0]]
    return next((entry for key, entry in lowered.items() if len(word) > 2 and word.lower() in key), None)


def _meant(word: str, allowed: Sequence[str]) -> str:
    close = nearest(word, allowed)
    start = f"did you mean {close}? " if close else ""
    return f"{start}it takes one of {', '.join(allowed)}"


def _named(param: click.Parameter | None) -> str | None:
    return max(param.opts, key=len) if param is not None and param.opts else None


class Word(_TextType):
    """One of some words; ``aliases`` are accepted and not advertised."""

    name = "word"

    def __init__(self, allowed: Sequence[str], aliases: dict[str, str] | None = None) -> None:
        self.allowed = tuple(allowed)
        self.aliases = aliases or {}

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "[" + "|".join(self.allowed) + "]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        word = str(value).lower()
        word = self.aliases.get(word, word)
        if word in self.allowed:
            return word
        raise refuse(
            f"{str(value)[:60]!r} is not known", _meant(str(value), self.allowed), where=_named(param)
        )


class Seconds(_NumberType):
    """A time in seconds, more than nothing and at most a day."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not 0 < number <= _LONGEST_TIME:  # not a number fails both comparisons
            raise refuse(
                f"{str(value)[:40]!r} is not a time",
                "it takes seconds as a number above 0, such as 30 or 2.5",
                where=_named(param),
            )
        return number


def as_usage_error(problem: click.ClickException) -> UsageError:
    """One of click's own refusals in our form. Values are never quoted: one of them may be a token."""
    context = getattr(problem, "ctx", None)
    command = context.command_path if context else "diagnose run"
    help_line = f"{command} --help shows what there is"
    if isinstance(problem, click.NoSuchOption):
        return _no_such_option(problem, context, help_line)
    if isinstance(problem, click.exceptions.NoArgsIsHelpError):
        return refuse("there is no command", _meant("", _commands(context)))
    if isinstance(problem, click.MissingParameter):
        name = problem.param.make_metavar(context) if problem.param and context else "an argument"
        return refuse(f"{name.strip('[]')} is missing", help_line)
    if isinstance(problem, click.BadOptionUsage):
        return refuse("an option is incomplete", f"it takes a value; {help_line}", where=problem.option_name)
    if isinstance(problem, click.BadParameter):
        return refuse(problem.message.rstrip("."), help_line, where=_named(problem.param))
    if "unexpected extra argument" in problem.message:
        return refuse(
            "there are words after the target that belong to no option",
            f"quote a value that holds spaces, such as --header 'Name: value'; {help_line}",
        )
    unknown = _NO_COMMAND.search(problem.message)
    if unknown:
        return refuse(f"there is no command {unknown.group(1)}", _meant(unknown.group(1), _commands(context)))
    return refuse(problem.message.rstrip("."), help_line)


def _commands(context: click.Context | None) -> list[str]:
    return (
        context.command.list_commands(context) if context and isinstance(context.command, click.Group) else []
    )


def _no_such_option(problem: click.NoSuchOption, context: click.Context | None, help_line: str) -> UsageError:
    typed = problem.option_name
    known = [name for param in context.command.params for name in param.opts] if context else []
    close = nearest(typed, known)
    what = f"there is no option {typed}" if _OPTION.fullmatch(typed) else "there is no such option"
    return refuse(what, f"did you mean {close}?" if close else help_line)
