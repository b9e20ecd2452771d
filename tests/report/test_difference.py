"""The mark under the part in which two texts differ."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from diagnose.report.difference import cells, difference


def test_equal_texts_differ_nowhere() -> None:
    assert difference("same", "same") is None


def test_texts_with_little_in_common_get_no_mark() -> None:
    assert difference("a complete answer", "not one byte") is None


def test_sentences_that_only_end_alike_get_no_mark() -> None:
    assert difference("server (Date header): 2026-11-20 12:40", "this machine: 2026-11-20 12:40") is None


def test_a_trailing_slash_is_found() -> None:
    found = difference("https://a/mcp", "https://a/mcp/")

    assert found is not None
    assert ("", "/") == (found.expected, found.observed)


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_parts_always_put_both_texts_together_again(expected: str, observed: str) -> None:
    found = difference(expected, observed)
    if found is not None:
        assert expected == found.before + found.expected + found.after
        assert observed == found.before + found.observed + found.after


def test_wide_characters_take_two_columns_and_combining_ones_none() -> None:
    assert (2, 1) == (cells("漢"), cells("e\u0301"))
