"""With which client id this connector's client would begin a login, and what may prove it is that client."""

from __future__ import annotations

from typing import Literal

from diagnose.connector import OAuth2Credential
from diagnose.context import Context
from diagnose.records import record
from diagnose_checks.discovery_urls import canonical

__all__ = ["Identity", "identity_of"]

Source = Literal["connector", "stored login", "client ID metadata document", "registration of this run"]


@record
class Identity:
    """A client id and where it comes from. ``redirect_uri`` is None where nothing names one.

    ``authenticates`` says that the token endpoint's word on this client counts: it is a public client, or
    the connector configures its secret for this issuer.
    """

    client_id: str
    source: Source
    redirect_uri: str | None = None
    authenticates: bool = True
    registered: bool = False
    """It came from dynamic registration, which a server may forget."""

    @property
    def named(self) -> str:
        return f"the client id of the {self.source}"


def identity_of(ctx: Context, issuer: str, *, documents: bool) -> Identity | str:
    """The client id for ``issuer``, or why there is none. ``documents``: CIMD is supported there."""
    credential, login = ctx.connector.credential, ctx.login
    if not isinstance(credential, OAuth2Credential):
        return "the connector has no OAuth credential, so no client id"
    if not credential.needs_person:
        return f"the client asks by itself ({credential.grant_type}), and nobody logs in"
    url = credential.client_id_metadata_url
    # A client ID metadata document is no secret shared with one server: the same URL goes to every one.
    portable = url is not None and credential.client_id in (None, url)
    if credential.issuer is not None and not portable and canonical(credential.issuer) != canonical(issuer):
        return f"the connector's credential is for {credential.issuer}, not for {issuer}"
    stored = login if login is not None and login.issuer == issuer else None
    redirect = credential.redirect_uri or (stored.redirect_uri if stored is not None else None)
    if stored is not None and credential.client_id in (None, stored.client_id):
        return Identity(
            client_id=stored.client_id,
            source="stored login",
            redirect_uri=redirect,
            authenticates=stored.token_endpoint_auth_method == "none" or credential.client_secret is not None,
            registered=stored.registration == "dynamic",
        )
    if credential.client_id is not None:
        return Identity(client_id=credential.client_id, source="connector", redirect_uri=redirect)
    if url is not None and documents:
        return Identity(client_id=url, source="client ID metadata document", redirect_uri=redirect)
    return "no client id is configured, stored or registered"
