"""JSON from strangers: what is read, what is refused, and that refusing is cheap."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnose.wire.strict_json import MAX_DEPTH, HostileJson, parse

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(value=_VALUES)
def test_every_json_document_is_read_as_it_was_written(value: object) -> None:
    assert value == parse(json.dumps(value).encode()).value


@given(body=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(HostileJson):
        parse(body)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"\xff", "UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b"1e999", "too large"),
        (b'"\\ud800"', "surrogate"),
        (b"[" * 200_000 + b"]" * 200_000, "deeper"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "deeper"),
        (b"9" * 3_000_000, "digits"),
        (b"{", "line 1"),
    ],
)
def test_what_no_careful_reader_takes_is_refused_with_its_reason(body: bytes, word: str) -> None:
    with pytest.raises(HostileJson, match=word):
        parse(body)


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert "\U0001f600" == parse(b'"\\ud83d\\ude00"').value


def test_the_deepest_allowed_document_is_read() -> None:
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH).value is not None


def test_members_that_stand_twice_are_named_once_each() -> None:
    assert ("a",) == parse(b'{"a": 1, "a": 2, "a": 3, "b": 4}').duplicates


def test_a_hundred_thousand_members_with_one_twin_are_no_work() -> None:
    members = ",".join(f'"k{number}": 0' for number in range(100_000))
    assert ("k7",) == parse(f'{{{members}, "k7": 1}}'.encode()).duplicates
