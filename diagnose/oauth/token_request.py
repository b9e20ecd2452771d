"""The request to a token endpoint and its answer, as values: nothing here sends, waits or reads a file."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

from diagnose.records import record
from diagnose.wire.strict_json import HostileJson, parse

if TYPE_CHECKING:
    from diagnose.connector.credential import AuthMethod

__all__ = [
    "LARGEST_ANSWER",
    "ClientUnusable",
    "TokenAnswer",
    "TokenClient",
    "TokenError",
    "TokenRequest",
    "read_token_answer",
    "token_request",
]

LARGEST_ANSWER = 256 * 1024
"""Bytes of a token endpoint's answer that are read; real ones have a few thousand."""

_ASSERTION_LIFETIME = timedelta(seconds=60)
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 2.2
_LONGEST_LIFETIME = 100 * 366 * 86_400  # seconds; beyond it no date can be written down
_LONGEST_TEXT = 500
_TOKEN = re.compile(r"[\x21-\x7e]+")  # RFC 6749 A.12 allows a space, which no header can carry at its end
_TOKEN_TYPE = re.compile(r"[A-Za-z0-9._~+/-]{1,60}")


class ClientUnusable(ValueError):
    """The client cannot show itself to the authorization server; the text says what is missing."""


@record
class TokenClient:
    """A client and the way in which it shows itself at a token endpoint (RFC 6749 2.3).

    ``private_key`` is the text of a PEM file; ``issuer`` is the audience of what it signs.
    """

    client_id: str
    client_secret: str | None = None
    private_key: str | None = None
    signing_algorithm: str = "RS256"
    method: AuthMethod = "none"
    issuer: str | None = None


@record
class TokenRequest:
    """A POST to a token endpoint."""

    url: str
    headers: Mapping[str, str]
    form: Mapping[str, str]

    @property
    def body(self) -> bytes:
        """The form as it is sent (RFC 6749 B)."""
        return urlencode(self.form).encode()

    def secrets(self) -> tuple[str, ...]:
        """Every value that must not be printed."""
        named = ("client_secret", "client_assertion", "assertion", "refresh_token", "code", "code_verifier")
        kept = [self.form[name] for name in named if self.form.get(name)]
        authorization = self.headers.get("Authorization")
        return (*kept, *((authorization,) if authorization else ()))


@record
class TokenAnswer:
    """A token response that can be used (RFC 6749 5.1). ``expires_in`` is in seconds.

    Faults that a client can live with (a missing ``token_type``, a lifetime in quotes) are mended here and
    left to see in ``document``.
    """

    access_token: str
    token_type: str
    expires_in: int | None = None
    refresh_token: str | None = None
    scope: str | None = None
    document: Mapping[str, Any] = field(default_factory=dict)

    def expires_at(self, now: datetime) -> datetime | None:
        """When the access token ends, if the answer says it."""
        return now + timedelta(seconds=self.expires_in) if self.expires_in is not None else None

    def secrets(self) -> tuple[str, ...]:
        """Every value that must not be printed."""
        kept = (self.access_token, self.refresh_token, self.document.get("id_token"))
        return tuple(value for value in kept if isinstance(value, str) and value)


@record
class TokenError:
    """No token: the ``error`` of RFC 6749 5.2, or None with a ``detail`` that says what came instead."""

    status: int
    detail: str
    error: str | None = None
    description: str | None = None

    @property
    def refused(self) -> bool:
        """Whether the authorization server decided so; otherwise it failed, and may answer another time."""
        return self.error is not None and self.status < 500 and self.status != 429


def token_request(
    endpoint: str, *, grant: Mapping[str, str], client: TokenClient, now: datetime | None = None
) -> TokenRequest:
    """The request with which ``client`` asks ``endpoint`` for a token. Raises ClientUnusable.

    ``grant`` are the parameters of the grant, ``grant_type`` among them; empty ones are left out.
    """
    form = {name: value for name, value in grant.items() if value}
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    if client.method == "client_secret_basic":
        # RFC 6749 2.3.1: both are form-encoded before they are joined, so that a colon stays one.
        pair = f"{quote_plus(client.client_id)}:{quote_plus(_secret_of(client))}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        return TokenRequest(url=endpoint, headers=headers, form=form)
    form["client_id"] = client.client_id
    if client.method == "client_secret_post":
        form["client_secret"] = _secret_of(client)
    elif client.method == "private_key_jwt":
        form["client_assertion_type"] = _ASSERTION_TYPE
        form["client_assertion"] = _signed(client, client.issuer or endpoint, now or datetime.now(UTC))
    return TokenRequest(url=endpoint, headers=headers, form=form)


def read_token_answer(status: int, headers: Mapping[str, str], body: bytes) -> TokenAnswer | TokenError:
    """What a token endpoint said. Nothing is raised for what a server does."""
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), None)
    said = f"HTTP {status}, {(kind or 'no content type')[:100]}"
    if len(body) > LARGEST_ANSWER:
        return TokenError(status=status, detail=f"{said}, more than {LARGEST_ANSWER} bytes")
    try:
        document = parse(body).value
    except HostileJson as problem:
        return TokenError(status=status, detail=f"{said}, no JSON: {problem}")
    if not isinstance(document, Mapping):
        return TokenError(status=status, detail=f"{said}, a JSON value that is no object")
    error = _text(document, "error")
    # Some authorization servers say no with the status 200.
    if error is not None:
        description = _text(document, "error_description")
        return TokenError(status=status, error=error, description=description, detail=f"{said}, {error}")
    if not 200 <= status < 300:
        return TokenError(status=status, detail=f"{said}, JSON without an error")
    return _answer(document, status, said)


def _answer(document: Mapping[str, Any], status: int, said: str) -> TokenAnswer | TokenError:
    access = document.get("access_token")
    if not isinstance(access, str) or not _TOKEN.fullmatch(access):
        state = "an access_token that no header can carry" if access else "JSON without an access_token"
        return TokenError(status=status, detail=f"{said}, {state}")
    kind = document.get("token_type") or "Bearer"
    if not isinstance(kind, str) or not _TOKEN_TYPE.fullmatch(kind):
        return TokenError(status=status, detail=f"{said}, a token_type that is no word")
    refresh, scope = document.get("refresh_token"), document.get("scope")
    return TokenAnswer(
        access_token=access,
        token_type="Bearer" if kind.lower() == "bearer" else kind,
        expires_in=_seconds(document.get("expires_in")),
        refresh_token=refresh if isinstance(refresh, str) and refresh else None,
        scope=scope if isinstance(scope, str) and scope else None,
        document=document,
    )


def _seconds(value: Any) -> int | None:
    """``expires_in``, also where it is written as a text or with a point, as some servers do."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(float(value))
    except (ValueError, OverflowError):
        return None
    return min(max(number, 0), _LONGEST_LIFETIME)


def _text(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    return value[:_LONGEST_TEXT] if isinstance(value, str) and value else None


def _secret_of(client: TokenClient) -> str:
    if client.client_secret is None:
        raise ClientUnusable(f"the client {client.client_id} has no secret, which {client.method} needs")
    return client.client_secret


def _signed(client: TokenClient, audience: str, now: datetime) -> str:
    """The client's assertion: RFC 7523 3, with the issuer as its audience (draft-ietf-oauth-rfc7523bis)."""
    import secrets

    import jwt

    if client.private_key is None:
        raise ClientUnusable(f"the client {client.client_id} has no private key to sign with")
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": audience,
        "iat": now,
        "exp": now + _ASSERTION_LIFETIME,
        "jti": secrets.token_urlsafe(24),
    }
    if not client.signing_algorithm.startswith(("RS", "PS", "ES", "EdDSA")):
        raise ClientUnusable(f"{client.signing_algorithm} is no algorithm that signs with a private key")
    try:
        return jwt.encode(claims, client.private_key, algorithm=client.signing_algorithm)
    except (ValueError, TypeError, NotImplementedError, jwt.PyJWTError):
        # What the library says may quote the key.
        raise ClientUnusable(
            f"the private key of the client {client.client_id} cannot sign with {client.signing_algorithm}:"
            " it takes an unencrypted PEM key of that kind"
        ) from None
