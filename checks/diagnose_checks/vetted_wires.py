"""The wires to origins that a server's documents name: judged before they are dialled, without a credential.

The connector's own origin is asked on its own connection; every other one over a wire that carries neither
the connector's headers nor its client certificate, and that connects to judged addresses only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal

import httpx2

from diagnose.connector.address import Origin, origin_of
from diagnose.connector.credential import Applied
from diagnose.context import Context
from diagnose.records import record
from diagnose.wire.dial import AddressRefused
from diagnose.wire.http_wire import Answer, ExchangeFailed, HttpWire
from diagnose.wire.reach import Reach
from diagnose.wire.trust import TrustStoreUnreadable
from diagnose.wire.vetted import vetted_transport
from diagnose_checks.opening import user_agent

__all__ = ["EACH_URL", "Unanswered", "VettedWires"]

EACH_URL = 5.0
"""Seconds for one URL, its redirects included."""

_MARGIN = 0.25  # what the check needs after its last request to say what it saw


@record
class Unanswered:
    """No complete answer. ``refused``: nothing was sent; ``broken``: an answer began and is none."""

    kind: Literal["refused", "unreachable", "no answer", "broken"]
    detail: str
    status: int | None = None
    exchange: int | None = None


class VettedWires:
    """Sends single requests for one run; redirects are never followed here."""

    def __init__(self, ctx: Context, own: HttpWire, reach: Reach) -> None:
        self._ctx = ctx
        self._own = own
        self.reach = reach
        self._foreign: dict[str, HttpWire] = {}

    def seconds(self) -> float:
        """How long one request may take now: its own limit, and what the step has left."""
        return max(min(EACH_URL, self._ctx.time_left() - _MARGIN), 0.05)

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer | Unanswered:
        """One request to a judged URL, within :meth:`seconds`. Nothing is raised for what a server does."""
        seconds = self.seconds()
        try:
            async with asyncio.timeout(seconds):
                return await self.ask(method, url, headers=headers, body=body)
        except TimeoutError:
            detail = f"no complete answer within {seconds:.1f} s"
            return Unanswered(kind="no answer", detail=detail, exchange=self.last_exchange())

    async def ask(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer | Unanswered:
        """Like :meth:`send`, within the caller's own deadline."""
        why = self.reach.refuse_url(url)
        if why is not None:
            return Unanswered(kind="refused", detail=why)
        try:
            return await self._wire(origin_of(url)).fetch(
                method,
                url,
                step=self._ctx.step_id,
                headers=headers,
                body=body,
                credential=False,
                limit=self._ctx.options.limits.metadata,
            )
        except AddressRefused as problem:
            self._note(str(problem))
            return Unanswered(kind="refused", detail=str(problem))
        except httpx2.InvalidURL as problem:
            return Unanswered(kind="refused", detail=f"it is no usable URL: {problem}")
        except TrustStoreUnreadable as problem:
            self._note(str(problem))
            return Unanswered(kind="unreachable", detail=str(problem), exchange=self.last_exchange())
        except ExchangeFailed as problem:
            status = problem.exchange.status
            by_proxy = "the proxy refuses the connection: " if problem.kind == "proxy" else ""
            return Unanswered(
                kind="unreachable" if status is None else "broken",
                detail=f"{by_proxy}{problem.detail}",
                status=status,
                exchange=problem.exchange.id,
            )

    def last_exchange(self) -> int | None:
        """The number of the step's latest exchange."""
        exchanges = self._ctx.recorder.of_step(self._ctx.step_id)
        return exchanges[-1].id if exchanges else None

    def _note(self, problem: str) -> None:
        exchanges = self._ctx.recorder.of_step(self._ctx.step_id)
        if exchanges and exchanges[-1].status is None:
            exchanges[-1].error = problem

    def _wire(self, origin: Origin) -> HttpWire:
        if origin == self._ctx.origin:
            return self._own
        if origin.scheme not in self._foreign:
            self._foreign[origin.scheme] = self._open(origin)
        return self._foreign[origin.scheme]

    def _open(self, origin: Origin) -> HttpWire:
        ctx = self._ctx
        transport = vetted_transport(
            origin,
            reach=self.reach,
            resolver=ctx.resolver,
            network=ctx.connector.network,
            environ=ctx.environ,
        )
        wire = HttpWire(
            transport,
            ctx.recorder,
            authorize=lambda url: Applied(),
            user_agent=user_agent(),
            body_limit=ctx.options.limits.metadata,
        )
        ctx.closing.push_async_callback(wire.aclose)
        return wire
