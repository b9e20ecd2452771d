"""GET one metadata document: bounded, without any credential, never from an address that was not judged.

Every candidate keeps what it answered, because "absent" (404) and "broken" (500, HTML, silence) lead to
different people.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

from diagnose.records import record
from diagnose.step import Evidence
from diagnose.wire.http_wire import Answer
from diagnose.wire.rpc import MODERN_VERSION
from diagnose.wire.strict_json import HostileJson, parse
from diagnose_checks.vetted_wires import Unanswered, VettedWires

__all__ = ["Document", "Outcome", "Reader"]

_MOST_REDIRECTS = 5
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_HEADERS: Mapping[str, str] = {"Accept": "application/json", "MCP-Protocol-Version": MODERN_VERSION}

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

    def __init__(self, wires: VettedWires) -> None:
        self.wires = wires

    async def get(self, url: str) -> Document:
        """Fetch ``url``. Nothing is raised for what a server does."""
        seconds = self.wires.seconds()
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
                exchange=self.wires.last_exchange(),
            )

    async def _follow(self, url: str, hops: list[str]) -> Document:
        target = url
        while True:
            answer = await self.wires.ask("GET", target, headers=_HEADERS)
            if isinstance(answer, Unanswered):
                return _failed(url, target, answer, tuple(hops))
            location = answer.header("location")
            if answer.status not in _REDIRECTS or not location:
                return _judged(url, answer, tuple(hops))
            try:
                following = urljoin(target, location)
                downgrade = urlsplit(target).scheme == "https" and urlsplit(following).scheme == "http"
            except ValueError:
                return _refused(url, location, "its redirect leads to no URL", tuple(hops))
            if downgrade:
                return _refused(url, following, "the redirect goes from https to http", tuple(hops))
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


def _refused(url: str, target: str, why: str, hops: tuple[str, ...]) -> Document:
    return Document(url=url, outcome="refused", detail=f"not fetched: {why}", redirects=hops, asked=target)


def _failed(url: str, target: str, answer: Unanswered, hops: tuple[str, ...]) -> Document:
    if answer.kind == "refused":
        return _refused(url, target, answer.detail, hops)
    outcome: Outcome = "unreachable"
    if answer.status is not None and answer.status != 200:
        outcome = "server error" if answer.status >= 500 or answer.status == 429 else "absent"
    elif answer.status == 200:
        outcome = "not JSON"
    status = f"HTTP {answer.status}, " if answer.status is not None else ""
    return Document(
        url=url,
        outcome=outcome,
        detail=f"{status}{answer.detail}",
        status=answer.status,
        redirects=hops,
        exchange=answer.exchange,
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
