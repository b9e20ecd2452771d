"""Requests to the lab's authorization server, as a client would send them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
from diagnose_lab import Running

from .wire import client

CALLBACK = "http://127.0.0.1:3118/callback"
# The challenge is the S256 of the verifier "v" (RFC 7636 4.2).
ASKED = {
    "response_type": "code",
    "client_id": "lab-client",
    "redirect_uri": CALLBACK,
    "state": "s-1",
    "code_challenge": "TJRIXgwhrmxBzh3-e2v6zupato5AokdvUCCOUm9QYIA",
    "code_challenge_method": "S256",
}


def authorize(running: Running, **changes: str | None) -> httpx2.Response:
    """GET /authorize; a parameter that is None is left out."""
    asked = {name: value for name, value in (ASKED | changes).items() if value is not None}
    with client(running) as http:
        return http.get(running.places["as"] + "/authorize", params=asked)


def landing(answer: httpx2.Response) -> dict[str, str]:
    """The parameters of an authorization response."""
    assert 302 == answer.status_code
    assert answer.headers["location"].startswith(CALLBACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def token(running: Running, grant: str, auth: Any = None, **form: str) -> httpx2.Response:
    with client(running) as http:
        return http.post(
            running.places["as"] + "/token", data={"grant_type": grant} | form, auth=auth or (lambda ask: ask)
        )


def redeem(running: Running, code: str, auth: Any = None, **form: str) -> httpx2.Response:
    fields = {"code": code, "code_verifier": "v", "redirect_uri": CALLBACK, "client_id": "lab-client"}
    return token(running, "authorization_code", auth, **(fields | form))


def log_in(running: Running, **changes: str) -> dict[str, Any]:
    """The token answer of a whole login."""
    answer = redeem(running, landing(authorize(running, **changes))["code"])
    assert 200 == answer.status_code
    found = answer.json()
    assert isinstance(found, dict)
    return found


def refresh(running: Running, refresh_token: str) -> httpx2.Response:
    return token(running, "refresh_token", refresh_token=refresh_token, client_id="lab-client")


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def signed(running: Running, **changes: Any) -> dict[str, str]:
    """The form fields of private_key_jwt (RFC 7523 2.2)."""
    claims = {"iss": "lab-client", "sub": "lab-client", "aud": running.places["as"], "exp": time.time() + 60}
    key = Path(running.places["client_key"]).read_text(encoding="utf-8")
    return {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(claims | changes, key, algorithm="RS256"),
    }
