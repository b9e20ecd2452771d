"""What a contrast may cost: it is sent to prove something, and where it dies it proves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from diagnose.context import Context
from diagnose.wire.http_wire import ExchangeFailed

__all__ = ["answered"]

_SHARE = 0.4
"""Of the time left, what one contrast may take: several must fit in before the step's own deadline."""

_Answer = TypeVar("_Answer")


async def answered(ctx: Context, asked: Awaitable[_Answer], *, share: float = _SHARE) -> _Answer | None:
    """The answer to a contrast; None where its exchange failed or its share of the step's time was up.

    So the answer that asked for the contrast stays the verdict, whatever becomes of what was sent after it.
    """
    try:
        async with asyncio.timeout(ctx.time_left() * share):
            return await asked
    except (ExchangeFailed, TimeoutError):
        return None
