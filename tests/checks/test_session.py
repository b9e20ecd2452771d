"""Step 8: which refusal is about the session, and what tells replicas apart."""

from __future__ import annotations

import pytest
from diagnose_checks.replicas import instances, tally
from diagnose_checks.session_refusals import session_refusal
from hypothesis import given
from hypothesis import strategies as st

from diagnose.wire.recorder import Recorded
from diagnose.wire.rpc import RpcReply


def reply(status: int, text: str = "", code: int | None = None, **headers: str) -> RpcReply:
    exchange = Recorded(id=1, step="session_open", method="POST", url="http://h/", request_headers=())
    exchange.status = status
    exchange.response_headers = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    message: dict[str, object] | None = None
    if code is not None:
        message = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": text}}
    if status == 200 and code is None:
        message = {"jsonrpc": "2.0", "id": 1, "result": {}}
    return RpcReply(
        method="tools/list",
        status=status,
        content_type="application/json",
        message=message,
        exchange=exchange,
        text=text,
    )


@pytest.mark.parametrize(
    ("refusal", "answer"),
    [
        (None, reply(200)),
        ("unknown-session", reply(404, "Session not found", -32600)),
        ("unknown-session", reply(404, "Session not found", -32001)),
        ("unknown-session", reply(404, "Could not find session")),
        ("unknown-session", reply(400, "Invalid session ID")),
        ("unknown-session", reply(410, "the session has expired")),
        ("missing-id", reply(400, "Bad Request: Missing session ID", -32600)),
        ("missing-id", reply(400, "Bad Request: No valid session ID provided", -32000)),
        ("missing-id", reply(400, "Mcp-Session-Id header is required", -32000)),
        ("not-initialized", reply(400, "Bad Request: Server not initialized", -32000)),
        ("not-initialized", reply(200, "Received request before initialization was complete", -32602)),
        ("not-initialized", reply(200, "expect initialized notification, but received: ListToolsRequest", 0)),
        ("version-header", reply(400, "Bad Request: Unsupported protocol version", -32000)),
        ("credential", reply(401)),
        ("credential", reply(403, "insufficient_scope")),
        ("unexplained", reply(404)),
        ("unexplained", reply(422, "Unprocessable Entity")),
        # About the list, not about the session: step 9 judges these.
        (None, reply(404, "Method not found", -32601)),
        (None, reply(400, "Invalid cursor", -32602)),
        (None, reply(200, "database is down", -32603)),
        (None, reply(500, "Internal Server Error")),
        (None, reply(503)),
        (None, reply(429)),
        (None, reply(406)),
        (None, reply(202)),
    ],
)
def test_a_refusal_is_about_the_session_or_not(refusal: str | None, answer: RpcReply) -> None:
    assert refusal == session_refusal(answer)


@given(st.integers(100, 599), st.text(max_size=200))
def test_no_answer_breaks_the_table(status: int, text: str) -> None:
    session_refusal(reply(status, text))


def test_statuses_are_counted() -> None:
    assert {"200": 2, "404": 1} == tally([reply(200), reply(404), reply(200)])


def test_headers_that_tell_the_replicas_apart_are_named() -> None:
    answers = [reply(200, x_pod="a"), reply(404, "Session not found", x_pod="b"), reply(200, x_pod="a")]
    named = instances(answers)
    assert named is not None
    assert named.observed == "x-pod: a accepts; b refuses"


def test_headers_that_every_answer_shares_tell_nothing() -> None:
    assert (
        instances([reply(200, server="uvicorn"), reply(404, "Session not found", server="uvicorn")]) is None
    )
