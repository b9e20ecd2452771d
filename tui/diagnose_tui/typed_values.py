"""Secrets, header names and credentials that somebody typed, refused as the files that hold them are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from diagnose.connector import (
    ApiKeyCredential,
    BasicCredential,
    BearerCredential,
    OAuth2Credential,
    Secret,
)
from diagnose.connector.credential import HEADER_NAME, header_safe
from diagnose.connector.secret import is_unfilled
from diagnose.errors import UsageError

__all__ = ["KINDS", "PROOFS", "credential_of", "header_name", "is_reference", "typed_secret"]

_REFERENCE = re.compile(r"(?:(?:Bearer|Basic|Token) )?\$\{env:[A-Za-z0-9_]*\}?")
_SCHEMES_WITHOUT_TOKEN = ("bearer", "basic", "token")

KINDS: Mapping[str, str] = {
    "none": "none",
    "bearer": "Bearer token",
    "api_key": "API key in a header",
    "basic": "Basic: user name and password",
    "oauth2": "OAuth login",
}
"""The credentials that the form can make, in its words."""

PROOFS: Mapping[str, tuple[tuple[str, str, bool], ...]] = {
    "bearer": (("token", "Token", True),),
    "api_key": (("name", "Header", False), ("value", "Key", True)),
    "basic": (("username", "User name", False), ("password", "Password", True)),
    "oauth2": (("client_id", "Client", False), ("scope", "Scopes", False), ("issuer", "Issuer", False)),
}
"""What each kind is made of: field, label, whether it is a secret."""


def is_reference(typed: str) -> bool:
    """Whether ``typed`` is, or is becoming, nothing but a reference: then it is no secret and is shown."""
    return _REFERENCE.fullmatch(typed) is not None


def header_name(name: str) -> str:
    """``name`` as a header has it. Raises UsageError CFG004."""
    if not HEADER_NAME.fullmatch(name):
        hint = "write the name alone, such as X-Tenant, without a colon or a space"
        raise UsageError("CFG004", "this is no header name" if name else "the name is missing", hint=hint)
    return name


def typed_secret(typed: str, environ: Mapping[str, str], *, name: str, header: bool = True) -> Secret:
    """The value of ``name``: literal, or with references. Raises UsageError; a value is never quoted."""
    if not typed:
        hint = "type it, or a reference such as ${env:NAME}; clear the name to leave it out"
        raise UsageError("CFG006", f"the value of {name} is missing", hint=hint)
    if header and typed.lower() in _SCHEMES_WITHOUT_TOKEN:
        what = f"{name} holds the word {typed} and nothing after it"
        raise UsageError("CFG003", what, hint="type the token after it, or ${env:NAME}")
    if is_unfilled(typed):
        what = f"the value of {name} is a placeholder that nothing fills in"
        raise UsageError("CFG016", what, hint="write ${env:NAME}")
    secret = Secret(typed)
    value = secret.resolve(environ, where=name)
    if header:
        header_safe(value, name)
    elif "\0" in value:
        raise UsageError("CFG007", f"the value of {name} holds a NUL character", hint="leave it out")
    return secret


def credential_of(kind: str, proof: Mapping[str, str], old: Any, environ: Mapping[str, str]) -> Any:
    """The credential of ``kind`` that was typed; ``old`` gives what was left empty. Raises UsageError."""
    return _MAKERS[kind](proof, old if getattr(old, "type", None) == kind else None, environ)


def _secret(proof: Mapping[str, str], field: str, old: Any, environ: Mapping[str, str]) -> Secret:
    typed = proof.get(field, "")
    kept = getattr(old, field, None)
    if not typed and isinstance(kept, Secret):
        return kept
    return typed_secret(typed, environ, name=f"the {field}")


def _bearer(proof: Mapping[str, str], old: Any, environ: Mapping[str, str]) -> BearerCredential:
    return BearerCredential(token=_secret(proof, "token", old, environ))


def _api_key(proof: Mapping[str, str], old: Any, environ: Mapping[str, str]) -> ApiKeyCredential:
    name = header_name(proof.get("name", "").strip())
    value = _secret(proof, "value", old, environ)
    if old is not None:
        changed: ApiKeyCredential = old.model_copy(update={"name": name, "value": value})
        return changed
    return ApiKeyCredential(name=name, value=value)


def _basic(proof: Mapping[str, str], old: Any, environ: Mapping[str, str]) -> BasicCredential:
    name = proof.get("username", "")
    if not name or ":" in name:
        what = "the user name holds a colon" if name else "the user name is missing"
        raise UsageError("CFG006", what, hint="type a name without a colon (RFC 7617)")
    return BasicCredential(username=name, password=_secret(proof, "password", old, environ))


def _oauth2(proof: Mapping[str, str], old: Any, environ: Mapping[str, str]) -> OAuth2Credential:
    from diagnose.oauth.log_in import with_client

    given = {field: text for field, _, _ in PROOFS["oauth2"] if (text := proof.get(field, "").strip())}
    return with_client(old or OAuth2Credential(), **given)


_MAKERS: Mapping[str, Callable[[Mapping[str, str], Any, Mapping[str, str]], Any]] = {
    "bearer": _bearer,
    "api_key": _api_key,
    "basic": _basic,
    "oauth2": _oauth2,
}
