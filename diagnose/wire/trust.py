"""Trust stores: the runtime's own, and certifi as the contrast."""

from __future__ import annotations

import os
import re
import ssl
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from diagnose.connector import NetworkSettings
from diagnose.errors import UsageError
from diagnose.records import record

__all__ = [
    "TrustStore",
    "TrustStoreUnreadable",
    "certifi_store",
    "empty_directory",
    "other_stores",
    "permissive",
    "runtime_store",
    "unreadable_in_environment",
    "unverified",
]

# Bundles that other programs on this machine read: curl, requests, Node. httpx2 reads none of them, which
# is how a connector can fail where "it works in curl".
_FOREIGN_BUNDLES = ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")


@record
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
        broken = isinstance(problem, ssl.SSLError)
        reason = "is no PEM certificate with its key" if broken else _os_reason(problem)
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


def other_stores(network: NetworkSettings, environ: Mapping[str, str]) -> Iterator[TrustStore]:
    """Further stores on this machine, each made when it is asked for; those that cannot be read are left out.

    First what the variables of other programs name, then the operating system's, then certifi's.
    """
    import httpx2

    named = [(name, environ[name]) for name in _FOREIGN_BUNDLES if environ.get(name)]
    if network.ca_bundle is not None and environ.get("SSL_CERT_FILE"):
        named.insert(0, ("SSL_CERT_FILE", environ["SSL_CERT_FILE"]))
    for variable, path in named:
        try:
            context = ssl.create_default_context(cafile=path)
        except (OSError, ssl.SSLError):
            continue
        if variable == "NODE_EXTRA_CA_CERTS":  # Node adds it to its own roots
            context.load_verify_locations(cafile=certifi_store().path)
        yield TrustStore(label=f"{variable} {path}", context=context, path=path)
    if network.ca_bundle is not None or environ.get("SSL_CERT_FILE") or environ.get("SSL_CERT_DIR"):
        yield TrustStore(label="operating system", context=httpx2.create_ssl_context(trust_env=False))
    yield certifi_store()


def unreadable_in_environment(network: NetworkSettings, environ: Mapping[str, str]) -> None:
    """Raise TrustStoreUnreadable where the environment names a store that httpx2 cannot load.

    httpx2 loads it when a client is made, and so fails for a plain http URL, too.
    """
    if network.ca_bundle is None and network.trust_env:
        for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            if environ.get(variable):
                if variable == "SSL_CERT_DIR" or not _begins_with_a_certificate(environ[variable]):
                    _from_environment(variable, environ[variable])
                return


def _begins_with_a_certificate(path: str) -> bool:
    """Whether the first certificate of a bundle loads: all of them take 20 ms, to no use over plain http."""
    try:
        with Path(path).open("rb") as bundle:
            head = bundle.read(16 * 1024).decode("ascii", "replace")
        begin, end = head.index("-----BEGIN CERTIFICATE-----"), head.index("-----END CERTIFICATE-----")
        first = head[begin:end] + "-----END CERTIFICATE-----\n"
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=first)
    except (OSError, ValueError, ssl.SSLError):
        return False
    return True


def empty_directory(store: TrustStore) -> bool:
    """Whether a directory store holds no certificate that OpenSSL would find (``<hash>.N``, c_rehash)."""
    if not store.label.startswith("SSL_CERT_DIR") or store.path is None:
        return False
    folders = [Path(part) for part in store.path.split(os.pathsep)]
    return not any(
        _HASHED.fullmatch(entry.name) for folder in folders if folder.is_dir() for entry in folder.iterdir()
    )


def unverified() -> ssl.SSLContext:
    """A context that shows what the peer presents and trusts none of it; no credential is sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def permissive() -> ssl.SSLContext:
    """An unverified context that also speaks what nobody should: TLS 1.0, small keys, old ciphers."""
    context = unverified()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # asking for an outdated version is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
    return context
