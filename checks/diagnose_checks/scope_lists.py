"""The scopes a client would ask for, held against the scopes that the authorization server knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from diagnose.step import Evidence, Finding
from diagnose_checks.challenge import Challenges
from diagnose_checks.identity_providers import recognised
from diagnose_checks.metadata_fetch import Document

__all__ = ["judge_scopes", "requested_scopes", "scopes_in"]

_OFFLINE = "offline_access"
_ENTRA = "Microsoft Entra ID"
_SCOPES = "scopes_supported"
_MOST, _LONGEST = 500, 200
# OpenID Connect Core 5.1 and 5.4, and what Auth0 adds: a list of these alone is about identities, and says
# nothing about the scopes of an API.
_IDENTITY = frozenset(
    (
        *("openid", "profile", "email", "phone", "address", "offline_access", "offline", "name"),
        *("given_name", "family_name", "middle_name", "nickname", "picture", "email_verified"),
        *("phone_number", "created_at", "identities", "groups", "roles", "aws.cognito.signin.user.admin"),
    )
)
_GRAPH_SCOPE = re.compile(r"[A-Z][A-Za-z-]*\.[A-Z]")
"""Scopes of Microsoft Graph, such as Mail.Read, are rightly written without a prefix."""


def scopes_in(value: Mapping[str, Any]) -> tuple[str, ...] | None:
    """``scopes_supported`` as far as it is text; None where there is no such list."""
    listed = value.get(_SCOPES)
    if not isinstance(listed, list):
        return None
    return tuple(item[:_LONGEST] for item in listed if isinstance(item, str))[:_MOST]


def requested_scopes(
    challenges: Challenges, resource: Mapping[str, Any]
) -> tuple[tuple[str, ...] | None, str]:
    """What a client asks for and where that comes from: the challenge, else the resource's list.

    MCP authorization, scope selection strategy.
    """
    challenged = challenges.parameter("scope")
    if challenged is not None and challenged.split():
        return tuple(challenged.split()), "the scope of the challenge"
    listed = scopes_in(resource)
    if listed:
        return listed, "scopes_supported of the protected resource metadata"
    return None, "nowhere"


def judge_scopes(challenges: Challenges, resource: Document | None, server: Document) -> list[Finding]:
    """Scopes that would be refused, that should not be asked for, or that nobody asks for."""
    asked, source = requested_scopes(challenges, resource.value if resource else {})
    known = scopes_in(server.value)
    known = None if known is not None and known and set(known) <= _IDENTITY else known
    found: list[Finding] = []
    if asked is None:
        return _nobody_asks(known, server) if known else []
    unknown = [scope for scope in asked if known is not None and scope not in (*known, _OFFLINE)]
    from_list = resource is not None and source.startswith(_SCOPES)
    where = resource.url if resource is not None and from_list else "WWW-Authenticate, scope"
    observed = " ".join(asked)
    if unknown:
        shown = " ".join(known or ()) or "none"
        args = {"scopes": " ".join(unknown), "source": source, "known": shown}
        found.append(_finding("AUTH017", args, expected=shown, observed=observed, where=where))
    if _OFFLINE in asked:
        offered = scopes_in(server.value)
        listed = offered is None or _OFFLINE in offered
        args = {"source": source, "offered": "offers it" if listed else "does not list it"}
        found.append(_finding("AUTH018", args, expected=f"no {_OFFLINE}", observed=observed, where=where))
    if resource is not None:
        found += _entra(resource, server, asked)
    return found + _graph(server, asked, where)


def _nobody_asks(known: tuple[str, ...], server: Document) -> list[Finding]:
    args = {"known": " ".join(known)}
    expected = "a scope in the challenge, or scopes_supported of the resource"
    return [_finding("AUTH019", args, expected=expected, observed="neither", where=server.url)]


def _entra(resource: Document, server: Document, asked: tuple[str, ...]) -> list[Finding]:
    """Entra v2 (AADSTS9010010): the ``resource`` parameter must be the API that the scopes belong to."""
    issuer = str(server.value.get("issuer", ""))
    named = [scope for scope in asked if scope.startswith("api://")]
    identifier = str(resource.value.get("resource", ""))
    if not issuer.rstrip("/").endswith("/v2.0") or not named:
        return []
    if any(scope.startswith(identifier.rstrip("/") + "/") for scope in named):
        return []
    args = {"resource": identifier, "scopes": " ".join(named), "issuer": issuer}
    expected = f"the application ID URI of the scopes: {named[0].rpartition('/')[0]}"
    return [_finding("AUTH024", args, expected=expected, observed=identifier, where=resource.url)]


def _graph(server: Document, asked: tuple[str, ...], where: str) -> list[Finding]:
    """Entra (AADSTS650053): a scope without the prefix of its API is looked up in Microsoft Graph."""
    provider = recognised(server.value)
    if provider is None or provider.name != _ENTRA:
        return []
    bare = [
        scope
        for scope in asked
        if "/" not in scope and scope not in _IDENTITY and not _GRAPH_SCOPE.match(scope)
    ]
    if not bare:
        return []
    args = {"scopes": " ".join(bare), "issuer": str(server.value.get("issuer", ""))}
    expected = f"api://APPLICATION-ID/{bare[0]}"
    return [_finding("AUTH026", args, expected=expected, observed=" ".join(bare), where=where)]


def _finding(code: str, args: Mapping[str, object], *, expected: str, observed: str, where: str) -> Finding:
    label = "scopes" if code != "AUTH024" else "/resource"
    evidence = Evidence(label=label, expected=expected, observed=observed)
    return Finding(code=code, args=args, evidence=(evidence,), where=where)
