"""A successful answer of a token endpoint, held against RFC 6749 5.1.

A client that reads it strictly throws such a token away and says nothing more than that the login failed; one
that reads it loosely keeps a token that it cannot renew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from diagnose.step import Evidence, Finding

__all__ = ["judge_token_response", "response_finding"]

_OFFLINE = "offline_access"
# RFC 6750 and RFC 9449: the types that a client of MCP can use; they have no case (RFC 6749 7.1).
_USABLE_TYPES = frozenset(("bearer", "dpop"))


def judge_token_response(
    status: int, headers: Mapping[str, str], body: object, *, asked_scope: str | None
) -> tuple[str, ...]:
    """What is wrong with a token endpoint's success, in sentences; empty where nothing is.

    ``body`` is the parsed JSON, or anything else where it was none. No value of a token is ever quoted.
    """
    if not isinstance(body, Mapping):
        return ("the body is no JSON object",)
    named = {name.lower(): value for name, value in headers.items()}
    return (*_form(status, named), *_tokens(body), *_lifetime(body), *_scope(body, asked_scope))


def response_finding(problems: tuple[str, ...], *, endpoint: str, exchange: int | None) -> Finding:
    """The warning that lists them."""
    evidence = Evidence(
        label="the answer of the token endpoint",
        expected="access_token, token_type Bearer, expires_in as a number, Cache-Control: no-store",
        observed="; ".join(problems),
        where=endpoint,
        exchange=exchange,
    )
    args = {"endpoint": endpoint, "problems": "; ".join(problems)}
    return Finding(code="TOK025", args=args, evidence=(evidence,), where=endpoint, exchange=exchange)


def _form(status: int, headers: Mapping[str, str]) -> Iterator[str]:
    if status != 200:
        yield f"the status is {status}, not 200"
    kind = headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        yield f"Content-Type is {kind[:80] or 'absent'}, not application/json"
    directives = {part.strip().lower() for part in headers.get("cache-control", "").split(",")}
    if "no-store" not in directives:
        yield "Cache-Control: no-store is missing"


def _tokens(body: Mapping[str, Any]) -> Iterator[str]:
    if not _is_text(body.get("access_token")):
        yield f"access_token is {_kind(body, 'access_token')}, not text"
    type_ = body.get("token_type")
    if not _is_text(type_):
        yield f"token_type is {_kind(body, 'token_type')}, not text"
    elif type_.lower() not in _USABLE_TYPES:
        yield f"token_type is {type_[:40]!r}, which is not Bearer"
    if body.get("refresh_token") is not None and not _is_text(body["refresh_token"]):
        yield f"refresh_token is {_kind(body, 'refresh_token')}, not text"


def _lifetime(body: Mapping[str, Any]) -> Iterator[str]:
    value = body.get("expires_in")
    if value is None and "expires_in" not in body:
        return  # RECOMMENDED alone
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield f"expires_in is {_kind(body, 'expires_in')}, not a number"
    elif not math.isfinite(value) or value <= 0:
        yield f"expires_in is {value}, which is no lifetime"


def _scope(body: Mapping[str, Any], asked: str | None) -> Iterator[str]:
    wanted = (asked or "").split()
    granted = body.get("scope")
    if granted is not None and not isinstance(granted, str):
        yield f"scope is {_kind(body, 'scope')}, not text with blanks between the scopes"
        granted = None
    missing = [scope for scope in wanted if scope not in granted.split()] if granted is not None else []
    # What a server calls a scope that only asks for a refresh token is its own affair.
    lacking = [scope for scope in missing if scope != _OFFLINE]
    if lacking:
        yield f"scope lacks {' '.join(lacking)[:200]}, which was asked for"
    if _OFFLINE in wanted and not body.get("refresh_token"):
        yield f"{_OFFLINE} was asked for, and no refresh_token came"


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""


def _kind(body: Mapping[str, Any], name: str) -> str:
    if name not in body:
        return "absent"
    value = body[name]
    names = {str: "text", bool: "a boolean", int: "a number", float: "a number", list: "an array"}
    if value == "":
        return "empty"
    return "null" if value is None else names.get(type(value), "an object")
