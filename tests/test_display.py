"""Text from a server is data: every character is visible and none acts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnose.display import SafeText, display, hidden_characters


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]52;c;UFdO\x1b\\", "^[]52;c;UFdO^[\\"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb", "a^Mb"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u200bb", "a\\u200bb"),
        ("a\U000e0041b", "a\\U000e0041b"),
        ("\ud800", "\\ud800"),
        ("del\x7f", "del^?"),
    ],
)
def test_characters_that_act_or_hide_are_written_out(hostile: str, shown: str) -> None:
    assert display(hostile) == shown


@given(st.text())
def test_nothing_that_acts_is_left(text: str) -> None:
    assert hidden_characters(display(text)) == ()
    assert set(hidden_characters(display(text, layout=True))) <= {"U+000A", "U+0009"}


@given(st.text(max_size=50), st.integers(min_value=0, max_value=20))
def test_a_cut_says_how_much_is_missing(text: str, limit: int) -> None:
    shown = display(text, limit=limit)
    if len(text) > limit:
        assert shown.endswith(f"… +{len(text) - limit}")


def test_only_display_makes_safe_text() -> None:
    assert isinstance(display("x"), SafeText)


def test_layout_keeps_lines() -> None:
    assert display("a\n\tb\x00", layout=True) == "a\n\tb^@"
