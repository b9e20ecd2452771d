"""Step 9: each rule for a tool names the place; what is good is left alone."""

from __future__ import annotations

import socket
from typing import Any, Literal

import pytest
from diagnose_checks.tool_findings import judge_entries, tool_findings
from diagnose_checks.tool_rules import Entry, Profile, brief, judge_tool, strict_name
from diagnose_lab import Lab
from hypothesis import given
from hypothesis import strategies as st
from scenario_runs import run

Era = Literal["legacy", "modern"]
MODERN = Profile(era="modern", version="2026-07-28")
LEGACY = Profile(era="legacy", version="2025-11-25")
OLD = Profile(era="legacy", version="2025-06-18")


def entry(tool: Any, index: int = 0) -> Entry:
    return Entry(tool=tool, page=1, index=index, exchange=1)


def good(**more: Any) -> dict[str, Any]:
    return {"name": "lookup", "description": "d", "inputSchema": {"type": "object"}, **more}


def codes(tool: Any, profile: Profile = MODERN) -> list[tuple[str, str]]:
    return [
        (flaw.code, flaw.pointer.removeprefix("/result/tools/0")) for flaw in judge_tool(entry(tool), profile)
    ]


@pytest.mark.parametrize("profile", [MODERN, LEGACY, OLD])
@pytest.mark.parametrize(
    "tool",
    [
        good(),
        good(title="Look up", annotations={"readOnlyHint": True, "title": "t"}, _meta={"a": 1}),
        good(outputSchema={"type": "object", "properties": {"a": True}}),
        good(
            icons=[{"src": "https://x.example/i.png", "theme": "dark"}, {"src": "data:image/png;base64,AA=="}]
        ),
        good(inputSchema={"type": "object", "properties": {"a": {"pattern": "^\\p{L}+$"}}}),
        good(inputSchema={"$schema": "https://unknown.example/dialect", "type": "object", "type_": 3}),
        good(description="two\nlines\tand 👨‍👩‍👧 and می‌خواهم"),
        good(name="a" * 128),
        good(unknown={"member": 1}),
    ],
)
def test_a_good_tool_has_no_flaw(tool: Any, profile: Profile) -> None:
    assert [] == codes(tool, profile)


@pytest.mark.parametrize(
    ("tool", "pointer"),
    [
        ("lookup", ""),
        (None, ""),
        ({"inputSchema": {"type": "object"}}, "/name"),
        (good(name=5), "/name"),
        ({"name": "lookup"}, "/inputSchema"),
        (good(inputSchema=None), "/inputSchema"),
        (good(inputSchema=True), "/inputSchema"),
        (good(inputSchema={}), "/inputSchema/type"),
        (good(inputSchema={"type": ["object", "null"]}), "/inputSchema/type"),
        (good(inputSchema={"type": "object", "$schema": 7}), "/inputSchema/$schema"),
        (good(description=5), "/description"),
        (good(title=[]), "/title"),
        (good(outputSchema=[]), "/outputSchema"),
        (good(annotations=[]), "/annotations"),
        (good(icons="x"), "/icons"),
        (good(icons=[{}]), "/icons/0/src"),
        (good(icons=["x"]), "/icons/0/src"),
        (good(icons=[{"src": "https://x.example", "theme": "blue"}]), "/icons/0/theme"),
        (good(_meta="x"), "/_meta"),
    ],
)
@pytest.mark.parametrize("profile", [MODERN, LEGACY])
def test_what_the_official_sdk_refuses_is_named_with_its_place(
    tool: Any, pointer: str, profile: Profile
) -> None:
    assert ("TOOL003", pointer) in codes(tool, profile)


@pytest.mark.parametrize(
    ("tool", "pointer"),
    [
        (good(inputSchema={"type": "object", "properties": []}), "/inputSchema/properties"),
        (good(inputSchema={"type": "object", "required": "a"}), "/inputSchema/required"),
        (good(outputSchema={"properties": {}}), "/outputSchema/type"),
        (good(outputSchema={"type": "array"}), "/outputSchema/type"),
        (good(execution={"taskSupport": "sometimes"}), "/execution/taskSupport"),
    ],
)
def test_some_rules_end_with_the_legacy_era(tool: Any, pointer: str) -> None:
    assert [("TOOL003", pointer)] == codes(tool, LEGACY)
    assert ("TOOL003", pointer) not in codes(tool, MODERN)


@pytest.mark.parametrize(
    ("tool", "code", "pointer"),
    [
        (good(name="a b"), "TOOL004", "/name"),
        (good(name=""), "TOOL004", "/name"),
        (good(name="a" * 129), "TOOL004", "/name"),
        (good(name="a\x1b[31mb"), "TOOL015", "/name"),
        (good(name="a\u200db"), "TOOL015", "/name"),
        (good(title="a\u202eb"), "TOOL015", "/title"),
        (good(description="a\u200bb"), "TOOL015", "/description"),
        (good(description="plain\u200dplain"), "TOOL015", "/description"),
        (
            good(inputSchema={"type": "object", "properties": {"a": {"description": "x\U000e0041"}}}),
            "TOOL015",
            "/inputSchema/properties/a",
        ),
        (good(inputSchema={"type": "object", "anyOf": [{}]}), "TOOL009", "/inputSchema/anyOf"),
        (
            good(inputSchema={"type": "object", "properties": {"a": {"type": "date"}}}),
            "TOOL010",
            "/inputSchema/properties/a/type",
        ),
        (good(outputSchema={"type": "object", "items": 5}), "TOOL010", "/outputSchema/items"),
        (
            good(outputSchema={"type": "object", "not": {"$ref": "#/$defs/a"}}),
            "TOOL010",
            "/outputSchema/not/$ref",
        ),
        (
            good(inputSchema={"type": "object", "not": {"$ref": "http://x.example/"}}),
            "TOOL011",
            "/inputSchema/not/$ref",
        ),
        (good(icons=[{"src": "javascript:alert(1)"}]), "TOOL022", "/icons/0/src"),
        (good(description=None), "TOOL026", "/description"),
        (good(annotations={"destructiveHint": "yes"}), "TOOL026", "/annotations/destructiveHint"),
    ],
)
@pytest.mark.parametrize("profile", [MODERN, LEGACY])
def test_a_warning_names_its_place_and_comes_alone(
    tool: Any, code: str, pointer: str, profile: Profile
) -> None:
    assert [(code, pointer)] == codes(tool, profile)


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"properties": {"a": {"type": "number", "x-mcp-header": "A"}}}, "/properties/a/x-mcp-header"),
        ({"properties": {"a": {"type": "string", "x-mcp-header": "A:"}}}, "/properties/a/x-mcp-header"),
        ({"properties": {"a": {"type": "string", "x-mcp-header": 5}}}, "/properties/a/x-mcp-header"),
        ({"x-mcp-header": "A"}, "/x-mcp-header"),
        (
            {"properties": {"a": {"items": {"type": "string", "x-mcp-header": "A"}}}},
            "/properties/a/items/x-mcp-header",
        ),
        (
            {
                "properties": {
                    "a": {"type": "string", "x-mcp-header": "A"},
                    "b": {"type": "string", "x-mcp-header": "a"},
                }
            },
            "/properties/b/x-mcp-header",
        ),
    ],
)
def test_a_mirrored_parameter_is_judged_in_the_modern_era_alone(schema: dict[str, Any], pointer: str) -> None:
    tool = good(inputSchema={"type": "object", **schema})
    assert [("TOOL014", "/inputSchema" + pointer)] == codes(tool)
    assert [] == codes(tool, LEGACY)


def test_before_a_default_dialect_was_agreed_draft_07_is_as_good() -> None:
    tool = good(inputSchema={"type": "object", "properties": {"a": {"items": [{"type": "string"}]}}})
    assert [] == codes(tool, OLD)
    assert [("TOOL010", "/inputSchema/properties/a/items")] == codes(tool, LEGACY)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ("name", "title", "description", "inputSchema", "outputSchema", "annotations", "icons", "execution")


@given(
    tool=st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=6) | JSON,
    era=st.sampled_from([MODERN, LEGACY]),
)
def test_no_tool_makes_the_rules_raise(tool: Any, era: Profile) -> None:
    judge_tool(entry(tool), era)


def test_many_bad_tools_are_one_finding_with_a_number() -> None:
    entries = [entry(good(name=f"t{number}", inputSchema={}), number) for number in range(300)]
    found = list(tool_findings(judge_entries(entries, MODERN), total=300))
    assert ["TOOL003"] == [item.code for item in found]
    assert ("t0", 300) == (found[0].args["tool"], found[0].args["count"])
    assert 5 == len(found[0].evidence)


def test_a_duplicate_names_both_places() -> None:
    flaws = judge_entries([entry(good()), entry(good(), 7)], MODERN)
    assert [("TOOL005", "/result/tools/7/name", "the name of page 1, /result/tools/0")] == [
        (flaw.code, flaw.pointer, flaw.observed) for flaw in flaws
    ]


def test_evidence_of_a_huge_value_stays_short() -> None:
    assert len(brief("x" * 1_000_000)) < 300
    assert "an object of 1000 members" == brief({str(number): 1 for number in range(1000)})


def test_names_for_model_apis_are_stricter() -> None:
    assert [True, False, False] == [strict_name("a_b-C"), strict_name("a.b"), strict_name("a" * 65)]


@pytest.mark.parametrize("name", ["healthy-modern-pages", "healthy-legacy-pages"])
def test_pages_are_a_note_and_no_warning(lab: Lab, name: str) -> None:
    outcome = run(lab, name)
    assert [("list_tools", "TOOL020")] == outcome.findings("error", "warning", "info")
    assert [2, 2, 1] == outcome.report["steps"][8]["facts"]["page_sizes"]


def test_a_reference_to_the_network_is_never_followed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[object] = []
    resolve = socket.getaddrinfo

    def noted(host: Any, *more: Any, **named: Any) -> Any:
        looked_up.append(host)
        return resolve(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    outcome = run(lab, "list-network-reference")
    assert "schemas.example" not in looked_up
    assert 1 == outcome.connections
    assert {outcome.url.partition("/mcp")[0]} == {
        exchange["request"]["url"].partition("/mcp")[0] for exchange in outcome.report["exchanges"]
    }
