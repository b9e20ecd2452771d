"""An exchange that gave no usable answer, whatever carried it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from diagnose.wire.recorder import Recorded

__all__ = ["ExchangeFailed", "FailureKind"]

FailureKind = Literal[
    "dns",
    "tcp",
    "tls",
    "tls-alert",
    "proxy",
    "closed",
    "reset",
    "not-http",
    "headers-too-large",
    "too-large",
    "truncated",
    "encoding",
]


class ExchangeFailed(Exception):
    """No usable answer; ``kind`` says what happened to the exchange.

    Over stdio ``closed`` is a process that ended, ``truncated`` one that closed its stdout and lives on.
    """

    def __init__(self, kind: FailureKind, detail: str, exchange: Recorded) -> None:
        super().__init__(detail)
        self.kind: FailureKind = kind
        self.detail = detail
        self.exchange = exchange
