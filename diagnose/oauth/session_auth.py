"""How a production session shows itself: with a stored login that renews itself, or with tokens of its own.

The MCP endpoint gets the token and nothing else does; everything on another origin, the token endpoint above
all, is reached over a wire whose addresses are judged before they are dialled.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import UTC, datetime

import anyio
import httpx2

from diagnose.connector import Connector, OAuth2Credential
from diagnose.connector.address import origin_of
from diagnose.connector.runtime import OwnOriginAuth
from diagnose.errors import UsageError
from diagnose.oauth.foreign import foreign_transport, post_over
from diagnose.oauth.logins import filled_in, login_missing, wants_login, with_login
from diagnose.oauth.record import StoredLogin
from diagnose.oauth.renewal import (
    POST_SECONDS,
    RenewalFailed,
    RenewalRefused,
    client_of,
    ends_soon,
    renewed,
)
from diagnose.oauth.store import LoginStore, open_store
from diagnose.oauth.token_request import TokenClient
from diagnose.wire.resolver import Resolver
from diagnose.wire.threads import in_daemon_thread

__all__ = ["FetchingAuth", "Routes", "StoredLoginAuth", "session_auth"]


async def session_auth(
    connector: Connector,
    environ: Mapping[str, str],
    *,
    own: httpx2.AsyncBaseTransport,
    resolver: Resolver,
) -> tuple[httpx2.Auth, httpx2.AsyncBaseTransport]:
    """What authorizes a session of ``connector``, whose credential has no token, and its routes.

    ``own`` is the route to the connector's origin; closing the routes closes it. Raises UsageError, CFG022
    where a login is needed, and RenewalFailed where the stored one has ended and nobody answers.
    """
    foreign = await foreign_transport(connector, environ, resolver)
    routes = Routes(connector, own, foreign)
    try:
        if wants_login(connector):
            return await _stored(connector, environ, foreign), routes
        provider = await in_daemon_thread(lambda: _provider(connector, environ))
        return FetchingAuth(connector, environ, provider), routes
    except BaseException:
        await routes.aclose()
        raise


async def _stored(
    connector: Connector, environ: Mapping[str, str], foreign: httpx2.AsyncBaseTransport
) -> httpx2.Auth:
    store = open_store(environ)
    filled, login = await in_daemon_thread(lambda: with_login(connector, environ, store))
    if login is None:
        raise login_missing(connector)
    auth = StoredLoginAuth(filled, login, environ=environ, store=store, foreign=foreign)
    await auth.prepare()
    return auth


def _provider(connector: Connector, environ: Mapping[str, str]) -> httpx2.Auth:
    from diagnose.oauth.client_key import KeyUnusable
    from diagnose.oauth.configured_client import configured_client
    from diagnose.oauth.sdk_providers import Memory, Unattended, load_sdk, unattended_provider

    credential = connector.credential
    assert isinstance(credential, OAuth2Credential)
    try:
        client = configured_client(credential, environ)
    except KeyUnusable as problem:
        raise UsageError(
            "CFG019",
            f"the private key cannot be used: {problem}",
            where="credential",
            hint=f"name an unencrypted PEM key for {credential.signing_algorithm}",
        ) from problem
    asked = Unattended(
        endpoint=connector.url,
        client=client,
        issuer=credential.issuer or "",
        scope=credential.scope,
    )
    return unattended_provider(load_sdk(), asked, Memory())


class Routes(httpx2.AsyncBaseTransport):
    """The production route for the connector's own origin, the vetted one for every other."""

    def __init__(
        self, connector: Connector, own: httpx2.AsyncBaseTransport, foreign: httpx2.AsyncBaseTransport
    ) -> None:
        self._origin = connector.origin
        self._own = own
        self._foreign = foreign

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if origin_of(str(request.url)) == self._origin:
            return await self._own.handle_async_request(request)
        try:
            with anyio.fail_after(POST_SECONDS):  # a session has no other deadline for it
                return await self._foreign.handle_async_request(request)
        except TimeoutError as problem:
            said = f"no answer from {request.url.host} within {POST_SECONDS:.0f} s"
            raise httpx2.ReadTimeout(said, request=request) from problem

    async def aclose(self) -> None:
        await self._own.aclose()
        await self._foreign.aclose()


class StoredLoginAuth(httpx2.Auth):
    """The token of a stored login, renewed when it is about to end, and once after a 401."""

    def __init__(
        self,
        connector: Connector,
        login: StoredLogin,
        *,
        environ: Mapping[str, str],
        store: LoginStore,
        foreign: httpx2.AsyncBaseTransport,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``connector`` has the tokens of ``login``; ``foreign`` reaches the token endpoint."""
        self._connector = connector
        self._login = login
        self._environ = environ
        self._store = store
        self._foreign = foreign
        self._now = now
        self._own = OwnOriginAuth(connector, environ)
        self._turn = anyio.Lock()

    async def prepare(self) -> None:
        """Renew the login where it has ended. Raises UsageError CFG022 where that cannot be done."""
        if not ends_soon(self._login, self._now()):
            return
        problem = await self._renew(self._login.access_token)
        if problem is None or not self._ended():
            return
        again = isinstance(problem, RenewalRefused) or self._login.refresh_token is None
        if again:
            raise login_missing(self._connector, f"the stored login has ended: {problem}") from problem
        raise problem

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        if origin_of(str(request.url)) != self._connector.origin:
            # A redirect copies the headers of the request that it answers, perhaps with an older token.
            request.headers.pop("authorization", None)
            next(self._own.auth_flow(request))
            yield request
            return
        if ends_soon(self._login, self._now()):
            await self._renew(self._login.access_token)  # without success the old one has its last chance
        used = self._login.access_token
        next(self._own.auth_flow(request))
        response = yield request
        # What ended this request stays its answer unless there is another token to try.
        if response.status_code == 401 and await self._renew(used) is None:
            next(self._own.auth_flow(request))
            yield request

    def _ended(self) -> bool:
        return self._login.expires_at is not None and self._login.expires_at <= self._now()

    async def _renew(self, used: str) -> Exception | None:
        """Get a token other than ``used``; what prevented it, where there is none."""
        async with self._turn:
            if self._login.access_token != used:
                return None
            try:
                login = await renewed(
                    self._store,
                    self._login,
                    post=lambda request: post_over(self._foreign, request),
                    now=self._now,
                    client=await in_daemon_thread(self._client),
                )
            except (RenewalRefused, RenewalFailed) as problem:
                return problem
            if login.access_token == used:
                return RenewalFailed("the authorization server gave the same token again")
            place = await in_daemon_thread(lambda: self._store.place(login))
            self._take(login, place)
            return None

    def _take(self, login: StoredLogin, place: str) -> None:
        self._login = login
        self._connector = filled_in(self._connector, login, place)
        self._own = OwnOriginAuth(self._connector, self._environ)

    def _client(self) -> TokenClient:
        """The recorded client; its secret is the connector's where the connector has one."""
        credential = self._connector.credential
        assert isinstance(credential, OAuth2Credential)
        if credential.private_key is not None:
            from diagnose.oauth.client_key import KeyUnusable, client_key

            try:
                key = client_key(credential.private_key, credential.signing_algorithm)
            except KeyUnusable as problem:
                raise RenewalFailed(f"the private key cannot be used: {problem}") from problem
            return client_of(self._login, private_key=key, signing_algorithm=credential.signing_algorithm)
        if credential.client_secret is None:
            return client_of(self._login)
        secret = credential.client_secret.resolve(self._environ, where="client secret")
        return client_of(self._login.model_copy(update={"client_secret": secret}))


class FetchingAuth(httpx2.Auth):
    """A provider of the official SDK that gets its own tokens, beside the connector's own headers."""

    def __init__(self, connector: Connector, environ: Mapping[str, str], provider: httpx2.Auth) -> None:
        self._own = OwnOriginAuth(connector, environ)
        self._provider = provider

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        next(self._own.auth_flow(request))
        flow = self._provider.async_auth_flow(request)
        try:
            asked = await anext(flow)
            while True:
                response = yield asked
                asked = await flow.asend(response)
        except StopAsyncIteration:
            return
        finally:
            await flow.aclose()
