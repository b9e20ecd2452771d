"""Causes that a clock decides: the token ended, has not begun, or says its times in another form."""

from __future__ import annotations

import re

from diagnose.step import Evidence, Finding
from diagnose_checks.claims import moment
from diagnose_checks.refusal import Refusal
from diagnose_checks.renewal_fate import fate_of_renewal

__all__ = ["ends", "expired", "not_yet", "span", "timeless"]

# "Invalid or expired token": a stock phrase that names every reason, and so none.
_ONE_OF_SEVERAL = re.compile(
    r"(\bor|/)\s*(?:(?:is|has|was|been|already|it|an?)\s+)*expired"
    r"|expired\s*(?:/|,?\s*or\b|,\s*(?:revoked|malformed|invalid|missing|not)\b)",
    re.IGNORECASE,
)
_LEEWAY = 60.0
"""Seconds by which an ``iat`` may be ahead: verifiers allow for clocks, and no rule makes ``iat`` a bound."""


def ends(refusal: Refusal) -> float | None:
    """When the token ends: by its own claim, else by the expiry that was stored with it."""
    claimed = refusal.reading.time("exp")
    return claimed if claimed is not None else refusal.expires_at


def expired(refusal: Refusal) -> tuple[Finding, bool] | None:
    """RFC 7519 4.1.4; for an oauth2 credential also the expiry that was stored with it."""
    claimed, end = refusal.reading.time("exp"), ends(refusal)
    said = refusal.says("expired") and _ONE_OF_SEVERAL.search(refusal.words) is None
    if end is not None and end <= refusal.clock.now:
        source = "its exp claim" if claimed is not None else "the stored expires_at"
        proof = Evidence(
            label=source, expected=f"later than {moment(refusal.clock.now)}", observed=moment(end)
        )
        ago = span(refusal.clock.now - end)
        words = f"{source} was {moment(end)}, {ago} ago {refusal.clock.words}"
        sure = said or refusal.clock.of_server
        return _ended(refusal, proof, confidence="certain" if sure else "likely", proof=words), said
    if end is None and said and "exp" not in refusal.reading.timeless:
        words = f"the server says so: {refusal.said}"
        return _ended(refusal, confidence="likely", proof=words), said
    return None


def _ended(refusal: Refusal, *more: Evidence, confidence: str, proof: str) -> Finding:
    if refusal.shown.kind != "oauth2":
        return refusal.finding("TOK003", *more, confidence=confidence, proof=proof)
    fate = fate_of_renewal(refusal)
    return refusal.finding(
        fate.code, *more, *fate.evidence, confidence=confidence, actor=fate.actor, proof=proof, **fate.args
    )


def not_yet(refusal: Refusal) -> tuple[Finding, bool] | None:
    """RFC 7519 4.1.5; ``iat`` ahead of the clock is refused by common libraries in the same words."""
    now, said = refusal.clock.now, refusal.says("not yet", "not valid yet", "nbf", "not active", "iat")
    begins = refusal.reading.time("nbf"), refusal.reading.time("iat")
    if begins[0] is not None and begins[0] > now:
        claim, begin, confidence = "nbf", begins[0], "certain"
    elif begins[1] is not None and begins[1] > now + _LEEWAY:
        claim, begin, confidence = "iat", begins[1], "certain" if said else "likely"
    else:
        return None
    proof = Evidence(label=claim, expected=f"not after {moment(now)}", observed=moment(begin))
    args = {"claim": claim, "begin": moment(begin), "wait": span(begin - now), "clock": refusal.clock.words}
    return refusal.finding("TOK010", proof, confidence=confidence, **args), said


def timeless(refusal: Refusal) -> tuple[Finding, bool] | None:
    """RFC 7519 2: exp, nbf and iat are numbers; a reader that checks them cannot check text."""
    names = refusal.reading.timeless
    if not names:
        return None
    kinds = {name: type(refusal.reading.claims[name]).__name__ for name in names}
    shown = ", ".join(f"{name} is of type {_WORDS.get(kind, kind)}" for name, kind in kinds.items())
    form_named = refusal.says("numericdate", "integer", "a number", "must be numeric")
    proof = Evidence(label="time claims", expected="numbers of seconds since 1970", observed=shown)
    confidence = "certain" if form_named else "likely"
    said = form_named or refusal.says(*names)
    return refusal.finding("TOK028", proof, confidence=confidence, claims=shown), said


_WORDS = {"str": "text", "NoneType": "null", "bool": "boolean", "dict": "object", "list": "array"}


def span(seconds: float) -> str:
    """A length of time as people say it."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
