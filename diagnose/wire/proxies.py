"""Which proxy a request takes, by the rules of httpx2: the environment's variables and NO_PROXY."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import field
from urllib.parse import unquote, urlsplit

from diagnose.connector import NetworkSettings
from diagnose.connector.address import Origin
from diagnose.errors import UsageError
from diagnose.records import record

__all__ = ["ProxyRoute", "UnusedProxy", "effective_proxy", "environment_proxies", "unused_proxy"]

_SCHEMES = ("http", "https", "all")


@record
class ProxyRoute:
    """An HTTP proxy and who said to use it. The repr shows no password."""

    host: str
    port: int
    secure: bool
    source: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"


def environment_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """The proxy variables by scheme; a lower-case name wins over its upper-case twin, as in urllib."""
    found: dict[str, str] = {}
    for scheme in (*_SCHEMES, "no"):
        lower, upper = f"{scheme}_proxy", f"{scheme}_PROXY".upper()
        # httpoxy (CVE-2016-5385): under CGI, HTTP_PROXY is a request header and not a setting.
        if scheme == "http" and "REQUEST_METHOD" in environ:
            upper = ""
        value = environ.get(lower) or environ.get(upper)
        if value:
            found[scheme] = value
    return found


def effective_proxy(
    origin: Origin, network: NetworkSettings, environ: Mapping[str, str]
) -> ProxyRoute | None:
    """The proxy for ``origin``, or None for a direct connection. Raises UsageError CFG008."""
    if network.proxy is not None:
        return None if network.proxy == "" else _route(network.proxy, source="--proxy")
    if not network.trust_env:
        return None
    found = environment_proxies(environ)
    if _excluded(origin, found.get("no", "")):
        return None
    for scheme in (origin.scheme, "all"):
        if scheme in found:
            return _route(found[scheme], source=f"{scheme.upper()}_PROXY")
    return None


@record
class UnusedProxy:
    """A proxy that the environment names and that is not used for an origin, and what keeps it from use."""

    route: ProxyRoute
    because: str


def unused_proxy(origin: Origin, network: NetworkSettings, environ: Mapping[str, str]) -> UnusedProxy | None:
    """The environment's proxy where ``effective_proxy`` is None; one that cannot be read does not count."""
    found = environment_proxies(environ)
    candidates = [scheme for scheme in (origin.scheme, "all", "https", "http") if scheme in found]
    if not candidates:
        return None
    scheme = candidates[0]
    try:
        route = _route(found[scheme], source=f"{scheme.upper()}_PROXY")
    except UsageError:
        return None
    if network.proxy == "":
        because = "the connector asks for a direct connection (an empty proxy setting)"
    elif not network.trust_env:
        because = "the connector ignores the environment (trust_env = false)"
    elif _excluded(origin, found.get("no", "")):
        because = f"NO_PROXY={found.get('no', '')} excludes {origin.host}"
    else:
        because = f"{route.source} is not read for {origin.scheme} URLs"
    return UnusedProxy(route=route, because=because)


def _route(text: str, *, source: str) -> ProxyRoute:
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.scheme not in ("http", "https"):
        shown = text.rpartition("@")[2]
        raise UsageError(
            "CFG008",
            f"the proxy {shown!r} cannot be used",
            where=source,
            hint="write it as http://HOST:PORT; SOCKS and other kinds are not spoken here",
        )
    secure = parts.scheme == "https"
    return ProxyRoute(
        host=host,
        port=port or (443 if secure else 80),
        secure=secure,
        source=source,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _excluded(origin: Origin, no_proxy: str) -> bool:
    for entry in (part.strip().lower() for part in no_proxy.split(",")):
        if entry == "*":
            return True
        if entry and _matches(origin, entry):
            return True
    return False


def _matches(origin: Origin, entry: str) -> bool:
    entry = entry.rpartition("://")[2]
    host, _, port = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
    if port and port != str(origin.port):
        return False
    host = host.strip("[]")
    try:
        return ipaddress.ip_address(origin.host) in ipaddress.ip_network(host, strict=False)
    except ValueError:
        pass
    suffix = host.lstrip("*").lstrip(".")
    return bool(suffix) and (origin.host == suffix or origin.host.endswith("." + suffix))
