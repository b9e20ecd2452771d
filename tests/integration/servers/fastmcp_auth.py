"""A protected server on FastMCP.

``memory`` has its in-memory authorization server, ``remote ISSUER`` takes the tokens of another one, and
``proxy ISSUER`` stands before another one, as it does for providers without dynamic registration.
"""

import sys
import time

from fastmcp import FastMCP
from fastmcp.server.auth import AuthProvider, JWTVerifier, OAuthProxy, RemoteAuthProvider
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider
from key_value.aio.stores.memory import MemoryStore
from listening import bound, serve
from mcp.server.auth.provider import AuthorizationCode
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl, AnyUrl

SCOPES = ["mcp:read", "mcp:write"]
listener, origin = bound()


class InMemory(InMemoryOAuthProvider):
    """FastMCP's own, with three clients from the start; the token of ``lapsing`` has expired already."""

    def know(self, redirects: list[str]) -> None:
        for name in ("native", "lapsing", "once"):
            self.clients[name] = OAuthClientInformationFull(
                client_id=name,
                redirect_uris=[AnyUrl(redirect) for redirect in redirects],
                token_endpoint_auth_method="none",
                scope=" ".join(SCOPES),
            )

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        answer = await super().exchange_authorization_code(client, authorization_code)
        if client.client_id == "lapsing":
            self.access_tokens[answer.access_token].expires_at = int(time.time()) - 3600
            return answer.model_copy(update={"expires_in": -3600})
        return answer


def verifier(issuer: str) -> JWTVerifier:
    return JWTVerifier(
        jwks_uri=f"{issuer}/jwks", issuer=issuer, audience=f"{origin}/mcp", required_scopes=SCOPES[:1]
    )


def auth(mode: str, *rest: str) -> AuthProvider:
    if mode == "remote":
        return RemoteAuthProvider(
            token_verifier=verifier(rest[0]), authorization_servers=[AnyHttpUrl(rest[0])], base_url=origin
        )
    if mode == "proxy":
        return OAuthProxy(
            upstream_authorization_endpoint=f"{rest[0]}/auth",
            upstream_token_endpoint=f"{rest[0]}/token",
            upstream_client_id="proxy",
            upstream_client_secret="proxy-secret-of-the-integration-tests",
            token_verifier=verifier(rest[0]),
            base_url=origin,
            valid_scopes=SCOPES,
            client_storage=MemoryStore(),
            require_authorization_consent=False,
        )
    memory = InMemory(
        base_url=origin,
        client_registration_options=ClientRegistrationOptions(
            enabled=True, valid_scopes=SCOPES, default_scopes=SCOPES[:1]
        ),
        revocation_options=RevocationOptions(enabled=True),
        required_scopes=SCOPES[:1],
    )
    memory.know(list(rest))
    return memory


server = FastMCP("fastmcp-auth", version="1.0", auth=auth(*sys.argv[1:]))


@server.tool(annotations={"readOnlyHint": True})
def current_temperature(city: str = "Paris") -> float:
    """Give the temperature of a city in degrees Celsius."""
    return 21.5


serve(server.http_app(path="/mcp"), listener, origin)
