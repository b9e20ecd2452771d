"""One stored login: the tokens, and everything that using and renewing them takes.

The expiry is absolute and the token endpoint is the recorded one: a lifetime that is stored as seconds has no
meaning the next day, and a refresh token that is sent to a guessed endpoint is a leaked one.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from diagnose.connector.credential import AuthMethod, OAuth2Credential
from diagnose.connector.secret import Secret

__all__ = ["RefreshRefusal", "Registration", "StoredLogin"]

Registration = Literal["configured", "client_id_metadata_document", "dynamic"]
"""How the client got its id (MCP authorization, client registration)."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, defer_build=True)


class RefreshRefusal(_Record):
    """What the token endpoint said when the refresh token was last spent in vain (RFC 6749 5.2)."""

    at: AwareDatetime
    error: str
    description: str | None = None
    raced: bool = False
    """Another holder spent it first: what was kept had changed meanwhile, or the server says so."""


class StoredLogin(_Record):
    """A login to one MCP server at one authorization server.

    ``resource_url`` is the URL of the connector, ``resource`` the value of the RFC 8707 parameter that was
    sent. Plain values, because this is what is written; the store's file is readable by its owner alone.
    """

    version: Literal[1] = 1
    resource_url: str
    issuer: str
    token_endpoint: str
    revocation_endpoint: str | None = None
    client_id: str
    client_secret: str | None = Field(default=None, repr=False)
    client_secret_expires_at: AwareDatetime | None = None
    token_endpoint_auth_method: AuthMethod = "none"
    registration: Registration = "configured"
    redirect_uri: str | None = None
    resource: str | None = None
    scope: str | None = None
    access_token: str = Field(repr=False)
    token_type: str = "Bearer"
    refresh_token: str | None = Field(default=None, repr=False)
    expires_at: AwareDatetime | None = None
    obtained_at: AwareDatetime
    renewed_at: AwareDatetime | None = None
    refusal: RefreshRefusal | None = None

    def secrets(self) -> tuple[str, ...]:
        """Every value that must not be printed."""
        kept = (self.access_token, self.refresh_token, self.client_secret)
        return tuple(value for value in kept if value)

    def filled_in(self, credential: OAuth2Credential, place: str) -> OAuth2Credential:
        """``credential`` with the tokens of this login; ``place`` is what reports name as their source."""
        tokens = {
            "access_token": Secret.literal(self.access_token),
            "token_type": self.token_type,
            "refresh_token": Secret.literal(self.refresh_token) if self.refresh_token else None,
            "expires_at": self.expires_at,
            "scope": self.scope,
            "issuer": credential.issuer or self.issuer,
            "client_id": credential.client_id or self.client_id,
        }
        return credential.model_copy(update=tokens).kept_in(place)
