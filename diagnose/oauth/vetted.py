"""A way to the authorization server, without the connector's credential and to judged addresses alone."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx2

from diagnose.connector import NetworkSettings
from diagnose.connector.address import origin_of
from diagnose.wire.dial import AddressRefused, ProxyRefused
from diagnose.wire.reach import Reach
from diagnose.wire.resolver import ResolutionFailed, Resolver
from diagnose.wire.sockets import ConnectFailed, describe
from diagnose.wire.transport import StagedTransport
from diagnose.wire.trust import TrustStoreUnreadable
from diagnose.wire.vetted import vetted_transport

__all__ = ["Unreached", "VettedTransport"]


class Unreached(httpx2.TransportError):
    """No HTTP answer came; ``refused`` says that we did not go there, and the text says why."""

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused


class VettedTransport(httpx2.AsyncBaseTransport):
    """Dials only what :class:`Reach` allows; raises :class:`Unreached` for all that is no HTTP answer.

    The caller bounds the time.
    """

    def __init__(
        self,
        *,
        reach: Reach,
        resolver: Resolver,
        network: NetworkSettings,
        environ: Mapping[str, str],
    ) -> None:
        self._reach = reach
        self._resolver = resolver
        self._network = network
        self._environ = environ
        self._opened: dict[str, StagedTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = str(request.url)
        why = self._reach.refuse_url(url)
        if why is not None:
            raise Unreached(f"not sent: {why}", refused=True)
        try:
            return await self._transport(url).handle_async_request(request)
        except AddressRefused as problem:
            raise Unreached(f"not sent: {problem}", refused=True) from problem
        except ProxyRefused as problem:
            raise Unreached(f"the proxy refuses the connection: {problem}") from problem
        except (ResolutionFailed, ConnectFailed, TrustStoreUnreadable) as problem:
            raise Unreached(str(problem)) from problem
        except TimeoutError:
            raise  # the caller's own
        except (httpx2.TransportError, ssl.SSLError, OSError) as problem:
            raise Unreached(describe(problem)) from problem

    def _transport(self, url: str) -> StagedTransport:
        origin = origin_of(url)
        if origin.scheme in self._opened:
            return self._opened[origin.scheme]
        self._opened[origin.scheme] = vetted_transport(
            origin,
            reach=self._reach,
            resolver=self._resolver,
            network=self._network,
            environ=self._environ,
        )
        return self._opened[origin.scheme]

    async def aclose(self) -> None:
        for transport in self._opened.values():
            await transport.aclose()
