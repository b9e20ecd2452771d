"""A secret shows where it comes from and never what it is."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from diagnose.connector import Secret
from diagnose.errors import UsageError

CANARY = "canary-5b20e6d4"


class Holder(BaseModel):
    secret: Secret


def test_a_literal_prints_as_stars() -> None:
    assert ("***", "Secret('***')") == (str(Secret(CANARY)), repr(Secret(CANARY)))


@pytest.mark.parametrize("template", ["${env:TOKEN}", "Bearer ${env:TOKEN}", "${env:USER}${env:TOKEN}"])
def test_a_bare_reference_prints_as_it_was_written(template: str) -> None:
    assert template == str(Secret(template))


@pytest.mark.parametrize("template", [f"{CANARY}${{env:TOKEN}}", f"Bearer {CANARY} ${{env:TOKEN}}"])
def test_a_literal_beside_a_reference_is_hidden_with_it(template: str) -> None:
    assert "***" == str(Secret(template))


def test_references_are_replaced_by_the_values_of_the_environment() -> None:
    secret = Secret("Bearer ${env:A}-${env:B}")
    assert ("A", "B") == secret.references
    assert "Bearer 1-2" == secret.resolve({"A": "1", "B": "2"}, where="header X")


def test_a_value_that_looks_like_a_reference_is_not_resolved_again() -> None:
    assert "${env:B}" == Secret("${env:A}").resolve({"A": "${env:B}", "B": CANARY}, where="x")


@pytest.mark.parametrize(
    ("environ", "words"), [({}, "variable TOKEN is not set"), ({"TOKEN": ""}, "variable TOKEN is empty")]
)
def test_a_variable_without_a_value_is_one_sentence_with_what_to_type(
    environ: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        Secret("${env:TOKEN}").resolve(environ, where="bearer token")
    assert (
        f"CFG003 the environment {words} (bearer token): set it where this command runs: export TOKEN=..."
        == str(caught.value)
    )


@pytest.mark.parametrize("name", ["", " ", "A B", "1A", "A-B"])
def test_a_reference_without_a_usable_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"CFG009 .*holds no variable name"):
        Secret(f"x${{env:{name}}}").resolve({name: "v"}, where="x")


@given(st.text(min_size=6).filter(lambda text: "${env:" not in text and "*" not in text))
def test_no_rendering_of_a_literal_holds_it(value: str) -> None:
    holder = Holder(secret=Secret(value))
    shown = [repr(holder), str(holder.secret), holder.model_dump_json(), str(holder.model_dump(mode="json"))]
    assert [] == [text for text in shown if value in text or json.dumps(value)[1:-1] in text]


def test_a_secret_of_the_wrong_type_is_refused_without_being_quoted() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Holder, config=None).validate_python({"secret": [CANARY]})
    assert CANARY not in str(caught.value.errors(include_input=False))


def test_equal_templates_are_equal_and_hash_alike() -> None:
    assert (Secret("a"), hash(Secret("a"))) == (Secret("a"), hash(Secret("a")))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_an_empty_secret_is_false() -> None:
    assert (False, True) == (bool(Secret("")), bool(Secret("x")))


def test_a_copy_resolves_to_the_same_value() -> None:
    secret = Secret("${env:A}")
    for other in (copy.deepcopy(secret), pickle.loads(pickle.dumps(secret))):  # noqa: S301 - our own bytes
        assert "1" == other.resolve({"A": "1"}, where="x")


def test_a_literal_follows_no_reference() -> None:
    written_by_a_server = Secret.literal("${env:HOME}")
    assert "${env:HOME}" == written_by_a_server.resolve({"HOME": "/home/canary"}, where="access token")
    assert "***" == str(written_by_a_server)
    assert Secret("${env:HOME}") != written_by_a_server


@pytest.mark.parametrize(("environ", "value"), [({}, "eu"), ({"REGION": ""}, "eu"), ({"REGION": "us"}, "us")])
def test_a_default_is_for_a_variable_that_is_unset_or_empty(environ: dict[str, str], value: str) -> None:
    assert value == Secret("${env:REGION:-eu}").resolve(environ, where="region")


def test_a_default_is_not_shown() -> None:
    assert "Bearer ${env:TOKEN:-***}" == str(Secret("Bearer ${env:TOKEN:-s3cret}"))


@pytest.mark.parametrize("text", ["${env:HOME}", "$${env:HOME}", "${text:$}{env:HOME}", "pa$$word", "${env:"])
def test_an_escaped_text_is_followed_nowhere(text: str) -> None:
    made = Secret(Secret.escaped(text))

    assert text == made.resolve({"HOME": "/root"}, where="text")
    assert () == made.references
