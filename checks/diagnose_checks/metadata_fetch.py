"""GET one metadata document: bounded, without any credential, never from an address that was not judged.

Every candidate keeps what it answered, because "absent" (404) and "broken" (500, HTML, silence) lead to
different people.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import httpx2

from diagnose.connector.address import Origin, origin_of
from diagnose.connector.credential import Applied
from diagnose.context import Context
from diagnose.records import record
from diagnose.step import Evidence
from diagnose.wire.dial import AddressRefused, Dialler, ProxyRefused
from diagnose.wire.http_wire import Answer, ExchangeFailed, HttpWire
from diagnose.wire.proxies import effective_proxy
from diagnose.wire.reach import Reach
from diagnose.wire.rpc import MODERN_VERSION
from diagnose.wire.strict_json import HostileJson, parse
from diagnose.wire.transport import StagedTransport
from diagnose.wire.trust import TrustStoreUnreadable, runtime_store
from diagnose_checks.opening import user_agent

__all__ = ["EACH_URL", "Document", "Outcome", "Reader"]

EACH_URL = 5.0
"""Seconds for one URL, its redirects included."""

_MOST_REDIRECTS = 5
_MARGIN = 0.25  # what the check needs after its last request to say what it saw
_REDIRECTS = frozenset((301, 302, 303, 307, 308))

Outcome = Literal["found", "absent", "not JSON", "server error", "unreachable", "no answer", "refused"]


@record
class Document:
    """What one candidate URL gave. ``value`` is there for ``found`` alone."""

    url: str
    outcome: Outcome
    detail: str
    status: int | None = None
    redirects: tuple[str, ...] = ()
    exchange: int | None = None
    value: Mapping[str, Any] = field(default_factory=dict)
    asked: str | None = None
    """The URL or the address that was refused, where it is not ``url`` itself."""

    def listed(self, subject: str) -> Mapping[str, Any]:
        """The candidate as the facts list it."""
        shown: dict[str, Any] = {"for": subject, "url": self.url, "status": self.status}
        shown |= {"outcome": self.outcome, "detail": self.detail}
        if self.redirects:
            shown["redirected_to"] = list(self.redirects)
        return {key: value for key, value in shown.items() if value is not None}

    def evidence(self, label: str, *, expected: str = "200 with a JSON object") -> Evidence:
        return Evidence(
            label=label, expected=expected, observed=self.detail, where=self.url, exchange=self.exchange
        )


class Reader:
    """Reads documents for one run: on the connector's own connection where the origin is the same."""

    def __init__(self, ctx: Context, own_wire: HttpWire, reach: Reach) -> None:
        self._ctx = ctx
        self._own = own_wire
        self._reach = reach
        self._foreign: dict[str, HttpWire] = {}

    async def get(self, url: str) -> Document:
        """Fetch ``url``. Nothing is raised for what a server does."""
        seconds = max(min(EACH_URL, self._ctx.time_left() - _MARGIN), 0.05)
        hops: list[str] = []
        try:
            async with asyncio.timeout(seconds):
                return await self._follow(url, hops)
        except TimeoutError:
            return Document(
                url=url,
                outcome="no answer",
                detail=f"no complete answer within {seconds:.1f} s",
                redirects=tuple(hops),
                exchange=self._last_exchange(),
            )

    async def _follow(self, url: str, hops: list[str]) -> Document:
        target = url
        while True:
            why = self._reach.refuse_url(target)
            if why is not None:
                return self._refused(url, target, why, hops)
            answer = await self._ask(url, target, hops)
            if isinstance(answer, Document):
                return answer
            location = answer.header("location")
            if answer.status not in _REDIRECTS or not location:
                return _judged(url, answer, tuple(hops))
            try:
                following = urljoin(target, location)
                downgrade = urlsplit(target).scheme == "https" and urlsplit(following).scheme == "http"
            except ValueError:
                return self._refused(url, location, "its redirect leads to no URL", hops)
            if downgrade:
                return self._refused(url, following, "the redirect goes from https to http", hops)
            hops.append(following)
            if len(hops) > _MOST_REDIRECTS:
                detail = f"more than {_MOST_REDIRECTS} redirects"
                return Document(
                    url=url,
                    outcome="absent",
                    detail=detail,
                    status=answer.status,
                    redirects=tuple(hops),
                    exchange=answer.exchange.id,
                )
            target = following

    async def _ask(self, url: str, target: str, hops: list[str]) -> Answer | Document:
        headers = {"Accept": "application/json", "MCP-Protocol-Version": MODERN_VERSION}
        try:
            wire = self._wire(origin_of(target))
            return await wire.fetch(
                "GET",
                target,
                step=self._ctx.step_id,
                headers=headers,
                credential=False,
                limit=self._ctx.options.limits.metadata,
            )
        except AddressRefused as problem:
            self._note(str(problem))
            return self._refused(url, target, str(problem), hops)
        except httpx2.InvalidURL as problem:
            return self._refused(url, target, f"it is no usable URL: {problem}", hops)
        except (ProxyRefused, TrustStoreUnreadable) as problem:
            self._note(str(problem))
            proxied = isinstance(problem, ProxyRefused)
            detail = f"the proxy refuses the connection: {problem}" if proxied else str(problem)
            exchange = self._last_exchange()
            return Document(
                url=url, outcome="unreachable", detail=detail, redirects=tuple(hops), exchange=exchange
            )
        except ExchangeFailed as problem:
            return _failed(url, problem, tuple(hops))

    def _wire(self, origin: Origin) -> HttpWire:
        if origin == self._ctx.origin:
            return self._own
        if origin.scheme not in self._foreign:
            self._foreign[origin.scheme] = self._open(origin)
        return self._foreign[origin.scheme]

    def _open(self, origin: Origin) -> HttpWire:
        ctx = self._ctx
        # A client certificate is a credential too: it is for the connector's origin and for no other.
        network = ctx.connector.network.model_copy(update={"client_certificate": None, "client_key": None})
        store = runtime_store(network, ctx.environ) if origin.scheme == "https" else None
        route = effective_proxy(origin, network, ctx.environ) if origin.scheme == "http" else None
        forward: httpx2.Proxy | None = None
        if route is not None:
            login = (route.username, route.password or "") if route.username is not None else None
            forward = httpx2.Proxy(str(route), auth=login)
        dial = Dialler(
            resolver=ctx.resolver,
            network=network,
            environ=ctx.environ,
            store=store,
            scheme=origin.scheme,
            vet=self._reach.refuse_addresses,
        )
        context = store.context if store is not None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        wire = HttpWire(
            StagedTransport(dial, context, forward_proxy=forward),
            ctx.recorder,
            authorize=lambda url: Applied(),
            user_agent=user_agent(),
            body_limit=ctx.options.limits.metadata,
        )
        ctx.closing.push_async_callback(wire.aclose)
        return wire

    def _refused(self, url: str, target: str, why: str, hops: list[str]) -> Document:
        return Document(
            url=url, outcome="refused", detail=f"not fetched: {why}", redirects=tuple(hops), asked=target
        )

    def _note(self, problem: str) -> None:
        exchanges = self._ctx.recorder.of_step(self._ctx.step_id)
        if exchanges and exchanges[-1].status is None:
            exchanges[-1].error = problem

    def _last_exchange(self) -> int | None:
        exchanges = self._ctx.recorder.of_step(self._ctx.step_id)
        return exchanges[-1].id if exchanges else None


def _failed(url: str, problem: ExchangeFailed, hops: tuple[str, ...]) -> Document:
    exchange = problem.exchange
    outcome: Outcome = "unreachable"
    if exchange.status is not None and exchange.status != 200:
        outcome = "server error" if exchange.status >= 500 or exchange.status == 429 else "absent"
    elif exchange.status == 200:
        outcome = "not JSON"
    status = f"HTTP {exchange.status}, " if exchange.status is not None else ""
    return Document(
        url=url,
        outcome=outcome,
        detail=f"{status}{problem.detail}",
        status=exchange.status,
        redirects=hops,
        exchange=exchange.id,
    )


def _judged(url: str, answer: Answer, hops: tuple[str, ...]) -> Document:
    def made(outcome: Outcome, detail: str, value: Mapping[str, Any] | None = None) -> Document:
        return Document(
            url=url,
            outcome=outcome,
            detail=detail,
            status=answer.status,
            redirects=hops,
            exchange=answer.exchange.id,
            value=value or {},
        )

    said = f"HTTP {answer.status} {answer.reason[:100]}".strip()
    if answer.status >= 500 or answer.status == 429:
        return made("server error", said)
    if answer.status != 200:
        return made("absent", said)
    kind = answer.content_type or "no content type"
    try:
        value = parse(answer.body).value
    except HostileJson as problem:
        shown = answer.text.strip()[:80]
        why = f"{problem}: {shown!r}" if shown else "an empty body"
        return made("not JSON", f"{said}, {kind}, {why}")
    if not isinstance(value, Mapping):
        return made("not JSON", f"{said}, {kind}, a JSON value that is no object")
    return made("found", f"{said}, {kind}", value)
