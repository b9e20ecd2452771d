"""Does the authorization server offer what this connector's own OAuth client needs at its token endpoint?

The lists of the metadata are held against the credential. A list that is absent proves nothing: RFC 8414 2
gives it a default that most servers do not mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from diagnose.connector import OAuth2Credential
from diagnose.connector.credential import JWT_BEARER
from diagnose.step import Evidence, Finding
from diagnose_checks.metadata_fetch import Document

__all__ = ["judge_client", "judge_person"]

_GRANTS = "grant_types_supported"
_METHODS = "token_endpoint_auth_methods_supported"
_ALGORITHMS = "token_endpoint_auth_signing_alg_values_supported"
_PROFILES = "authorization_grant_profiles_supported"
_ID_JAG = "urn:ietf:params:oauth:grant-profile:id-jag"
# RFC 8414 2: what an absent list means.
_DEFAULT_GRANTS = ("authorization_code", "implicit")
_MOST, _LONGEST = 50, 100


def judge_client(document: Document, credential: OAuth2Credential) -> list[Finding]:
    """What this client needs and the metadata does not offer: at most one finding about each of the two."""
    found = (_grant(document, credential), _authentication(document, credential))
    return [finding for finding in found if finding is not None]


def judge_person(document: Document) -> list[Finding]:
    """Whether somebody without a credential can log in at all, which takes the authorization code grant."""
    offered = _texts(document.value.get(_GRANTS))
    if offered is None or "authorization_code" in offered:
        return []
    observed = " ".join(offered) or "an empty list"
    return [
        _missing(
            document,
            "AUTH029",
            _GRANTS,
            "authorization_code",
            observed,
            severity="warning",
            whose="a login",
        )
    ]


def _grant(document: Document, credential: OAuth2Credential) -> Finding | None:
    grant = credential.grant_type
    offered = _texts(document.value.get(_GRANTS))
    if offered is None:
        if grant in _DEFAULT_GRANTS:
            return None
        return _missing(
            document, "AUTH029", _GRANTS, grant, f"absent, which means {' '.join(_DEFAULT_GRANTS)}", "info"
        )
    if grant not in offered:
        return _missing(document, "AUTH029", _GRANTS, grant, " ".join(offered) or "an empty list")
    profiles = _texts(document.value.get(_PROFILES))
    if grant == JWT_BEARER and profiles is not None and _ID_JAG not in profiles:
        observed = " ".join(profiles) or "an empty list"
        return _missing(document, "AUTH029", _PROFILES, _ID_JAG, observed, "warning")
    return None


def _authentication(document: Document, credential: OAuth2Credential) -> Finding | None:
    if credential.client_id is None:
        return None
    methods = _methods(credential)
    offered = _texts(document.value.get(_METHODS))
    if offered is None:
        return None  # client_secret_basic by default, and nearly every server takes more than that
    if methods == ("none",):
        # A public client shows nothing. The authorization servers of the Python SDK and of FastMCP, and
        # others with them, list what confidential clients send alone, and let public ones in with PKCE.
        return None
    if not set(methods) & set(offered):
        observed = " ".join(offered) or "an empty list"
        return _missing(document, "AUTH030", _METHODS, " or ".join(methods), observed)
    algorithms = _texts(document.value.get(_ALGORITHMS))
    if methods == ("private_key_jwt",) and algorithms and credential.signing_algorithm not in algorithms:
        return _missing(document, "AUTH030", _ALGORITHMS, credential.signing_algorithm, " ".join(algorithms))
    return None


def _methods(credential: OAuth2Credential) -> tuple[str, ...]:
    """What the client may send: the one that is configured, else what its secret allows."""
    if credential.token_endpoint_auth_method is not None:
        return (credential.token_endpoint_auth_method,)
    if credential.private_key is not None:
        return ("private_key_jwt",)
    if credential.client_secret is not None:
        return ("client_secret_basic", "client_secret_post")
    return ("none",)


def _texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(_texts_of(value))


def _texts_of(value: Iterable[Any]) -> list[str]:
    return [item[:_LONGEST] for item in list(value)[:_MOST] if isinstance(item, str)]


def _missing(
    document: Document,
    code: str,
    member: str,
    wanted: str,
    observed: str,
    severity: str | None = None,
    whose: str = "the credential of the connector",
) -> Finding:
    issuer = str(document.value.get("issuer", document.url))
    evidence = Evidence(
        label=f"/{member}",
        expected=wanted,
        observed=observed,
        where=document.url,
        exchange=document.exchange,
    )
    return Finding(
        code=code,
        args={
            "issuer": issuer,
            "wanted": wanted,
            "whose": whose,
            "offered": observed,
            "member": member,
            "document_url": document.url,
        },
        evidence=(evidence,),
        severity=severity,
        where=f"{document.url}#/{member}",
        exchange=document.exchange,
    )
