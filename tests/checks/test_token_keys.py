"""Keys, renewals, token responses, made-up credentials: what step 6 proves beyond the token's own words."""

from __future__ import annotations

import base64
import json
from random import SystemRandom
from typing import Any

import jwt
import jwt.algorithms
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from diagnose_checks.claims import read_token
from diagnose_checks.enforcement import made_up
from diagnose_checks.key_set import prove_key
from diagnose_checks.presented import Presented
from diagnose_checks.token_response import judge_token_response
from diagnose_lab import Lab
from hypothesis import given
from hypothesis import strategies as st
from scenario_runs import environment, keep_login, run

from diagnose.cli import main
from diagnose.oauth.store import open_store

RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
KEYS: dict[str, Any] = {"RS256": RSA, "PS256": RSA, "ES256": P256, "EdDSA": ED}
CLAIMS = {"iss": "https://as.example", "exp": 4102444800}


def token(algorithm: str, kid: str | None = "k1", **header: Any) -> str:
    """A signed token; ``header`` adds to its header."""
    named = {"kid": kid} if kid is not None else {}
    return jwt.encode(CLAIMS, KEYS[algorithm], algorithm=algorithm, headers={**named, **header})


def public(algorithm: str, kid: str | None = "k1", **more: Any) -> dict[str, Any]:
    """The key of ``algorithm`` as a key set publishes it."""
    writer = jwt.algorithms.get_default_algorithms()[algorithm]
    made: dict[str, Any] = json.loads(writer.to_jwk(KEYS[algorithm].public_key()))
    made.pop("key_ops", None)
    return {**made, **({"kid": kid} if kid is not None else {}), **more}


def outcome(text: str, *keys: Any) -> str:
    return prove_key(text, read_token(text), {"keys": list(keys)}).outcome


@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_a_signature_verifies_with_the_published_key(algorithm: str) -> None:
    assert "verified" == outcome(token(algorithm), public(algorithm))


@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_a_token_that_was_changed_does_not_verify(algorithm: str) -> None:
    head, _, signature = token(algorithm).split(".")
    claims = base64.urlsafe_b64encode(b'{"iss":"https://as.example","admin":true}').decode().rstrip("=")
    assert "wrong signature" == outcome(f"{head}.{claims}.{signature}", public(algorithm))


def test_a_token_without_a_key_id_is_tried_with_every_key() -> None:
    assert "verified" == outcome(token("ES256", None), public("RS256", "a"), public("ES256", "b"))


def test_a_key_id_that_is_not_published_is_unknown() -> None:
    assert "unknown key" == outcome(token("RS256", "k2"), public("RS256", "k1"))


def test_a_shared_secret_is_never_verified_with_what_is_published() -> None:
    """RFC 8725 3.1: the public key as an HMAC secret is the classic confusion."""
    secret = base64.urlsafe_b64encode(b"s" * 32).decode().rstrip("=")
    signed = jwt.encode(CLAIMS, b"s" * 32, algorithm="HS256", headers={"kid": "k1"})
    assert "unusable" == outcome(signed, {"kty": "oct", "k": secret, "kid": "k1", "alg": "HS256"})


@pytest.mark.parametrize(
    "key",
    [
        public("RS256", use="enc"),
        public("RS256", alg="RS512"),
        public("ES256"),
        {"kty": "RSA", "kid": "k1"},
        {"kty": "RSA", "kid": "k1", "n": "A" * 5000, "e": "AQAB"},
        {"kty": "RSA", "kid": "k1", "n": public("RS256")["n"], "e": "A" * 40},
        {"kty": ["RSA"], "kid": "k1"},
        {"kty": "EC", "kid": "k1", "crv": {"P": 256}, "x": "", "y": ""},
    ],
)
def test_a_key_that_is_not_for_this_token_decides_nothing(key: dict[str, Any]) -> None:
    assert "unusable" == outcome(token("RS256"), key)


def test_extensions_that_must_be_understood_are_not_ignored() -> None:
    signed = token("RS256", crit=["exp"])
    assert "unusable" == outcome(signed, public("RS256"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(("kty", "kid", "alg", "use", "crv", "n", "e", "x", "y"))
VALUES = (
    st.sampled_from(("RSA", "EC", "OKP", "k1", "RS256", "ES256", "P-256", "Ed25519", "AQAB", "sig")) | JSON
)


@given(st.lists(st.dictionaries(MEMBERS, VALUES), max_size=4) | JSON, st.sampled_from(sorted(KEYS)))
def test_no_key_set_makes_the_proof_raise(keys: Any, algorithm: str) -> None:
    text = token(algorithm)
    proof = prove_key(text, read_token(text), {"keys": keys})
    assert proof.outcome in ("unknown key", "unusable", "wrong signature")


GOOD_HEADERS = {"Content-Type": "application/json;charset=UTF-8", "Cache-Control": "No-Store, private"}
GOOD = {"access_token": "secret-value", "token_type": "bearer", "expires_in": 3600, "scope": "a b"}


def test_a_sound_token_response_has_no_problem() -> None:
    assert () == judge_token_response(200, GOOD_HEADERS, GOOD, asked_scope="a b")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"expires_in": "3600"}, "expires_in is text"),
        ({"expires_in": None}, "expires_in is null"),
        ({"expires_in": True}, "expires_in is a boolean"),
        ({"expires_in": 0}, "no lifetime"),
        ({"token_type": None}, "token_type is null"),
        ({"token_type": "mac"}, "'mac'"),
        ({"access_token": ["secret-value"]}, "access_token is an array"),
        ({"refresh_token": 7}, "refresh_token is a number"),
        ({"scope": "a"}, "scope lacks b"),
        ({"scope": ["a", "b"]}, "scope is an array"),
    ],
)
def test_a_breach_of_the_token_response_is_named(change: dict[str, Any], words: str) -> None:
    problems = judge_token_response(200, GOOD_HEADERS, {**GOOD, **change}, asked_scope="a b")
    assert 1 == len(problems)
    assert words in problems[0]
    assert "secret-value" not in problems[0]


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (201, GOOD_HEADERS, "201"),
        (200, {"Content-Type": "application/json"}, "no-store"),
        (200, {**GOOD_HEADERS, "Content-Type": "text/plain"}, "text/plain"),
    ],
)
def test_the_wrapping_of_the_token_response_is_judged(
    status: int, headers: dict[str, str], words: str
) -> None:
    problems = judge_token_response(status, headers, GOOD, asked_scope=None)
    assert 1 == len(problems)
    assert words in problems[0]


def test_offline_access_without_a_refresh_token_is_named() -> None:
    problems = judge_token_response(200, GOOD_HEADERS, GOOD, asked_scope="a offline_access")
    assert ("offline_access was asked for, and no refresh_token came",) == problems


@given(JSON, st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=2))
def test_no_token_response_makes_the_judge_raise(body: Any, headers: dict[str, str]) -> None:
    assert judge_token_response(200, headers, body, asked_scope="a")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80))
def test_a_made_up_value_is_another_one(value: str) -> None:
    shown = Presented(kind="bearer", place="the Authorization header", name="Authorization", token=value)
    assert value != made_up(shown, SystemRandom())


def test_a_made_up_jwt_has_the_same_claims_and_another_signature() -> None:
    real = token("RS256")
    shown = Presented(kind="bearer", place="p", name="Authorization", scheme="Bearer", token=real)
    invented = made_up(shown, SystemRandom())
    assert real.rpartition(".")[0] == invented.rpartition(".")[0]
    assert "wrong signature" == outcome(invented, public("RS256"))


def test_a_made_up_password_keeps_the_user() -> None:
    shown = Presented(kind="basic", place="p", token=base64.b64encode(b"lab:lab-pass").decode())
    user, _, password = base64.b64decode(made_up(shown, SystemRandom())).decode().partition(":")
    assert "lab" == user
    assert "lab-pass" != password


def renewed(lab: Lab, name: str) -> tuple[Any, Any, list[Any]]:
    """The login before and after a run of the scenario, and the requests to the token endpoint."""
    running = lab.start(name)
    try:
        env = {**running.env, "DIAGNOSE_KEYRING": "off"}
        keep_login(running, env)
        before = open_store(env).find(running.url)
        with environment(env):
            main(["run", running.url, "--json", *running.args])
        asked = [record for record in running.log if record.path == "/token"]
        return before, open_store(env).find(running.url), asked
    finally:
        running.stop()


def test_a_renewal_is_written_back_and_spends_the_token_once(lab: Lab) -> None:
    before, after, asked = renewed(lab, "healthy-token-refreshed")
    assert 1 == len(asked)
    assert before.refresh_token != after.refresh_token
    assert before.access_token != after.access_token
    assert after.renewed_at is not None
    assert after.expires_at > after.renewed_at


def test_a_refusal_is_recorded_for_the_next_run(lab: Lab) -> None:
    _, after, asked = renewed(lab, "token-refresh-rotation-race-now")
    assert 1 == len(asked)
    assert after.refusal.raced


def test_nothing_is_renewed_without_the_flag(lab: Lab) -> None:
    before, after, asked = renewed(lab, "token-refresh-never-tried-own")
    assert [] == asked
    assert before.refresh_token == after.refresh_token


def test_a_renewed_run_says_so_and_says_the_first_message_again_once(lab: Lab) -> None:
    outcome = run(lab, "healthy-token-refreshed")
    facts = next(step["facts"] for step in outcome.report["steps"] if step["id"] == "token_validity")
    assert (True, True, True) == (facts["renewed"], facts["accepted"], facts["renews_itself"])
    assert ["mcp:tools"] == facts["scopes_granted"]
    assert 2 == [record.rpc_method for record in outcome.requests].count("server/discover")


def test_the_key_set_is_fetched_after_a_refusal_alone(lab: Lab) -> None:
    asked = {
        name: [record.path for record in run(lab, name).requests]
        for name in ("token-jwks-url-wrong", "healthy-oauth")
    }
    assert 1 == asked["token-jwks-url-wrong"].count("/jwks")
    assert 0 == asked["healthy-oauth"].count("/jwks")


def test_a_credential_is_made_up_with_the_flag_alone(lab: Lab) -> None:
    outcome = run(lab, "token-jwks-url-wrong", "--deep")
    assert "TOK018" == outcome.report["verdict"]["code"]
    deep = run(lab, "healthy-token-enforced")
    facts = next(step["facts"] for step in deep.report["steps"] if step["id"] == "token_validity")
    assert "a made-up credential is refused" == facts["enforced"]
