"""Which URLs out of a server's documents may be fetched.

A server under diagnosis can name any URL in its challenge and its metadata; a client that fetches it
blindly is a way into the network it runs in (MCP security best practices, server-side request forgery).
Names are judged by the bytes of their resolved addresses, never by their spelling, and the connection goes
to the very addresses that were judged.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Literal
from urllib.parse import urlsplit

from diagnose.connector.address import Origin, origin_of
from diagnose.records import record
from diagnose.wire.resolver import Address, literal_address

__all__ = ["AddressKind", "Reach", "address_kind", "reach_of"]

AddressKind = Literal[
    "public", "loopback", "private", "link-local", "metadata service", "shared", "unspecified", "multicast"
]
_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

# Cloud metadata services hand out credentials to whoever can ask them.
_METADATA = frozenset(
    map(ipaddress.ip_address, ("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254"))
)
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LONGEST = 2048
_UNUSABLE = re.compile(r"[^\x21-\x7e]|[\\\"<>^`{|}]")


def address_kind(ip: str) -> AddressKind:
    """The kind of an address; an IPv4 address inside an IPv6 one is judged as what it is."""
    address = _unwrapped(ipaddress.ip_address(ip.partition("%")[0]))
    if address in _METADATA:
        return "metadata service"
    if address.is_unspecified:
        return "unspecified"
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    if address.version == 4 and address in _SHARED:
        return "shared"
    return "public" if address.is_global else "private"


def _unwrapped(address: _Ip) -> _Ip:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address.teredo is not None:
        inner = address.teredo[1]
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(address.packed[12:])
    if inner is None and int(address) >> 32 == 0 and int(address) > 1:  # ::a.b.c.d, deprecated, still routed
        inner = ipaddress.IPv4Address(address.packed[12:])
    return address if inner is None else inner


# Never legal as a place of metadata, whoever asks.
_NEVER: frozenset[AddressKind] = frozenset(("link-local", "metadata service", "multicast", "unspecified"))


@record
class Reach:
    """What this connector may make us fetch. A connector on a private network may name private hosts."""

    origin: Origin
    own: Literal["public", "private", "loopback"]

    def refuse_url(self, url: str) -> str | None:
        """Why ``url`` is not fetched, judged by its text; None where its address decides."""
        if len(url) > _LONGEST:
            return f"it is longer than {_LONGEST} characters"
        if _UNUSABLE.search(url):
            return "it holds characters that no URL may hold (RFC 3986 2)"
        try:
            parts = urlsplit(url)
            if parts.scheme.lower() not in ("http", "https"):
                return f"its scheme is {parts.scheme or 'absent'}, not https"
            target = origin_of(url)
        except ValueError:
            return "it is no absolute URL"
        if parts.username is not None or parts.password is not None:
            return "it holds a user name or a password"
        if target == self.origin:
            return None  # the connector's own origin: the user chose it, and we are already connected
        if target.scheme == "http" and self.own != "loopback":
            return "it is plain http"
        literal = literal_address(target.host, target.port)
        return self.refuse_addresses(target.scheme, (literal,)) if literal is not None else None

    def refuse_addresses(self, scheme: str, addresses: Iterable[Address]) -> str | None:
        """Why none of ``addresses`` is connected to: one bad one among them is enough."""
        for address in addresses:
            kind = address_kind(address.ip)
            if kind in _NEVER:
                return f"{address.ip} is a {kind} address"
            if scheme == "http" and kind != "loopback":
                return f"it is plain http to {address.ip}, which is not loopback"
            if kind != "public" and self.own == "public":
                return f"{address.ip} is a {kind} address, while the connector's own host is public"
        return None


def reach_of(origin: Origin, addresses: Iterable[Address] | None) -> Reach:
    """The reach of a connector whose host has ``addresses``; None: unknown, as behind a proxy."""
    literal = literal_address(origin.host, origin.port)
    if literal is not None:
        addresses = (literal,)
    elif origin.host == "localhost" or origin.host.endswith(".localhost"):
        return Reach(origin=origin, own="loopback")
    kinds = {address_kind(address.ip) for address in addresses or ()}
    if kinds and kinds <= {"loopback", "unspecified"}:  # 0.0.0.0 connects to this machine
        return Reach(origin=origin, own="loopback")
    if kinds and not kinds & {"public"}:
        return Reach(origin=origin, own="private")
    return Reach(origin=origin, own="public")
