"""Schemas of strangers: caps before evaluation, and two judges that must agree with jsonschema."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress
from typing import Any

import pytest
from diagnose_checks.schema_bounds import (
    dangling_reference,
    excess,
    external_reference,
    pointer_to,
    positions,
)
from diagnose_checks.schema_match import Undecided, first_mismatch, same
from diagnose_checks.schema_process import mismatch_in_process
from diagnose_checks.schema_shape import dialect_of, first_flaw
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator, Draft6Validator, Draft7Validator, Draft202012Validator
from jsonschema.validators import Draft201909Validator

VALIDATORS: dict[str, Any] = {
    "2020-12": Draft202012Validator,
    "2019-09": Draft201909Validator,
    "draft-07": Draft7Validator,
    "draft-06": Draft6Validator,
    "draft-04": Draft4Validator,
}
SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 5) | st.sampled_from(["", "a", "string", "object", "x y"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=6,
)
TYPES = st.sampled_from(["string", "number", "integer", "object", "array", "boolean", "null"])


def good_schemas() -> st.SearchStrategy[Any]:
    """Valid schemas of the keywords that are judged inline."""
    plain = st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "const": VALUES,
            "minimum": st.integers(-2, 4),
            "exclusiveMaximum": st.integers(-2, 4),
            "minLength": st.integers(0, 2),
            "maxItems": st.integers(0, 2),
            "minProperties": st.integers(0, 2),
            "required": st.lists(st.sampled_from(["a", "b"]), max_size=2, unique=True),
        },
    )

    def wider(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.fixed_dictionaries(
            {},
            optional={
                "type": TYPES,
                "properties": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
                "additionalProperties": inner | st.booleans(),
                "items": inner | st.booleans(),
                "anyOf": st.lists(inner, min_size=1, max_size=3),
                "oneOf": st.lists(inner, min_size=1, max_size=3),
                "allOf": st.lists(inner, min_size=1, max_size=2),
                "not": inner,
            },
        )

    return st.recursive(plain, wider, max_leaves=6)


KEYWORDS = """
$id $schema $ref $anchor $comment $defs additionalItems additionalProperties allOf anyOf const
contains default definitions dependencies dependentRequired dependentSchemas deprecated description
else enum examples exclusiveMaximum exclusiveMinimum format if items maxContains maxItems maxLength
maximum minItems minimum multipleOf not oneOf pattern patternProperties prefixItems properties
propertyNames readOnly required then title type unevaluatedItems uniqueItems writeOnly contentSchema
id
"""
ANY_SCHEMAS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYWORDS.split()) | st.sampled_from(["a", "b"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None)
@given(schema=ANY_SCHEMAS, dialect=st.sampled_from(sorted(VALIDATORS)))
@example(schema={"dependencies": {"$id": []}}, dialect="draft-04")
def test_the_shape_of_a_schema_is_judged_as_jsonschema_judges_it(schema: Any, dialect: str) -> None:
    # Two rules of the metaschemas are left out on purpose: exclusiveMinimum without minimum, and different
    # members of an enum, both of draft-04 alone.
    validator = VALIDATORS[dialect]
    meta = dict(validator.META_SCHEMA)
    if dialect == "draft-04":
        meta.pop("dependencies", None)
        properties = dict(meta["properties"], enum={"type": "array", "minItems": 1})
        meta["properties"] = properties
    errors = list(validator(meta).iter_errors(schema)) if dialect == "draft-04" else check(validator, schema)
    # Both anchors and $id have a pattern in the newer metaschemas; no client looks at it.
    errors = [error for error in errors if error.validator != "pattern"]
    assert (first_flaw(schema, dialect) is None) == (not errors)


def check(validator: Any, schema: Any) -> list[Any]:
    return list(validator(validator.META_SCHEMA).iter_errors(schema))


@settings(max_examples=400, deadline=None)
@given(schema=good_schemas(), value=VALUES, old=st.booleans(), beside=good_schemas())
def test_a_value_is_matched_as_jsonschema_matches_it(schema: Any, value: Any, old: bool, beside: Any) -> None:
    declared = "http://json-schema.org/draft-07/schema#" if old else Draft202012Validator.META_SCHEMA["$id"]
    whole = {
        "$schema": declared,
        "definitions": {"a": schema},
        "allOf": [{**beside, "$ref": "#/definitions/a"}],
    }
    try:
        mismatch = first_mismatch(whole, value)
    except Undecided:
        return
    validator = Draft7Validator if old else Draft202012Validator
    assert validator(whole).is_valid(value) == (mismatch is None)


@settings(max_examples=200, deadline=None)
@given(schema=ANY_SCHEMAS, value=VALUES)
def test_no_schema_makes_the_inline_checks_raise_anything_but_undecided(schema: Any, value: Any) -> None:
    excess(schema)
    external_reference(schema)
    dangling_reference(schema)
    if dialect_of(schema) is not None and first_flaw(schema, "2020-12") is None:
        with suppress(Undecided):
            first_mismatch(schema, value)


def fan_out(levels: int) -> dict[str, Any]:
    made: dict[str, Any] = {f"d{levels}": {"type": "string"}}
    for level in range(levels):
        reference = {"$ref": f"#/$defs/d{level + 1}"}
        made[f"d{level}"] = {"allOf": [dict(reference), dict(reference)]}
    return {"$ref": "#/$defs/d0", "$defs": made}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "limit"),
    [
        (fan_out(25), "$ref followed"),
        (nested(40), "32 levels"),
        ({"properties": {str(number): {} for number in range(2500)}}, "2000 subschemas"),
        ({"properties": {"a": {"pattern": "a" * 257}}}, "256 characters"),
        ({"patternProperties": {"b" * 300: {}}}, "256 characters"),
    ],
)
def test_a_schema_that_would_stop_an_evaluator_is_capped(schema: dict[str, Any], limit: str) -> None:
    over = excess(schema)
    assert over is not None
    assert limit in over.limit


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"$ref": "#"}},
        {"$ref": "#"},
        fan_out(8),
        {"$defs": fan_out(25)["$defs"]},
        {"properties": {"a": {"pattern": "^(a+)+$"}}},
    ],
)
def test_recursion_and_unused_definitions_are_no_excess(schema: dict[str, Any]) -> None:
    assert excess(schema) is None


def test_data_is_not_taken_for_schemas() -> None:
    schema = {"default": {"$ref": "https://x.example"}, "enum": [{"$ref": "y"}], "properties": {"$ref": {}}}
    assert [(), ("properties", "$ref")] == [path for path, _ in positions(schema)]
    assert external_reference(schema) is None


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"items": {"$ref": "https://x.example/s.json"}}, "/items/$ref"),
        ({"anyOf": [{}, {"$ref": "file:///etc/passwd"}]}, "/anyOf/1/$ref"),
        ({"properties": {"a/b": {"$ref": "other.json#/x"}}}, "/properties/a~1b/$ref"),
    ],
)
def test_a_reference_out_of_the_document_is_found(schema: dict[str, Any], pointer: str) -> None:
    found = external_reference(schema)
    assert found is not None
    assert pointer == found[0]


def test_a_reference_to_the_own_identifier_stays_inside() -> None:
    schema = {"$id": "https://x.example/s.json", "items": {"$ref": "s.json#/$defs/a"}, "$defs": {"a": {}}}
    assert external_reference(schema) is None


def test_a_reference_to_nothing_is_found_and_one_to_false_is_not() -> None:
    assert ("/items/$ref", "#/$defs/a") == dangling_reference({"items": {"$ref": "#/$defs/a"}})
    assert dangling_reference({"items": {"$ref": "#/$defs/a"}, "$defs": {"a": False}}) is None
    assert dangling_reference({"items": {"$ref": "#/$defs/a%20b"}, "$defs": {"a b": {}}}) is None


def test_pointers_are_escaped() -> None:
    assert "/a~1b/c~0d" == pointer_to(("a/b", "c~d"))


@pytest.mark.parametrize(("left", "right", "equal"), [(1, True, False), (1, 1.0, True), ([1], [True], False)])
def test_equality_is_that_of_json(left: Any, right: Any, equal: bool) -> None:
    assert equal == same(left, right)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "pattern": "^a"}, "a"),
        ({"uniqueItems": True}, [1, 1]),
        ({"$ref": "#"}, 1),
        ({"$ref": "https://x.example"}, 1),
        ({"enum": list(range(60_000))}, "x"),
    ],
)
def test_what_is_not_judged_inline_is_undecided(schema: dict[str, Any], value: Any) -> None:
    with pytest.raises(Undecided):
        first_mismatch(schema, value)


def test_a_failing_alternative_costs_no_words() -> None:
    schema = {"anyOf": [{"type": "null"}] * 1500}
    began = time.process_time()
    assert first_mismatch(schema, ["x" * 1_000_000]) is not None
    assert time.process_time() - began < 1


def test_the_process_that_evaluates_fetches_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with pytest.raises(Undecided, match="cannot be resolved"):
            in_process({"$ref": f"http://127.0.0.1:{listener.getsockname()[1]}/schema.json"}, 1)
        with pytest.raises(BlockingIOError):
            listener.accept()


def in_process(schema: Any, value: Any, seconds: float = 2.0) -> Any:
    return asyncio.run(mismatch_in_process(schema, value, environ=os.environ, seconds=seconds))


def test_jsonschema_in_its_own_process_names_the_place() -> None:
    mismatch = in_process({"properties": {"a": {"pattern": "^x"}}}, {"a": "y"})
    assert ("/a", "pattern", '"y"') == (mismatch.pointer, mismatch.keyword, mismatch.observed)
    assert in_process({"pattern": "^x"}, "xy") is None


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 40 + "!"),
        ({"$ref": "https://127.0.0.1:9/schema.json"}, 1),
        ({"type": 5}, 1),
    ],
)
def test_a_schema_that_cannot_be_evaluated_costs_its_process_and_not_the_run(schema: Any, value: Any) -> None:
    with pytest.raises(Undecided):
        in_process(schema, value, seconds=1.5)
