"""Why a credential was refused, as far as the refusal and the token's own words prove it.

Each cause is a function from the refusal to a finding. A claim proves nothing by itself: it counts because
the server refused the token, and it is certain where the server names the same reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from diagnose.step import Evidence, Finding
from diagnose_checks.claims import moment
from diagnose_checks.difference import difference
from diagnose_checks.discovery_urls import canonical
from diagnose_checks.refusal import Refusal

__all__ = ["cause_of", "forbidden"]

Cause = Callable[[Refusal], "tuple[Finding, bool] | None"]
"""A finding, and whether the server's own words name this reason."""

# Reasons that no claim shows: where the server names one of them, a claim that looks odd is not the cause.
_BEYOND_CLAIMS = ("signature", "revoked", "malformed", "unknown key", "kid", "jwks", "inactive")


# "Invalid or expired token": a stock phrase that names every reason, and so none.
_ONE_OF_SEVERAL = re.compile(
    r"(\bor|/)\s*(?:(?:is|has|was|been|already|it|an?)\s+)*expired"
    r"|expired\s*(?:/|,?\s*or\b|,\s*(?:revoked|malformed|invalid|missing|not)\b)",
    re.IGNORECASE,
)


def _finding(
    refusal: Refusal, code: str, *more: Evidence, confidence: str | None = None, **args: object
) -> Finding:
    return Finding(
        code=code,
        args={"said": refusal.said, "kept": refusal.kept, **args},
        evidence=(*refusal.evidence, *more),
        confidence=confidence,
        exchange=refusal.exchange.id,
    )


def _expired(refusal: Refusal) -> tuple[Finding, bool] | None:
    """RFC 7519 4.1.4; for an oauth2 credential also the expiry that was stored with it."""
    claimed = refusal.reading.time("exp")
    end = claimed if claimed is not None else refusal.expires_at
    said = refusal.says("expired") and _ONE_OF_SEVERAL.search(refusal.words) is None
    code = "TOK003"
    if refusal.shown.kind == "oauth2":
        code = "TOK005" if refusal.has_refresh_token else "TOK004"
    if end is not None and end <= refusal.clock.now:
        ago = _span(refusal.clock.now - end)
        source = "its exp claim" if claimed is not None else "the stored expires_at"
        proof = Evidence(
            label=source,
            expected=f"later than {moment(refusal.clock.now)}",
            observed=moment(end),
        )
        words = f"{source} was {moment(end)}, {ago} ago {refusal.clock.words}"
        sure = said or refusal.clock.of_server
        return _finding(refusal, code, proof, confidence="certain" if sure else "likely", proof=words), said
    if end is None and said:
        words = f"the server says so: {refusal.said}"
        return _finding(refusal, code, confidence="likely", proof=words), said
    return None


def _not_yet(refusal: Refusal) -> tuple[Finding, bool] | None:
    """RFC 7519 4.1.5."""
    begin = refusal.reading.time("nbf")
    if begin is None or begin <= refusal.clock.now:
        return None
    wait = _span(begin - refusal.clock.now)
    proof = Evidence(label="nbf", expected=f"not after {moment(refusal.clock.now)}", observed=moment(begin))
    said = refusal.says("not yet", "not valid yet", "nbf", "not active")
    return _finding(refusal, "TOK010", proof, begin=moment(begin), wait=wait, clock=refusal.clock.words), said


def _audience(refusal: Refusal) -> tuple[Finding, bool] | None:
    """RFC 8707 and MCP authorization, token audience binding: the token names this server."""
    audiences = refusal.reading.audiences
    said = refusal.says("aud", "another resource", "different resource")
    wanted = [refusal.resource] if refusal.resource is not None else []
    wanted += [refusal.url]
    known = _names(refusal)
    if refusal.reading.form != "jwt" or (not audiences and not said):
        return None
    if any(audience.rstrip("/") in known for audience in audiences):
        return None
    if not said and (refusal.says(*_BEYOND_CLAIMS) or any(_covers(one, refusal.url) for one in audiences)):
        return None
    observed = ", ".join(audiences) or "absent"
    proof = Evidence(label="aud", expected=" or ".join(dict.fromkeys(wanted)), observed=observed)
    confidence = "certain" if said else "likely"
    return (
        _finding(refusal, "TOK006", proof, confidence=confidence, audience=observed, resource=wanted[0]),
        said,
    )


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
    expected = refusal.issuers[0]
    apart = difference(expected, issuer)
    words = apart.words if apart is not None else ""
    proof = Evidence(label="iss", expected=" or ".join(refusal.issuers), observed=issuer)
    args = {"issuer": issuer, "expected": expected, "difference": words}
    return _finding(refusal, "TOK007", proof, confidence="certain" if said else "likely", **args), said


def _scope(refusal: Refusal) -> tuple[Finding, bool] | None:
    """RFC 6750 3.1, insufficient_scope; MCP authorization, runtime insufficient scope errors."""
    bearer = refusal.challenges.of("Bearer", "DPoP")
    named = bearer.params if bearer is not None else {}
    error = named.get("error", "")
    if error != "insufficient_scope" and not refusal.says("insufficient_scope"):
        return None
    needed = tuple(named.get("scope", "").split())
    granted = refusal.reading.scopes
    missing = tuple(scope for scope in needed if granted is None or scope not in granted)
    shown = "scopes that are not readable from here" if granted is None else " ".join(granted) or "none"
    proof = Evidence(
        label="scopes of the token", expected=" ".join(needed) or "not named by the server", observed=shown
    )
    ask = " ".join(dict.fromkeys((*(granted or ()), *needed))) or "the scopes its documentation names"
    return (
        _finding(
            refusal,
            "TOK008",
            proof,
            missing=" ".join(missing) or "a scope that the server does not name",
            granted=shown,
            ask=ask,
        ),
        True,
    )


_CAUSES: tuple[Cause, ...] = (_scope, _expired, _not_yet, _audience, _issuer)


def cause_of(refusal: Refusal) -> Finding:
    """The cause that the server names, else the first that the token shows, else TOK002."""
    found = [outcome for cause in _CAUSES if (outcome := cause(refusal)) is not None]
    named = [finding for finding, said in found if said]
    if named or found:
        chosen = named[0] if named else found[0][0]
        return replace(chosen, ruled_out=_ruled_out(refusal))
    # Under this one name, because the pipeline fills in the same template when the step runs out of time.
    progress = f"it says: {refusal.said}. The credential is {refusal.reading.note}; {_clues(refusal)}"
    rejected = _finding(refusal, "TOK002", progress=progress)
    return replace(rejected, ruled_out=_ruled_out(refusal))


def forbidden(refusal: Refusal) -> Finding:
    """A 403 with a Bearer challenge: the token is known, and it may not."""
    scoped = _scope(refusal)
    if scoped is not None:
        return scoped[0]
    client = refusal.reading.text("azp", "client_id") or "not readable from here"
    audience = ", ".join(refusal.reading.audiences) or "not readable from here"
    bare = refusal.challenges.of("Bearer", "DPoP") is None
    form = (
        "403 without a challenge, while the same request without the credential is not forbidden"
        if bare
        else "403 with a Bearer challenge and no missing scope"
    )
    return _finding(refusal, "TOK012", client=client, audience=audience, form=form)


def _ruled_out(refusal: Refusal) -> tuple[str, ...]:
    """What was looked at and is not the reason."""
    reading, found = refusal.reading, []
    end = reading.time("exp") if reading.time("exp") is not None else refusal.expires_at
    if end is not None and end > refusal.clock.now:
        found.append(f"not expired: valid until {moment(end)} {refusal.clock.words}")
    begin = reading.time("nbf")
    if begin is not None and begin <= refusal.clock.now:
        found.append("already valid (nbf)")
    if any(audience.rstrip("/") in _names(refusal) for audience in reading.audiences):
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


def _span(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
