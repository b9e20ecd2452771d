"""The event stream parser: what the standard says, in every way in which bytes can be cut."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnose.wire.event_stream import Event, EventStream, EventTooLarge

LIMIT = 10_000


def events_of(*chunks: bytes, limit: int = LIMIT) -> list[Event]:
    stream = EventStream(limit=limit)
    return [event for chunk in chunks for event in stream.feed(chunk)]


def test_an_event_ends_with_an_empty_line() -> None:
    (event,) = events_of(b"event: endpoint\ndata: /messages?x=1\nid: 7\n\n")
    assert ("endpoint", "/messages?x=1", "7") == (event.type, event.data, event.id)


def test_an_event_without_a_name_is_a_message() -> None:
    assert ["message"] == [event.type for event in events_of(b"data: {}\n\n")]


def test_data_lines_are_joined_with_newlines() -> None:
    assert ["a\nb\n"] == [event.data for event in events_of(b"data: a\ndata: b\ndata\n\n")]


def test_only_one_space_after_the_colon_is_dropped() -> None:
    assert ["  a"] == [event.data for event in events_of(b"data:   a\n\n")]


def test_an_event_without_data_is_not_dispatched() -> None:
    assert [] == events_of(b"event: ping\n\n: comment\n\n")


def test_a_priming_event_with_empty_data_is_dispatched() -> None:
    assert [""] == [event.data for event in events_of(b"id: 1\ndata:\n\n")]


def test_comments_are_counted_and_not_returned() -> None:
    stream = EventStream(limit=LIMIT)
    assert [] == stream.feed(b": ping\n\n: ping\n\n")
    assert 2 == stream.comments


def test_a_byte_order_mark_at_the_start_is_skipped() -> None:
    assert ["a"] == [event.data for event in events_of(b"\xef", b"\xbb\xbfdata: a\n\n")]


def test_a_carriage_return_at_the_end_of_a_chunk_ends_the_line_at_once() -> None:
    stream = EventStream(limit=LIMIT)
    assert ["a"] == [event.data for event in stream.feed(b"data: a\r\r")]


def test_a_line_end_that_is_cut_in_two_is_one_line_end() -> None:
    assert ["a", "b"] == [event.data for event in events_of(b"data: a\r", b"\n\r", b"\ndata: b\r\n\r\n")]


def test_an_event_beyond_the_limit_is_given_up() -> None:
    with pytest.raises(EventTooLarge):
        events_of(b"data: " + b"x" * 200, limit=100)


def test_many_small_data_lines_count_together() -> None:
    with pytest.raises(EventTooLarge):
        events_of(b"data: xxxx\n" * 50, limit=100)


def test_damaged_text_is_shown_and_not_refused() -> None:
    assert ["\ufffd"] == [event.data for event in events_of(b"data: \xff\n\n")]


_LINES = st.lists(
    st.sampled_from((b"data: a", b"data", b"event: x", b"id: 1", b": c", b"", b"", b"retry: 5", b"\xff:")),
    max_size=30,
)


@given(
    lines=_LINES,
    end=st.sampled_from((b"\n", b"\r\n", b"\r")),
    cuts=st.lists(st.integers(0, 200), max_size=12),
)
def test_how_the_bytes_are_cut_changes_nothing(lines: list[bytes], end: bytes, cuts: list[int]) -> None:
    text = b"".join(line + end for line in lines)
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[start:stop] for start, stop in pairwise(places)]
    assert events_of(text) == events_of(*pieces)


@given(lines=_LINES)
def test_every_kind_of_line_end_means_the_same(lines: list[bytes]) -> None:
    one, two, three = (events_of(b"".join(line + end for line in lines)) for end in (b"\n", b"\r\n", b"\r"))
    assert one == two == three


_PIECES = st.binary(max_size=80) | st.sampled_from(
    (b"data: " + b"x" * 40 + b"\n", b"data: " + b"x" * 100 + b"\n\n", b"x" * 60, b"\n", b"\r\n\r\n")
)


@given(chunks=st.lists(_PIECES, max_size=20))
def test_no_bytes_crash_the_parser_and_none_pass_the_limit(chunks: list[bytes]) -> None:
    with suppress(EventTooLarge):
        assert all(event.size <= 100 for event in events_of(*chunks, limit=100))
