"""What a connector must be before somebody logs in to it, whichever front door they came through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diagnose.connector import Connector, OAuth2Credential
from diagnose.connector.address import origin_of
from diagnose.errors import UsageError
from diagnose.oauth.store import open_store

__all__ = ["check_store", "to_log_in", "with_client"]


def to_log_in(
    connector: Connector,
    *,
    client_id: str | None = None,
    scope: str | None = None,
    issuer: str | None = None,
) -> tuple[Connector, OAuth2Credential]:
    """The connector of a URL without tokens, its client amended by what is given. Raises UsageError."""
    from diagnose.oauth.callback import redirect_of
    from diagnose.wire.reach import reach_of

    if connector.origin.scheme == "http" and reach_of(connector.origin, ()).own != "loopback":
        raise UsageError(
            "CFG006",
            "a login over plain http hands the token to everybody on the way",
            hint=f"use https://{connector.url.partition('://')[2]}",
        )
    credential = connector.credential
    if credential.type == "none":
        credential = OAuth2Credential()
    if not isinstance(credential, OAuth2Credential):
        raise UsageError(
            "CFG006",
            f"the connector has a credential of the kind {credential.type}, which no login gives",
            hint="leave the credential out, or try it as it is: diagnose run TARGET",
        )
    if redirect_of(credential.redirect_uri) is None:
        raise UsageError(
            "CFG019",
            "the redirect_uri is no place on this machine, so the login could not come back",
            hint='register one such as "http://127.0.0.1:8765/callback" and name it in the connector',
        )
    amended = with_client(credential, client_id=client_id, scope=scope, issuer=issuer)
    return connector.model_copy(update={"credential": amended}), amended


def with_client(credential: OAuth2Credential, **given: str | None) -> OAuth2Credential:
    """The credential without tokens, for the client that is given. Raises UsageError."""
    changes: dict[str, Any] = {name: text for name, text in given.items() if text is not None}
    if "issuer" in changes:
        try:
            origin_of(changes["issuer"])
        except ValueError:
            raise UsageError(
                "CFG006",
                "the issuer is no absolute URL",
                hint="write it as the authorization server names itself, such as https://auth.example.com",
                where="--issuer",
            ) from None
    others = ("client_id", "issuer")
    if any(name in changes and getattr(credential, name) not in (None, changes[name]) for name in others):
        # A secret belongs to its client and its authorization server, and to no other.
        changes |= {"client_secret": None, "private_key": None, "token_endpoint_auth_method": None}
    old = {"access_token": None, "refresh_token": None, "expires_at": None}
    return credential.model_copy(update={**old, **changes})


def check_store(url: str, environ: Mapping[str, str]) -> None:
    """See whether a token can be kept, before the login. It may wait for the keyring. Raises UsageError."""
    with open_store(environ).locked(url):
        pass
