"""The client that a credential configures, every reference resolved, as far as the official SDK has it."""

from __future__ import annotations

from collections.abc import Mapping

from diagnose.connector.credential import JWT_BEARER, AuthMethod, OAuth2Credential
from diagnose.errors import UsageError
from diagnose.oauth.acquisition import FlowClient
from diagnose.oauth.client_key import client_key

__all__ = ["configured_client"]


def configured_client(credential: OAuth2Credential, environ: Mapping[str, str]) -> FlowClient:
    """The client of ``credential``, as if it had an id. Raises UsageError, and KeyUnusable for its key."""
    key, secret, assertion = credential.private_key, credential.client_secret, credential.assertion
    return FlowClient(
        grant=credential.grant_type,
        registration="configured",
        client_id=credential.client_id,
        client_secret=secret.resolve(environ, where="client secret") if secret else None,
        private_key=client_key(key, credential.signing_algorithm) if key is not None else None,
        signing_algorithm=credential.signing_algorithm,
        method=_method(credential),
        assertion=assertion.resolve(environ, where="assertion") if assertion else None,
    )


def _method(credential: OAuth2Credential) -> AuthMethod:
    """How the client shows itself; refused where the official SDK has no such client. Raises UsageError."""
    method = credential.token_endpoint_auth_method
    by_key = method == "private_key_jwt" or (method is None and credential.private_key is not None)
    if by_key and credential.grant_type != "client_credentials":
        raise _unsupported("signs with a private key only for client_credentials", "take a client secret")
    if credential.grant_type == JWT_BEARER and credential.client_secret is None:
        raise _unsupported("shows an identity assertion only with a client secret", 'add "client_secret"')
    if method is not None:
        return method
    if by_key:
        return "private_key_jwt"
    if credential.grant_type == JWT_BEARER:
        return "client_secret_post"
    return "client_secret_basic" if credential.client_secret is not None else "none"


def _unsupported(what: str, hint: str) -> UsageError:
    return UsageError("CFG019", f"the official SDK {what}", where="credential", hint=hint)
