"""Further connections on the connector's own route: the same resolver, proxy and trust as the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import h11
import httpcore2

from diagnose.connector import NetworkSettings
from diagnose.connector.address import Origin
from diagnose.records import record
from diagnose.wire.proxies import ProxyRoute, effective_proxy
from diagnose.wire.resolver import Address, Resolver, literal_address
from diagnose.wire.sockets import WireStream, connect_first, secure
from diagnose.wire.trust import TrustStore

__all__ = [
    "AddressRefused",
    "Dialler",
    "ProxyAnswer",
    "ProxyRefused",
    "addresses_of",
    "open_tunnel",
    "proxy_authorization",
]

_LARGEST_CONNECT_ANSWER = 64 * 1024


@record
class ProxyAnswer:
    """What a proxy said to CONNECT."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class ProxyRefused(Exception):
    """CONNECT did not open a tunnel; ``answer`` is None where the proxy spoke no HTTP or closed."""

    def __init__(self, detail: str, *, route: ProxyRoute, target: str, answer: ProxyAnswer | None) -> None:
        super().__init__(detail)
        self.route = route
        self.target = target
        self.answer = answer


class AddressRefused(Exception):
    """The host's addresses are not ones that may be connected to; the text says why."""


async def addresses_of(resolver: Resolver, host: str, port: int) -> tuple[Address, ...]:
    """The addresses of a host; an IP literal is its own. Raises ResolutionFailed."""
    literal = literal_address(host, port)
    return (literal,) if literal is not None else await resolver.resolve(host, port)


def proxy_authorization(route: ProxyRoute) -> str | None:
    """The Proxy-Authorization value of a route with credentials (RFC 7617)."""
    if route.username is None:
        return None
    import base64

    return "Basic " + base64.b64encode(f"{route.username}:{route.password or ''}".encode()).decode()


async def open_tunnel(stream: WireStream, host: str, port: int, route: ProxyRoute) -> WireStream:
    """CONNECT through the proxy at the other end of ``stream`` (RFC 9110 9.3.6).

    Raises ProxyRefused; the caller bounds the time.
    """
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = [("Host", target), ("Accept", "*/*")]
    credentials = proxy_authorization(route)
    if credentials is not None:
        headers.append(("Proxy-Authorization", credentials))
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_CONNECT_ANSWER)
    request = h11.Request(method="CONNECT", target=target, headers=headers)
    refused = partial(ProxyRefused, route=route, target=target)
    try:
        await stream.write((http.send(request) or b"") + (http.send(h11.EndOfMessage()) or b""))
        answer = await _connect_answer(http, stream)
    except h11.RemoteProtocolError as problem:
        raise refused(f"the proxy does not answer in HTTP: {problem}", answer=None) from problem
    except (httpcore2.NetworkError, OSError) as problem:
        raise refused(f"the proxy broke the connection ({problem or 'reset'})", answer=None) from problem
    if answer is None:
        raise refused("the proxy closed the connection without an answer to CONNECT", answer=None)
    if not 200 <= answer.status < 300:
        raise refused(f"{answer.status} {answer.reason}", answer=answer)
    return WireStream(stream.inner, address=stream.address)


async def _connect_answer(http: h11.Connection, stream: WireStream) -> ProxyAnswer | None:
    response: h11.Response | None = None
    body = b""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            chunk = await stream.read(65536)
            if not chunk and response is None:
                return None
            http.receive_data(chunk)
        elif isinstance(event, h11.Response):
            response = event
            if 200 <= event.status_code < 300:
                break
        elif isinstance(event, h11.Data) and len(body) < _LARGEST_CONNECT_ANSWER:
            body += bytes(event.data)
        elif response is not None:
            break
    return ProxyAnswer(
        status=response.status_code,
        reason=response.reason.decode("latin-1"),
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers),
        body=body.decode("utf-8", "replace"),
    )


class Dialler:
    """Opens connections after the first one; every connection that a run makes is counted."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        network: NetworkSettings,
        environ: Mapping[str, str],
        store: TrustStore | None,
        scheme: str = "https",
        vet: Callable[[str, tuple[Address, ...]], str | None] | None = None,
    ) -> None:
        """``vet`` is given scheme and addresses of a target that is dialled directly, and says why not."""
        self._resolver = resolver
        self._network = network
        self._environ = environ
        self._store = store
        self._scheme = scheme
        self._vet = vet

    async def __call__(self, host: str, port: int) -> WireStream:
        """A plain stream to host and port, tunnelled where the environment asks for a proxy.

        Raises ResolutionFailed, ConnectFailed, ProxyRefused or AddressRefused.
        """
        origin = Origin(scheme=self._scheme, host=host, port=port)
        route = effective_proxy(origin, self._network, self._environ)
        if route is None:
            return await self._direct(host, port, vet=self._vet)
        if (host, port) == (route.host, route.port) or self._scheme == "http":
            return await self._direct(host, port)
        stream = await self._direct(route.host, route.port)
        try:
            return await open_tunnel(await self.to_proxy(stream, route), host, port, route)
        except BaseException:
            await stream.aclose()
            raise

    async def to_proxy(self, stream: WireStream, route: ProxyRoute) -> WireStream:
        """The stream as the proxy wants it: itself, or secured where the proxy is an https one."""
        if not route.secure or self._store is None:
            return stream
        secured = await secure(stream, self._store.context, route.host)
        return WireStream(secured.inner, address=stream.address)

    async def _direct(
        self,
        host: str,
        port: int,
        *,
        vet: Callable[[str, tuple[Address, ...]], str | None] | None = None,
    ) -> WireStream:
        addresses = await addresses_of(self._resolver, host, port)
        # The addresses that were judged are the ones connected to: a second look-up could answer differently.
        refused = vet(self._scheme, addresses) if vet is not None else None
        if refused is not None:
            raise AddressRefused(refused)
        return await connect_first(addresses, log=[])
