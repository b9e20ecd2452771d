"""Where output goes: stdout takes the report and nothing else, stderr the words beside it, files the rest."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import TextIO

from diagnose.display import display
from diagnose.errors import ExitCode, UsageError
from diagnose.redact import Redactor

__all__ = [
    "check_writable",
    "deliver",
    "is_terminal",
    "note",
    "prepare_streams",
    "printed",
    "say",
    "show_cursor",
    "speaks_unicode",
    "write_file",
]


def prepare_streams() -> None:
    """Let no character of a report end the program: what an encoding lacks is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            with contextlib.suppress(OSError, ValueError):
                reconfigure(errors="backslashreplace")


def say(sentence: str) -> None:
    """One line on stderr; a stderr that is gone is no reason to stop."""
    note(f"diagnose: {display(Redactor().text(sentence))}")


def note(text: str) -> None:
    """Text on stderr as it is: our own words, or text of a report."""
    if sys.stderr is None:  # closed before the start (2>&-)
        return
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody looks at ``stream``."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def speaks_unicode(stream: TextIO | None) -> bool:
    """Whether check marks and boxes can be written to ``stream``."""
    encoding = getattr(stream, "encoding", None) or "ascii"
    return encoding.lower().replace("-", "").replace("_", "") in ("utf8", "utf16", "utf8sig")


def show_cursor() -> None:
    """Undo what a progress display did to the terminal, for a process that ends at once."""
    if is_terminal(sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), b"\x1b[?25h\n")


def deliver(text: str) -> bool:
    """Write ``text`` to stdout; False, with a word on stderr, where it did not arrive."""
    if sys.stdout is None:  # closed before the start (>&-)
        say("stdout is closed: the report went nowhere; --report FORMAT=PATH writes a file")
        return False
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except (OSError, ValueError) as problem:
        _abandon_stdout()
        if not isinstance(problem, BrokenPipeError):
            reason = getattr(problem, "strerror", None) or "it is closed"
            say(f"the report could not be written to stdout: {reason}")
        return False
    return True


def printed(text: str) -> int:
    """Write what a command was asked for; the exit code of the command."""
    return ExitCode.PASSED if deliver(text) else ExitCode.USAGE


def _abandon_stdout() -> None:
    # What is left in the buffer would be written again at exit, and fail again with a traceback.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def check_writable(path: Path) -> None:
    """See before the run whether a report can be put there. Raises UsageError CFG013."""
    try:
        _look(path)
    except OSError as problem:  # a name that is too long, a loop of links
        what = f"cannot be looked at ({problem.strerror})"
        raise _unwritable(path, what, "name another place") from problem


def _look(path: Path) -> None:
    if path.is_dir():
        raise _unwritable(path, "is a directory", "name a file in it")
    folder = path.parent
    if not folder.is_dir():
        raise _unwritable(
            path, "lies in a directory that does not exist", f"create it first: mkdir -p {folder}"
        )
    target = path if path.exists() and not path.is_file() else folder
    if not os.access(target, os.W_OK):
        raise _unwritable(path, "cannot be written by this user", "name a place that this user may write to")


def write_file(path: Path, text: str) -> None:
    """Write a report whole or not at all, readable by its owner only. Raises UsageError CFG013."""
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            path.write_text(text, encoding="utf-8")  # a pipe or a device: nothing there can be replaced
            return
        _replace(path.resolve(), text)
    except OSError as problem:
        raise _unwritable(
            path, f"could not be written ({problem.strerror})", "free space or name another place"
        ) from problem


def _replace(path: Path, text: str) -> None:
    import tempfile

    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _unwritable(path: Path, what: str, hint: str) -> UsageError:
    return UsageError("CFG013", f"the report file {str(path)!r} {what}", where="--report", hint=hint)
