"""Step 1 of a process: where is the command?

The command, the working directory and the interpreter of a script are looked at one by one: what the system
says for each of them missing is the same sentence (ENOENT), and it names the wrong file for the last.
"""

from __future__ import annotations

import sys
from pathlib import Path

from diagnose.connector.launch import Launch, launch_of
from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose.wire.command_lookup import APPLICATION_PATH, Located, known_places, locate, shebang_of
from diagnose.wire.process_tree import launcher_of
from diagnose_checks.stdio_facts import LocateFacts

__all__ = ["locate_command"]

_APPLICATIONS = frozenset({"Claude Desktop"})
"""Clients that start processes with the environment of the desktop; editors ask a login shell for theirs."""


@step(
    "dns",
    gives=LocateFacts,
    codes=("STDIO",),
    on_timeout="STDIO001",
    deadline=5,
    called="Locate command",
    about=frozenset({"endpoint"}),
)
async def locate_command(ctx: Context) -> LocateFacts:
    """Find the command with the PATH that the client passes, the directory, and the interpreter."""
    process = ctx.connector.stdio
    assert process is not None, "these steps are for a process"
    launch = launch_of(process, ctx.environ)
    _check_directory(launch)
    found = _found(launch)
    if found.path is None:
        raise _missing(ctx, launch, found)
    if found.is_batch:
        _warn_batch(ctx, launch, found.path)
    if ctx.connector.source.format in _APPLICATIONS:
        _warn_hidden(ctx, launch, found.path)
    return LocateFacts(
        command=process.command,
        program=str(found.path),
        interpreter=_interpreter(ctx, launch, found.path),
        working_directory=launch.cwd,
        launcher=launcher_of(launch.argv),
        _launch=launch,
    )


def _found(launch: Launch) -> Located:
    return locate(
        launch.argv[0], path=launch.env.get("PATH"), cwd=launch.cwd, pathext=launch.env.get("PATHEXT")
    )


def _check_directory(launch: Launch) -> None:
    if launch.cwd is None or Path(launch.cwd).is_dir():
        return
    there = Path(launch.cwd).exists()
    observed = "a file, not a directory" if there else "does not exist"
    raise Fault(
        "STDIO004",
        Evidence(label=f"working directory {launch.cwd}", expected="a directory", observed=observed),
        directory=launch.cwd,
        observed=observed,
    )


def _missing(ctx: Context, launch: Launch, found: Located) -> Fault:
    command = launch.argv[0]
    if found.unusable:
        return _unusable(command, found.unusable[0])
    path = launch.env.get("PATH")
    works, where = _elsewhere(ctx, launch)
    searched = Evidence(
        label=f"{command} in the PATH that the process gets",
        expected="an executable file",
        observed="not found in " + (path if path is not None else "the system's default: PATH is not passed"),
    )
    contrast = Evidence(
        label="looked up elsewhere (the contrast)", observed=f"{works} ({where})" if works else "nowhere"
    )
    if path is None and works:
        return Fault("STDIO002", searched, contrast, command=command, works=works)
    return Fault(
        "STDIO001",
        searched,
        contrast,
        confidence="certain",
        command=command,
        reading=_reading(command, works, where),
        advice=_advice(launch, works),
    )


def _reading(command: str, works: str | None, where: str) -> str:
    if works:
        return f"it is at {works}, which only {where} has"
    if " " in command.strip() and "/" not in command:
        return "the text holds spaces: a command is one word, and what follows it belongs into args"
    return "it is in none of the directories in which installers put commands either, so it is not installed"


def _advice(launch: Launch, works: str | None) -> str:
    command = launch.argv[0]
    if works:
        return f'Write the whole path: "command": "{works}".'
    if " " in command.strip():
        first, *rest = command.split()
        shown = ", ".join(f'"{word}"' for word in rest)
        return f'Split it: "command": "{first}", "args": [{shown}, ...].'
    return f"Install {command}, then run this again."


def _elsewhere(ctx: Context, launch: Launch) -> tuple[str | None, str]:
    """A place that has the command although the process's PATH has not."""
    command = launch.argv[0]
    if "/" in command or not command.strip():
        return None, ""
    ours = locate(command, path=ctx.environ.get("PATH"), cwd=launch.cwd)
    if ours.path is not None:
        return str(ours.path), "the PATH of this shell"
    for place in known_places(ctx.environ):
        there = locate(command, path=place, cwd=None)
        if there.path is not None:
            return str(there.path), "a directory of an installer"
    return None, ""


def _unusable(command: str, path: Path) -> Fault:
    observed = "a directory" if path.is_dir() else "a file without the permission to execute it"
    return Fault(
        "STDIO005",
        Evidence(label=str(path), expected="an executable file", observed=observed),
        command=command,
        path=str(path),
        observed=observed,
        advice="Name the program inside it." if path.is_dir() else f"chmod +x {path}",
    )


def _warn_batch(ctx: Context, launch: Launch, path: Path) -> None:
    ctx.warn(
        "STDIO003",
        Evidence(
            label=f"{launch.argv[0]} on Windows", expected="a program", observed=f"the batch file {path}"
        ),
        command=launch.argv[0],
        path=str(path),
    )


def _warn_hidden(ctx: Context, launch: Launch, path: Path) -> None:
    """The application is started by the desktop: would its own PATH have the command?"""
    theirs = APPLICATION_PATH.get(sys.platform)
    given = "PATH" in launch.given or "/" in launch.argv[0]
    if theirs is None or given or locate(launch.argv[0], path=theirs, cwd=launch.cwd).path is not None:
        return
    client = ctx.connector.source.format
    ctx.warn(
        "STDIO007",
        Evidence(
            label=f"{launch.argv[0]} in the PATH of an application",
            expected="an executable file",
            observed=f"not found in {theirs}",
        ),
        Evidence(label="in the PATH of this shell (the contrast)", observed=str(path)),
        command=launch.argv[0],
        works=str(path),
        client=client,
        path=theirs,
    )


def _interpreter(ctx: Context, launch: Launch, path: Path) -> str | None:
    """The program that runs a script. Raises STDIO006 where it is not there."""
    script = shebang_of(path) if sys.platform != "win32" else None
    if script is None:
        return None
    wanted = script.program or script.interpreter
    carriage = wanted.endswith("\r")
    found = locate(wanted, path=launch.env.get("PATH"), cwd=launch.cwd).path if not carriage else None
    if found is not None:
        return str(found)
    works = _other_place(ctx, launch, wanted) if script.program and not carriage else None
    raise Fault(
        "STDIO006",
        Evidence(
            label=f"the first line of {path}",
            expected="an interpreter that this PATH has" if script.program else "an interpreter that exists",
            observed=f"{wanted!r}" if carriage else wanted,
        ),
        Evidence(label="looked up elsewhere (the contrast)", observed=works or "nowhere"),
        path=str(path),
        interpreter=wanted.rstrip("\r"),
        reading=_why(carriage, works),
        advice=_remedy(launch, carriage, works, wanted),
    )


def _other_place(ctx: Context, launch: Launch, program: str) -> str | None:
    named = Launch(argv=(program,), env=launch.env, cwd=launch.cwd, given=())
    return _elsewhere(ctx, named)[0]


def _why(carriage: bool, works: str | None) -> str:
    if carriage:
        return "the line ends in a carriage return (Windows line ends), which is taken for a part of the name"
    return f"it is at {works}, which is not in the PATH of the process" if works else "it is not installed"


def _remedy(launch: Launch, carriage: bool, works: str | None, wanted: str) -> str:
    if carriage:
        return "Save the script with Unix line ends."
    if works:
        directory = str(Path(works).parent)
        return f'Add its directory: "env": {{"PATH": "{directory}:/usr/local/bin:/usr/bin:/bin"}}.'
    return f"Install {wanted}, or correct the first line of the script."
