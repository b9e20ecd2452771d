"""An authorization server for the routes of the official Python SDK, both major versions: all in memory.

Everybody who asks gets what they ask for, without a page. Access tokens are opaque and bound to the resource
(RFC 8707), refresh tokens rotate. The first access token of the client ``lapsing`` has expired already.
"""

import secrets
import time

from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyUrl

__all__ = ["SCOPES", "InMemory"]

SCOPES = ["mcp:read", "mcp:write"]
_LIFETIME = 3600


class InMemory(OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, AccessToken]):
    """Clients, codes and tokens in dictionaries."""

    def __init__(self, redirects: list[str]) -> None:
        registered = {
            "native": ["authorization_code", "refresh_token"],
            "lapsing": ["authorization_code", "refresh_token"],
            "once": ["authorization_code"],
        }
        self.clients = {
            name: OAuthClientInformationFull(
                client_id=name,
                redirect_uris=[AnyUrl(redirect) for redirect in redirects],
                grant_types=grants,
                token_endpoint_auth_method="none",
                scope=" ".join(SCOPES),
            )
            for name, grants in registered.items()
        }
        self.codes: dict[str, AuthorizationCode] = {}
        self.access: dict[str, AccessToken] = {}
        self.refresh: dict[str, RefreshToken] = {}

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        assert client_info.client_id is not None
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        code = AuthorizationCode(
            code=secrets.token_urlsafe(32),
            client_id=str(client.client_id),
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            scopes=params.scopes or SCOPES[:1],
            expires_at=time.time() + 60,
            code_challenge=params.code_challenge,
            resource=params.resource,
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        del self.codes[authorization_code.code]
        lifetime = -_LIFETIME if client.client_id == "lapsing" else _LIFETIME
        return self._issued(client, authorization_code.scopes, authorization_code.resource, lifetime)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        return self.refresh.get(refresh_token)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        del self.refresh[refresh_token.token]
        return self._issued(client, scopes, refresh_token.resource, _LIFETIME)

    async def load_access_token(self, token: str) -> AccessToken | None:
        return self.access.get(token)

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.access.pop(token.token, None)
        self.refresh.pop(token.token, None)

    def _issued(
        self, client: OAuthClientInformationFull, scopes: list[str], resource: str | None, lifetime: int
    ) -> OAuthToken:
        access, client_id = secrets.token_urlsafe(32), str(client.client_id)
        self.access[access] = AccessToken(
            token=access,
            client_id=client_id,
            scopes=scopes,
            expires_at=int(time.time()) + lifetime,
            resource=resource,
        )
        refresh = secrets.token_urlsafe(32) if "refresh_token" in client.grant_types else None
        if refresh is not None:
            self.refresh[refresh] = RefreshToken(
                token=refresh, client_id=client_id, scopes=scopes, resource=resource
            )
        return OAuthToken(
            access_token=access,
            expires_in=lifetime,
            refresh_token=refresh,
            scope=" ".join(scopes),
        )
