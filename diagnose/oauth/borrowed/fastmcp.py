"""The store of FastMCP: the one of its command line, or the folder that a program gave it.

FastMCP 4 keeps tokens in a py-key-value store under ``{server_url}/tokens``; on disk that is a FileTreeStore.
Its command line encrypts the values with ``FASTMCP_OAUTH_ENCRYPTION_KEY`` and keeps nothing without it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnose.errors import UsageError
from diagnose.oauth.borrowed.found import Found, Nothing, json_object, moment_of, read_object, text_of

if TYPE_CHECKING:
    from diagnose.connector import Connector

__all__ = ["find"]

_KEY = "FASTMCP_OAUTH_ENCRYPTION_KEY"
_ENCRYPTED = "__encrypted_data__"
_OTHERS = re.compile(r"[^A-Za-z0-9_]+")
_LONGEST_NAME = 250


def find(connector: Connector, where: str | None, environ: Mapping[str, str]) -> Found | Nothing:
    """The login that FastMCP has for the connector's URL. Raises UsageError CFG032."""
    folder = Path(where).expanduser() if where is not None else _own_folder(environ)
    if folder is None:
        return Nothing(
            looked=f"its command line keeps logins only where {_KEY} is set, and it is not",
            hint=f"set {_KEY} to the key it was started with, or name the folder that your program gives "
            "to FileTreeStore: fastmcp:DIRECTORY",
        )
    server = connector.url.rstrip("/")
    tokens, path = _entry(folder, "mcp-oauth-token", f"{server}/tokens", environ)
    if text_of(tokens, "access_token") is None or tokens is None:
        return Nothing(
            looked=f"nothing is under {server}/tokens in {folder}",
            hint="log in with FastMCP for this very URL, or name its folder: fastmcp:DIRECTORY",
        )
    client, _ = _entry(folder, "mcp-oauth-client-info", f"{server}/client_info", environ)
    ends, _ = _entry(folder, "mcp-oauth-token-expiry", f"{server}/token_expiry", environ)
    return Found(
        place=f"the store of FastMCP, {path}",
        tokens=tokens,
        expires_at=moment_of((ends or {}).get("expires_at")),
        issuer=text_of(client, "issuer"),
        client_id=text_of(client, "client_id"),
    )


def _own_folder(environ: Mapping[str, str]) -> Path | None:
    from platformdirs import user_data_path

    key = environ.get(_KEY)
    if not key:
        return None
    home = environ.get("FASTMCP_HOME")
    base = Path(home) if home else user_data_path("fastmcp", appauthor=False)
    return base / "cli-oauth" / hashlib.sha256(key.encode()).hexdigest()[:12]


def _entry(
    folder: Path, collection: str, key: str, environ: Mapping[str, str]
) -> tuple[Mapping[str, Any] | None, Path]:
    """The value under ``key``, decrypted where it is encrypted, and its file."""
    path = folder
    for path in _places(folder, collection, key):
        kept = read_object(path)
        value = (kept or {}).get("value")
        if isinstance(value, Mapping):
            return _plain(value, path, environ), path
    return None, path


def _places(folder: Path, collection: str, key: str) -> Iterator[Path]:
    yield folder / _sanitised(collection) / f"{_sanitised(key)}.json"
    yield folder / collection / f"{_sanitised(key)}.json"


def _sanitised(name: str) -> str:
    """py-key-value, FileTreeV1KeySanitizationStrategy: other characters replaced, and a hash."""
    replaced = _OTHERS.sub("_", name)
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    room = _LONGEST_NAME - len("S_") - len(digest) - 1
    return f"S_{replaced[:room]}-{digest}"


def _plain(value: Mapping[str, Any], path: Path, environ: Mapping[str, str]) -> Mapping[str, Any]:
    sealed = value.get(_ENCRYPTED)
    if not isinstance(sealed, str):
        return value
    from cryptography.fernet import Fernet, InvalidToken

    key = environ.get(_KEY, "")
    try:
        opened = Fernet(key.encode()).decrypt(base64.b64decode(sealed, validate=True))
    except (InvalidToken, ValueError, binascii.Error):
        raise UsageError(
            "CFG032",
            "the store is encrypted and the key does not open it" if key else "the store is encrypted",
            where=str(path),
            hint=f"set {_KEY} to the key that FastMCP was started with",
        ) from None
    return json_object(opened, str(path))
