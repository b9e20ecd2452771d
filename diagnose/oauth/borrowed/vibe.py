"""The logins of Mistral Vibe, in the keyring of the operating system (Vibe 3, ``core.auth.mcp_oauth``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from diagnose.errors import UsageError
from diagnose.oauth.borrowed.found import Found, Nothing, json_object, moment_of, text_of
from diagnose.wire.threads import within

if TYPE_CHECKING:
    from diagnose.connector import Connector

__all__ = ["find"]

_SERVICE = "ai.mistral.vibe"
_SECONDS = 10.0
"""A locked keyring asks somebody for its password, and on a server nobody answers."""


def find(connector: Connector, where: str | None, environ: Mapping[str, str]) -> Found | Nothing:
    """The login of the server that Vibe knows under ``where``, else under the connector's name."""
    alias = where or connector.name
    kept = _password(f"mcp-oauth:{alias}:tokens")
    tokens = json_object(kept.encode(), f"keyring, {_SERVICE}") if kept is not None else None
    if text_of(tokens, "access_token") is None or tokens is None:
        return Nothing(
            looked=f"the keyring has nothing for the server named {alias[:60]!r}",
            hint="name the server as Vibe's config.toml does: vibe:NAME",
        )
    client = _password(f"mcp-oauth:{alias}:client_info")
    info = json_object(client.encode(), f"keyring, {_SERVICE}") if client is not None else None
    return Found(
        place=f"Vibe's login for {alias[:60]}, in the keyring",
        tokens=tokens,
        expires_at=moment_of(tokens.get("expires_at")),
        issuer=text_of(info, "issuer"),
        client_id=text_of(info, "client_id"),
    )


def _password(username: str) -> str | None:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        hint = "pip install 'connector-diagnose[keyring]'"
        raise _unreadable("the library that reads it is not installed", hint) from None
    try:
        return within(_SECONDS, lambda: keyring.get_password(_SERVICE, username))
    except TimeoutError:
        raise _unreadable("it did not answer", "unlock the keyring, then run this again") from None
    except keyring.errors.KeyringError as problem:
        hint = "run this where a keyring is unlocked: on a desktop, not over ssh"
        raise _unreadable(type(problem).__name__, hint) from None


def _unreadable(why: str, hint: str) -> UsageError:
    return UsageError("CFG032", f"the keyring cannot be read: {why}", where="--credentials-from", hint=hint)
