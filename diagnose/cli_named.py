"""A connector by its name: which definition of this machine is meant, and what its client makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from diagnose.cli_config import as_asked
from diagnose.cli_target import Asked, NoConnector, Target
from diagnose.cli_words import nearest, refuse
from diagnose.display import display

if TYPE_CHECKING:
    from diagnose.connector import Defined, Problem

__all__ = ["is_client_and_name", "named", "no_connector"]

_SHOWN = 10


def named(target: str, asked: Asked, environ: Mapping[str, str]) -> Target | None:
    """The connector that is called ``NAME`` or ``CLIENT:NAME`` here, or None where none is.

    Within a client its own precedence decides. Raises UsageError where several clients have the name, or
    where the definition is of no use to its client.
    """
    from diagnose.connector import discover

    entries = _matching(target, discover(environ))
    if not entries:
        return None
    meant = _in_force(target, entries)
    clients = {entry.client: entry for entry in meant}
    if len(clients) > 1:
        raise _ambiguous(target, list(clients.values()))
    chosen = _winner(meant)
    found = as_asked(chosen, asked)
    return replace(found, problems=(*found.problems, *_beside(chosen, meant)))


def _matching(target: str, known: tuple[Defined, ...]) -> list[Defined]:
    called = [entry for entry in known if entry.name == target]
    client, _, name = target.partition(":")
    return called or [
        entry for entry in known if name and entry.name == name and entry.client == client.lower()
    ]


def _in_force(target: str, entries: list[Defined]) -> list[Defined]:
    """Those that count in the working directory. Raises NoConnector where there are others only."""
    from diagnose.connector.dialects.places import working_directory
    from diagnose.connector.dialects.together import applies

    here = [entry for entry in entries if applies(entry, str(working_directory()))]
    if here:
        return here
    folders = sorted({str(display(entry.folder or "")) for entry in entries})
    raise NoConnector(
        "CFG011",
        f"{display(target, limit=80)!r} is defined for another project only",
        where=str(entries[0].origin),
        hint=f"run this in {' or '.join(folders[:_SHOWN])}",
    )


def _winner(entries: list[Defined]) -> Defined:
    """The definition that the client takes: one that it cannot use overrides nothing."""
    usable = [entry for entry in entries if entry.connector is not None and entry.overridden_by is None]
    return (usable or entries)[0]


def _beside(chosen: Defined, entries: list[Defined]) -> tuple[Problem, ...]:
    """What else the reader must know: that it is switched off, or that a namesake is of no use."""
    from diagnose.connector import Problem

    found = [
        replace(entry.reason, severity="warning")
        for entry in entries
        if entry is not chosen and entry.reason is not None
    ]
    if not chosen.enabled:
        what = f"{display(chosen.name, limit=80)} is switched off in {chosen.title}, which does not start it"
        hint = "switch it on there; this run diagnoses it all the same"
        found.append(Problem(code="CFG073", severity="info", what=what, hint=hint, origin=chosen.origin))
    return tuple(found)


def _ambiguous(target: str, entries: list[Defined]) -> Exception:
    forms = [str(display(f"{entry.client}:{entry.name}")) for entry in entries]
    return refuse(
        f"{len(forms)} clients have a connector named {display(target, limit=80)!r}",
        f"name one of {', '.join(forms[:_SHOWN])}",
        code="CFG072",
    )


def is_client_and_name(target: str) -> bool:
    """Whether ``target`` is written ``CLIENT:NAME``, and so is no URL without its scheme."""
    from diagnose.connector.dialects.rows import DIALECTS

    client, colon, name = target.partition(":")
    return bool(colon and name) and client.lower() in {row.key for row in DIALECTS}


def no_connector(target: str, environ: Mapping[str, str]) -> NoConnector:
    """The refusal of a name that nobody has, with the nearest word that somebody has."""
    from diagnose.cli import nearest_command

    command, near = nearest_command(target), _name_near(target, environ)
    meant = f"did you mean the command diagnose {command}? " if command else ""
    meant = f"did you mean {near}? " if near else meant
    other = "Otherwise give" if meant else "give"
    return NoConnector(
        "CFG011",
        f"no connector is named {target[:80]!r}",
        hint=f"{meant}{other} the URL of its endpoint, such as https://mcp.example.com/mcp, or one of the "
        "names that diagnose list shows",
    )


def _name_near(target: str, environ: Mapping[str, str]) -> str | None:
    """The name on this machine that ``target`` was probably meant to be."""
    from diagnose.connector import discover

    known = [entry for entry in discover(environ) if entry.name]
    words = [entry.name for entry in known]
    if ":" in target:
        words = [f"{entry.client}:{entry.name}" for entry in known]
    found = nearest(target, words)
    return None if found is None else str(display(found, limit=80))
