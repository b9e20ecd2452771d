"""Trust stores: the runtime's own, and certifi as the contrast."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from diagnose.connector import NetworkSettings
from diagnose.errors import UsageError

__all__ = ["TrustStore", "certifi_store", "runtime_store", "unverified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustStore:
    """A set of trusted roots and where it came from."""

    label: str
    context: ssl.SSLContext = field(repr=False)
    path: str | None = None


class TrustStoreUnreadable(Exception):
    """SSL_CERT_FILE or SSL_CERT_DIR names something that OpenSSL cannot load."""

    def __init__(self, variable: str, path: str, detail: str) -> None:
        super().__init__(f"{variable}={path}: {detail}")
        self.variable, self.path, self.detail = variable, path, detail


def runtime_store(network: NetworkSettings, environ: Mapping[str, str]) -> TrustStore:
    """The store with which production verifies: ``--ca-bundle``, else what httpx2 would load.

    Raises UsageError CFG005 for a bundle or a client certificate that cannot be read, and
    TrustStoreUnreadable where the environment names a store that cannot.
    """
    if network.ca_bundle is not None:
        store = TrustStore(
            label=f"CA bundle {network.ca_bundle}",
            context=_from_bundle(network.ca_bundle),
            path=str(network.ca_bundle),
        )
    else:
        store = _default(network, environ)
    _load_client_certificate(store.context, network)
    # What httpcore2 offers too: without ALPN some edges answer differently.
    store.context.set_alpn_protocols(["http/1.1"])
    return store


def _from_bundle(path: Path) -> ssl.SSLContext:
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=str(path))
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as problem:
        reason = "holds no PEM certificate" if isinstance(problem, ssl.SSLError) else _os_reason(problem)
        raise UsageError(
            "CFG005",
            f"the CA bundle {path} {reason}",
            where="--ca-bundle",
            hint="name a PEM file with the trusted root certificates, readable by this user",
        ) from problem


def _default(network: NetworkSettings, environ: Mapping[str, str]) -> TrustStore:
    import httpx2

    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        path = environ.get(variable)
        if network.trust_env and path:
            return TrustStore(
                label=f"{variable} {path}", context=_from_environment(variable, path), path=path
            )
    context = httpx2.create_ssl_context(trust_env=False)
    return TrustStore(label="operating system", context=context)


def _from_environment(variable: str, path: str) -> ssl.SSLContext:
    try:
        if variable == "SSL_CERT_FILE":
            return ssl.create_default_context(cafile=path)
        return ssl.create_default_context(capath=path)
    except (OSError, ssl.SSLError) as problem:
        detail = "holds no PEM certificate" if isinstance(problem, ssl.SSLError) else _os_reason(problem)
        raise TrustStoreUnreadable(variable, path, detail) from problem


def _load_client_certificate(context: ssl.SSLContext, network: NetworkSettings) -> None:
    if network.client_certificate is None:
        return
    key = network.client_key
    try:
        context.load_cert_chain(str(network.client_certificate), str(key) if key else None)
    except (OSError, ssl.SSLError) as problem:
        reason = "is no PEM certificate with its key" if isinstance(problem, ssl.SSLError) else _os_reason(problem)
        raise UsageError(
            "CFG005",
            f"the client certificate {network.client_certificate} {reason}",
            where="--client-cert",
            hint="name a PEM file that holds the certificate chain and its unencrypted private key",
        ) from problem


def _os_reason(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.errno is not None:
        return f"cannot be read ({os.strerror(problem.errno).lower()})"
    return f"cannot be read ({problem})"


def certifi_store() -> TrustStore:
    """Mozilla's roots as certifi ships them: what many other clients trust."""
    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return TrustStore(label="certifi", context=context, path=certifi.where())


def unverified() -> ssl.SSLContext:
    """A context that shows what the peer presents and trusts none of it; nothing is ever sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
