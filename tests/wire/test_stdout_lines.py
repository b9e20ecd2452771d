"""Each line of stdout is a message, or it is said what it is instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnose.wire.stdout_lines import LineReader, joined_message, reading_of

ANSWER = b'{"jsonrpc":"2.0","id":1,"result":{}}'


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (ANSWER, "response"),
        (ANSWER + b"\r", "response"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping"}', "request"),
        (b'{"jsonrpc":"2.0","method":"notifications/message"}', "notification"),
        (b"[" + ANSWER + b"]", "batch"),
        (b'{"level":"info"}', "json"),
        (b"Server listening", "text"),
        (b"{", "text"),
        (b"", "blank"),
        (b"\xef\xbb\xbf" + ANSWER, "encoding"),
        (ANSWER.decode().encode("utf-16"), "encoding"),
        (b'{"jsonrpc":"2.0","id":1,"result":{"name":"caf\xe9"}}', "encoding"),
    ],
)
def test_a_line_is_classified(raw: bytes, kind: str) -> None:
    assert kind == reading_of(raw, at=0.0).kind


def test_an_encoding_names_the_byte() -> None:
    assert "byte 0xe9 at position 3" in reading_of(b"caf\xe9", at=0.0).detail


@given(st.lists(st.integers(1, 40), max_size=8))
def test_lines_do_not_depend_on_how_the_bytes_come(cuts: list[int]) -> None:
    stream, reader, seen, start = b"one\ntwo\n" + ANSWER + b"\nrest", LineReader(limit=100), [], 0
    for cut in [*cuts, len(stream)]:
        seen += [line.raw for line in reader.feed(stream[start : start + cut], 0.0)]
        start += cut
    seen += [line.raw for line in reader.feed(stream[start:], 0.0)]
    assert [b"one", b"two", ANSWER] == seen
    assert b"rest" == reader.open


def test_a_line_beyond_the_limit_is_told_once_and_the_next_one_is_read() -> None:
    reader = LineReader(limit=10)
    kinds = [
        line.kind for chunk in (b"x" * 8, b"x" * 8, b"x" * 8 + b"\nok\n") for line in reader.feed(chunk, 0.0)
    ]
    assert ["too-large", "text"] == kinds


def test_a_message_over_many_lines_is_put_together() -> None:
    lines = [reading_of(raw, at=0.0) for raw in (b"hello", b"{", b' "jsonrpc": "2.0",', b' "id": 7', b"}")]
    assert {"jsonrpc": "2.0", "id": 7} == joined_message(lines)
    assert joined_message(lines[:3]) is None
