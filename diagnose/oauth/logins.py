"""Which stored login a connector uses: its own URL's, at its own issuer, for its own client."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING

from diagnose.connector import Connector, OAuth2Credential
from diagnose.errors import UsageError
from diagnose.oauth.store import LoginStore, open_store

if TYPE_CHECKING:
    from diagnose.oauth.record import StoredLogin

__all__ = ["filled_in", "login_missing", "wants_login", "with_login"]


def wants_login(connector: Connector) -> bool:
    """Whether the tokens of ``connector`` are those of a stored login."""
    credential = connector.credential
    return (
        isinstance(credential, OAuth2Credential)
        and credential.access_token is None
        and credential.needs_person
    )


def with_login(
    connector: Connector, environ: Mapping[str, str], store: LoginStore | None = None
) -> tuple[Connector, StoredLogin | None]:
    """``connector`` with the tokens of its stored login, and that login; as it was where there is none.

    May wait for a disk or a keyring. Raises UsageError CFG020, CFG021 or CFG024 for a login that is there
    and cannot be used.
    """
    credential = connector.credential
    if not wants_login(connector) or not isinstance(credential, OAuth2Credential):
        return connector, None
    store = store or open_store(environ)
    login = store.find(connector.url, credential.issuer)
    if login is None or credential.client_id not in (None, login.client_id):
        return connector, None
    return filled_in(connector, login, store.place(login)), login


def filled_in(connector: Connector, login: StoredLogin, place: str) -> Connector:
    """``connector`` with the tokens of ``login``, which reports name by day and ``place``."""
    assert isinstance(connector.credential, OAuth2Credential)
    day = (login.renewed_at or login.obtained_at).astimezone(UTC)
    word = "stored" if login.renewed_at is None else "renewed"
    source = f"the login {word} on {day:%Y-%m-%d at %H:%M} UTC, in {place}"
    filled = login.filled_in(connector.credential, source)
    return connector.model_copy(update={"credential": filled})


def login_missing(connector: Connector, why: str | None = None) -> UsageError:
    """The refusal to open a session without a login; ``why`` says what became of the one that there was."""
    issuer = getattr(connector.credential, "issuer", None)
    at = f" --issuer {issuer}" if issuer else ""
    return UsageError(
        "CFG022",
        why or "the connector needs a login, and none is stored",
        where=connector.name,
        hint=f"log in first: diagnose login {connector.url}{at}",
    )
