"""What a store of another program holds, and the bounded reading of its files."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diagnose.connector.credential import OAuth2Credential
from diagnose.connector.secret import Secret
from diagnose.errors import UsageError
from diagnose.records import record
from diagnose.wire.strict_json import HostileJson, parse

__all__ = ["Found", "Nothing", "json_object", "moment_of", "read_object", "text_of"]

_LARGEST = 1024 * 1024


@record
class Nothing:
    """Where was looked, and what to do instead."""

    looked: str
    hint: str


@record
class Found:
    """Tokens in the words of RFC 6749 5.1, and the place they were read from."""

    place: str
    tokens: Mapping[str, Any]
    expires_at: datetime | None = None
    issuer: str | None = None
    client_id: str | None = None

    def credential(self) -> OAuth2Credential:
        """The tokens as a credential that says where they come from."""
        refresh = text_of(self.tokens, "refresh_token")
        return OAuth2Credential(
            access_token=Secret.literal(str(self.tokens["access_token"])),
            token_type=_scheme(text_of(self.tokens, "token_type")),
            refresh_token=Secret.literal(refresh) if refresh else None,
            expires_at=self.expires_at,
            scope=text_of(self.tokens, "scope"),
            issuer=self.issuer,
            client_id=self.client_id,
        ).kept_in(self.place)


def _scheme(token_type: str | None) -> str:
    # RFC 6749 5.1: the type has no case; clients send the registered spelling.
    return "Bearer" if token_type is None or token_type.lower() == "bearer" else token_type


def text_of(value: Mapping[str, Any] | None, name: str) -> str | None:
    """The member ``name`` where it is text that is not empty."""
    found = (value or {}).get(name)
    return found if isinstance(found, str) and found else None


def moment_of(seconds: object) -> datetime | None:
    """A time in seconds since 1970, or None where it is no time."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def read_object(path: Path) -> Mapping[str, Any] | None:
    """The JSON object in a file; None where there is no file.

    Raises UsageError CFG032 for one that cannot be read or holds something else, without quoting it.
    """
    try:
        kept = path.stat()
        if not stat.S_ISREG(kept.st_mode):
            raise _unreadable(path, "it is no regular file")
        if kept.st_size > _LARGEST:
            raise _unreadable(path, f"it is larger than {_LARGEST // 1024} KiB")
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise _unreadable(path, problem.strerror or type(problem).__name__) from problem
    return json_object(raw, str(path))


def json_object(raw: bytes, place: str) -> Mapping[str, Any]:
    """The JSON object in ``raw``. Raises UsageError CFG032, without quoting anything of it."""
    try:
        value = parse(raw).value
    except HostileJson:
        raise _unreadable(place, "it holds no JSON") from None
    if not isinstance(value, Mapping):
        raise _unreadable(place, "it holds no JSON object")
    return value


def _unreadable(place: Path | str, why: str) -> UsageError:
    return UsageError(
        "CFG032",
        f"the store cannot be read: {why}",
        where=str(place),
        hint="log in again with the program that keeps it, or give the token yourself: --bearer-env TOKEN",
    )
