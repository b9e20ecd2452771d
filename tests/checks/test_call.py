"""Step 10: one safe call or none, and a verdict on what came back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from diagnose_checks.call_answer import waits_for_client
from diagnose_checks.call_result import content_types, estimated_tokens, judge_result, texts
from diagnose_lab import Lab, names
from diagnose_lab.exchange import Record
from hypothesis import example, given
from hypothesis import strategies as st
from scenario_runs import run

from diagnose.api import start
from diagnose.connector import Connector, SampleCall, ToolPolicy
from diagnose.events import RunFinished
from diagnose.options import Options
from diagnose.wire.recorder import Recorded

TEXT = {"type": "text", "text": "x"}


def flaws(result: dict[str, Any], era: Any = "modern") -> list[tuple[str, str]]:
    whole = {"resultType": "complete", **result} if era == "modern" else result
    return [(flaw.code, flaw.pointer) for flaw in judge_result(whole, era)]


@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize(
    "block",
    [
        TEXT,
        {"type": "image", "data": "AAEC", "mimeType": "image/png"},
        {"type": "image", "data": "AAEC\nAAEC AA", "mimeType": "image/png"},
        {"type": "audio", "data": "", "mimeType": "audio/wav"},
        {"type": "resource_link", "uri": "lab://a", "name": "a"},
        {"type": "resource", "resource": {"uri": "lab://a", "text": ""}},
        {"type": "resource", "resource": {"uri": "lab://a", "blob": "AA=="}},
    ],
)
def test_a_known_block_is_accepted(block: dict[str, Any], era: str) -> None:
    assert [] == flaws({"content": [block]}, era)


@pytest.mark.parametrize(
    ("block", "member"),
    [
        ({"type": "json", "json": {}}, "/type"),
        ({"type": ["text"]}, "/type"),
        ({}, "/type"),
        ({"type": "text"}, "/text"),
        ({"type": "image", "data": "data:image/png;base64,AA", "mimeType": "image/png"}, "/data"),
        ({"type": "image", "data": "A", "mimeType": "image/png"}, "/data"),
        ({"type": "image", "data": "ä", "mimeType": "image/png"}, "/data"),
        ({"type": "image", "data": "AA==", "mimeType": "png"}, "/mimeType"),
        ({"type": "resource_link", "uri": "lab://a"}, "/name"),
        ({"type": "resource", "resource": {"uri": "lab://a"}}, "/resource/text"),
        ({"type": "resource", "resource": {"text": "x"}}, "/resource/uri"),
        ({"type": "resource", "resource": {"uri": "lab://a", "blob": "-_-_"}}, "/resource/blob"),
        ({"type": "resource", "resource": "x"}, "/resource"),
    ],
)
def test_a_block_that_breaks_the_rules_is_named(block: dict[str, Any], member: str) -> None:
    assert [("CALL003", f"/result/content/1{member}")] == flaws({"content": [TEXT, block]})


@pytest.mark.parametrize(
    ("result", "pointer"),
    [
        ({}, "/result/content"),
        ({"content": {"type": "text"}}, "/result/content"),
        ({"content": "x"}, "/result/content"),
        ({"content": ["x"]}, "/result/content/0"),
        ({"content": [], "isError": "no"}, "/result/isError"),
        ({"content": [], "resultType": "partial"}, "/result/resultType"),
    ],
)
def test_a_result_of_another_shape_is_named(result: dict[str, Any], pointer: str) -> None:
    assert [("CALL002", pointer)] == flaws(result)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["text", "image", "resource", "AA==", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "data", "resource", "blob", "uri"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(
    result=st.dictionaries(
        st.sampled_from(["content", "structuredContent", "isError", "resultType"]), JSON, max_size=4
    )
)
@example(result={"content": [{"type": "resource"}]})
def test_no_result_makes_the_judgement_raise(result: dict[str, Any]) -> None:
    for era in ("legacy", "modern"):
        flaws(result, era)
    texts(result)
    content_types(result)
    assert estimated_tokens(result) >= 0


def test_structured_content_is_any_value_only_since_the_modern_era() -> None:
    result = {"content": [], "structuredContent": [1]}
    assert [] == flaws(result, "modern")
    assert [("CALL002", "/result/structuredContent")] == flaws(result, "legacy")


def test_tokens_are_estimated_from_what_a_model_reads() -> None:
    resource = {"type": "resource", "resource": {"uri": "lab://a", "text": "y" * 8}}
    image = {"type": "image", "data": "A" * 4000, "mimeType": "image/png"}
    result = {"content": [TEXT, image, resource], "structuredContent": {"a": "z" * 4000}}
    assert ("x\n" + "y" * 8, 3) == (texts(result), estimated_tokens(result))
    assert ("text", "image", "resource") == content_types(result)
    assert 6 == estimated_tokens({"content": [], "structuredContent": {"a": "z" * 14}})


@pytest.mark.parametrize(
    ("body", "waits"),
    [
        (b'event: message\ndata: {"jsonrpc":"2.0","id":1,"method":"elicitation/create"}\n\n', True),
        (b'data: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n', False),
        (b'data: {"jsonrpc":"2.0","id":1,"method":"roots/list"}', False),
        (b"data: {nonsense\n\n", False),
        (b"", False),
    ],
)
def test_a_hang_with_a_question_in_the_stream_is_another_one(body: bytes, waits: bool) -> None:
    exchange = Recorded(id=1, step="sample_call", method="POST", url="http://x", request_headers=())
    exchange.keep(body)
    assert waits == waits_for_client(exchange)


def calls(requests: list[Record]) -> list[str | None]:
    return [record.tool for record in requests if record.rpc_method == "tools/call"]


DESTRUCTIVE = [
    name
    for name in names()
    if name.startswith("call-")
    or name in ("healthy-no-safe-tool", "healthy-modern-pages", "healthy-legacy-pages")
]


@pytest.mark.parametrize("name", DESTRUCTIVE)
def test_nothing_destructive_is_ever_called_and_nothing_twice(lab: Lab, name: str) -> None:
    called = calls(run(lab, name).requests)
    assert "delete_everything" not in called
    assert len(called) <= 1


def diagnose(
    lab: Lab, scenario: str, *, options: Options, **connector: Any
) -> tuple[dict[str, Any], list[str | None]]:
    """The facts of step 10 and the names that were called."""
    running = lab.start(scenario)
    try:

        async def walk() -> dict[str, Any]:
            made = start(Connector(url=running.url, **connector), options=options, environ={})
            async for event in made.events():
                if isinstance(event, RunFinished):
                    step = event.report.steps[9]
                    return {
                        "status": step.status,
                        "codes": [item.code for item in step.findings],
                        **step.facts,
                    }
            raise AssertionError("no report")

        return asyncio.run(walk()), calls(list(running.log))
    finally:
        running.stop()


def test_sample_never_calls_nothing(lab: Lab) -> None:
    facts, called = diagnose(lab, "healthy-modern", options=Options(sample="never"))
    assert ("not_applicable", "--sample never: nothing was called") == (facts["status"], facts["reason"])
    assert [] == called


def test_the_connector_may_name_its_sample(lab: Lab) -> None:
    sample = SampleCall(tool="add", arguments={"a": 1, "b": 2})
    facts, called = diagnose(lab, "healthy-legacy", options=Options(), sample=sample)
    assert ("passed", "named by the connector", "conforms to the outputSchema") == (
        facts["status"],
        facts["how_chosen"],
        facts["structured_content"],
    )
    assert ["add"] == called


def test_the_command_line_outranks_the_connector(lab: Lab) -> None:
    options = Options(tool="echo", arguments={"text": "x"})
    _, called = diagnose(lab, "healthy-modern", options=options, sample=SampleCall(tool="add"))
    assert ["echo"] == called


@pytest.mark.parametrize(
    "policy", [ToolPolicy(exclude=("echo",)), ToolPolicy(requires_confirmation=("echo",))]
)
def test_the_policy_stops_a_named_tool_too(lab: Lab, policy: ToolPolicy) -> None:
    facts, called = diagnose(lab, "healthy-modern", options=Options(tool="echo"), tools=policy)
    assert ("not_applicable", []) == (facts["status"], called)
    assert "echo was not called" in facts["reason"]


def test_a_confirmed_tool_is_called(lab: Lab) -> None:
    policy = ToolPolicy(requires_confirmation=("echo",))
    options = Options(tool="echo", arguments={"text": "x"}, confirmed_tools=frozenset({"echo"}))
    _, called = diagnose(lab, "healthy-modern", options=options, tools=policy)
    assert ["echo"] == called


def test_outside_the_policy_nothing_is_chosen(lab: Lab) -> None:
    policy = ToolPolicy(include=("add",))
    facts, called = diagnose(lab, "healthy-modern", options=Options(), tools=policy)
    assert str(called[0]).startswith("diagnose_nonexistent_")
    assert "the connector's tool policy does not offer it" == facts["refused"]["server_time"]


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("healthy-no-safe-tool", "refused with -32602, naming it"),
        ("healthy-no-annotations", "does not exist"),
    ],
)
def test_a_name_that_cannot_exist_proves_dispatch(lab: Lab, scenario: str, words: str) -> None:
    facts, called = diagnose(lab, scenario, options=Options())
    assert "passed" == facts["status"]
    assert words in facts["note"]
    assert 1 == len(called)


def test_a_mirrored_argument_goes_into_a_header(lab: Lab) -> None:
    outcome = run(lab, "healthy-header-parameter")
    call = next(record for record in outcome.requests if record.rpc_method == "tools/call")
    assert ("lookup", "=?base64?WsO8cmljaA==?=") == (
        call.header("mcp-name"),
        call.header("mcp-param-region"),
    )


def test_a_list_with_a_bad_tool_still_gives_a_good_one_to_call(lab: Lab) -> None:
    outcome = run(lab, "list-schema-without-type")
    assert ("list_tools", ["server_time"]) == (
        outcome.report["verdict"]["failed_step"]["id"],
        calls(outcome.requests),
    )


def test_a_result_that_cannot_be_judged_is_no_finding(lab: Lab) -> None:
    outcome = run(lab, "healthy-redos-structured")
    facts = outcome.report["steps"][9]["facts"]
    assert facts["structured_content"].startswith("not evaluated")
    assert [] == outcome.findings("error", "warning")
