"""The system's keyring, where there is one: imported when it is used, and never waited for without end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from diagnose.errors import UsageError

__all__ = ["KeyringUnavailable", "LoginKeyring", "open_keyring"]

_T = TypeVar("_T")
_SERVICE = "connector-diagnose"
_DEADLINE = 15.0  # seconds; somebody may have to type the password of the keyring
_GOOD = 1.0  # keyring's own measure of a backend that it recommends
_UNUSABLE = ("keyring.backends.fail", "keyring.backends.null")


class KeyringUnavailable(Exception):
    """The keyring did not do it; the text says why and quotes nothing."""


class LoginKeyring:
    """One backend of the package ``keyring``; every call is bounded."""

    def __init__(self, backend: Any, deadline: float = _DEADLINE) -> None:
        self._backend = backend
        self._deadline = deadline
        self.name = str(getattr(backend, "name", type(backend).__name__))

    def get(self, account: str) -> str | None:
        """What is kept for ``account``. Raises KeyringUnavailable."""
        found = self._call(lambda: self._backend.get_password(_SERVICE, account))
        return found if isinstance(found, str) else None

    def put(self, account: str, text: str) -> None:
        """Keep ``text``. Raises KeyringUnavailable, also where the backend does not give back what it got."""
        self._call(lambda: self._backend.set_password(_SERVICE, account, text))
        if self.get(account) != text:
            raise KeyringUnavailable(f"{self.name} does not keep what it is given")

    def delete(self, account: str) -> None:
        """Forget ``account``. Raises KeyringUnavailable."""
        if self.get(account) is not None:
            self._call(lambda: self._backend.delete_password(_SERVICE, account))

    def _call(self, work: Callable[[], _T]) -> _T:
        return _bounded(work, self._deadline, self.name)


def open_keyring(environ: Mapping[str, str], deadline: float = _DEADLINE) -> LoginKeyring | None:
    """The keyring of this machine, or None where it has none that is fit for a secret.

    ``DIAGNOSE_KEYRING=off`` leaves it alone. Raises UsageError CFG006 for another word than on, off or auto.
    """
    wanted = environ.get("DIAGNOSE_KEYRING", "").strip().lower() or "auto"
    if wanted not in ("auto", "on", "off"):
        raise UsageError(
            "CFG006",
            f"{wanted[:40]!r} is not known",
            where="DIAGNOSE_KEYRING",
            hint="it takes one of auto, on, off",
        )
    if wanted == "off":
        return None
    try:
        # On Linux the import itself talks to the desktop's bus, and can hang there.
        backend = _bounded(_backend, deadline, "the keyring")
    except KeyringUnavailable:
        return None
    return LoginKeyring(backend, deadline) if backend is not None else None


def _backend() -> Any:
    try:
        import keyring
    except ImportError:  # the extra is not installed
        return None
    backend = keyring.get_keyring()
    if type(backend).__module__ in _UNUSABLE:
        return None
    # One that somebody chose is taken as it is; one that was found must be better than a file of mode 0600.
    if os.environ.get("PYTHON_KEYRING_BACKEND"):
        return backend
    return backend if backend.priority >= _GOOD else None


def _bounded(work: Callable[[], _T], seconds: float, name: str) -> _T:
    outcome: list[_T] = []
    problems: list[Exception] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as problem:  # a backend is anybody's code, and its texts may quote what it was given
            problems.append(problem)

    thread = threading.Thread(target=run, daemon=True, name="diagnose-keyring")
    thread.start()
    thread.join(seconds)
    if problems:
        raise KeyringUnavailable(f"{name} failed ({type(problems[0]).__name__})")
    if not outcome:
        raise KeyringUnavailable(f"{name} gave no answer within {seconds:.0f} s")
    return outcome[0]
