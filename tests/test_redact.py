"""The one door: nothing secret leaves, in whatever spelling it tries."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnose.redact import MASK, Redactor

CANARY = "canary+/s3cret=&value"


def redactor(*secrets: str) -> Redactor:
    made = Redactor()
    made.register(*secrets)
    return made


@pytest.mark.parametrize(
    "spelling",
    [
        CANARY,
        quote(CANARY, safe=""),
        json.dumps(CANARY),
        base64.b64encode(CANARY.encode()).decode(),
        base64.urlsafe_b64encode(CANARY.encode()).decode(),
    ],
)
def test_a_registered_secret_is_masked_in_every_spelling(spelling: str) -> None:
    cleaned = redactor(CANARY).text(f"before {spelling} after")
    assert CANARY not in cleaned
    assert spelling.rstrip("=") not in cleaned
    assert MASK in cleaned


def test_the_segments_of_a_registered_jwt_are_masked_one_by_one() -> None:
    cleaned = redactor("eyJhbGciOiJIUzI1NiJ9.cGF5bG9hZC1wYXJ0.c2lnbmF0dXJl").text("sig c2lnbmF0dXJl")
    assert "c2lnbmF0dXJl" not in cleaned


@given(st.text(min_size=4), st.text(), st.text())
def test_no_text_around_a_secret_lets_it_through(secret: str, before: str, after: str) -> None:
    cleaned = redactor(secret).text(before + secret + after)
    assert secret not in cleaned.replace(MASK, "") or secret in before + after


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Authorization", "Bearer abc.def", f"Bearer {MASK}"),
        ("authorization", "Basic dTpw", f"Basic {MASK}"),
        ("Cookie", "a=b", MASK),
        ("Set-Cookie", "sid=1", MASK),
        ("X-API-Key", "k", MASK),
        ("Private-Token", "glpat", MASK),
        ("Content-Type", "application/json", "application/json"),
        ("WWW-Authenticate", 'Bearer realm="x"', 'Bearer realm="x"'),
    ],
)
def test_a_header_is_masked_by_its_name(name: str, value: str, shown: str) -> None:
    assert Redactor().header(name, value) == shown


def test_members_of_json_bodies_are_masked_by_name_and_metadata_is_not() -> None:
    body = '{"access_token": "at-1", "token_type": "Bearer", "token_endpoint": "https://as/token"}'
    assert (
        '{"access_token": "[redacted]", "token_type": "Bearer", "token_endpoint": "https://as/token"}'
        == Redactor().text(body)
    )


def test_query_values_and_userinfo_are_masked() -> None:
    cleaned = Redactor().text("https://user:pw@h/mcp?api_key=K1&page=2&access_token=T1#f")
    assert cleaned == f"https://{MASK}@h/mcp?api_key={MASK}&page=2&access_token={MASK}#f"


@pytest.mark.parametrize(
    "shape",
    [
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "xoxb-1234567890-abcdef",
        "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_token_is_masked_though_nobody_declared_it(shape: str) -> None:
    assert shape not in Redactor().text(f"got {shape}!")


def test_clean_walks_documents_and_counts() -> None:
    door = redactor("s3cret-value")
    cleaned = door.clean({"a": ["x s3cret-value"], "client_secret": "zzz", "n": 1, "esc": "a\x1b[31mb"})
    assert cleaned == {"a": [f"x {MASK}"], "client_secret": MASK, "n": 1, "esc": "a^[[31mb"}
    assert door.count == 2


def test_ordinary_prose_is_left_alone() -> None:
    text = "The token endpoint of the server answers 401; basic authentication is not offered."
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    "echo",
    [
        "k+y/4\\u0026\\u003cz",
        "k\\u002By\\/4\\u0026\\u003Cz",
        "k+y/4&amp;&lt;z",
        "k%2by%2f4%26%3cz",
        "k%252By%252F4%2526%253Cz",
    ],
)
def test_a_secret_is_masked_in_the_escapes_of_any_framework(echo: str) -> None:
    assert MASK == redactor("k+y/4&<z").text(echo)


def test_the_password_inside_basic_credentials_is_masked() -> None:
    assert f"user {MASK}" == redactor("Basic bmFtZTpzM2NyZXQtdmFsdWU=").text("user s3cret-value")


def test_the_token_inside_a_registered_header_value_is_masked() -> None:
    assert MASK == redactor("Bearer opaque-t0ken").text("opaque-t0ken")


def test_a_run_that_begins_like_a_jwt_at_every_place_is_read_once() -> None:
    run = "eyJ" * 200_000
    began = time.perf_counter()
    assert run == Redactor().text(run)
    assert time.perf_counter() - began < 5


def test_a_token_inside_a_run_that_is_no_jwt_is_masked() -> None:
    assert MASK in Redactor().text("eyJabcdefgh glpat-" + "a" * 20)
    assert "AAAA" not in Redactor().text("eyJabcdefgh-glpat-" + "A" * 20)
