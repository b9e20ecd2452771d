"""A client that registered itself: used again by the next login, and removed where its login failed."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime
from typing import TYPE_CHECKING

import httpx2

from diagnose.connector.address import origin_of
from diagnose.oauth.callback import CallbackListener, PortUnavailable
from diagnose.oauth.flow_transport import EndpointAnswer
from diagnose.oauth.record import StoredLogin
from diagnose.oauth.renewal import client_of
from diagnose.oauth.token_request import ClientUnusable, TokenError, read_token_answer, token_request

if TYPE_CHECKING:
    from diagnose.oauth.acquisition import Flow

__all__ = ["remove_registration", "reusable", "still_good"]

_UNKNOWN = frozenset(("invalid_client", "unauthorized_client"))
"""RFC 6749 5.2; the Python SDK's server says the second of a client that it does not know."""

_REMOVAL_S = 3.0


def reusable(login: StoredLogin, now: datetime) -> bool:
    """Whether the client of an earlier login can begin another one, as far as the record shows it."""
    if login.registration != "dynamic" or login.redirect_uri is None:
        return False
    if login.client_secret_expires_at is not None and login.client_secret_expires_at <= now:
        return False
    return login.token_endpoint_auth_method == "none" or login.client_secret is not None


async def still_good(flow: Flow, login: StoredLogin) -> bool:
    """Whether the registered callback is free here and the server still knows the client.

    A made-up code tells a forgotten client (RFC 6749 5.2) before anybody is sent to an error page.
    """
    assert flow.interaction is not None
    try:
        async with CallbackListener(flow.interaction.redirect, flow.redactor):
            pass
        grant = {
            "grant_type": "authorization_code",
            "code": secrets.token_urlsafe(24),
            "redirect_uri": login.redirect_uri or "",
            "code_verifier": secrets.token_urlsafe(48),
        }
        endpoint = str(flow.judged.server.get("token_endpoint"))
        request = token_request(endpoint, grant=grant, client=client_of(login))
        if "Authorization" in request.headers:
            flow.redactor.register(request.headers["Authorization"])
        async with asyncio.timeout(flow.seconds):
            sent = httpx2.Request("POST", request.url, headers=dict(request.headers), content=request.body)
            response = await flow.wire.handle_async_request(sent)
            body = await response.aread()
    except (PortUnavailable, ClientUnusable):
        return False
    except (TimeoutError, httpx2.TransportError):
        return True  # the login itself will say it better
    answer = read_token_answer(response.status_code, dict(response.headers), body)
    return not (isinstance(answer, TokenError) and answer.error in _UNKNOWN)


async def remove_registration(flow: Flow, answer: EndpointAnswer | None) -> None:
    """Delete the client of a login that failed (RFC 7592 2.3), where the server said how."""
    if answer is None:
        return
    place, token = (
        answer.value.get(name) for name in ("registration_client_uri", "registration_access_token")
    )
    if (
        not isinstance(place, str)
        or not isinstance(token, str)
        or not token.isascii()
        or not token.isprintable()
    ):
        return
    try:
        # Its token goes to the origin that gave it and to no other.
        if origin_of(place) != origin_of(answer.url):
            return
        async with asyncio.timeout(_REMOVAL_S):
            sent = httpx2.Request("DELETE", place, headers={"Authorization": f"Bearer {token}"})
            response = await flow.wire.handle_async_request(sent)
            await response.aclose()
    except (TimeoutError, ValueError, httpx2.TransportError, httpx2.InvalidURL):
        return
