"""Requests to token endpoints and their answers, as the RFCs write them down."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from diagnose.oauth.token_request import (
    LARGEST_ANSWER,
    ClientUnusable,
    TokenAnswer,
    TokenClient,
    TokenError,
    read_token_answer,
    token_request,
)

ENDPOINT = "https://auth.example.com/token"
ISSUER = "https://auth.example.com"
GRANT = {"grant_type": "refresh_token", "refresh_token": "r 1&2", "resource": ""}
JSON = {"Content-Type": "application/json"}
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def answered(document: object, status: int = 200) -> TokenAnswer | TokenError:
    return read_token_answer(status, JSON, json.dumps(document).encode())


def token(**members: object) -> TokenAnswer:
    found = answered({"access_token": "t", "token_type": "Bearer", **members})
    assert isinstance(found, TokenAnswer)
    return found


def refusal(document: object, status: int = 400) -> TokenError:
    found = answered(document, status)
    assert isinstance(found, TokenError)
    return found


def test_a_public_client_names_itself_in_the_form() -> None:
    made = token_request(ENDPOINT, grant=GRANT, client=TokenClient(client_id="c"))
    assert {"grant_type": "refresh_token", "refresh_token": "r 1&2", "client_id": "c"} == made.form
    assert {"grant_type": ["refresh_token"], "refresh_token": ["r 1&2"], "client_id": ["c"]} == parse_qs(
        made.body.decode()
    )
    assert "Authorization" not in made.headers


def test_basic_authentication_encodes_id_and_secret_before_it_joins_them() -> None:
    client = TokenClient(client_id="a:b c", client_secret="p%:ü", method="client_secret_basic")
    made = token_request(ENDPOINT, grant=GRANT, client=client)
    scheme, _, encoded = made.headers["Authorization"].partition(" ")
    assert ("Basic", "a%3Ab+c:p%25%3A%C3%BC") == (scheme, base64.b64decode(encoded).decode())
    assert "client_id" not in made.form


def test_a_secret_in_the_form_is_not_in_a_header_as_well() -> None:
    client = TokenClient(client_id="c", client_secret="s", method="client_secret_post")
    made = token_request(ENDPOINT, grant=GRANT, client=client)
    assert ("c", "s") == (made.form["client_id"], made.form["client_secret"])
    assert "Authorization" not in made.headers


@pytest.mark.parametrize(("issuer", "audience"), [(ISSUER, ISSUER), (None, ENDPOINT)])
def test_an_assertion_is_signed_for_the_issuer_and_lives_a_minute(issuer: str | None, audience: str) -> None:
    key = rsa.generate_private_key(65537, 2048)
    client = TokenClient(client_id="c", private_key=pem(key), method="private_key_jwt", issuer=issuer)
    made = [token_request(ENDPOINT, grant=GRANT, client=client, now=NOW) for _ in range(2)]
    claims = [
        jwt.decode(
            request.form["client_assertion"],
            key.public_key(),
            algorithms=["RS256"],
            audience=audience,
            options={"verify_exp": False, "verify_iat": False},
        )
        for request in made
    ]
    assert ("c", "c", audience) == (claims[0]["iss"], claims[0]["sub"], claims[0]["aud"])
    assert 60 == claims[0]["exp"] - claims[0]["iat"]
    assert claims[0]["jti"] != claims[1]["jti"]
    assert "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" == made[0].form["client_assertion_type"]


@pytest.mark.parametrize(
    ("client", "said"),
    [
        (TokenClient(client_id="c", method="client_secret_basic"), "has no secret"),
        (TokenClient(client_id="c", method="private_key_jwt"), "no private key"),
        (TokenClient(client_id="c", private_key="canary-key", method="private_key_jwt"), "cannot sign"),
        (
            TokenClient(
                client_id="c", private_key="canary-key", method="private_key_jwt", signing_algorithm="HS256"
            ),
            "no algorithm that signs with a private key",
        ),
        (
            TokenClient(
                client_id="c", private_key="canary-key", method="private_key_jwt", signing_algorithm="none"
            ),
            "no algorithm",
        ),
    ],
    ids=["no-secret", "no-key", "broken-key", "symmetric", "none"],
)
def test_a_client_that_cannot_show_itself_is_refused_in_a_sentence(client: TokenClient, said: str) -> None:
    with pytest.raises(ClientUnusable, match=said) as caught:
        token_request(ENDPOINT, grant=GRANT, client=client)
    assert "canary" not in str(caught.value)


def test_a_key_of_another_kind_than_the_algorithm_is_refused() -> None:
    client = TokenClient(
        client_id="c", private_key=pem(ec.generate_private_key(ec.SECP256R1())), method="private_key_jwt"
    )
    with pytest.raises(ClientUnusable, match="cannot sign with RS256"):
        token_request(ENDPOINT, grant=GRANT, client=client)


def test_every_secret_of_a_request_is_known_to_whoever_hides_it() -> None:
    posted = TokenClient(client_id="c", client_secret="s3", method="client_secret_post")
    basic = TokenClient(client_id="c", client_secret="s3", method="client_secret_basic")
    assert {"s3", "r 1&2"} == set(token_request(ENDPOINT, grant=GRANT, client=posted).secrets())
    shown = token_request(ENDPOINT, grant=GRANT, client=basic)
    assert {shown.headers["Authorization"], "r 1&2"} == set(shown.secrets())
    assert "s3" not in repr(posted) + repr(shown)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(3600, 3600), ("3600", 3600), (1.5, 1), (-5, 0), (None, None), (True, None), ("soon", None), ([], None)],
)
def test_a_lifetime_is_read_as_servers_write_it(written: object, seconds: int | None) -> None:
    assert seconds == token(expires_in=written).expires_in


@pytest.mark.parametrize("written", ["1e400", "9" * 30, 10**15])
def test_a_lifetime_beyond_every_calendar_is_still_a_date(written: object) -> None:
    found = token(expires_in=written)
    end = found.expires_at(NOW)
    assert end is None or end > NOW + timedelta(days=36_000)


@pytest.mark.parametrize(("written", "kind"), [("bearer", "Bearer"), ("", "Bearer"), ("DPoP", "DPoP")])
def test_the_type_of_a_token_is_written_as_the_header_has_it(written: str, kind: str) -> None:
    assert kind == token(token_type=written).token_type


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "without an access_token"),
        ({"access_token": ""}, "without an access_token"),
        ({"access_token": "a b"}, "no header can carry"),
        ({"access_token": "a\r\nX-Evil: 1"}, "no header can carry"),
        ({"access_token": 5}, "no header can carry"),
        ({"access_token": "a", "token_type": "Bearer\r\nX: 1"}, "no word"),
        ([], "no object"),
        (None, "no object"),
    ],
)
def test_an_answer_without_a_usable_token_says_what_came_instead(document: object, said: str) -> None:
    assert said in refusal(document, 200).detail
    assert not refusal(document, 200).refused


@pytest.mark.parametrize("status", [200, 400, 401])
def test_an_error_of_rfc_6749_is_a_refusal_whatever_its_status(status: int) -> None:
    found = refusal({"error": "invalid_grant", "error_description": "gone"}, status)
    assert ("invalid_grant", "gone", True) == (found.error, found.description, found.refused)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_fails_has_not_refused(status: int) -> None:
    assert not refusal({"error": "server_error"}, status).refused


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "no JSON"),
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 5000, "no JSON"),
        (b'{"access_token": NaN}', "no JSON"),
        (b" " * (LARGEST_ANSWER + 1), "more than"),
    ],
    ids=["html", "empty", "bytes", "nested", "nan", "huge"],
)
def test_a_body_that_is_no_answer_is_told_from_a_refusal(body: bytes, said: str) -> None:
    found = read_token_answer(200, {"content-type": "text/html"}, body)
    assert isinstance(found, TokenError)
    assert (True, False) == (said in found.detail, found.refused)


@given(st.integers(100, 599), st.binary(max_size=300))
def test_no_answer_raises(status: int, body: bytes) -> None:
    assert isinstance(read_token_answer(status, {}, body), TokenAnswer | TokenError)
