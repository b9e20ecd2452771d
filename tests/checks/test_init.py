"""Step 7: the era table, the shapes of both opening results, and what is sent to find out."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from diagnose_checks.discover_result import read_discovery
from diagnose_checks.era import ERA_ROWS, classify_opening, meaning_of, read_opening
from diagnose_checks.init_codes import capabilities_of, instructions_of, sdk_guess
from diagnose_checks.initialize_result import initialize_defects, message_defects
from diagnose_checks.rpc_faults import Codes, fault_of, symptom
from diagnose_checks.sse_handshake import prefixed_endpoints
from diagnose_lab import Lab
from hypothesis import given
from hypothesis import strategies as st

from diagnose.wire.recorder import Recorded
from diagnose.wire.rpc import Problem, RpcReply

Era = Literal["auto", "legacy", "modern"]
VALID: dict[str, Any] = {
    "resultType": "complete",
    "supportedVersions": ["2026-07-28"],
    "capabilities": {"tools": {}},
    "ttlMs": 0,
    "cacheScope": "private",
}
INITIALIZED: dict[str, Any] = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {"listChanged": False}},
    "serverInfo": {"name": "n", "version": "1"},
}
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def reply(
    message: dict[str, Any] | None = None,
    *,
    status: int = 200,
    content_type: str = "application/json",
    problems: tuple[Problem, ...] = (),
    text: str = "",
) -> RpcReply:
    exchange = Recorded(id=1, step="mcp_initialize", method="POST", url="http://h/", request_headers=())
    return RpcReply(
        method="server/discover",
        status=status,
        content_type=content_type,
        message=message,
        exchange=exchange,
        problems=problems,
        text=text,
    )


def success(result: Any) -> RpcReply:
    return reply({"jsonrpc": "2.0", "id": 1, "result": result})


def refusal(code: int, message: str = "m", data: Any = None, status: int = 400) -> RpcReply:
    return reply(
        {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message, "data": data}},
        status=status,
    )


@pytest.mark.parametrize(
    ("move", "answer"),
    [
        ("modern", success(VALID)),
        ("modern", success({key: VALID[key] for key in ("supportedVersions", "capabilities")})),
        ("initialize", success(VALID | {"supportedVersions": ["2025-11-25"]})),
        ("initialize", success(VALID | {"supportedVersions": []})),
        ("invalid-discovery", success(VALID | {"supportedVersions": "2026-07-28"})),
        ("invalid-discovery", success(VALID | {"ttlMs": -1})),
        ("invalid-discovery", success({})),
        ("retry", refusal(-32022, data={"supported": ["2026-07-28"]})),
        ("retry", refusal(-32004, data={"supported": ["2026-07-28"]})),
        ("initialize", refusal(-32022, data={"supported": ["2025-06-18"]})),
        ("no-common-version", refusal(-32022, data={"supported": ["2030-01-01"]})),
        ("initialize", refusal(-32022)),
        ("header-mismatch", refusal(-32020)),
        ("header-mismatch", refusal(-32001, "HeaderMismatch: Mcp-Method")),
        ("missing-capability", refusal(-32021, data={"requiredCapabilities": {"sampling": {}}})),
        ("missing-capability", refusal(-32003, data={"requiredCapabilities": ["sampling"]})),
        # None of these is evidence of an era: real legacy servers answer all of them.
        ("initialize", refusal(-32601, status=404)),
        ("initialize", refusal(-32601, status=200)),
        ("initialize", refusal(-32600, "Missing session ID")),
        ("initialize", refusal(-32602, "initialize first", status=200)),
        ("initialize", refusal(-32001, "Session not found", status=404)),
        ("initialize", refusal(-32004, "rate limit reached", status=429)),
        ("initialize", reply(status=404, content_type="text/plain", text="Not Found")),
        ("initialize", reply(status=202)),
    ],
)
def test_the_answer_to_discover_decides_the_era(move: str, answer: RpcReply) -> None:
    assert move == classify_opening(read_opening(answer)).move


def test_a_version_is_asked_for_a_second_time_only_once() -> None:
    again = read_opening(refusal(-32022, data={"supported": ["2026-07-28"]}), attempt=1)
    assert classify_opening(again).move != "retry"


def test_every_answer_falls_into_a_row() -> None:
    assert ERA_ROWS[-1].when(read_opening(reply()))


def test_a_draft_number_is_told_by_its_data() -> None:
    draft = meaning_of({"code": -32004, "message": "m", "data": {"supported": ["2026-07-28"]}})
    assert (-32022, -32004) == (draft.code, draft.draft)


@pytest.mark.parametrize("code", [-32001, -32003, -32004])
def test_an_overloaded_number_alone_means_nothing(code: int) -> None:
    assert meaning_of({"code": code, "message": "something else"}).draft is None


@given(ANYTHING)
def test_no_error_object_breaks_the_reading(value: Any) -> None:
    meaning_of({"code": value, "message": value, "data": value})
    meaning_of({"code": -32004, "message": "", "data": {"supported": value, "requiredCapabilities": value}})


@pytest.mark.parametrize(
    ("pointer", "change"),
    [
        ("/supportedVersions", {"supportedVersions": None}),
        ("/supportedVersions/0", {"supportedVersions": [1]}),
        ("/capabilities", {"capabilities": []}),
        ("/capabilities/tools", {"capabilities": {"tools": True}}),
        ("/capabilities/tools/listChanged", {"capabilities": {"tools": {"listChanged": 3}}}),
        ("/capabilities/experimental/a~1b", {"capabilities": {"experimental": {"a/b": 1}}}),
        ("/ttlMs", {"ttlMs": 1.5}),
        ("/ttlMs", {"ttlMs": True}),
        ("/cacheScope", {"cacheScope": "shared"}),
        ("/resultType", {"resultType": 5}),
        ("/instructions", {"instructions": 5}),
    ],
)
def test_a_broken_discovery_is_named_by_its_pointer(pointer: str, change: dict[str, Any]) -> None:
    discovery = read_discovery(VALID | change)
    assert ([pointer], False) == ([defect.pointer for defect in discovery.defects], discovery.valid)


def test_missing_hints_leave_a_discovery_valid() -> None:
    discovery = read_discovery({"supportedVersions": ["2026-07-28"], "capabilities": {}})
    assert (["/resultType", "/ttlMs", "/cacheScope"], True) == (
        [hint.pointer for hint in discovery.hints],
        discovery.valid,
    )


@pytest.mark.parametrize(
    ("pointer", "change"),
    [
        ("/protocolVersion", {"protocolVersion": 3}),
        ("/serverInfo", {"serverInfo": None}),
        ("/serverInfo/version", {"serverInfo": {"name": "n"}}),
        ("/serverInfo/title", {"serverInfo": {"name": "n", "version": "1", "title": 4}}),
        ("/capabilities/logging", {"capabilities": {"logging": True}}),
    ],
)
def test_a_broken_initialize_result_is_named_by_its_pointer(pointer: str, change: dict[str, Any]) -> None:
    assert [pointer] == [
        defect.pointer for defect in initialize_defects(INITIALIZED | change) if defect.fatal
    ]


def test_a_valid_initialize_result_has_no_defect() -> None:
    assert initialize_defects(INITIALIZED) == ()


def test_null_where_a_member_may_be_absent_stops_strict_clients_only() -> None:
    defects = initialize_defects(INITIALIZED | {"instructions": None})
    assert [False] == [defect.fatal for defect in defects]


def test_members_that_no_response_has_are_found() -> None:
    found = message_defects({"jsonrpc": "2.0", "id": 1, "result": {}, "method": "initialize"})
    assert ["(message)/method"] == [defect.pointer for defect in found]


@given(st.dictionaries(st.sampled_from([*VALID, *INITIALIZED, "_meta", "instructions"]), ANYTHING))
def test_no_result_breaks_the_readers(result: dict[str, Any]) -> None:
    read_discovery(result)
    initialize_defects(result)
    capabilities_of(result)
    instructions_of(result)


CODES: Codes = {
    "http-error": "INIT018",
    "not-json": "INIT006",
    "jsonrpc-error": "INIT004",
    "connection-lost": "INIT020",
    "accepted": "INIT009",
}


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("INIT018", reply(status=500, content_type="text/html")),
        ("INIT018", reply(status=400, problems=(Problem(kind="not-json", detail="d"),))),
        ("INIT004", refusal(-32603)),
        ("INIT006", reply(problems=(Problem(kind="hostile-json", detail="d"),))),
        ("INIT006", reply(problems=(Problem(kind="batch", detail="d"),))),
        ("INIT009", reply(status=202, content_type="")),
        ("INIT018", reply(content_type="text/html")),
    ],
)
def test_a_symptom_gets_the_code_of_the_nearest_row(code: str, answer: RpcReply) -> None:
    observed = symptom(answer)
    assert observed is not None
    assert code == fault_of(answer, observed, CODES).finding.code


def test_what_clients_read_past_is_no_symptom() -> None:
    odd = reply({"jsonrpc": "2.0", "id": "1", "result": {}}, problems=(Problem(kind="id-type", detail="d"),))
    assert symptom(odd) is None


@pytest.mark.parametrize(
    ("expected", "stream", "endpoint"),
    [
        (
            ["http://h/a/b/messages/?s=1", "http://h/a/messages/?s=1"],
            "http://h/a/b/sse",
            "http://h/messages/?s=1",
        ),
        ([], "http://h/sse", "http://h/messages/"),
        ([], "http://h/a/sse", "http://h/a/messages/"),
    ],
)
def test_lost_prefixes_are_put_back_longest_first(expected: list[str], stream: str, endpoint: str) -> None:
    assert expected == list(prefixed_endpoints(stream, endpoint))


def test_an_sdk_is_guessed_from_its_own_words_only() -> None:
    theirs = reply(status=400, text='{"jsonrpc":"2.0","id":"server-error","error":{}}')
    assert ("Python SDK", None) == (sdk_guess(theirs), sdk_guess(reply(text="Bad Request"), None))


def _sent(lab: Lab, name: str) -> list[str]:
    import asyncio

    import diagnose
    from diagnose.connector import Connector

    running = lab.start(name)
    try:
        era: Era = "legacy" if "legacy" in running.args else "modern" if "modern" in running.args else "auto"
        asyncio.run(diagnose.diagnose(Connector(url=running.url, era=era), environ={}))
        return [record.rpc_method or record.method for record in running.log]
    finally:
        running.stop()


def test_a_healthy_modern_opening_sends_discover_and_nothing_else_for_step_7(lab: Lab) -> None:
    assert ["server/discover", "tools/list"] == _sent(lab, "healthy-modern")[:2]


def test_a_healthy_legacy_opening_sends_each_message_once(lab: Lab) -> None:
    sent = _sent(lab, "healthy-legacy")
    assert ["server/discover", "initialize", "notifications/initialized", "tools/list"] == sent[:4]


@pytest.mark.parametrize("name", ["init-unknown-version-legacy", "init-legacy-only-legacy"])
def test_a_session_that_no_step_uses_is_ended(lab: Lab, name: str) -> None:
    assert "DELETE" in _sent(lab, name)
