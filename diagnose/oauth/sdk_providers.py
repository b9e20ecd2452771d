"""The official SDK's OAuth providers, one per grant, and the memory that they keep their tokens in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2

from diagnose.connector.credential import JWT_BEARER
from diagnose.records import record

if TYPE_CHECKING:
    from diagnose.oauth.acquisition import Flow, FlowClient

__all__ = ["Memory", "Sdk", "Unattended", "load_sdk", "provider", "unattended_provider"]

_CLIENT_NAME = "Connector Diagnose"
_ASSERTION_S = 60


@record
class Sdk:
    """What is taken from ``mcp``, which is imported late. Its types are not ours to annotate with."""

    auth: Any
    extensions: Any
    models: Any

    @property
    def flow_error(self) -> type[Exception]:
        found: type[Exception] = self.auth.OAuthFlowError
        return found

    def metadata(self, document: dict[str, Any]) -> Any:
        """The SDK's reading of authorization server metadata. Raises ValueError."""
        return self.models.OAuthMetadata.model_validate(document)

    def code_result(self, *, code: str | None, state: str | None, iss: str | None) -> Any:
        return self.models.AuthorizationCodeResult(code=code, state=state, iss=iss)


def load_sdk() -> Sdk:
    """Import the SDK's client authentication; takes about a second."""
    import mcp.client.auth
    import mcp.shared.auth
    from mcp.client.auth.extensions import client_credentials, identity_assertion

    return Sdk(
        auth=mcp.client.auth, extensions=(client_credentials, identity_assertion), models=mcp.shared.auth
    )


@dataclass(slots=True, kw_only=True)
class Memory:
    """The SDK's ``TokenStorage``: for one flow, and never on a disk (it keeps no absolute expiry)."""

    tokens: Any = None
    client: Any = None
    asked_scope: str | None = None
    resource: str | None = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client_info: Any) -> None:
        self.client = client_info


@record
class Unattended:
    """A grant that needs no person. ``scope`` None leaves it to what the server asks for."""

    endpoint: str
    client: FlowClient
    issuer: str
    scope: str | None = None


def provider(
    sdk: Sdk,
    flow: Flow,
    memory: Memory,
    *,
    redirect_uri: str | None,
    visit: Callable[[str], Awaitable[None]],
    answer: Callable[[], Awaitable[Any]],
) -> httpx2.Auth:
    """The provider of the flow's grant."""
    if flow.client.grant == "authorization_code":
        return _authorization_code(sdk, flow, memory, redirect_uri=redirect_uri, visit=visit, answer=answer)
    judged = flow.judged
    asked = Unattended(endpoint=judged.endpoint, client=flow.client, issuer=flow.issuer, scope=judged.scope)
    return unattended_provider(sdk, asked, memory)


def unattended_provider(sdk: Sdk, asked: Unattended, memory: Memory) -> httpx2.Auth:
    """The provider of a grant that needs no person; it sends the client's secret to ``issuer`` alone."""
    if asked.client.grant == JWT_BEARER:
        return _identity_assertion(sdk, asked, memory)
    by_key = asked.client.private_key is not None
    return _by_key(sdk, asked, memory) if by_key else _by_secret(sdk, asked, memory)


def _authorization_code(
    sdk: Sdk,
    flow: Flow,
    memory: Memory,
    *,
    redirect_uri: str | None,
    visit: Callable[[str], Awaitable[None]],
    answer: Callable[[], Awaitable[Any]],
) -> httpx2.Auth:
    client = flow.client
    if client.client_id is not None:
        memory.client = sdk.models.OAuthClientInformationFull(
            client_id=client.client_id,
            client_secret=client.client_secret,
            redirect_uris=[redirect_uri],
            token_endpoint_auth_method=client.method,
        )
    made: httpx2.Auth = sdk.auth.OAuthClientProvider(
        flow.judged.endpoint,
        # What is registered is public: a secret on the disk of everybody who logs in is none.
        sdk.models.OAuthClientMetadata(
            client_name=_CLIENT_NAME,
            redirect_uris=[redirect_uri],
            token_endpoint_auth_method="none",  # noqa: S106
        ),
        memory,
        redirect_handler=visit,
        callback_handler=answer,
        client_metadata_url=client.metadata_url,
    )
    return made


def _by_secret(sdk: Sdk, asked: Unattended, memory: Memory) -> httpx2.Auth:
    made: httpx2.Auth = sdk.extensions[0].ClientCredentialsOAuthProvider(
        asked.endpoint,
        memory,
        client_id=asked.client.client_id,
        client_secret=asked.client.client_secret,
        token_endpoint_auth_method=asked.client.method or "client_secret_basic",
        issuer=asked.issuer,
        scope=asked.scope,
    )
    return made


def _by_key(sdk: Sdk, asked: Unattended, memory: Memory) -> httpx2.Auth:
    signed = sdk.extensions[0].SignedJWTParameters(
        issuer=asked.client.client_id,
        subject=asked.client.client_id,
        signing_key=asked.client.private_key,
        signing_algorithm=asked.client.signing_algorithm,
        lifetime_seconds=_ASSERTION_S,
    )
    made: httpx2.Auth = sdk.extensions[0].PrivateKeyJWTOAuthProvider(
        asked.endpoint,
        memory,
        client_id=asked.client.client_id,
        assertion_provider=signed.create_assertion_provider(),
        issuer=asked.issuer,
        scope=asked.scope,
    )
    return made


def _identity_assertion(sdk: Sdk, asked: Unattended, memory: Memory) -> httpx2.Auth:
    async def assertion(audience: str, resource: str) -> str:
        memory.resource = resource
        return asked.client.assertion or ""

    made: httpx2.Auth = sdk.extensions[1].IdentityAssertionOAuthProvider(
        asked.endpoint,
        memory,
        client_id=asked.client.client_id,
        client_secret=asked.client.client_secret,
        issuer=asked.issuer,
        assertion_provider=assertion,
        scope=asked.scope,
        token_endpoint_auth_method=asked.client.method or "client_secret_post",
    )
    return made
