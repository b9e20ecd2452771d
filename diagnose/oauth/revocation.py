"""Telling an authorization server that tokens are void (RFC 7009), at the recorded endpoint alone."""

from __future__ import annotations

from collections.abc import Mapping

from diagnose.connector import Connector
from diagnose.display import display
from diagnose.oauth.foreign import foreign_transport, post_over
from diagnose.oauth.record import StoredLogin
from diagnose.oauth.renewal import RenewalFailed, client_of
from diagnose.oauth.token_request import ClientUnusable, token_request
from diagnose.redact import Redactor
from diagnose.wire.resolver import Resolver

__all__ = ["revoke"]


async def revoke(
    connector: Connector, login: StoredLogin, environ: Mapping[str, str], resolver: Resolver
) -> str | None:
    """Revoke the tokens of ``login``; why that did not work, if it did not."""
    if login.revocation_endpoint is None:
        return "its metadata names no revocation endpoint"
    hide = Redactor()
    hide.register(*login.secrets())
    transport = await foreign_transport(connector, environ, resolver)
    try:
        # RFC 7009 2.1: the refresh token first, with which many servers end the whole grant.
        for kind, token in (("refresh_token", login.refresh_token), ("access_token", login.access_token)):
            grant = {"token": token or "", "token_type_hint": kind}
            if token is None:
                continue
            request = token_request(login.revocation_endpoint, grant=grant, client=client_of(login))
            status, _, _ = await post_over(transport, request)
            if status != 200:  # RFC 7009 2.2: 200 also for a token that was void already
                return f"{login.revocation_endpoint} answered HTTP {status}"
    except (ClientUnusable, RenewalFailed) as problem:
        return str(display(hide.text(str(problem))))
    finally:
        await transport.aclose()
    return None
