"""Files that only their owner may read: checked when they are opened, replaced in one move when written."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from diagnose.errors import UsageError

__all__ = [
    "check_folder",
    "claim_private",
    "delete_private",
    "make_folder",
    "read_private",
    "write_private",
]

_LARGEST = 256 * 1024
_OTHERS = 0o077
_LOGIN = "login"
_HAS_OWNERS = os.name == "posix"  # on Windows the profile's access list does what the mode does elsewhere


def read_private(path: Path) -> bytes | None:
    """The content of ``path``, or None where there is no such file.

    Raises UsageError CFG020 for a file that others can read or that is not a plain file of this user, and
    CFG021 for one that is too big.
    """
    # The checks are made on what was opened: a path that is checked first can be exchanged meanwhile.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        opened = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        raise _unsafe(path, _why_not_opened(problem), f"look at it with ls -l {path}") from problem
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise _unsafe(path, "is not a plain file", f"move it away: mv {path} {path}.old")
        _check_owner(path, found, "chmod 600")
        content = b""
        while len(content) <= _LARGEST and (chunk := os.read(opened, _LARGEST)):
            content += chunk
    finally:
        os.close(opened)
    if len(content) > _LARGEST:
        raise UsageError(
            "CFG021",
            f"the stored login is larger than {_LARGEST // 1024} KiB",
            where=str(path),
            hint=f"remove it and log in again: rm {path}",
        )
    return content


def write_private(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` in one move, readable by this user alone. Raises UsageError CFG023.

    One writer at a time: what an earlier one left behind when it was killed is swept away.
    """
    make_folder(path.parent)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        opened = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with os.fdopen(opened, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except BaseException:
            with suppress(OSError):
                fresh.unlink()
            raise
        _sweep(path)
        _sync_folder(path.parent)
    except OSError as problem:
        raise _unwritable(path, problem) from problem


def delete_private(path: Path) -> None:
    """Remove ``path`` if it is there. Raises UsageError CFG023."""
    try:
        path.unlink(missing_ok=True)
        _sweep(path)
    except OSError as problem:
        raise _unwritable(path, problem) from problem


def claim_private(path: Path, *, of: str) -> None:
    """Make ``path`` as an empty file of this user alone, unless it is there; what is there is checked.

    For a file that another library opens by its name: its folder is private (:func:`make_folder`), so
    nobody else can exchange it meanwhile. ``of`` says what is kept in it. Raises UsageError CFG020, CFG023.
    """
    make_folder(path.parent, of=of)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise _unsafe(path, "is not a plain file", f"move it away: mv {path} {path}.old", of) from None
        _check_owner(path, found, "chmod 600", of)
    except OSError as problem:
        raise _unwritable(path, problem, of) from problem


def make_folder(folder: Path, *, of: str = _LOGIN) -> None:
    """Make ``folder`` for this user alone. Raises UsageError CFG020 and CFG023."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as problem:
        raise _unwritable(folder, problem, of) from problem
    check_folder(folder, of=of)


def check_folder(folder: Path, *, of: str = _LOGIN) -> None:
    """Raises UsageError CFG020 for a folder that others can look into, or that is a link."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise _unsafe(folder, "is not a folder", f"move it away: mv {folder} {folder}.old", of)
    _check_owner(folder, found, "chmod 700", of)


def _check_owner(path: Path, found: os.stat_result, command: str, of: str = _LOGIN) -> None:
    if not _HAS_OWNERS:
        return
    if found.st_uid != os.geteuid():
        hint = "set DIAGNOSE_STATE_DIR to a folder of your own"
        raise _unsafe(path, "belongs to another user", hint, of)
    if found.st_mode & _OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        raise _unsafe(path, f"is open to other users (mode {mode:04o})", f"{command} {path}", of)


def _why_not_opened(problem: OSError) -> str:
    if problem.errno in (errno.ELOOP, errno.EMLINK):
        return "is a symbolic link"
    return f"cannot be opened: {problem.strerror}"


def _unsafe(path: Path, what: str, hint: str, of: str = _LOGIN) -> UsageError:
    return UsageError("CFG020", f"the place of the stored {of} {what}", where=str(path), hint=hint)


def _unwritable(path: Path, problem: OSError, of: str = _LOGIN) -> UsageError:
    return UsageError(
        "CFG023",
        f"the {of} cannot be stored: {problem.strerror or type(problem).__name__}",
        where=str(path),
        hint="make the folder writable, or set DIAGNOSE_STATE_DIR to one that is",
    )


def _sweep(path: Path) -> None:
    for left in path.parent.glob(f".{path.name}.*"):
        left.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    # The new name lasts once its folder does (fsync(2)); Windows has no such call.
    if not _HAS_OWNERS:
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
