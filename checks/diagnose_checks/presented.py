"""What the first request showed at the door: kind, place and value of its credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from diagnose.connector import ApiKeyCredential, Connector, OAuth2Credential
from diagnose.connector.credential import Applied
from diagnose.records import record

__all__ = ["Presented", "presented"]

Kind = Literal["none", "bearer", "oauth2", "basic", "api key", "other scheme", "query"]

_SECRET_WORDS = ("key", "token", "secret", "password", "credential", "auth")
_QUERY_NAMES = frozenset(
    (
        *("token", "access_token", "auth_token", "api_key", "apikey", "api-key"),
        *("key", "auth", "bearer", "secret", "jwt"),
    )
)


@record
class Presented:
    """``place`` is where it stood, in words; ``name`` the header or the query parameter."""

    kind: Kind
    place: str = "nowhere"
    name: str | None = None
    scheme: str | None = None
    token: str | None = field(default=None, repr=False)

    @property
    def static(self) -> bool:
        """A credential that no client gets by a login: discovery is not walked for it."""
        return self.kind not in ("none", "oauth2")


def presented(connector: Connector, environ: Mapping[str, str]) -> Presented:
    """Look at what :meth:`Connector.authorize` adds to a request, as the server does. Raises UsageError."""
    applied = connector.authorize(connector.url, environ)
    authorization = next(
        (value for name, value in applied.headers.items() if name.lower() == "authorization"), None
    )
    if authorization is not None:
        return _authorization(authorization, oauth=isinstance(connector.credential, OAuth2Credential))
    header = _key_header(connector, applied)
    if header is not None:
        value = applied.token or applied.headers[header]
        return Presented(kind="api key", place=f"the header {header}", name=header, token=value)
    pairs = [*applied.query.items(), *parse_qsl(urlsplit(connector.url).query)]
    for name, value in pairs:
        if name in applied.query or name.lower() in _QUERY_NAMES:
            return Presented(kind="query", place=f"the query parameter {name}", name=name, token=value)
    return Presented(kind="none")


def _authorization(value: str, *, oauth: bool) -> Presented:
    scheme, blank, token = value.partition(" ")
    if not blank:  # a bare token where a scheme belongs: the word is the secret, not a name
        return Presented(
            kind="other scheme", place="the Authorization header", name="Authorization", token=value
        )
    kinds: Mapping[str, Kind] = {"bearer": "oauth2" if oauth else "bearer", "basic": "basic"}
    return Presented(
        kind="oauth2" if oauth else kinds.get(scheme.lower(), "other scheme"),
        place="the Authorization header",
        name="Authorization",
        scheme=scheme,
        token=token.strip() or None,
    )


def _key_header(connector: Connector, applied: Applied) -> str | None:
    credential = connector.credential
    if isinstance(credential, ApiKeyCredential) and credential.location == "header":
        return credential.name
    own = set(applied.headers) - set(connector.headers)
    if own:
        return sorted(own)[0]
    secret = (name for name in applied.headers if any(word in name.lower() for word in _SECRET_WORDS))
    return next(secret, None)
