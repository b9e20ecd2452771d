"""Why a credential was refused, as far as the refusal and the token's own words prove it.

Each cause is a function from the refusal to a finding. A claim proves nothing by itself: it counts because
the server refused the token, and it is certain where the server names the same reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from diagnose.step import Evidence, Finding
from diagnose_checks.claims import moment
from diagnose_checks.difference import difference
from diagnose_checks.discovery_urls import canonical
from diagnose_checks.forbidden_client import forbidden_client
from diagnose_checks.refusal import Refusal
from diagnose_checks.token_kinds import bound_to_sender, id_token, other_tenant
from diagnose_checks.token_times import ends, expired, not_yet, timeless

__all__ = ["KEY_WORDS", "cause_of", "forbidden", "unexplained", "unscoped"]

Cause = Callable[[Refusal], "tuple[Finding, bool] | None"]
"""A finding, and whether the server's own words name this reason."""

KEY_WORDS = ("signature", "unknown key", "kid", "jwks", "signing key")
"""The server's reason is the key or what was signed with it."""

# Reasons that no claim shows: where the server names one of them, a claim that looks odd is not the cause.
_BEYOND_CLAIMS = ("revoked", "malformed", "inactive")


def _audience(refusal: Refusal) -> tuple[Finding, bool] | None:
    """RFC 8707 and MCP authorization, token audience binding: the token names this server."""
    audiences, said = refusal.reading.audiences, refusal.names_audience
    wanted = [refusal.resource] if refusal.resource is not None else []
    wanted += [refusal.url]
    if not audiences and not said:
        return None
    if refusal.reading.form != "jwt":
        return _audience_unread(refusal, wanted[0]), True
    if _names_this_server(refusal):
        return None
    if not said and (
        refusal.says(*_BEYOND_CLAIMS, *KEY_WORDS) or any(_covers(one, refusal.url) for one in audiences)
    ):
        return None
    observed = ", ".join(audiences) or "absent"
    proof = Evidence(label="aud", expected=" or ".join(dict.fromkeys(wanted)), observed=observed)
    confidence = "certain" if said else "likely"
    args = {"audience": observed, "resource": wanted[0], "accepting": observed}
    read = "its aud claim names another resource" if audiences else "it has no aud claim"
    return refusal.finding("TOK006", proof, confidence=confidence, proof=read, **args), said


def _audience_unread(refusal: Refusal, resource: str) -> Finding:
    """The server's word alone: what the token was issued for shows only at its issuer."""
    args = {"audience": "another resource", "accepting": "the audience that it does give"}
    read = "what it was issued for cannot be read from here"
    return refusal.finding("TOK006", confidence="likely", proof=read, resource=resource, **args)


def _names_this_server(refusal: Refusal) -> bool:
    known = _names(refusal)
    return any(audience.rstrip("/") in known for audience in refusal.reading.audiences)


def _names(refusal: Refusal) -> set[str]:
    """What the server may be called; whether a slash ends it is left to the server."""
    return {
        name.rstrip("/") for name in (refusal.url, canonical(refusal.url), refusal.resource or refusal.url)
    }


def _covers(audience: str, url: str) -> bool:
    # Servers commonly accept their own origin or a parent path as audience.
    return url.startswith(audience.rstrip("/") + "/")


def _issuer(refusal: Refusal) -> tuple[Finding, bool] | None:
    """RFC 9068 4: the token comes from the authorization server that the resource names."""
    issuer = refusal.reading.text("iss")
    said = refusal.says("issuer", "iss ", "another authorization server")
    if issuer is None or not refusal.issuers or issuer in refusal.issuers:
        return None
    if not said and refusal.says(*_BEYOND_CLAIMS):
        return None
    # Another issuer signs with other keys: a signature that does not verify is what comes of it.
    expected = refusal.issuers[0]
    apart = difference(expected, issuer)
    words = apart.words if apart is not None else ""
    proof = Evidence(label="iss", expected=" or ".join(refusal.issuers), observed=issuer)
    args = {"issuer": issuer, "expected": expected, "difference": words}
    return refusal.finding("TOK007", proof, confidence="certain" if said else "likely", **args), said


def _scope(refusal: Refusal) -> tuple[Finding, bool] | None:
    """RFC 6750 3.1, insufficient_scope; MCP authorization, runtime insufficient scope errors."""
    bearer = refusal.challenges.of("Bearer", "DPoP")
    error = bearer.params.get("error") if bearer is not None else None
    if error != "insufficient_scope" and not refusal.says("insufficient_scope"):
        return None
    return _lacking(refusal, "The server knows the token and refuses it for its scopes"), True


def unscoped(refusal: Refusal, *more: Evidence, cleared: tuple[str, ...]) -> Finding | None:
    """A 401 whose challenge names a scope that the token lacks, where all else was looked at and is right.

    FastMCP's verifier refuses a missing scope like any bad token, in words that name every reason. The SDKs
    name their scopes in every challenge, so the scope is the reason only after the others are ruled out.
    """
    granted, end = refusal.reading.scopes, ends(refusal)
    missing = _missing(refusal)
    if not cleared or not missing or granted is None or refusal.says(*_BEYOND_CLAIMS):
        return None
    if end is None or end <= refusal.clock.now or not _names_this_server(refusal):
        return None
    if refusal.reading.text("iss") not in refusal.issuers:
        return None
    proof = (
        "The challenge names a scope that the token does not have, and all else that can be checked from"
        " here is right"
    )
    finding = _lacking(refusal, proof, *more, confidence="likely")
    return replace(finding, ruled_out=(*_ruled_out(refusal), *cleared))


def _needed(refusal: Refusal) -> tuple[str, ...]:
    """The scopes that the challenge names (RFC 6750 3)."""
    bearer = refusal.challenges.of("Bearer", "DPoP")
    return tuple(bearer.params.get("scope", "").split()) if bearer is not None else ()


def _missing(refusal: Refusal) -> tuple[str, ...]:
    granted = refusal.reading.scopes
    return tuple(scope for scope in _needed(refusal) if granted is None or scope not in granted)


def _lacking(refusal: Refusal, proof: str, *more: Evidence, confidence: str | None = None) -> Finding:
    needed, missing, granted = _needed(refusal), _missing(refusal), refusal.reading.scopes
    shown = "scopes that are not readable from here" if granted is None else " ".join(granted) or "none"
    if granted is not None and refusal.reading.scope_claim != "scope":
        shown += f" (in the claim {refusal.reading.scope_claim})"
    seen = Evidence(
        label="scopes of the token", expected=" ".join(needed) or "not named by the server", observed=shown
    )
    ask = " ".join(dict.fromkeys((*(granted or ()), *needed))) or "the scopes its documentation names"
    lacking = " ".join(missing) or _nothing_missing(refusal, needed)
    prospect = _prospect(refusal, needed, missing)
    args = {"missing": lacking, "granted": shown, "prospect": prospect, "proof": proof}
    if needed and not missing and refusal.reading.scope_claim == "scp":
        change = "Let the server read the scopes from the claim scp as well, or let the issuer write scope"
        return refusal.finding(
            "TOK008", seen, confidence="likely", actor="server_operator", change=change, **args
        )
    change = f"Log in again and ask for: {ask}"
    return refusal.finding("TOK008", seen, *more, confidence=confidence, change=change, **args)


def _nothing_missing(refusal: Refusal, needed: tuple[str, ...]) -> str:
    if not needed:
        return "a scope that the server does not name"
    if refusal.reading.scope_claim == "scp":
        return (
            f"{' '.join(needed)} in the claim scope (it stands in scp, which this server seems not to read)"
        )
    return f"more than {' '.join(needed)}, which it has"


def _prospect(refusal: Refusal, needed: tuple[str, ...], missing: tuple[str, ...]) -> str:
    """Whether a new login would get the scopes: what the authorization server lists is what it knows."""
    known = refusal.scopes_known
    if not needed:
        return "the challenge names none"
    if not missing:
        return "what the challenge names is in the token"
    if known is None:
        return "whether the authorization server grants it does not show in its metadata"
    unknown = [scope for scope in missing if scope not in known]
    if unknown:
        names = " ".join(unknown)
        return f"the authorization server does not list {names}: its administrator has to add it first"
    return "the authorization server lists it, so a new login can get it"


_CAUSES: tuple[Cause, ...] = (
    _scope,
    expired,
    not_yet,
    timeless,
    bound_to_sender,
    id_token,
    other_tenant,
    _audience,
    _issuer,
)


def cause_of(refusal: Refusal) -> Finding | None:
    """The cause that the server names, else the first that the token shows, else None."""
    found = [outcome for cause in _CAUSES if (outcome := cause(refusal)) is not None]
    chosen = next((finding for finding, said in found if said), found[0][0] if found else None)
    return replace(chosen, ruled_out=_ruled_out(refusal)) if chosen is not None else None


def unexplained(
    refusal: Refusal, *more: Evidence, clue: str | None = None, cleared: tuple[str, ...] = ()
) -> Finding:
    """No cause is proven: what was seen, what was ruled out, and where to look on.

    ``clue`` says what a look at the issuer's keys gave; ``cleared`` what that look ruled out.
    """
    # Under this one name, because the pipeline fills in the same template when the step runs out of time.
    progress = f"it says: {refusal.said}. The credential is {refusal.reading.note}; {clue or _clues(refusal)}"
    actor = "server_operator" if cleared else None
    rejected = refusal.finding("TOK002", *more, actor=actor, progress=progress)
    return replace(rejected, ruled_out=(*_ruled_out(refusal), *cleared))


def forbidden(refusal: Refusal) -> Finding:
    """A 403 with a Bearer challenge: the token is known, and it may not."""
    scoped = _scope(refusal)
    if scoped is not None:
        return scoped[0]
    bound = other_tenant(refusal)
    if bound is not None and bound[1]:
        return bound[0]
    return forbidden_client(refusal)


def _ruled_out(refusal: Refusal) -> tuple[str, ...]:
    """What was looked at and is not the reason."""
    reading, found = refusal.reading, []
    end = ends(refusal)
    if end is not None and end > refusal.clock.now:
        found.append(f"not expired: valid until {moment(end)} {refusal.clock.words}")
    begin = reading.time("nbf")
    if begin is not None and begin <= refusal.clock.now:
        found.append("already valid (nbf)")
    if _names_this_server(refusal):
        found.append("aud names this server")
    if reading.text("iss") in refusal.issuers:
        found.append("iss is the authorization server that the resource names")
    if refusal.challenges.schemes and refusal.shown.scheme is not None:
        asked = {scheme.lower() for scheme in refusal.challenges.schemes}
        if refusal.shown.scheme.lower() in asked:
            found.append(f"the scheme {refusal.shown.scheme} is one that the server asks for")
    return tuple(found)


def _clues(refusal: Refusal) -> str:
    """What is left for somebody with the server's log to look at."""
    if refusal.reading.form != "jwt":
        return "it may be mistyped, revoked, expired or meant for another server"
    key = refusal.reading.header.get("kid")
    algorithm = refusal.reading.header.get("alg")
    if isinstance(algorithm, str) and algorithm.lower() == "none":
        return "it is not signed (alg none), and no careful server accepts that"
    named = f", key {key}" if isinstance(key, str) else ""
    signed = f"its signature (alg {algorithm}{named}) does not verify with the keys the server uses"
    return f"it may be revoked, or {signed}"
