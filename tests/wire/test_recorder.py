"""The record of an exchange: what it keeps and what it must not."""

from __future__ import annotations

import pytest

from diagnose.redact import Redactor
from diagnose.wire.recorder import KEPT_BODY, Recorder

SECRET = "canary-0123456789-abcdefghij"


@pytest.mark.parametrize("before_the_end", range(1, len(SECRET)))
def test_a_secret_at_the_cut_leaves_no_half(before_the_end: int) -> None:
    redactor = Redactor()
    redactor.register(SECRET)
    exchange = Recorder().begin("list_tools", "GET", "http://h/", {})
    exchange.status = 200
    exchange.keep(b" " * (KEPT_BODY - before_the_end) + SECRET.encode() + b" " * KEPT_BODY)
    shown = exchange.report(redactor)
    assert shown.response is not None
    assert "canary"[:before_the_end] not in shown.response["body"]
    assert shown.truncated


def test_a_body_within_the_limit_is_kept_whole() -> None:
    exchange = Recorder().begin("list_tools", "GET", "http://h/", {})
    exchange.status = 200
    exchange.keep(b"x" * KEPT_BODY)
    shown = exchange.report(Redactor())
    assert shown.response is not None
    assert "x" * KEPT_BODY == shown.response["body"]
    assert not shown.truncated
