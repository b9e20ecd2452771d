"""Name resolution as the runtime does it, and the explanation when it fails.

The runtime's truth is ``getaddrinfo``: hosts file, search domains, mDNS and all. dnspython only explains
a failure, or resolves itself where ``--resolver`` names a server; it is imported then and not before.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from diagnose.records import record
from diagnose.wire.threads import in_daemon_thread

__all__ = [
    "Address",
    "Explanation",
    "NameserverResolver",
    "PinnedResolver",
    "Reason",
    "ResolutionFailed",
    "Resolver",
    "SystemResolver",
    "explain",
    "literal_address",
]

_MOST_ADDRESSES = 16

Reason = Literal[
    "nxdomain", "no-address", "servfail", "refused", "no-answer", "invalid-name", "temporary", "resolves"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One way to reach a host: an IP literal and a port."""

    ip: str
    port: int

    @property
    def family(self) -> int:
        return 6 if ":" in self.ip else 4

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if self.family == 6 else f"{self.ip}:{self.port}"


class ResolutionFailed(Exception):
    """The name has no address that can be used; ``reason`` is what is proven so far."""

    def __init__(self, reason: Reason, detail: str, *, source: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail
        self.source = source


@record
class Explanation:
    """What name servers themselves say: the reason, their words, and who was asked."""

    reason: Reason
    detail: str
    nameservers: tuple[str, ...]


class Resolver(Protocol):
    """Resolves a host. ``source`` names it in reports. Raises ResolutionFailed."""

    source: str

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]: ...


def literal_address(host: str, port: int) -> Address | None:
    """The address that ``host`` itself is, or None for a name."""
    try:
        return Address(ip=str(ipaddress.ip_address(host.strip("[]"))), port=port)
    except ValueError:
        return None


class SystemResolver:
    """``getaddrinfo``, in a thread that cannot hold the process back."""

    source = "getaddrinfo"

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        try:
            found = await in_daemon_thread(
                lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            )
        except UnicodeError as problem:  # a label over 63 octets, or one IDNA cannot encode
            raise ResolutionFailed("invalid-name", str(problem), source=self.source) from problem
        except socket.gaierror as problem:
            raise ResolutionFailed(_gai_reason(problem), str(problem), source=self.source) from problem
        addresses = dict.fromkeys(Address(ip=str(entry[4][0]), port=port) for entry in found)
        return tuple(addresses)[:_MOST_ADDRESSES]


def _gai_reason(problem: socket.gaierror) -> Reason:
    no_data = getattr(socket, "EAI_NODATA", None)
    if no_data is not None and problem.errno == no_data:
        return "no-address"
    return "nxdomain" if problem.errno == socket.EAI_NONAME else "temporary"


class PinnedResolver:
    """Answers for the hosts of ``--resolve HOST:PORT:IP`` and asks the next resolver for all others."""

    def __init__(self, pins: Mapping[str, str], after: Resolver) -> None:
        self._pins = {key.lower(): ip for key, ip in pins.items()}
        self._after = after
        self.source = after.source

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        ip = self._pins.get(f"{host.lower()}:{port}")
        if ip is not None:
            return (Address(ip=ip, port=port),)
        return await self._after.resolve(host, port)


class NameserverResolver:
    """Asks one name server, as ``--resolver IP[:PORT]`` wants it; the hosts file is not consulted."""

    def __init__(self, ip: str, port: int = 53, *, lifetime: float = 4.0) -> None:
        self.source = f"name server {ip}:{port}" if port != 53 else f"name server {ip}"
        self._ip, self._port, self._lifetime = ip, port, lifetime

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        answers, explanation = await in_daemon_thread(
            lambda: _ask(host, ((self._ip, self._port),), self._lifetime)
        )
        if not answers:
            raise ResolutionFailed(explanation.reason, explanation.detail, source=self.source)
        return tuple(Address(ip=ip, port=port) for ip in answers[:_MOST_ADDRESSES])


async def explain(
    host: str, *, nameserver: tuple[str, int] | None = None, lifetime: float = 2.0
) -> Explanation:
    """Ask the name servers why ``host`` has no address; ``lifetime`` is in seconds."""
    if _never_exists(host):
        return Explanation(
            reason="nxdomain", detail="names under .invalid never exist (RFC 6761 6.4)", nameservers=()
        )
    servers = (nameserver,) if nameserver else None
    _, explanation = await in_daemon_thread(lambda: _ask(host, servers, lifetime))
    return explanation


def _never_exists(host: str) -> bool:
    # A resolver that hijacks NXDOMAIN would answer; the name is wrong all the same.
    return host.rstrip(".").lower().rpartition(".")[2] == "invalid"


def _ask(
    host: str, servers: tuple[tuple[str, int], ...] | None, lifetime: float
) -> tuple[list[str], Explanation]:
    import dns.exception
    import dns.name
    import dns.resolver

    try:
        name = dns.name.from_text(host)
        resolver = dns.resolver.Resolver(configure=servers is None)
    except (dns.exception.DNSException, UnicodeError) as problem:
        unconfigured = isinstance(problem, dns.resolver.NoResolverConfiguration)
        reason: Reason = "temporary" if unconfigured else "invalid-name"
        return [], Explanation(reason=reason, detail=str(problem), nameservers=())
    if servers is not None:
        resolver.nameservers = [ip for ip, _ in servers]
        resolver.port = servers[0][1]
    resolver.lifetime = lifetime
    # Every server gets its turn within the lifetime, and a lost datagram a second try.
    resolver.timeout = lifetime / max(2, len(resolver.nameservers) + 1)
    asked = tuple(str(server) for server in resolver.nameservers)
    addresses: list[str] = []
    reason, detail = "no-address", "the name exists and has neither an A nor an AAAA record"
    for kind in ("A", "AAAA"):
        try:
            answer = resolver.resolve(name, kind, search=False)
            addresses += [record.to_text() for record in answer]
        except dns.resolver.NXDOMAIN:
            return [], Explanation(reason="nxdomain", detail="NXDOMAIN", nameservers=asked)
        except dns.resolver.NoAnswer:
            continue
        except (dns.exception.DNSException, OSError) as problem:
            reason, detail = _refusal(problem)
            break
    if addresses:
        reason, detail = "resolves", ", ".join(addresses)
    return addresses, Explanation(reason=reason, detail=detail, nameservers=asked)


def _refusal(problem: Exception) -> tuple[Reason, str]:
    """The strongest statement among the servers' answers; dnspython keeps one entry per attempt."""
    import dns.rcode

    attempts = getattr(problem, "kwargs", {}).get("errors") or ()
    codes = [dns.rcode.to_text(entry[4].rcode()) for entry in attempts if entry[4] is not None]
    said: dict[str, Reason] = {"SERVFAIL": "servfail", "REFUSED": "refused", "NXDOMAIN": "nxdomain"}
    for code, reason in said.items():
        if code in codes:
            return reason, code
    if codes:  # FORMERR, NOTIMP and the like: an answer that says nothing about the name
        return "temporary", f"the name server answered {codes[0]}"
    words = "; ".join(dict.fromkeys(_words(entry) for entry in attempts)) or str(problem)
    return "no-answer", words


def _words(entry: tuple[object, ...]) -> str:
    server, over_tcp, port, problem = entry[:4]
    return f"{server}:{port} over {'TCP' if over_tcp else 'UDP'}: {problem}"
