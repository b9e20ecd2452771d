"""The road of a client from the 401 to a token, walked with plain HTTP requests: no code of the product."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

__all__ = ["CALLBACK", "Refused", "Tokens", "by_client_credentials", "discovered", "logged_in"]

CALLBACK = "http://127.0.0.1:1/callback"
"""Nobody listens there: the walk ends when it is sent to this address."""

_MOST_REDIRECTS = 20


class Refused(Exception):
    """The authorization server did not give what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A successful token answer, and the client that it was given to."""

    access_token: str
    refresh_token: str | None
    expires_in: int
    client_id: str
    issuer: str


def discovered(url: str) -> Mapping[str, Any]:
    """The metadata of the authorization server of the MCP server at ``url``."""
    with httpx2.Client() as http:
        challenge = http.post(url, json={}).headers["www-authenticate"]
        named = re.search('resource_metadata="([^"]+)"', challenge)
        assert named is not None, challenge
        issuer = str(http.get(named.group(1)).json()["authorization_servers"][0]).rstrip("/")
        parts = urlsplit(issuer)
        origin, path = f"{parts.scheme}://{parts.netloc}", parts.path
        for place in (f"{origin}/.well-known/oauth-authorization-server{path}", _openid(issuer)):
            answer = http.get(place)
            if answer.status_code == 200:
                return dict(answer.json())
    raise Refused(f"no metadata of {issuer}")


def _openid(issuer: str) -> str:
    return f"{issuer}/.well-known/openid-configuration"


def logged_in(url: str, *, client_id: str | None, scope: str, resource: str | None = None) -> Tokens:
    """Log in at the server's authorization server; a ``client_id`` of None is registered first (RFC 7591)."""
    server = discovered(url)
    with httpx2.Client() as http:
        client = client_id or _registered(http, server, scope)
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": CALLBACK,
            "scope": scope,
            "state": secrets.token_urlsafe(16),
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            "resource": resource or url,
        }
        code = _approved(http, f"{server['authorization_endpoint']}?{urlencode(asked)}", asked["state"])
        grant = {
            "grant_type": "authorization_code",
            "client_id": client,
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": verifier,
            "resource": resource or url,
        }
        return _tokens(http, server, grant, client)


def by_client_credentials(url: str, *, client_id: str, client_secret: str, scope: str) -> Tokens:
    """A token for a machine: the client's own credentials, no person (RFC 6749 4.4)."""
    server = discovered(url)
    grant = {"grant_type": "client_credentials", "scope": scope, "resource": url}
    with httpx2.Client(auth=httpx2.BasicAuth(client_id, client_secret)) as http:
        return _tokens(http, server, grant, client_id)


def _registered(http: httpx2.Client, server: Mapping[str, Any], scope: str) -> str:
    wanted = {
        "client_name": "integration test",
        "redirect_uris": [CALLBACK],
        "application_type": "native",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": scope,
    }
    answer = http.post(server["registration_endpoint"], json=wanted)
    if answer.status_code != 201:
        raise Refused(answer.text)
    return str(answer.json()["client_id"])


def _approved(http: httpx2.Client, target: str, state: str) -> str:
    """Follow redirects with cookies, as a browser does, until one leads to the callback."""
    for _ in range(_MOST_REDIRECTS):
        answer = http.get(target)
        if not answer.has_redirect_location:
            raise Refused(f"{target}: {answer.status_code} {answer.text[:500]}")
        target = str(answer.url.join(answer.headers["location"]))
        if target.startswith(CALLBACK):
            given = parse_qs(urlsplit(target).query)
            assert [state] == given.get("state"), given
            return given["code"][0]
    raise Refused(f"more than {_MOST_REDIRECTS} redirects, the last one to {target}")


def _tokens(http: httpx2.Client, server: Mapping[str, Any], grant: Mapping[str, str], client: str) -> Tokens:
    answer = http.post(server["token_endpoint"], data=dict(grant))
    if answer.status_code != 200:
        raise Refused(answer.text)
    body = answer.json()
    return Tokens(
        access_token=body["access_token"],
        refresh_token=body.get("refresh_token"),
        expires_in=body["expires_in"],
        client_id=client,
        issuer=server["issuer"],
    )
