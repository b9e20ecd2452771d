"""Which tool is called with which arguments, and what is never called."""

from __future__ import annotations

from typing import Any

import pytest
from diagnose_checks.arguments import CannotSynthesise, mirrored_headers, synthesise
from diagnose_checks.safe_tool import choose, forbidden, secret_word, writing_word
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from diagnose.connector import ToolPolicy

LITERALS = st.sampled_from(["a", "b", "", 0, 1, 7, True, None])
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "boolean", "null", "object"]),
        "const": LITERALS,
        "examples": st.lists(LITERALS, max_size=2),
        "default": LITERALS,
        "enum": st.lists(LITERALS, min_size=1, max_size=2),
        "minimum": st.integers(0, 3),
        "minLength": st.integers(0, 2),
    },
)


def schemas() -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["a", "b", "c"])
    offering = st.dictionaries(names, PROPERTIES | st.fixed_dictionaries({"default": LITERALS}), min_size=1)
    answerable = offering.map(
        lambda properties: {"type": "object", "properties": properties, "required": sorted(properties)}
    )
    return answerable | st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "properties": st.dictionaries(names, PROPERTIES, max_size=3),
            "required": st.lists(names, max_size=3, unique=True),
            "additionalProperties": st.booleans(),
        },
    )


@given(schema=schemas())
def test_synthesised_arguments_always_conform_and_are_never_invented(schema: dict[str, Any]) -> None:
    try:
        arguments = synthesise(schema)
    except CannotSynthesise:
        return
    assert Draft202012Validator(schema).is_valid(arguments)
    assert set(schema.get("required", ())) == set(arguments)
    for name, value in arguments.items():
        described = schema["properties"][name]
        offered = [described.get("const"), described.get("default"), None]
        offered += [*described.get("examples", ()), *described.get("enum", ())]
        assert value in offered


@given(schema=schemas())
def test_synthesis_is_deterministic(schema: dict[str, Any]) -> None:
    def outcome() -> object:
        try:
            return synthesise(schema)
        except CannotSynthesise as problem:
            return str(problem)

    assert outcome() == outcome()


@pytest.mark.parametrize(
    ("described", "value"),
    [
        ({"const": "c", "examples": ["e"], "default": "d", "enum": ["c", "n"]}, "c"),
        ({"examples": ["e"], "default": "d"}, "e"),
        ({"default": "d", "enum": ["n", "d"]}, "d"),
        ({"enum": ["n", "m"]}, "n"),
        ({"type": "null"}, None),
        ({"anyOf": [{"type": "string"}, {"const": 5}]}, 5),
        ({"$ref": "#/$defs/colour"}, "red"),
        ({"type": "object", "required": ["x"], "properties": {"x": {"default": 1}}}, {"x": 1}),
        ({"default": None, "anyOf": [{"type": "string"}, {"type": "null"}]}, None),
    ],
)
def test_the_value_comes_from_the_schema_in_this_order(described: dict[str, Any], value: Any) -> None:
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {"a": described},
        "$defs": {"colour": {"enum": ["red", "blue"]}},
    }
    assert {"a": value} == synthesise(schema)


@pytest.mark.parametrize(
    "described",
    [
        {"type": "string"},
        {"type": "integer", "minimum": 1},
        {"type": "boolean"},
        {"type": "array"},
        {"type": "object"},
        {},
        True,
        {"$ref": "#/$defs/loop"},
        {"$ref": "https://x.example/s.json"},
        {"default": 0, "minimum": 5},
        {"default": "x", "pattern": "^(a+)+$"},
        {"default": "x" * 20_000},
    ],
)
def test_nothing_is_invented_and_nothing_in_doubt_is_sent(described: Any) -> None:
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {"a": described},
        "$defs": {"loop": {"$ref": "#/$defs/loop"}},
    }
    with pytest.raises(CannotSynthesise):
        synthesise(schema)


def test_a_combination_of_optional_parameters_is_not_guessed() -> None:
    schema = {"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}], "properties": {}}
    with pytest.raises(CannotSynthesise):
        synthesise(schema)


def test_mirrored_parameters_are_read_from_where_they_are() -> None:
    schema = {
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "page": {
                "properties": {
                    "size": {"type": "integer", "x-mcp-header": "Page-Size"},
                    "all": {"type": "boolean", "x-mcp-header": "All"},
                    "none": {"type": "string", "x-mcp-header": "None"},
                }
            },
            "list": {"items": {"type": "string", "x-mcp-header": "Never"}},
        }
    }
    arguments = {"region": "Zürich", "page": {"size": 5, "all": True}, "list": ["x"]}
    expected = {
        "Mcp-Param-Region": "=?base64?WsO8cmljaA==?=",
        "Mcp-Param-Page-Size": "5",
        "Mcp-Param-All": "true",
    }
    assert expected == mirrored_headers(schema, arguments)


@pytest.mark.parametrize(
    "name",
    [
        "delete_everything",
        "deleteAll",
        "bulkdelete",
        "DELETE-user",
        "get_and_post",
        "run",
        "set_time",
        "users.create",
        "sendMail",
        "execSQL",
        "pay_invoice",
        "list_then_issue",
        "issue_token",
        "orders_update",
        "mergeBranches",
        "write",
        "add_note",
    ],
)
def test_a_writing_verb_is_found_in_the_name(name: str) -> None:
    assert writing_word(name) is not None


@pytest.mark.parametrize(
    "name",
    [
        "server_time",
        "list_issues",
        "get_order",
        "searchDocuments",
        "read_record",
        "describe_table",
        "get_address",
        "whoami",
        "listReports",
        "find_email_by_id",
    ],
)
def test_a_reading_name_holds_none(name: str) -> None:
    assert writing_word(name) is None


@pytest.mark.parametrize(
    "name", ["get-env", "printEnv", "list_tokens", "get_environment", "read_config", "show_api_keys"]
)
def test_a_tool_that_prints_secrets_is_not_chosen(name: str) -> None:
    assert secret_word(name) is not None
    assert choose((tool(name),), frozenset(), ToolPolicy(), frozenset()).tool is None


def tool(name: str, **more: Any) -> dict[str, Any]:
    plain = {"name": name, "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}
    return {**plain, **more}


@pytest.mark.parametrize(
    "offered",
    [
        tool("lookup", annotations={}),
        tool("lookup", annotations=None),
        tool("lookup", annotations={"readOnlyHint": "true"}),
        tool("lookup", annotations={"readOnlyHint": 1}),
        tool("lookup", annotations={"readOnlyHint": True, "destructiveHint": True}),
        tool("lookup", annotations={"readOnlyHint": True, "destructiveHint": "no"}),
        tool("delete_lookup"),
        tool("lооkup"),  # two letters of it are Cyrillic
        tool("look\u202eup"),
        tool(""),
        tool("lookup", execution={"taskSupport": "required"}),
        tool(
            "lookup",
            inputSchema={"type": "object", "required": ["q"], "properties": {"q": {"type": "string"}}},
        ),
        tool("lookup", inputSchema=None),
        {"inputSchema": {}},
        "lookup",
        None,
    ],
)
def test_a_tool_in_doubt_is_not_chosen(offered: Any) -> None:
    assert choose((offered,), frozenset(), ToolPolicy(), frozenset()).tool is None


def test_every_refusal_has_a_reason() -> None:
    offered = (tool("drop"), tool("lookup", annotations={}), tool("peek"), tool("glance"))
    policy = ToolPolicy(exclude=("peek",))
    choice = choose(offered, frozenset({3}), policy, frozenset())
    assert choice.tool is None
    assert {
        "drop": "'drop' in its name may change something",
        "lookup": "not marked readOnlyHint: true",
        "peek": "the connector's tool policy does not offer it",
        "glance": "its entry in the list is faulty (step 9)",
    } == choice.refused


def test_no_arguments_come_before_a_closed_world_and_a_short_schema() -> None:
    described = {"type": "object", "required": ["q"], "properties": {"q": {"default": 1}}}
    closed = {"readOnlyHint": True, "openWorldHint": False}
    offered = (
        tool("first", inputSchema=described, annotations=closed),
        tool("second"),
        tool("third", annotations=closed, inputSchema={"type": "object", "description": "long"}),
        tool("fourth", annotations=closed),
    )
    choice = choose(offered, frozenset(), ToolPolicy(), frozenset())
    assert choice.tool is not None
    assert "fourth" == choice.tool["name"]


@pytest.mark.parametrize(
    ("policy", "confirmed", "refused"),
    [
        (ToolPolicy(), frozenset(), False),
        (ToolPolicy(exclude=("a",)), frozenset({"a"}), True),
        (ToolPolicy(include=("b",)), frozenset(), True),
        (ToolPolicy(requires_confirmation=("a",)), frozenset(), True),
        (ToolPolicy(requires_confirmation=("a",)), frozenset({"a"}), False),
    ],
)
def test_the_policy_of_the_connector_binds_everybody(
    policy: ToolPolicy, confirmed: frozenset[str], refused: bool
) -> None:
    assert refused == (forbidden("a", policy, confirmed) is not None)
