"""A protected server on the official Python SDK 1.x with its own authorization server."""

import sys

from listening import bound, serve
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.fastmcp import FastMCP
from mcp.types import ToolAnnotations
from sdk_authorization_server import SCOPES, InMemory

listener, origin = bound()
server = FastMCP(
    "python-sdk-1-auth",
    auth_server_provider=InMemory(sys.argv[1:]),
    auth=AuthSettings(
        issuer_url=origin,
        resource_server_url=f"{origin}/mcp",
        required_scopes=SCOPES[:1],
        validate_token_resource=True,
        client_registration_options=ClientRegistrationOptions(
            enabled=True, valid_scopes=SCOPES, default_scopes=SCOPES[:1]
        ),
        revocation_options=RevocationOptions(enabled=True),
    ),
)


@server.tool(annotations=ToolAnnotations(readOnlyHint=True))
def current_temperature(city: str = "Paris") -> float:
    """Give the temperature of a city in degrees Celsius."""
    return 21.5


serve(server.streamable_http_app(), listener, origin)
