"""A protected server on the official Python SDK 2.x: ``own`` authorization server, or ``verifier ISSUER``."""

import sys
from typing import Any

import anyio.to_thread
import jwt
from listening import bound, serve
from mcp.server import MCPServer
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp_types import ToolAnnotations
from sdk_authorization_server import SCOPES, InMemory

listener, origin = bound()


class Verifier:
    """Verifies the JWTs of one issuer by its published keys; the audience is left to the SDK."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._keys = jwt.PyJWKClient(f"{issuer}/jwks")

    async def verify_token(self, token: str) -> AccessToken | None:
        try:
            claims = await anyio.to_thread.run_sync(self._claims, token)
        except jwt.PyJWTError:
            return None
        return AccessToken(
            token=token,
            client_id=claims["client_id"],
            scopes=claims.get("scope", "").split(),
            expires_at=claims["exp"],
            resource=claims["aud"],
        )

    def _claims(self, token: str) -> dict[str, Any]:
        key = self._keys.get_signing_key_from_jwt(token)
        claims: dict[str, Any] = jwt.decode(
            token, key, ["RS256"], issuer=self._issuer, options={"verify_aud": False}
        )
        return claims


# As text: the SDK then keeps an issuer without a path as it is written, without a slash.
settings: dict[str, Any] = {
    "issuer_url": origin if sys.argv[1] == "own" else sys.argv[2],
    "resource_server_url": f"{origin}/mcp",
    "required_scopes": SCOPES[:1],
    "validate_token_resource": True,
}
if sys.argv[1] == "own":
    registration = ClientRegistrationOptions(enabled=True, valid_scopes=SCOPES, default_scopes=SCOPES[:1])
    server = MCPServer(
        "python-sdk-2-auth",
        version="1.0",
        auth_server_provider=InMemory(sys.argv[2:]),
        auth=AuthSettings(
            client_registration_options=registration,
            revocation_options=RevocationOptions(enabled=True),
            **settings,
        ),
    )
else:
    server = MCPServer(
        "python-sdk-2-auth",
        version="1.0",
        token_verifier=Verifier(sys.argv[2]),
        auth=AuthSettings(**settings),
    )


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def current_temperature(city: str = "Paris") -> float:
    """Give the temperature of a city in degrees Celsius."""
    return 21.5


serve(server.streamable_http_app(), listener, origin)
