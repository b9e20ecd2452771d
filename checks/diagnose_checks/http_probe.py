"""How step 4 asks: the first message, its repetitions with one thing changed, and the time each may take."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from diagnose.context import Context
from diagnose.wire.http_wire import ExchangeFailed, HttpWire
from diagnose.wire.rpc import read_reply
from diagnose.wire.sse_channel import SSE_HEADERS
from diagnose_checks.facts import TlsFacts
from diagnose_checks.http_outcome import Outcome
from diagnose_checks.opening import initialize_params, open_channel

__all__ = ["Probe"]

_SHARE = 0.4
"""Of the time left, what one contrast may take: several must fit in before the step's own deadline."""


@dataclass(slots=True, kw_only=True)
class Probe:
    """The wire of one run, and the URL that stands after redirects."""

    ctx: Context
    wire: HttpWire
    tls: TlsFacts
    url: str
    first: str = "server/discover"

    async def ask(self) -> Outcome:
        """The first message as the runtime sends it; only the step's deadline bounds it."""
        return await self._send(self.first, self.url, {}, (), True)

    async def contrast(
        self,
        *,
        method: str | None = None,
        url: str | None = None,
        headers: Mapping[str, str] | None = None,
        without: tuple[str, ...] = (),
        credential: bool = True,
    ) -> Outcome:
        """The first message again with one thing changed, within a share of the time that is left."""
        sent = self._send(method or self.first, url or self.url, headers or {}, without, credential)
        return await self._bounded(sent, method or self.first, url or self.url)

    async def initialize_too(self) -> Outcome:
        """``initialize`` after the modern message was refused, leaving time to judge both."""
        return await self._bounded(
            self._send("initialize", self.url, {}, (), True), "initialize", self.url, 0.7
        )

    def sibling(self, path: str) -> str:
        """The URL of another path on the same origin, without query."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc, path, "", ""))

    async def _bounded(
        self, sent: Coroutine[Any, Any, Outcome], method: str, url: str, share: float = _SHARE
    ) -> Outcome:
        allowed = self.ctx.time_left() * share
        try:
            async with asyncio.timeout(allowed):
                return await sent
        except TimeoutError:
            exchanges = self.ctx.recorder.of_step(self.ctx.step_id)
            recorded = exchanges[-1] if exchanges else None
            return Outcome(url=url, method=method, waited_s=allowed, recorded=recorded)

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], without: tuple[str, ...], credential: bool
    ) -> Outcome:
        if method == "GET":
            return await self._get(url, headers, without, credential)
        channel = open_channel(self.ctx, self.wire, url, modern=method != "initialize")
        params = initialize_params(channel.version) if method == "initialize" else None
        try:
            reply = await channel.call(
                method,
                params,
                step=self.ctx.step_id,
                extra_headers=headers,
                without=without,
                credential=credential,
            )
        except ExchangeFailed as problem:
            return Outcome(url=url, method=method, channel=channel, failure=problem)
        return Outcome(url=url, method=method, channel=channel, reply=reply)

    async def _get(
        self, url: str, headers: Mapping[str, str], without: tuple[str, ...], credential: bool
    ) -> Outcome:
        """The GET of HTTP+SSE, for contrasts: of a stream, its headers are enough."""
        sent = {**SSE_HEADERS, **headers}
        try:
            async with self.wire.open(
                "GET", url, step=self.ctx.step_id, headers=sent, without=without, credential=credential
            ) as live:
                return Outcome(url=url, method="GET", reply=await read_reply(live, "GET", None))
        except ExchangeFailed as problem:
            return Outcome(url=url, method="GET", failure=problem)
