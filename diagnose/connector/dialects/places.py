"""Where the files of the clients are: on this machine, and in the project around a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from diagnose.connector.dialects.row import BASES, AtPlace, Dialect
from diagnose.connector.dialects.rows import DIALECTS
from diagnose.records import record

__all__ = ["Claim", "Known", "base_of", "claims", "home_of", "known_files", "working_directory", "written"]


@record
class Claim:
    """A client whose file something is, by its place or its name."""

    row: Dialect
    scope: Literal["user", "project", "file"]
    folder: str | None = None
    is_read: bool = True


Known = tuple[Dialect, AtPlace, Path, bool]
"""A row, a place of it, the file, and whether the client reads it."""

_MOST_PARENTS = 40


def home_of(environ: Mapping[str, str], platform: str) -> str:
    """The home directory, by the variable that the clients use."""
    name = "USERPROFILE" if platform == "win32" else "HOME"
    return environ.get(name) or os.path.expanduser("~")  # noqa: PTH111  # Path.home() may raise


def working_directory() -> Path:
    """The folder from which files of a project are looked for."""
    try:
        return Path.cwd()
    except OSError:  # it was removed while somebody stood in it
        return Path("/")


def base_of(name: str, environ: Mapping[str, str], platform: str) -> str:
    """Where a location of ``BASES`` begins."""
    variable, default = BASES[name]
    moved = environ.get(variable) if variable else None
    return moved or default.replace("~", home_of(environ, platform), 1)


def written(place: AtPlace, platform: str) -> str | None:
    """A place as a person writes it, with its variable."""
    path: str | None = getattr(place, platform)
    if path is None or not path.startswith("{"):
        return path
    base, rest = path[1:].split("}", 1)
    variable, default = BASES[base]
    if platform == "win32":
        default = default.replace("~/AppData/Roaming", "%APPDATA%")
        default = default.replace("~", "%USERPROFILE%").replace("/", "\\")
        rest = rest.replace("/", "\\")
        variable = None if base == "appdata" else variable
    named = f"${variable}{rest} or " if variable and platform != "win32" else ""
    named = f"%{variable}%{rest} or " if variable and platform == "win32" else named
    return f"{named}{default}{rest}"


def _path_of(place: AtPlace, environ: Mapping[str, str], platform: str) -> str | None:
    path: str | None = getattr(place, platform if platform in ("darwin", "win32") else "linux")
    if path is None or not path.startswith("{"):
        return path
    base, rest = path[1:].split("}", 1)
    return base_of(base, environ, platform) + rest


def known_files(environ: Mapping[str, str], cwd: Path, platform: str) -> Iterator[Known]:
    """Every known file that exists, user's before project's; a file is named once for each client."""
    home = Path(home_of(environ, platform))
    folders = _upward(cwd, home)
    seen: set[tuple[str, Path]] = set()
    for row in DIALECTS:
        for is_read, places in ((True, row.places), (False, row.unread)):
            for place in places:
                path = _path_of(place, environ, platform)
                if path is None:
                    continue
                for file in _existing(place, path, folders):
                    if (row.key, file) not in seen:
                        seen.add((row.key, file))
                        yield row, place, file, is_read


def _existing(place: AtPlace, path: str, folders: tuple[Path, ...]) -> Iterator[Path]:
    starts = [Path(path)] if place.scope == "user" else [folder / path for folder in folders]
    for file in starts:
        if "*" in file.name:
            yield from sorted(_listed(file))
        elif _is_there(file):
            yield file


def _listed(pattern: Path) -> list[Path]:
    try:
        return [file for file in pattern.parent.glob(pattern.name) if _is_there(file)]
    except OSError:
        return []


def _is_there(file: Path) -> bool:
    # A link that leads nowhere and a folder that may not be entered are there, and are reported.
    try:
        return file.is_symlink() or file.exists()
    except (OSError, ValueError):
        return True


def _upward(cwd: Path, home: Path) -> tuple[Path, ...]:
    """The folder and those above it, up to the home directory, whose files are the user's."""
    folders: list[Path] = []
    for folder in (cwd, *cwd.parents)[:_MOST_PARENTS]:
        if folder == home:
            break
        folders.append(folder)
    return tuple(folders)


def claims(path: Path, environ: Mapping[str, str], platform: str) -> Iterator[Claim]:
    """The clients that have a file of this place or name, the surest first."""
    full = path.as_posix()
    for is_read in (True, False):
        for row in DIALECTS:
            for place in row.places if is_read else row.unread:
                known = _path_of(place, environ, platform) if place.scope == "user" else None
                if known is not None and Path(known).as_posix() == full:
                    yield Claim(row=row, scope="user", is_read=is_read)
    for row in DIALECTS:
        for place in row.unread:
            if _ends(full, (place.linux or "").split("}", 1)[-1].lstrip("/")):
                yield Claim(row=row, scope="file", is_read=False)
    for row in DIALECTS:
        for place in row.places:
            if place.scope == "project" and place.linux and _ends(full, place.linux):
                folder = str(path.parents[len(Path(place.linux).parts) - 1])
                yield Claim(row=row, scope="project", folder=folder)
        if any(_ends(full, ending) for ending in row.files):
            yield Claim(row=row, scope="file")


def _ends(full: str, ending: str) -> bool:
    pattern = re.escape(ending).replace(r"\*", "[^/]*")
    return bool(ending) and re.search(f"(?:^|/){pattern}$", full) is not None
