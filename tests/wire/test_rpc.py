"""Reading what answers a JSON-RPC request: one message judged, and a stream sorted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnose.wire.event_stream import Event
from diagnose.wire.rpc import encode_header_value
from diagnose.wire.rpc_reply import StreamReading, judge_message
from diagnose.wire.server_requests import answer_to

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def message(**members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, **members}


def event(value: Any, kind: str = "message") -> Event:
    data = value if isinstance(value, str) else json.dumps(value)
    return Event(type=kind, data=data, id=None, size=len(data))


def read(*events: Event) -> tuple[StreamReading, Any, list[str]]:
    reading = StreamReading(request_id=7)
    for item in events:
        reading.take(item)
    found, problems = reading.outcome()
    return reading, found, [problem.kind for problem in problems]


@pytest.mark.parametrize(
    ("kinds", "value"),
    [
        ([], message(result={})),
        ([], message(error={"code": -32601, "message": "no"})),
        (["batch"], [message(result={})]),
        (["not-jsonrpc"], {"result": {}}),
        (["not-jsonrpc"], message()),
        (["not-jsonrpc"], "text"),
        (["result-and-error"], message(result={}, error={"code": 1, "message": ""})),
        (["error-shape"], message(error={"code": "1", "message": ""})),
        (["error-shape"], message(error={"code": True, "message": ""})),
        (["id-mismatch"], message(result={}) | {"id": 8}),
        (["id-mismatch"], message(result={}) | {"id": None}),
        (["id-type"], message(result={}) | {"id": "7"}),
    ],
)
def test_a_message_lists_what_json_rpc_forbids(kinds: list[str], value: Any) -> None:
    assert kinds == [problem.kind for problem in judge_message(value, 7)[1]]


def test_an_error_body_is_never_matched_by_its_id() -> None:
    refused = message(error={"code": -32600, "message": "m"}) | {"id": "server-error"}
    assert judge_message(refused, None)[1] == ()


@given(JSON_VALUES)
def test_no_json_value_breaks_the_judge(value: Any) -> None:
    judge_message(value, 7)


def test_what_comes_before_the_response_is_kept_apart() -> None:
    reading, found, kinds = read(
        event(""),
        event({"jsonrpc": "2.0", "method": "notifications/message"}),
        event(message(result={"a": 1})),
    )
    assert (message(result={"a": 1}), [], 1) == (found, kinds, len(reading.others))


def test_a_stream_without_the_response_has_ended() -> None:
    assert ["stream-ended"] == read()[2]


def test_an_event_of_another_name_is_named_in_the_problem() -> None:
    reading = StreamReading(request_id=7)
    reading.take(event(message(result={}), kind="response"))
    assert "of type response," in reading.outcome()[1][0].detail


def test_a_stray_response_does_not_hide_ours() -> None:
    _, found, kinds = read(event(message(result={}) | {"id": 99}), event(message(result={"ours": True})))
    assert ({"ours": True}, []) == (found["result"], kinds)


def test_a_stray_response_alone_is_the_answer_with_the_wrong_id() -> None:
    assert ["id-mismatch"] == read(event(message(result={}) | {"id": 99}))[2]


def test_a_second_response_is_noticed_and_the_first_one_counts() -> None:
    _, found, kinds = read(event(message(result={"n": 1})), event(message(result={"n": 2})))
    assert ({"n": 1}, ["duplicate-response"]) == (found["result"], kinds)


def test_messages_without_end_are_a_flood() -> None:
    noise = event({"jsonrpc": "2.0", "method": "notifications/message"})
    reading = StreamReading(request_id=7)
    for _ in range(64):
        reading.take(noise)
    assert not reading.flooded
    reading.take(noise)
    assert reading.flooded


def test_a_response_that_repeats_the_method_is_a_response() -> None:
    assert message(result={}, method="initialize") == read(event(message(result={}, method="initialize")))[1]


def test_a_member_that_stands_twice_is_noticed_on_a_stream() -> None:
    assert ["duplicate-member"] == read(event('{"jsonrpc":"2.0","id":7,"result":{"a":1,"a":2}}'))[2]


@given(st.lists(st.text(max_size=40), max_size=80))
def test_no_event_breaks_the_reading(texts: list[str]) -> None:
    read(*[event(text) for text in texts])


@given(st.text(max_size=40))
def test_a_mirrored_value_survives_its_header_form(value: str) -> None:
    import base64

    encoded = encode_header_value(value)
    plain = base64.b64decode(encoded[9:-2]).decode() if encoded.startswith("=?base64?") else encoded
    assert value == plain
    assert all(0x20 <= ord(char) <= 0x7E for char in encoded)


def test_an_error_that_is_null_beside_a_result_is_read_past() -> None:
    assert judge_message(message(result={}, error=None), 7)[1] == ()


def test_each_request_of_the_server_is_handed_out_once_and_up_to_a_bound() -> None:
    reading = StreamReading(request_id=7)
    for number in range(20):
        reading.take(event({"jsonrpc": "2.0", "id": f"s{number}", "method": "elicitation/create"}))
    assert len(reading.unserved()) == 8
    assert reading.unserved() == ()


def test_a_ping_of_the_server_is_answered_and_everything_else_refused() -> None:
    assert answer_to({"id": "a", "method": "ping"})["result"] == {}
    refusal = answer_to({"id": 3, "method": "sampling/createMessage"})
    assert (refusal["id"], refusal["error"]["code"]) == (3, -32600)
