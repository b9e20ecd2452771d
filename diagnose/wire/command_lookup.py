"""Where a command is: looked up as the system does it for the process that is about to be started.

POSIX: ``execvpe`` with the PATH of the new environment, relative names against the new working directory.
Windows: the names that PATHEXT allows; what is a batch file there cannot be started without a shell.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from diagnose.records import record

__all__ = ["APPLICATION_PATH", "Located", "Shebang", "known_places", "locate", "shebang_of"]

APPLICATION_PATH: Mapping[str, str] = {
    "darwin": "/usr/bin:/bin:/usr/sbin:/sbin",  # launchd's default for applications
    "linux": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",  # systemd's user default
}
"""The PATH of a program that no shell has started, by platform."""

_BATCH = (".cmd", ".bat")
_PATHEXT = ".COM;.EXE;.BAT;.CMD"
_LONGEST_SHEBANG = 256


@record
class Located:
    """A lookup. ``path`` is what would be started; ``unusable`` are namesakes that may not be executed."""

    path: Path | None
    unusable: tuple[Path, ...] = ()

    @property
    def is_batch(self) -> bool:
        """Whether it is a batch file, as npx is on Windows."""
        return self.path is not None and self.path.suffix.lower() in _BATCH


@record
class Shebang:
    """The first line of a script: the interpreter, and the program that ``env`` looks up for it."""

    interpreter: str
    program: str | None


def locate(
    command: str,
    *,
    path: str | None,
    cwd: str | None,
    platform: str = sys.platform,
    pathext: str | None = None,
) -> Located:
    """Look ``command`` up. ``path`` None is an environment without PATH."""
    unusable: list[Path] = []
    for candidate in _candidates(command, path=path, cwd=cwd, platform=platform, pathext=pathext):
        if not candidate.exists():
            continue
        if candidate.is_file() and (platform == "win32" or os.access(candidate, os.X_OK)):
            return Located(path=candidate, unusable=tuple(unusable))
        unusable.append(candidate)
    return Located(path=None, unusable=tuple(unusable))


def _candidates(
    command: str, *, path: str | None, cwd: str | None, platform: str, pathext: str | None
) -> Iterator[Path]:
    here = Path(cwd) if cwd else Path.cwd()
    windows = platform == "win32"
    if "/" in command or (windows and ("\\" in command or ":" in command)):
        yield from _endings(here / command, windows, pathext)
        return
    # Without PATH in the new environment, exec takes the system's default.
    separator = ";" if windows else ":"
    for entry in (os.defpath if path is None else path).split(separator):
        yield from _endings(here / entry / command, windows, pathext)


def _endings(candidate: Path, windows: bool, pathext: str | None) -> Iterator[Path]:
    if not windows or candidate.suffix:
        yield candidate
    if windows:
        for ending in (pathext or _PATHEXT).split(";"):
            yield candidate.with_name(candidate.name + ending.lower())


def known_places(environ: Mapping[str, str]) -> Iterator[str]:
    """Directories in which installers put commands and that no application has in its PATH."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    yield from ("/opt/homebrew/bin", "/usr/local/bin", "/home/linuxbrew/.linuxbrew/bin", "/snap/bin")
    if not home:
        return
    for below in (
        ".local/bin",
        ".cargo/bin",
        ".volta/bin",
        ".bun/bin",
        ".deno/bin",
        ".asdf/shims",
        ".local/share/mise/shims",
        ".pyenv/shims",
        "miniconda3/bin",
        "anaconda3/bin",
        "go/bin",
        "AppData/Roaming/npm",
    ):
        yield f"{home}/{below}"
    for versions in (".nvm/versions/node", ".local/share/fnm/node-versions"):
        for place in sorted(Path(home, versions).glob("*"), reverse=True):
            yield str(place / "bin")
            yield str(place / "installation" / "bin")


def shebang_of(path: Path) -> Shebang | None:
    """The interpreter that a script names, or None for what is no script."""
    try:
        with path.open("rb") as file:
            first = file.read(_LONGEST_SHEBANG)
    except OSError:
        return None
    if not first.startswith(b"#!"):
        return None
    words = first[2:].split(b"\n", 1)[0].decode("utf-8", "replace").replace("\t", " ").split(" ")
    words = [word for word in words if word]  # a carriage return belongs to the name, as for the kernel
    if not words:
        return None
    program = None
    if words[0].endswith("/env"):
        rest = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        program = rest[0] if rest else None
    return Shebang(interpreter=words[0], program=program)
