"""A form from a stranger's schema: it is always built, and gives back what was put into it."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import pytest
from diagnose_tui.argument_check import judged
from diagnose_tui.schema_form import (
    ABSENT,
    MOST_FIELDS,
    Form,
    collected,
    form_of,
    json_object,
    json_text,
    parsed,
    typed_text,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnose.display import display
from diagnose.errors import UsageError

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4)
JSON = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
KEYWORDS = (
    *("type", "properties", "required", "items", "enum", "const", "default", "examples", "anyOf", "oneOf"),
    *("allOf", "not", "if", "then", "else", "$ref", "$defs", "description", "title", "patternProperties"),
    *("additionalProperties", "prefixItems", "minimum", "pattern", "format"),
)
TYPES = st.sampled_from(["string", "number", "integer", "object", "array", "boolean", "null", "odd"])
NAMES = st.sampled_from(["a", "b", "~/", "", "$ref"])


def shapes() -> st.SearchStrategy[Any]:
    """Documents that look like schemas, and are often none."""

    def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        values = {
            "type": TYPES | st.lists(TYPES, max_size=2) | JSON,
            "properties": st.dictionaries(NAMES, inner, max_size=3) | JSON,
            "required": st.lists(NAMES | SCALARS, max_size=3) | JSON,
            "items": inner | JSON,
            "enum": st.lists(JSON, max_size=3) | JSON,
            "anyOf": st.lists(inner, max_size=2) | JSON,
            "oneOf": st.lists(inner, max_size=2) | JSON,
            "$ref": st.sampled_from(["#", "#/properties/a", "#/$defs/a", "http://h/x", "#/%"]) | JSON,
            "$defs": st.dictionaries(NAMES, inner, max_size=2) | JSON,
        }
        return st.fixed_dictionaries({}, optional={word: values.get(word, JSON) for word in KEYWORDS})

    return st.recursive(JSON, grown, max_leaves=8)


def filled(form: Form) -> dict[str, Any]:
    """What a form gives back when nobody changes it."""
    values = {
        one.pointer: one.value if one.kind == "choice" else parsed(one, typed_text(one))
        for one in form.fields
    }
    return collected(form, values)


@settings(max_examples=400, deadline=None)
@given(shapes())
def test_any_document_gives_a_form(schema: Any) -> None:
    form = form_of(schema)
    assert len(form.fields) <= MOST_FIELDS
    for one in form.fields:
        assert str(display(typed_text(one), layout=True)) == typed_text(one)
        assert isinstance(one.label + one.description + one.wanted, str)
    assert isinstance(filled(form), dict)


@settings(max_examples=400, deadline=None)
@given(shapes(), st.dictionaries(NAMES, JSON, max_size=3))
def test_arguments_come_back_from_the_form_as_they_were(schema: Any, arguments: dict[str, Any]) -> None:
    form = form_of(schema, arguments)
    again = filled(form)
    for path in form.objects:  # a required object that is not there is made
        inner: Any = arguments
        for name in path:
            inner = inner.get(name, ABSENT) if isinstance(inner, dict) else ABSENT
        if inner is ABSENT:
            return
    assert json_text(arguments) == json_text({name: again[name] for name in arguments})
    assert arguments.keys() == again.keys()


@settings(max_examples=60, deadline=None)
@given(shapes(), st.dictionaries(NAMES, JSON, max_size=3))
def test_any_schema_is_judged_or_it_is_said_why_not(schema: Any, arguments: dict[str, Any]) -> None:
    from diagnose_tui.argument_check import _inline

    found = _inline(schema, arguments)
    assert found is None or isinstance(found.problems, dict)


SCHEMA = {
    "type": "object",
    "required": ["query", "filter"],
    "properties": {
        "limit": {"type": "integer", "default": 10, "minimum": 1},
        "query": {"type": "string", "description": "What to look for", "examples": ["tea"]},
        "exact": {"type": "boolean"},
        "order": {"enum": ["up", "down"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "since": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "filter": {"$ref": "#/$defs/Filter"},
        "shape": {"oneOf": [{"type": "string"}, {"type": "number"}]},
        "tree": {"$ref": "#/$defs/Tree"},
    },
    "$defs": {
        "Filter": {"type": "object", "properties": {"open": {"type": "boolean"}}, "required": ["open"]},
        "Tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}}},
    },
}


def test_each_shape_has_its_field_and_the_required_ones_come_first() -> None:
    fields = form_of(SCHEMA).fields
    assert [
        ("query", "text", True),
        ("filter / open", "choice", True),
        ("limit", "integer", False),
        ("exact", "choice", False),
        ("order", "choice", False),
        ("tags", "list", False),
        ("since", "text", False),
        ("shape", "json", False),
        ("tree / left / left / left", "json", False),
    ] == [(one.label, one.kind, one.required) for one in fields]


def test_a_form_offers_what_the_schema_offers_for_what_is_required_and_nothing_else() -> None:
    assert {"query": "tea", "filter": {}} == filled(form_of(SCHEMA))


def test_what_no_field_shows_is_kept() -> None:
    given_ = {"query": "x", "filter": {"open": True, "more": 1}, "unknown": [1]}
    form = form_of(SCHEMA, given_)
    assert {"filter": {"more": 1}, "unknown": [1]} == form.rest
    assert given_ == filled(form)


def test_a_value_that_its_field_cannot_show_is_a_field_for_json() -> None:
    form = form_of(SCHEMA, {"query": 7, "limit": "many", "tags": ["a\nb"], "filter": {"open": True}})
    kinds = {one.label: one.kind for one in form.fields}
    assert ["json", "json", "json"] == [kinds[name] for name in ("query", "limit", "tags")]


@pytest.mark.parametrize(
    ("name", "typed", "expected"),
    [
        ("query", "  tea ", "  tea "),
        ("query", "", ABSENT),
        ("limit", " 7 ", 7),
        ("limit", "7.0", 7.0),
        ("tags", "a\n\nb c\n", ["a", "b c"]),
        ("shape", '{"a": [1]}', {"a": [1]}),
        ("exact", "0", True),
    ],
)
def test_what_is_typed_becomes_a_value(name: str, typed: str, expected: Any) -> None:
    one = next(one for one in form_of(SCHEMA).fields if one.label == name)
    assert expected == parsed(one, typed)


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("limit", "many", "the JSON is broken at line 1"),
        ("limit", "1.5", "no whole number"),
        ("limit", "true", "no number"),
        ("limit", "9" * 5000, "limit"),
        ("shape", "NaN", "NaN is no JSON"),
        ("shape", "1e999", "too large"),
        ("shape", "[" * 100_000, "nested too deeply"),
    ],
)
def test_what_cannot_be_a_value_is_refused(name: str, typed: str, words: str) -> None:
    one = next(one for one in form_of(SCHEMA).fields if one.label == name)
    with pytest.raises(UsageError, match=words) as refused:
        parsed(one, typed)
    assert "CFG012" == refused.value.code


def test_arguments_that_are_no_object_are_refused() -> None:
    with pytest.raises(UsageError, match="no JSON object"):
        json_object("[1]")


def test_json_is_shown_so_that_it_reads_back_and_no_character_acts() -> None:
    hostile = {"a": "\x1b[31m\u202e\x7f\x9b\u200b é"}
    text = json_text(hostile)
    assert hostile == json_object(text)
    assert str(display(text)) == text


def verdict(schema: Any, arguments: Any) -> tuple[dict[str, str], str | None]:
    found = asyncio.run(judged(schema, arguments, os.environ))
    return dict(found.problems), found.unchecked


def test_every_place_that_does_not_fit_is_named_by_its_pointer() -> None:
    problems, unchecked = verdict(SCHEMA, {"limit": 0, "order": "left", "filter": {}})
    assert unchecked is None
    assert {
        "/query": "is required",
        "/filter/open": "is required",
        "/limit": "expected at least 1, observed 0",
        "/order": 'expected one of ["up", "down"], observed "left"',
    } == problems


def test_a_pattern_is_matched_in_a_process_that_ends() -> None:
    simple = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^[0-9]+$"}}}
    assert {"/a"} == verdict(simple, {"a": "x"})[0].keys()
    assert ({}, None) == verdict(simple, {"a": "12"})
    hostile = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    began = time.monotonic()
    problems, unchecked = verdict(hostile, {"a": "a" * 60 + "!"})
    assert {} == problems
    assert unchecked is not None
    assert "no verdict within" in unchecked
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (None, "no schema"),
        ({"type": "object", "properties": 5}, "not valid"),
        ({"$schema": "https://example.com/own"}, "dialect"),
        ({"properties": {str(number): {} for number in range(3000)}}, "more than 2000 subschemas"),
    ],
)
def test_a_schema_that_cannot_be_judged_is_said(schema: Any, words: str) -> None:
    problems, unchecked = verdict(schema, {})
    assert {} == problems
    assert words in str(unchecked)


def test_a_huge_schema_gives_a_form_at_once() -> None:
    wide = {"properties": {f"p{number}": {"type": "string"} for number in range(1900)}}
    deep: dict[str, Any] = {}
    for _ in range(2000):
        deep = {"type": "object", "properties": {"a": deep}}
    began = time.monotonic()
    assert MOST_FIELDS == len(form_of(wide).fields)
    assert "levels" in form_of(deep).note
    assert time.monotonic() - began < 1
