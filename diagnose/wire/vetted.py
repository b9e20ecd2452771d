"""A way to an origin that a document names: without the connector's credential, to judged addresses alone."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx2

from diagnose.connector import NetworkSettings
from diagnose.connector.address import Origin
from diagnose.wire.dial import Dialler
from diagnose.wire.proxies import effective_proxy
from diagnose.wire.reach import Reach
from diagnose.wire.resolver import Resolver
from diagnose.wire.transport import StagedTransport
from diagnose.wire.trust import runtime_store

__all__ = ["vetted_transport"]


def vetted_transport(
    origin: Origin,
    *,
    reach: Reach,
    resolver: Resolver,
    network: NetworkSettings,
    environ: Mapping[str, str],
) -> StagedTransport:
    """A transport for all origins of this scheme. Raises TrustStoreUnreadable."""
    # A client certificate is a credential too: it is for the connector's origin and for no other.
    network = network.model_copy(update={"client_certificate": None, "client_key": None})
    store = runtime_store(network, environ) if origin.scheme == "https" else None
    route = effective_proxy(origin, network, environ) if origin.scheme == "http" else None
    forward: httpx2.Proxy | None = None
    if route is not None:
        login = (route.username, route.password or "") if route.username is not None else None
        forward = httpx2.Proxy(str(route), auth=login)
    dial = Dialler(
        resolver=resolver,
        network=network,
        environ=environ,
        store=store,
        scheme=origin.scheme,
        vet=reach.refuse_addresses,
    )
    context = store.context if store is not None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return StagedTransport(dial, context, forward_proxy=forward)
