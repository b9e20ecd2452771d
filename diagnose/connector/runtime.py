"""The production session: the official SDK's client on the connector's own route, with its own credential.

Everything that the diagnosis uses is used here: URL, headers, credential, trust store, proxy, name server,
pins and era. ``mcp`` takes about a second to import, so it is imported here, when a session is opened, and
in a thread that leaves the event loop free.
"""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import httpcore2
import httpx2

from diagnose.wire.dial import Dialler, ProxyRefused
from diagnose.wire.proxies import ProxyRoute, effective_proxy
from diagnose.wire.resolver import ResolutionFailed, Resolver
from diagnose.wire.rpc import MODERN_VERSION
from diagnose.wire.sockets import ConnectFailed, WireStream
from diagnose.wire.threads import in_daemon_thread
from diagnose.wire.transport import StagedTransport
from diagnose.wire.trust import TrustStore, runtime_store

if TYPE_CHECKING:
    import mcp

    from diagnose.connector.model import Connector

__all__ = ["OwnOriginAuth", "open_session", "production_transport"]

_CONNECT = 30.0
_TIMEOUT = httpx2.Timeout(_CONNECT, read=300.0)
"""The SDK's own defaults, in seconds: a server may hold an event stream open."""

_ENDPOINT_EVENT = 10.0
"""Seconds for a transport that nobody declared to show itself."""

_PLAIN_REFUSALS = frozenset((400, 404, 405, 410, 422))
"""What an endpoint of HTTP+SSE says to a POST; step 4 of the diagnosis goes by the same."""

_MODES: Mapping[str, str] = {"auto": "auto", "legacy": "legacy", "modern": MODERN_VERSION}


@asynccontextmanager
async def open_session(
    connector: Connector,
    environ: Mapping[str, str] | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> AsyncIterator[mcp.Client]:
    """Open a session as production does and give the SDK's client; leaving the block ends the session.

    ``environ`` (default: the process's) resolves references and proxies; ``transport`` replaces the route
    and is closed at the end. A stored login is used, and renewed where it ends. Raises UsageError for an
    unset reference and for a login that is missing, RenewalFailed, and what the SDK raises.
    """
    environ = os.environ if environ is None else environ
    connector.authorize(connector.url, environ)  # an unset variable is said plainly, not from inside the SDK
    if transport is None:
        transport = await production_transport(connector, environ)
    auth: httpx2.Auth = OwnOriginAuth(connector, environ)
    if _gets_token(connector):
        from diagnose.context import default_resolver
        from diagnose.oauth.session_auth import session_auth

        auth, transport = await session_auth(
            connector, environ, own=transport, resolver=default_resolver(connector)
        )
    sdk = await in_daemon_thread(_import_sdk)
    http = partial(
        httpx2.AsyncClient, transport=_Lent(transport), auth=auth, timeout=_TIMEOUT, trust_env=False
    )
    async with AsyncExitStack() as session:
        session.push_async_callback(transport.aclose)
        yield await _opened(session, sdk, connector, http)


async def production_transport(
    connector: Connector, environ: Mapping[str, str], *, resolver: Resolver | None = None
) -> httpx2.AsyncBaseTransport:
    """The route of production: httpx2's own, or one that asks the name server and the pins of the connector.

    ``resolver`` replaces the connector's. Raises UsageError, and TrustStoreUnreadable for the environment's.
    """
    network = connector.network
    route = effective_proxy(connector.origin, network, environ)
    # A file with the system's roots takes 70 ms to read, which the loop need not wait for.
    store = await in_daemon_thread(lambda: runtime_store(network, environ))
    if resolver is None and (network.resolver is not None or network.resolve):
        from diagnose.context import default_resolver

        resolver = default_resolver(connector)
    if resolver is None:
        return httpx2.AsyncHTTPTransport(verify=store.context, proxy=_proxy(route, store), trust_env=False)
    plain = connector.origin.scheme == "http"
    dialler = Dialler(
        resolver=resolver, network=network, environ=environ, store=store, scheme=connector.origin.scheme
    )
    return StagedTransport(
        _dialled(dialler), store.context, forward_proxy=_proxy(route, store) if plain else None
    )


class OwnOriginAuth(httpx2.Auth):
    """Adds what :meth:`Connector.authorize` lets out for the very URL; removes it where it allows nothing."""

    def __init__(self, connector: Connector, environ: Mapping[str, str]) -> None:
        self._connector = connector
        self._environ = environ
        self._own = connector.authorize(connector.url, environ)

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        applied = self._connector.authorize(str(request.url), self._environ)
        for name, value in self._own.headers.items():
            if name not in applied.headers and request.headers.get(name) == value:
                del request.headers[name]  # a redirect copies the headers of the request that it answers
        for name, value in applied.headers.items():
            if not _is_protocol(name) or name not in request.headers:
                request.headers[name] = value
        if applied.query:
            request.url = request.url.copy_merge_params(dict(applied.query))
        yield request


def _gets_token(connector: Connector) -> bool:
    """Whether the token is a stored login's, or is fetched by the client itself."""
    return connector.credential.type == "oauth2" and connector.credential.access_token is None


def _is_protocol(name: str) -> bool:
    # What the protocol sets per request wins over a static header, as it does in httpx2 and on our wire.
    return name.lower() in ("accept", "content-type", "last-event-id") or name.lower().startswith("mcp-")


def _import_sdk() -> Any:
    import mcp
    import mcp.client.sse
    import mcp.client.streamable_http

    return mcp


async def _opened(
    session: AsyncExitStack, sdk: Any, connector: Connector, http: Callable[..., httpx2.AsyncClient]
) -> mcp.Client:
    """The client over the declared transport; where none was declared, over the one that answers."""
    declared = connector.transport.type
    if declared == "sse":
        return await session.enter_async_context(_over_event_stream(sdk, connector, http, math.inf))
    last: deque[httpx2.Response] = deque(maxlen=1)

    async def note(response: httpx2.Response) -> None:
        if str(response.request.url).partition("?")[0] == connector.url.partition("?")[0]:
            last.append(response)

    carrier = _streamable(connector, http(event_hooks={"response": [note]}))
    try:
        return await session.enter_async_context(sdk.Client(carrier, mode=_MODES[connector.era]))
    except Exception:
        if declared == "streamable-http" or not any(map(_plainly_refused, last)):
            raise
        with suppress(Exception):
            return await session.enter_async_context(
                _over_event_stream(sdk, connector, http, _ENDPOINT_EVENT)
            )
        raise  # no fallback takes the place of what the first attempt showed


def _plainly_refused(response: httpx2.Response) -> bool:
    """Whether this is what an endpoint of the older transport says, and no answer in JSON-RPC."""
    if response.status_code not in _PLAIN_REFUSALS:
        return False
    try:
        message = json.loads(response.content)
    except (httpx2.ResponseNotRead, ValueError, RecursionError):
        return True
    return not (isinstance(message, dict) and "jsonrpc" in message)


@asynccontextmanager
async def _streamable(connector: Connector, http: httpx2.AsyncClient) -> AsyncIterator[Any]:
    from mcp.client.streamable_http import streamable_http_client

    async with http, streamable_http_client(connector.url, http_client=http) as streams:
        yield streams


@asynccontextmanager
async def _over_event_stream(
    sdk: Any, connector: Connector, http: Callable[..., httpx2.AsyncClient], seconds: float
) -> AsyncIterator[mcp.Client]:
    """A client over HTTP+SSE, which may take ``seconds`` to open. Raises TimeoutError."""
    from mcp.client.sse import sse_client

    # This one enters the client that its factory gives.
    carrier = sse_client(connector.url, httpx_client_factory=lambda *_, **__: http())
    with anyio.fail_after(seconds) as opening:
        # HTTP+SSE is a transport of 2024-11-05: there is no modern server behind it to be probed for.
        async with sdk.Client(carrier, mode="legacy") as client:
            opening.deadline = math.inf
            yield client


class _Lent(httpx2.AsyncBaseTransport):
    """A route that outlives the clients which use it."""

    def __init__(self, route: httpx2.AsyncBaseTransport) -> None:
        self._route = route

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self._route.handle_async_request(request)


def _proxy(route: ProxyRoute | None, store: TrustStore) -> httpx2.Proxy | None:
    if route is None:
        return None
    auth = (route.username, route.password or "") if route.username is not None else None
    return httpx2.Proxy(str(route), auth=auth, ssl_context=store.context if route.secure else None)


def _dialled(dialler: Dialler) -> Any:
    async def dial(host: str, port: int) -> WireStream:
        try:
            with anyio.fail_after(_CONNECT):
                return await dialler(host, port)
        except TimeoutError as problem:
            raise httpcore2.ConnectTimeout(
                f"no connection to {host}:{port} within {_CONNECT:.0f} s"
            ) from problem
        except (ResolutionFailed, ConnectFailed, ProxyRefused) as problem:
            raise httpcore2.ConnectError(str(problem)) from problem

    return dial
