"""Every exchange of a run: what was sent, what came back, and when; redacted when it is read out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf

from diagnose.display import display
from diagnose.model import Exchange
from diagnose.redact import Redactor

__all__ = ["KEPT_BODY", "Recorded", "Recorder"]

KEPT_BODY = 64 * 1024
"""Bytes of a body that the report keeps; the rest is counted."""
_MARGIN = 8 * 1024  # read beyond it, so that a secret is whole when it is masked and cut off afterwards


@dataclass(slots=True, kw_only=True)
class Recorded:
    """One exchange while it happens. Times are in milliseconds since it began."""

    id: int
    step: str
    method: str
    url: str
    request_headers: tuple[tuple[str, str], ...]
    request_body: bytes = b""
    status: int | None = None
    reason: str = ""
    http_version: str = ""
    response_headers: tuple[tuple[str, str], ...] = ()
    body: bytearray = field(default_factory=bytearray)
    body_size: int = 0
    error: str | None = None
    began: float = field(default_factory=time.monotonic)
    marks: dict[str, float] = field(default_factory=dict)
    peer: str | None = None
    first_bytes: bytes = b""
    process: int | None = None
    """The number of the start whose standard streams carried it; None for HTTP."""
    _count: Callable[[], int] | None = None
    _count_before: int = 0

    def watch(self, count: Callable[[], int]) -> None:
        """Count bytes that arrive before an answer is complete enough to be one; ``count`` only grows."""
        self._count, self._count_before = count, count()

    def settle(self) -> None:
        """Stop counting: what arrives from now on belongs to other exchanges."""
        if self._count is not None:
            total = self._count()
            self._count = lambda: total

    @property
    def received(self) -> int:
        """Bytes that arrived on the wire since this exchange began."""
        return self._count() - self._count_before if self._count is not None else 0

    @property
    def ended(self) -> float:
        """When the answer was read to its end or given up; infinite while it is not."""
        return self.began + self.marks["receive"] / 1000 if "receive" in self.marks else inf

    def mark(self, name: str) -> None:
        """Note the moment at which a phase ended."""
        self.marks[name] = round((time.monotonic() - self.began) * 1000, 2)

    def keep(self, chunk: bytes) -> None:
        """Count ``chunk`` and keep what still fits."""
        self.body_size += len(chunk)
        room = KEPT_BODY + _MARGIN - len(self.body)
        if room > 0:
            self.body += chunk[:room]

    def header(self, name: str) -> str | None:
        """The first response header of that name."""
        wanted = name.lower()
        return next((value for key, value in self.response_headers if key.lower() == wanted), None)

    def progress(self) -> str:
        """How far the answer got, in words that a finding can print."""
        if self.process is not None:
            return f"{self.body_size} bytes, and no response" if self.body_size else "no answer"
        if self.status is None:
            if self.received:
                return f"{self.received} bytes, which do not make complete HTTP headers"
            return "not one byte of an answer"
        if not self.body_size:
            return f"HTTP {self.status} with headers after {self.marks.get('wait', 0):.0f} ms, and no body"
        return f"HTTP {self.status} and {self.body_size} bytes of its body"

    def timings(self) -> dict[str, float]:
        """The phases as durations in milliseconds: connect, tls, send, wait, receive, total."""
        phases: dict[str, float] = {}
        previous = 0.0
        for name in ("connect", "tls", "send", "wait", "receive"):
            if name in self.marks:
                phases[name] = round(max(self.marks[name] - previous, 0.0), 2)
                previous = self.marks[name]
        phases["total"] = max(self.marks.values(), default=0.0)
        return phases

    def report(self, redactor: Redactor, *, run_began: float | None = None) -> Exchange:
        """The exchange as the report holds it; ``run_began`` is on the clock of :attr:`began`."""
        request: dict[str, object] = {
            "method": self.method,
            "url": display(redactor.text(self.url)),
            "headers": redactor.headers(self.request_headers),
        }
        if self.process is not None:
            request = {"method": self.method, "process": self.process}
        if self.request_body:
            request["body"] = _body_text(self.request_body, redactor)
        response: dict[str, object] | None = None
        if self.status is not None:
            response = {
                "status": self.status,
                "reason": display(self.reason, limit=200),
                "http_version": self.http_version,
                "headers": redactor.headers(self.response_headers),
                "body": _body_text(bytes(self.body), redactor),
                "body_size": self.body_size,
            }
        elif self.process is not None and self.body_size:
            response = {"body": _body_text(bytes(self.body), redactor), "body_size": self.body_size}
        elif self.error is not None:
            response = {"error": display(redactor.text(self.error), limit=500)}
        if response is not None and self.error is not None:
            response["error"] = display(redactor.text(self.error), limit=500)
        return Exchange(
            id=self.id,
            step=self.step,
            request=request,
            response=response,
            started_ms=round((self.began - run_began) * 1000, 2) if run_began is not None else None,
            timings_ms=self.timings(),
            truncated=self.body_size > KEPT_BODY,
        )


def _body_text(body: bytes, redactor: Redactor) -> str:
    return str(display(redactor.text(body.decode("utf-8", "backslashreplace"))[:KEPT_BODY], layout=True))


class Recorder:
    """The exchanges of one run, in the order in which they began; the first gets the number ``first``.

    ``carried`` are those of an earlier run that its findings, reused in this one, point at. They keep their
    numbers, which is why this run's own begin after them.
    """

    def __init__(self, *, first: int = 1) -> None:
        self.exchanges: list[Recorded] = []
        self.carried: list[Recorded] = []
        self._first = first

    @property
    def next_id(self) -> int:
        """The number that the next exchange gets."""
        return self._first + len(self.exchanges)

    def carry(self, exchanges: Iterable[Recorded]) -> None:
        """Keep exchanges of an earlier run. Raises ValueError for a number that this run gives itself."""
        known = {exchange.id: exchange for exchange in (*self.carried, *exchanges)}
        if any(number >= self._first for number in known):
            raise ValueError("an exchange of an earlier run has a number of this run's own")
        self.carried = [known[number] for number in sorted(known)]

    def begin(
        self, step: str, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Recorded:
        """Open the record of a request that is about to be sent."""
        exchange = Recorded(
            id=self.next_id,
            step=step,
            method=method,
            url=url,
            request_headers=tuple(headers.items()),
            request_body=body,
        )
        self.exchanges.append(exchange)
        return exchange

    def of_step(self, step: str) -> list[Recorded]:
        return [exchange for exchange in self.exchanges if exchange.step == step]

    def get(self, exchange_id: int) -> Recorded:
        """The exchange with that number. Raises KeyError."""
        for exchange in (*self.carried, *self.exchanges):
            if exchange.id == exchange_id:
                return exchange
        raise KeyError(exchange_id)
