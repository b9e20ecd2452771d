"""The first request again with its credential in another form: the contrast that proves a form wrong."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from diagnose.context import Context
from diagnose.records import record
from diagnose.wire.http_wire import ExchangeFailed, HttpWire
from diagnose.wire.recorder import Recorded

__all__ = ["Contrast", "resend"]

_LONGEST = 5.0
_MARGIN = 0.25

# Set anew for every request, or the very thing that changes.
_OWN = frozenset(("host", "content-length", "connection", "accept-encoding", "user-agent", "authorization"))


@record
class Contrast:
    """How the changed request was answered; ``status`` is None where nothing came back."""

    status: int | None
    exchange: int

    @property
    def let_in(self) -> bool:
        return self.status is not None and self.status not in (401, 403, 407, 429) and self.status < 500

    def __str__(self) -> str:
        return f"HTTP {self.status}" if self.status is not None else "no answer"


async def resend(
    ctx: Context, wire: HttpWire, first: Recorded, *, authorization: str, without: str | None
) -> Contrast:
    """Repeat ``first`` with this Authorization header; ``without`` is the header or query name to leave out.

    It goes to the origin of ``first`` and nowhere else.
    """
    headers = {
        name: value
        for name, value in first.request_headers
        if name.lower() not in _OWN and name.lower() != (without or "").lower()
    }
    headers["Authorization"] = authorization
    number = ctx.recorder.next_id
    try:
        # A contrast that hangs must not cost the verdict: the step's deadline stays ahead.
        async with (
            asyncio.timeout(max(min(_LONGEST, ctx.time_left() - _MARGIN), 0.05)),
            wire.open(
                first.method,
                _without_parameter(first.url, without),
                step=ctx.step_id,
                headers=headers,
                body=first.request_body,
                credential=False,
            ) as live,
        ):
            return Contrast(status=live.status, exchange=live.exchange.id)
    except (ExchangeFailed, TimeoutError):
        return Contrast(status=None, exchange=number)


def _without_parameter(url: str, name: str | None) -> str:
    parts = urlsplit(url)
    if name is None or not parts.query:
        return url
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != name]
    return urlunsplit(parts._replace(query=urlencode(kept)))
