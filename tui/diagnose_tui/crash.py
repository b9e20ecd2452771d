"""The way out when the app itself breaks: a terminal as it was, one line, and a file without values.

Textual prints a traceback with the local variables of every frame, and with them the credentials of a
connector. Here nothing of an exception is shown but its type and the places in the code: its message may
quote a secret too.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from textual.app import App
from textual.message import Message
from textual.worker import WorkerFailed

from diagnose.display import display
from diagnose.errors import ExitCode, UsageError
from diagnose.oauth.private_files import write_private
from diagnose.records import record
from diagnose.version import VERSION

__all__ = ["Crash", "CrashSafe", "crash_folder", "crash_of", "run_app"]

_T = TypeVar("_T")

_KEPT_FILES = 10
_KEPT_NAMES = 50
_DEEPEST = 200
"""Frames of one exception; an endless recursion has a thousand."""
_NOISE = frozenset(
    {"Idle", "Callback", "InvokeLater", "MouseMove", "Layout", "Update", "UpdateScroll", "Timer"}
)
_OWN = ("diagnose/", "diagnose_")
_HERE = "diagnose_tui/crash.py"
"""In every stack, and never the cause."""


@record
class Crash:
    """What broke: types and places, no value of anything."""

    kind: str
    place: str
    kinds: tuple[str, ...] = ()
    """The types of the exception and of those that it came from, the last one first."""
    frames: tuple[str, ...] = ()


class CrashSafe(App[_T], Generic[_T]):
    """An app that ends with exit code 70 and one line on any exception, wherever it was raised.

    The overridden methods are Textual's own and private: ``tests/tui/test_crash.py`` says what each is for.
    """

    crash: Crash | None = None

    def __init__(self, **named: Any) -> None:
        self._names: deque[str] = deque(maxlen=_KEPT_NAMES)
        super().__init__(**named)

    def broke(self, error: BaseException) -> None:
        """End the app because of ``error``, which another thread or loop met. Callable from any thread."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # closed: the app is over
                loop.call_soon_threadsafe(self._handle_exception, error)

    def names(self) -> tuple[str, ...]:
        """The last actions and messages, by their names alone."""
        return tuple(self._names)

    def panic(self, *renderables: Any) -> None:
        """Textual's input thread ends here with a traceback ready to print: none of it is."""
        self._ended(Crash(kind="InputThread", place="?"))

    def _fatal_error(self) -> None:
        self._ended(Crash(kind="Unknown", place="?"))

    async def run_action(self, action: Any, *rest: Any, **named: Any) -> bool:
        """Remember the name of each action, without its parameters."""
        name = action.partition("(")[0] if isinstance(action, str) else str(action[1])
        self._names.append(f"action {name}")
        return await super().run_action(action, *rest, **named)

    def _handle_exception(self, error: BaseException) -> None:
        if isinstance(error, Exception) and self._exception is None:
            self._exception = error  # Pilot raises it in a test
            self._exception_event.set()
        self._ended(crash_of(error))

    def _ended(self, crash: Crash) -> None:
        self._return_code = int(ExitCode.INTERNAL)
        if self.crash is None:
            self.crash = crash
        self._close_messages_no_wait()

    async def _dispatch_message(self, message: Message) -> None:
        # What was typed is in a key's event, so its name is all that is kept.
        name = type(message).__qualname__
        if name not in _NOISE:
            self._names.append(name)
        await super()._dispatch_message(message)


def crash_of(error: BaseException) -> Crash:
    """``error`` as types and places."""
    chain = list(_chain(error))
    walked = [_places(one) for one in chain]
    own = [place for place in walked[0] if place.startswith(_OWN) and not place.startswith(_HERE)]
    deciding = own or walked[0]
    return Crash(
        kind=_type_name(chain[0]).rpartition(".")[2],
        place=deciding[-1].partition(" ")[0] if deciding else "?",
        kinds=tuple(_type_name(one) for one in chain),
        frames=tuple(place for places in walked for place in (*places, "")),
    )


def _places(error: BaseException) -> list[str]:
    walked = deque(traceback.walk_tb(error.__traceback__), maxlen=_DEEPEST)
    return [f"{_short(frame.f_code.co_filename)}:{number} {frame.f_code.co_name}" for frame, number in walked]


def crash_folder(environ: Mapping[str, str]) -> Path | None:
    """Where crash files are written; None for a user without a home."""
    from diagnose.oauth.store import state_folder  # loads the model of connectors, which the app does later

    folder = state_folder(environ)
    return folder / "crashes" if folder is not None else None


def run_app(app: CrashSafe[Any], environ: Mapping[str, str]) -> int:
    """Run ``app`` on this terminal and return the exit code of the process."""
    with _quiet(app), _ended_by_signal(app):
        try:
            app.run()
        except Exception as error:  # what Textual itself lets through, while it closes
            app.crash = app.crash or crash_of(error)
    if app.crash is None:
        return int(app.return_code or 0)
    written = _write(app.crash, app, environ)
    _say(
        f"diagnose: BUG001 internal error: {app.crash.kind} at {app.crash.place}: this is a fault of diagnose"
        f" and says nothing about the connector; {written}; diagnose explain BUG001"
    )
    return int(ExitCode.INTERNAL)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        if isinstance(following, WorkerFailed):  # Textual's wrapper, whose text quotes the error's
            following = following.error
            continue
        yield following
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)


def _type_name(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return display(name, limit=120)


def _short(filename: str) -> str:
    """A file by its place below the packages: where Python is installed is nobody's business."""
    path = filename.replace("\\", "/")
    root = next((root for root in _roots() if path.startswith(root)), path[: path.rfind("/") + 1])
    return path[len(root) :]


@cache
def _roots() -> tuple[str, ...]:
    """Folders that hold packages, the longest first."""
    import sysconfig

    roots = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")}
    roots |= {str(Path(entry or ".").absolute()) for entry in sys.path}
    return tuple(sorted((root.replace("\\", "/") + "/" for root in roots), key=len, reverse=True))


def _write(crash: Crash, app: CrashSafe[Any], environ: Mapping[str, str]) -> str:
    """Write the crash file; what the line on stderr says about it."""
    try:
        folder = crash_folder(environ)
    except (ImportError, OSError):  # where no more files can be opened
        folder = None
    if folder is None:
        return "there is no folder for a crash file"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    path = folder / f"crash-{stamp}-{os.getpid()}.txt"
    try:
        write_private(path, "\n".join(_file_lines(crash, app)).encode("utf-8", "backslashreplace"))
        for old in sorted(folder.glob("crash-*.txt"))[:-_KEPT_FILES]:
            old.unlink(missing_ok=True)
    except (OSError, UsageError) as problem:
        return f"no crash file could be written ({type(problem).__name__} at {folder})"
    return f"crash file {path}"


def _file_lines(crash: Crash, app: CrashSafe[Any]) -> Iterator[str]:
    import platform
    from importlib.metadata import version

    yield f"BUG001 {crash.kind} at {crash.place}"
    yield "This file holds types, places in the code and names of events; no value, and no text of a server."
    yield ""
    yield f"connector-diagnose {VERSION}"
    yield f"textual {version('textual')}"
    yield f"python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield f"terminal {app.size.width}x{app.size.height}"
    yield ""
    yield "Exceptions, the last one first"
    yield from (f"  {kind}" for kind in crash.kinds)
    yield ""
    yield "Places"
    yield from (f"  {frame}".rstrip() for frame in crash.frames)
    yield "The last events, the newest last"
    yield from (f"  {line}" for line in _counted(app.names()))
    yield ""


def _counted(names: tuple[str, ...]) -> Iterator[str]:
    """Each run of one name as one line."""
    started = 0
    for place in range(1, len(names) + 1):
        if place == len(names) or names[place] != names[started]:
            times = place - started
            yield names[started] if times == 1 else f"{names[started]} x{times}"
            started = place


@contextmanager
def _quiet(app: CrashSafe[Any]) -> Iterator[None]:
    """Nobody but the app writes to the terminal meanwhile, and a thread that dies takes the app with it.

    What is printed goes where Textual puts it: nowhere. A handler of logging may hold the stream itself.
    """
    disabled = logging.root.manager.disable
    hook, unraisable = threading.excepthook, sys.unraisablehook

    def thread_died(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            app.broke(args.exc_value)

    logging.disable(logging.CRITICAL)
    threading.excepthook, sys.unraisablehook = thread_died, _unsaid
    try:
        yield
    finally:
        logging.disable(disabled)
        threading.excepthook, sys.unraisablehook = hook, unraisable


def _unsaid(args: Any) -> None:
    """An exception in a destructor: there is nobody to tell."""


@contextmanager
def _ended_by_signal(app: CrashSafe[Any]) -> Iterator[None]:
    """A signal ends the app as its key does, so that the terminal is whole; a second one ends it at once."""
    asked = False

    def end(number: int, frame: object) -> None:
        nonlocal asked
        loop = app._loop
        if asked or loop is None:
            raise KeyboardInterrupt
        asked = True
        with suppress(RuntimeError):  # closed: the app is over
            loop.call_soon_threadsafe(app.exit, None, int(ExitCode.INTERRUPTED))

    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), end) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), signal.SIG_DFL if handler is None else handler)


def _say(sentence: str) -> None:
    if sys.__stderr__ is None:
        return
    with suppress(OSError, ValueError):
        sys.__stderr__.write(display(sentence) + "\n")
        sys.__stderr__.flush()
