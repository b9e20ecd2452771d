"""The authorization request that a client would send (RFC 6749 4.1.1, RFC 7636, RFC 8707), with nothing real
in it but the client id, and the same request with one thing changed.
"""

from __future__ import annotations

import base64
import hashlib
import random
import string
from dataclasses import dataclass, replace
from urllib.parse import urlencode, urlsplit, urlunsplit

__all__ = ["PORT", "AuthorizationRequest", "loopback_forms", "made_up"]

_UNRESERVED = string.ascii_letters + string.digits
_PATH = "/callback"
PORT = 33418
"""Of the redirect URIs that nobody configured. Nothing listens there, nothing is sent there."""


def made_up(source: random.Random) -> str:
    """43 characters that mean nothing: a state, a code, a verifier (RFC 7636 4.1)."""
    return "".join(source.choices(_UNRESERVED, k=43))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """One authorization request. ``state`` and ``verifier`` are made up and belong to nobody."""

    endpoint: str
    client_id: str
    redirect_uri: str
    state: str
    verifier: str
    resource: str | None
    scopes: tuple[str, ...]

    @property
    def url(self) -> str:
        """The URL a browser would be sent to; parameters of the endpoint itself stay (RFC 6749 3.1)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        if self.resource is not None:
            asked["resource"] = self.resource
        if self.scopes:
            asked["scope"] = " ".join(self.scopes)
        parts = urlsplit(self.endpoint)
        query = "&".join(part for part in (parts.query, urlencode(asked)) if part)
        return urlunsplit(parts._replace(query=query))

    def to(self, redirect_uri: str) -> AuthorizationRequest:
        return replace(self, redirect_uri=redirect_uri)

    def without_resource(self) -> AuthorizationRequest:
        return replace(self, resource=None)

    def asking(self, scopes: tuple[str, ...]) -> AuthorizationRequest:
        return replace(self, scopes=scopes)


def loopback_forms(redirect_uri: str | None) -> tuple[str, ...]:
    """The loopback forms of a redirect URI, itself first: the three hosts, and another port (RFC 8252 7.3).

    One that is not on loopback stays first and is followed by the usual forms.
    """
    parts = urlsplit(redirect_uri or f"http://127.0.0.1:{PORT}{_PATH}")
    first = (urlunsplit(parts),)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        parts = urlsplit(f"http://127.0.0.1:{PORT}{_PATH}")
    given = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else str(parts.hostname)
    port = f":{parts.port}" if parts.port is not None else ""
    other = PORT if parts.port is None else parts.port + (1 if parts.port < 65535 else -1)
    hosts = [f"{host}{port}" for host in ("127.0.0.1", "localhost", "[::1]")]
    forms = (urlunsplit(parts._replace(netloc=netloc)) for netloc in (*hosts, f"{given}:{other}"))
    return tuple(dict.fromkeys((*first, *forms)))
