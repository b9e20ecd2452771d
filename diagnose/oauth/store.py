"""Where logins are kept: one private file for each, its secrets in the system's keyring where there is one.

A login belongs to a pair: the URL of the MCP server and the issuer of its tokens. A look-up where nothing is
stored costs one call to the operating system and no import.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from diagnose.connector.address import origin_of
from diagnose.errors import UsageError
from diagnose.oauth.private_files import (
    check_folder,
    delete_private,
    make_folder,
    read_private,
    write_private,
)
from diagnose.records import record

if TYPE_CHECKING:
    from filelock import FileLock

    from diagnose.oauth.login_keyring import LoginKeyring
    from diagnose.oauth.record import StoredLogin

__all__ = ["LoginStore", "canonical_resource", "open_store", "state_folder"]

_SECRETS = frozenset({"access_token", "refresh_token", "client_secret"})
_WAIT = 30.0  # seconds for a lock; whoever holds it makes one request with a deadline of its own
_POLL = 0.05

_Kept = Literal["file", "keyring"]


@record
class _Entry:
    login: StoredLogin
    kept: _Kept


def canonical_resource(url: str) -> str:
    """The URL as the key of its login: case of the host, default port and fragment do not count."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{origin_of(url)}{parts.path or '/'}{query}"


def state_folder(environ: Mapping[str, str]) -> Path | None:
    """``DIAGNOSE_STATE_DIR``, or the user's folder for state; None for a user without a home.

    The places are those of platformdirs, which takes longer to import than a look-up may cost and which
    reads the process's environment instead of the one that it is given.
    """
    own = environ.get("DIAGNOSE_STATE_DIR", "").strip()
    if own:
        return Path(own).absolute()
    application = "connector-diagnose"
    if sys.platform == "win32":
        local = environ.get("LOCALAPPDATA") or os.environ.get("LOCALAPPDATA")
        return Path(local, application, application) if local else None
    named = environ.get("XDG_STATE_HOME", "").strip()
    if named.startswith("/"):  # a relative one is to be ignored (XDG Base Directory Specification)
        return Path(named, application)
    try:
        home = Path(environ.get("HOME") or Path.home())
    except RuntimeError:
        return None
    places = (".local", "state") if sys.platform != "darwin" else ("Library", "Application Support")
    return home.joinpath(*places, application)


def open_store(environ: Mapping[str, str]) -> LoginStore:
    """The store of this user. Opening it touches no file."""
    folder = state_folder(environ)
    return LoginStore(folder / "logins" if folder is not None else None, environ)


class LoginStore:
    """The logins of one user. Every method may wait for a disk or a keyring: call it off the event loop.

    Raises UsageError: CFG020 for a file or folder that is open to others, CFG021 for one that is broken,
    CFG023 where nothing can be written, CFG024 where the keyring does not give a secret back.
    """

    def __init__(self, folder: Path | None, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ

    def holds(self, resource_url: str) -> bool:
        """Whether a login for ``resource_url`` is stored, without reading it."""
        return bool(self._paths(resource_url, None))

    def find(self, resource_url: str, issuer: str | None = None) -> StoredLogin | None:
        """The login for ``resource_url``, at ``issuer`` if one is named, else the newest."""
        found = self.logins_for(resource_url, issuer)
        return max(found, key=lambda login: login.renewed_at or login.obtained_at, default=None)

    def logins_for(self, resource_url: str, issuer: str | None = None) -> tuple[StoredLogin, ...]:
        """Every login for ``resource_url``, at ``issuer`` if one is named."""
        return tuple(self._read(path).login for path in self._paths(resource_url, issuer))

    def all(self) -> tuple[StoredLogin, ...]:
        """Every login, ordered by resource and issuer."""
        found = [self._read(path).login for path in self._listed("")]
        return tuple(sorted(found, key=lambda login: (login.resource_url, login.issuer)))

    def put(self, login: StoredLogin) -> str:
        """Keep ``login`` in place of an earlier one, under its lock, and say where."""
        with self.locked(login.resource_url):
            return self._write(login, self._keyring())

    def rewrite(self, login: StoredLogin) -> str:
        """Keep a changed ``login`` where it is kept already. Hold :meth:`locked` meanwhile."""
        return self._write(login, self._keyring() if self._kept(login) == "keyring" else None)

    def remove(self, resource_url: str, issuer: str | None = None) -> tuple[StoredLogin, ...]:
        """Forget the logins for ``resource_url``, under their lock, and give what was forgotten."""
        if not self._paths(resource_url, issuer):
            return ()
        gone: list[StoredLogin] = []
        with self.locked(resource_url):
            for path in self._paths(resource_url, issuer):
                entry = self._read(path)
                if entry.kept == "keyring":
                    self._forget(path)
                delete_private(path)
                gone.append(entry.login)
        return tuple(gone)

    def place(self, login: StoredLogin) -> str:
        """Where ``login`` is kept, in words."""
        if self._kept(login) == "keyring":
            return "the system's keyring"
        return f"the file {self._path(login.resource_url, login.issuer)}"

    @contextmanager
    def locked(self, resource_url: str) -> Iterator[None]:
        """Keep every other process from renewing or replacing the logins for ``resource_url``.

        It is not reentrant, and does not keep readers out. Raises UsageError CFG023 after 30 s.
        """
        lock, until = self._lock(resource_url), time.monotonic() + _WAIT
        while not _taken(lock):
            if time.monotonic() > until:
                raise _busy(lock)
            time.sleep(_POLL)
        try:
            yield
        finally:
            lock.release()

    @asynccontextmanager
    async def locked_async(self, resource_url: str) -> AsyncIterator[None]:
        """:meth:`locked` for the event loop, which goes on while this waits."""
        import anyio

        lock, until = self._lock(resource_url), time.monotonic() + _WAIT
        while not _taken(lock):
            if time.monotonic() > until:
                raise _busy(lock)
            await anyio.sleep(_POLL)
        try:
            yield
        finally:
            lock.release()

    def _lock(self, resource_url: str) -> FileLock:
        from filelock import FileLock

        folder = self._writable()
        make_folder(folder)
        path = folder / f"{_digest(canonical_resource(resource_url), 32)}.lock"
        return FileLock(path, mode=0o600, thread_local=False)

    def _writable(self) -> Path:
        if self._folder is None:
            raise UsageError(
                "CFG023",
                "the login cannot be stored: this user has no home directory",
                hint="set DIAGNOSE_STATE_DIR to a folder of your own",
            )
        return self._folder

    def _path(self, resource_url: str, issuer: str) -> Path:
        return self._writable() / f"{_stem(resource_url, issuer)}.json"

    def _paths(self, resource_url: str, issuer: str | None) -> tuple[Path, ...]:
        if issuer is None:
            return self._listed(_digest(canonical_resource(resource_url), 32) + "-")
        return self._listed(_stem(resource_url, issuer) + ".")

    def _listed(self, prefix: str) -> tuple[Path, ...]:
        if self._folder is None:
            return ()
        try:
            names = [path.name for path in self._folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError:
            names = []  # the check of the folder says what is wrong with it
        check_folder(self._folder)
        wanted = (name for name in names if name.startswith(prefix) and name.endswith(".json"))
        return tuple(self._folder / name for name in sorted(wanted) if not name.startswith("."))

    def _kept(self, login: StoredLogin) -> _Kept:
        content = read_private(self._path(login.resource_url, login.issuer))
        return _index(content)[1] if content is not None else "file"

    def _read(self, path: Path) -> _Entry:
        content = read_private(path)
        document, kept = _index(content or b"")
        if kept == "keyring":
            document = self._from_keyring(path)
        login = _login(document)
        if login is None or _stem(login.resource_url, login.issuer) != path.stem:
            raise UsageError(
                "CFG021",
                "the stored login cannot be read: it is damaged, or of another version",
                where=str(path),
                hint=f"remove it and log in again: rm {path}",
            )
        return _Entry(login=login, kept=kept)

    def _write(self, login: StoredLogin, keyring: LoginKeyring | None) -> str:
        from diagnose.oauth.login_keyring import KeyringUnavailable

        path = self._path(login.resource_url, login.issuer)
        before = read_private(path)
        whole = login.model_dump(mode="json", exclude_none=True)
        if keyring is not None:
            with suppress(KeyringUnavailable):  # the file is the second best place, and it does not fail
                keyring.put(self._account(path), json.dumps(whole))
                shown = {name: value for name, value in whole.items() if name not in _SECRETS}
                write_private(path, _written({**shown, "kept_in": "keyring"}))
                return f"the system's keyring ({keyring.name})"
        write_private(path, _written(whole))
        if before is not None and _index(before)[1] == "keyring":
            with suppress(UsageError):
                self._forget(path)
        return f"the file {path}"

    def _keyring(self) -> LoginKeyring | None:
        from diagnose.oauth.login_keyring import open_keyring

        return open_keyring(self._environ)

    def _from_keyring(self, path: Path) -> bytes:
        from diagnose.oauth.login_keyring import KeyringUnavailable

        keyring = self._keyring()
        if keyring is None:
            raise _no_keyring(path, "there is no keyring that can be used here")
        try:
            text = keyring.get(self._account(path))
        except KeyringUnavailable as problem:
            raise _no_keyring(path, str(problem)) from problem
        if text is None:
            raise _no_keyring(path, f"{keyring.name} has no such entry")
        return text.encode()

    def _forget(self, path: Path) -> None:
        from diagnose.oauth.login_keyring import KeyringUnavailable

        keyring = self._keyring()
        if keyring is None:
            raise _no_keyring(path, "there is no keyring that can be used here")
        try:
            keyring.delete(self._account(path))
        except KeyringUnavailable as problem:
            raise _no_keyring(path, str(problem)) from problem

    def _account(self, path: Path) -> str:
        # A keyring is one for all state folders of a user.
        return f"{path.stem}@{_digest(str(path.parent), 8)}"


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:length]


def _stem(resource_url: str, issuer: str) -> str:
    # Hashes, because a URL can be longer than a file name and can hold a key.
    return f"{_digest(canonical_resource(resource_url), 32)}-{_digest(issuer, 32)}"


def _written(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"


def _index(content: bytes) -> tuple[bytes, _Kept]:
    """What a file holds, and where it says that the login itself is."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return content, "file"
    in_keyring = isinstance(document, dict) and document.get("kept_in") == "keyring"
    return content, "keyring" if in_keyring else "file"


def _login(content: bytes) -> StoredLogin | None:
    from pydantic import ValidationError

    from diagnose.oauth.record import StoredLogin

    try:
        return StoredLogin.model_validate_json(content)
    except ValidationError:
        return None


def _taken(lock: FileLock) -> bool:
    from filelock import Timeout

    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    except OSError as problem:
        raise UsageError(
            "CFG023",
            f"the login cannot be locked: {problem.strerror or type(problem).__name__}",
            where=str(lock.lock_file),
            hint="make the folder writable, or set DIAGNOSE_STATE_DIR to one that is",
        ) from problem
    return True


def _busy(lock: FileLock) -> UsageError:
    return UsageError(
        "CFG023",
        f"another process has held the login for {_WAIT:.0f} s",
        where=str(lock.lock_file),
        hint="end that process, or try again once it is done",
    )


def _no_keyring(path: Path, why: str) -> UsageError:
    return UsageError(
        "CFG024",
        f"the login is in the keyring, which does not give it: {why}",
        where=str(path),
        hint=f"unlock the keyring; or remove the entry and log in again: rm {path}",
    )
