"""WWW-Authenticate: what can be read is read, and what breaks the grammar is said."""

from __future__ import annotations

import string

import pytest
from diagnose_checks.challenge import Challenge, parse_challenges
from hypothesis import given
from hypothesis import strategies as st

TOKEN = st.text(string.ascii_letters + string.digits + "-._", min_size=1, max_size=12).filter(
    lambda text: text[0].isalpha()
)
VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)


def only(text: str) -> Challenge:
    """The single challenge of a header without faults."""
    read = parse_challenges([text])
    assert () == read.problems
    (challenge,) = read.found
    return challenge


@given(
    st.lists(
        st.tuples(TOKEN, st.dictionaries(TOKEN.map(str.lower), VALUE, min_size=1)), min_size=1, max_size=5
    )
)
def test_what_follows_the_grammar_is_read_back_without_a_complaint(
    given_challenges: list[tuple[str, dict[str, str]]],
) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    text = ", ".join(
        f"{scheme} " + ", ".join(f"{name}={quoted(value)}" for name, value in params.items())
        for scheme, params in given_challenges
    )
    read = parse_challenges([text])
    assert () == read.problems
    assert given_challenges == [(challenge.scheme, dict(challenge.params)) for challenge in read.found]


@given(st.lists(st.text(max_size=200), max_size=4))
def test_no_text_at_all_makes_it_raise_or_grow(values: list[str]) -> None:
    read = parse_challenges(values)
    assert len(read.found) <= 32
    assert len(read.problems) <= 32


@given(st.text("Bearer=\",\\ \t'/:;xyz", max_size=300))
def test_no_text_that_looks_like_a_challenge_makes_it_raise(text: str) -> None:
    parse_challenges([text])


def test_several_lines_and_several_schemes_are_all_found() -> None:
    read = parse_challenges(['Negotiate, Basic realm="a, b"', 'Bearer error="invalid_token", scope="x y"'])
    assert ("Negotiate", "Basic", "Bearer") == read.schemes
    assert "x y" == read.parameter("scope")
    assert () == read.problems


def test_a_scheme_has_no_case() -> None:
    read = parse_challenges(['bEARER scope="x"'])
    assert read.of("Bearer") is not None


def test_a_credential_like_blob_after_the_scheme_is_kept_as_such() -> None:
    assert "YII=" == only("Negotiate YII=").token68


def test_an_escaped_quote_belongs_to_the_value() -> None:
    assert 'a"b' == only('Basic realm="a\\"b"').params["realm"]


@pytest.mark.parametrize(
    ("text", "name", "value", "complaint"),
    [
        (
            "Bearer resource_metadata=https://a.example/x",
            "resource_metadata",
            "https://a.example/x",
            "needs quotes",
        ),
        (
            "Bearer resource_metadata='https://a.example/x'",
            "resource_metadata",
            "https://a.example/x",
            "quoted with",
        ),
        ('Bearer error="x" scope="y"', "scope", "y", "no comma before scope"),
        ('Bearer scope="a b', "scope", "a b", "never closed"),
        (
            'resource_metadata="https://a.example"',
            "resource_metadata",
            "https://a.example",
            "before any scheme",
        ),
        ('Bearer scope="a", scope="b"', "scope", "a", "stands twice"),
        ("Bearer error=x, scope=, realm=y", "error", "x", "no value"),
        ("Bearer \u201cx\u201d, scope=\u201ca\u201d", "scope", "a", "belongs to no scheme"),
    ],
)
def test_a_broken_header_is_read_and_its_fault_is_named(
    text: str, name: str, value: str, complaint: str
) -> None:
    read = parse_challenges([text])
    assert value == read.parameter(name)
    assert any(complaint in problem for problem in read.problems), read.problems


def test_an_endless_header_is_cut() -> None:
    read = parse_challenges(["Bearer " + 'a="b", ' * 100_000])
    assert any("longer than" in problem for problem in read.problems)


@pytest.mark.parametrize("scope", ["mcp:tools", "a b", "api://x/y.z", "a,b", ""])
def test_a_scope_of_legal_characters_is_no_problem(scope: str) -> None:
    assert () == parse_challenges([f'Bearer scope="{scope}"']).problems


@pytest.mark.parametrize("scope", ['a \\"b\\"', "caf\u00e9", "a\tb", "a\\\\b"])
def test_a_character_that_no_scope_may_hold_is_a_problem(scope: str) -> None:
    problems = parse_challenges([f'Bearer scope="{scope}"']).problems
    assert ("scope holds a character that no scope may hold (RFC 6749 3.3)",) == problems
