"""Credentials: how a connector proves who it is, in the terms of RFC 6749, 6750 and 7617.

A credential says which headers and query parameters it adds; it does not send anything. Whoever sends
them asks :func:`diagnose.connector.model.Connector.authorize` with the target URL and gets nothing for a
foreign origin.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from diagnose.connector.secret import Secret
from diagnose.errors import UsageError

__all__ = [
    "HEADER_NAME",
    "JWT_BEARER",
    "ApiKeyCredential",
    "Applied",
    "AuthMethod",
    "BasicCredential",
    "BearerCredential",
    "Credential",
    "GrantType",
    "HeadersCredential",
    "NoCredential",
    "OAuth2Credential",
    "header_safe",
]

JWT_BEARER: Literal["urn:ietf:params:oauth:grant-type:jwt-bearer"] = (
    "urn:ietf:params:oauth:grant-type:jwt-bearer"
)
"""RFC 7523 2.1: the grant of an identity assertion."""

GrantType = Literal["authorization_code", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"]

AuthMethod = Literal["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
"""How a client shows itself at the token endpoint (RFC 7591 2, OpenID Connect Core 9)."""

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110 5.6.2, token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What a credential adds to a request. The repr hides every value."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: str | None = field(default=None, repr=False)

    def secrets(self) -> tuple[str, ...]:
        """Every string that must not be printed."""
        return (*self.headers.values(), *self.query.values(), *((self.token,) if self.token else ()))


class _Base(BaseModel):
    # defer_build: the union is compiled once, inside the connector, and not for every kind by itself.
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True, defer_build=True
    )

    def apply(self, environ: Mapping[str, str]) -> Applied:
        """Resolve the references and say what is added. Raises UsageError."""
        raise NotImplementedError

    def kept_secrets(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """Secrets that are held and not sent to the endpoint. Raises UsageError for an unset reference."""
        return ()

    def describe(self) -> dict[str, Any]:
        """What may be shown of it: kind, source and expiry, never the value."""
        return {"type": self.type}  # type: ignore[attr-defined]  # every subclass has its discriminator


class NoCredential(_Base):
    """The connector sends none."""

    type: Literal["none"] = "none"

    def apply(self, environ: Mapping[str, str]) -> Applied:
        return Applied()


class BearerCredential(_Base):
    """``Authorization: Bearer <token>`` (RFC 6750 2.1)."""

    type: Literal["bearer"] = "bearer"
    token: Secret

    def apply(self, environ: Mapping[str, str]) -> Applied:
        token = header_safe(self.token.resolve(environ, where="bearer token"), "bearer token")
        return Applied(headers={"Authorization": f"Bearer {token}"}, token=token)

    def describe(self) -> dict[str, Any]:
        return {"type": self.type, "sent_in": "Authorization header", "source": _source(self.token)}


class BasicCredential(_Base):
    """``Authorization: Basic`` with user name and password (RFC 7617)."""

    type: Literal["basic"] = "basic"
    username: str
    password: Secret

    def apply(self, environ: Mapping[str, str]) -> Applied:
        password = self.password.resolve(environ, where="basic password")
        pair = base64.b64encode(f"{self.username}:{password}".encode()).decode()
        return Applied(headers={"Authorization": f"Basic {pair}"}, token=password)

    def describe(self) -> dict[str, Any]:
        return {"type": self.type, "sent_in": "Authorization header", "source": _source(self.password)}


class ApiKeyCredential(_Base):
    """A static key in a header or in the query; the words are those of OpenAPI's ``apiKey``."""

    type: Literal["api_key"] = "api_key"
    name: str
    location: Literal["header", "query"] = Field(default="header", alias="in")
    prefix: str = ""
    value: Secret

    def apply(self, environ: Mapping[str, str]) -> Applied:
        value = header_safe(self.value.resolve(environ, where=f"API key {self.name}"), f"API key {self.name}")
        if self.location == "query":
            return Applied(query={self.name: self.prefix + value}, token=value)
        return Applied(headers={self.name: self.prefix + value}, token=value)

    def describe(self) -> dict[str, Any]:
        return {"type": self.type, "sent_in": f"{self.location} {self.name}", "source": _source(self.value)}


class HeadersCredential(_Base):
    """Any set of static headers that together are the credential."""

    type: Literal["headers"] = "headers"
    headers: dict[str, Secret]

    def apply(self, environ: Mapping[str, str]) -> Applied:
        return Applied(
            headers={
                name: header_safe(value.resolve(environ, where=f"header {name}"), f"header {name}")
                for name, value in self.headers.items()
            }
        )

    def describe(self) -> dict[str, Any]:
        return {"type": self.type, "sent_in": "headers " + ", ".join(sorted(self.headers))}


class OAuth2Credential(_Base):
    """An OAuth credential (RFC 6749): tokens at hand, or the client with which to get them.

    Without an ``access_token`` the tokens are those that ``diagnose login`` stored, or, for a grant that
    needs no person, those that the client gets by itself. ``expires_at`` is absolute: a relative lifetime
    loses its meaning once it is stored. A secret of the client is for ``issuer`` alone, so whoever gives one
    names the issuer as well. A refresh token is never spent by a diagnosis that was not asked to.
    """

    type: Literal["oauth2"] = "oauth2"
    grant_type: GrantType = "authorization_code"
    access_token: Secret | None = None
    token_type: str = "Bearer"
    refresh_token: Secret | None = None
    expires_at: AwareDatetime | None = None
    scope: str | None = None
    issuer: str | None = None
    resource: str | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    private_key: Path | None = None
    signing_algorithm: str = "RS256"
    token_endpoint_auth_method: AuthMethod | None = None
    client_id_metadata_url: str | None = None
    redirect_uri: str | None = None
    assertion: Secret | None = None
    _kept_in: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _complete(self) -> OAuth2Credential:
        for missing, why, hint in self._gaps():
            if missing:
                raise UsageError("CFG019", why, where="credential", hint=hint)
        return self

    def _gaps(self) -> tuple[tuple[bool, str, str], ...]:
        alone = self.grant_type != "authorization_code"
        by_key = self.token_endpoint_auth_method == "private_key_jwt"
        secret = bool(self.client_secret or self.private_key or self.assertion)
        return (
            (
                alone and self.client_id is None,
                f"the grant {self.grant_type} has no client_id",
                'add "client_id", as the authorization server knows it',
            ),
            (
                self.grant_type == "client_credentials" and not (self.client_secret or self.private_key),
                "the grant client_credentials has no secret of the client",
                'add "client_secret": "${env:NAME}", or "private_key": "key.pem"',
            ),
            (
                self.grant_type == JWT_BEARER and self.assertion is None,
                f"the grant {JWT_BEARER} has no assertion",
                'add "assertion": "${env:NAME}", the identity assertion for this authorization server',
            ),
            (
                secret and self.issuer is None,
                "there is a secret, and no issuer that it is for",
                'add "issuer", the authorization server that may see it',
            ),
            (
                by_key and self.private_key is None,
                "private_key_jwt has no private_key",
                'add "private_key": "key.pem"',
            ),
        )

    def kept_in(self, place: str) -> OAuth2Credential:
        """The same credential, whose tokens come from ``place``: what reports name as their source."""
        copied = self.model_copy()
        copied._kept_in = place
        return copied

    @property
    def needs_person(self) -> bool:
        """Whether new tokens need somebody who logs in."""
        return self.grant_type == "authorization_code"

    def apply(self, environ: Mapping[str, str]) -> Applied:
        if self.access_token is None:
            return Applied()
        token = header_safe(self.access_token.resolve(environ, where="access token"), "access token")
        return Applied(headers={"Authorization": f"{self.token_type} {token}"}, token=token)

    def kept_secrets(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        kept = (
            (self.refresh_token, "refresh token"),
            (self.client_secret, "client secret"),
            (self.assertion, "assertion"),
        )
        return tuple(value.resolve(environ, where=where) for value, where in kept if value is not None)

    def describe(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"type": self.type, "grant_type": self.grant_type}
        if self.access_token is not None:
            shown["sent_in"] = "Authorization header"
            shown["source"] = self._kept_in or _source(self.access_token)
            shown["has_refresh_token"] = self.refresh_token is not None
        if self.client_id is not None:
            shown["client_id"] = self.client_id
        if self.expires_at is not None:
            shown["expires_at"] = self.expires_at.astimezone(UTC).isoformat()
        return shown


Credential = Annotated[
    NoCredential
    | BearerCredential
    | BasicCredential
    | ApiKeyCredential
    | HeadersCredential
    | OAuth2Credential,
    Field(discriminator="type"),
]


def header_safe(value: str, where: str) -> str:
    """``value`` as it may stand in a header. Raises UsageError CFG007, without quoting the value."""
    if value != value.strip() or any((ord(char) < 0x20) or ord(char) == 0x7F for char in value):
        raise UsageError(
            "CFG007",
            "the value has white space, a line break or a control character in or around it",
            where=where,
            hint="remove it; a token copied from a file often ends in a newline: use $(tr -d '\\n' < FILE)",
        )
    if not value.isascii():
        raise UsageError(
            "CFG007",
            "the value has a character outside ASCII, which no HTTP header may carry",
            where=where,
            hint="copy it again from its source; an editor that curled quotes or dashes is the usual cause",
        )
    return value


def _source(secret: Secret) -> str:
    names = secret.references
    return "environment " + ", ".join(names) if names else "literal"
