"""The wire of a connector to other origins: without its credential, every address judged first."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
import httpx2

from diagnose.connector import Connector
from diagnose.oauth.renewal import POST_SECONDS, RenewalFailed
from diagnose.oauth.token_request import LARGEST_ANSWER, TokenRequest
from diagnose.oauth.vetted import Unreached, VettedTransport
from diagnose.wire.dial import addresses_of
from diagnose.wire.proxies import effective_proxy
from diagnose.wire.reach import reach_of
from diagnose.wire.resolver import ResolutionFailed, Resolver

__all__ = ["foreign_transport", "post_over"]


async def foreign_transport(
    connector: Connector, environ: Mapping[str, str], resolver: Resolver
) -> VettedTransport:
    """The wire of ``connector`` to every other origin. Raises UsageError for its network settings."""
    addresses = None
    if effective_proxy(connector.origin, connector.network, environ) is None:
        try:
            addresses = await addresses_of(resolver, connector.origin.host, connector.origin.port)
        except ResolutionFailed:
            addresses = None  # whoever asks the connector itself is told
    return VettedTransport(
        reach=reach_of(connector.origin, addresses),
        resolver=resolver,
        network=connector.network,
        environ=environ,
    )


async def post_over(
    transport: httpx2.AsyncBaseTransport, request: TokenRequest
) -> tuple[int, Mapping[str, str], bytes]:
    """Send ``request``; a redirect is an answer like any other. Raises RenewalFailed where none came."""
    try:
        asked = httpx2.Request("POST", request.url, headers=dict(request.headers), content=request.body)
        with anyio.fail_after(POST_SECONDS):
            response = await transport.handle_async_request(asked)
            try:
                return response.status_code, dict(response.headers), await _bounded(response)
            finally:
                await response.aclose()
    except TimeoutError as problem:
        raise RenewalFailed(f"no answer from {request.url} within {POST_SECONDS:.0f} s") from problem
    except Unreached as problem:
        raise RenewalFailed(f"no answer from {request.url}: {problem}") from problem
    except (httpx2.HTTPError, httpx2.InvalidURL) as problem:
        raise RenewalFailed(f"no answer from {request.url} ({type(problem).__name__})") from problem


async def _bounded(response: httpx2.Response) -> bytes:
    """The body, at the most a piece more of it than may be read."""
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            break
    return body
