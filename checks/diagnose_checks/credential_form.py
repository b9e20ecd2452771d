"""Credentials that are refused for how they are sent: the scheme, the place, the spelling.

Where the same secret in another form is let in, the form is proven wrong: one contrast, on the failure path
alone, to the connector's own origin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from diagnose.context import Context
from diagnose.step import Evidence, Finding
from diagnose.wire.http_wire import HttpWire
from diagnose_checks.refusal import Refusal
from diagnose_checks.resending import Contrast, resend

__all__ = ["wrong_form"]

_DOUBLED = re.compile(r"bearer[\s:]+(?=\S)", re.IGNORECASE)
_PLACEHOLDERS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\$\{[^}]*\}"), "${...}"),
    (re.compile(r"\{\{.*\}\}"), "{{...}}"),
    (re.compile(r"\$[A-Z_][A-Z0-9_]*"), "$NAME"),
    (re.compile(r"%[A-Za-z_][A-Za-z0-9_]*%"), "%NAME%"),
    (re.compile(r"<[^<>]+>"), "<...>"),
    (re.compile(r"(?:your|my|insert|replace)[-_ ].*(?:token|key|secret).*", re.IGNORECASE), "sample text"),
)
# Schemes that have nothing to do with a key in a header of the server's own choice.
_STANDARD = frozenset(("bearer", "dpop", "basic", "digest", "negotiate", "ntlm", "mutual"))


async def wrong_form(ctx: Context, wire: HttpWire, refusal: Refusal) -> Finding | None:
    """The finding about the form of the credential, or None where its form is what the server asks for."""
    token = refusal.shown.token
    if token is None:
        return None
    for pattern, kind in _PLACEHOLDERS:
        if pattern.fullmatch(token):
            return _placeholder(refusal, kind)
    doubled = _DOUBLED.match(token)
    if doubled is not None and refusal.shown.kind != "query":
        return await _doubled(ctx, wire, refusal, token[doubled.end() :])
    if refusal.shown.kind == "query":
        return await _in_query(ctx, wire, refusal, token)
    if _mismatched(refusal):
        return await _wrong_scheme(ctx, wire, refusal, token)
    return None


def _placeholder(refusal: Refusal, kind: str) -> Finding:
    observed = f"a placeholder of the form {kind}"
    evidence = Evidence(label="the credential", expected="its value", observed=observed)
    return Finding(
        code="TOK016",
        args={"kind": kind, "place": refusal.shown.place},
        evidence=(*refusal.evidence, evidence),
        exchange=refusal.exchange.id,
    )


async def _as_bearer(ctx: Context, wire: HttpWire, refusal: Refusal, token: str) -> Contrast:
    name = refusal.shown.name
    return await resend(ctx, wire, refusal.exchange, authorization=f"Bearer {token}", without=name)


async def _doubled(ctx: Context, wire: HttpWire, refusal: Refusal, inner: str) -> Finding:
    ctx.redactor.register(inner)
    once = await _as_bearer(ctx, wire, refusal, inner)
    proof = f"with the word once the same token is {_fate(once)}"
    return _form(refusal, "TOK009", once, "the scheme word once", proof=proof)


async def _in_query(ctx: Context, wire: HttpWire, refusal: Refusal, token: str) -> Finding | None:
    moved = await _as_bearer(ctx, wire, refusal, token)
    if not moved.let_in:
        return None
    return _form(refusal, "TOK015", moved, "the same token as Authorization: Bearer", name=refusal.shown.name)


async def _wrong_scheme(ctx: Context, wire: HttpWire, refusal: Refusal, token: str) -> Finding:
    wanted = " or ".join(refusal.challenges.schemes)
    args: Mapping[str, object] = {"wanted": wanted, "sent": _sent(refusal)}
    if refusal.challenges.of("Bearer") is None:
        evidence = Evidence(label="schemes of the challenge", expected=_sent(refusal), observed=wanted)
        proof = "the challenge does not name what was sent"
        return Finding(
            code="TOK013",
            args={**args, "proof": proof},
            evidence=(*refusal.evidence, evidence),
            exchange=refusal.exchange.id,
        )
    moved = await _as_bearer(ctx, wire, refusal, token)
    proof = f"the same secret sent as Bearer is {_fate(moved)}"
    return _form(refusal, "TOK013", moved, "the same secret as Authorization: Bearer", proof=proof, **args)


def _fate(contrast: Contrast) -> str:
    return "let in" if contrast.let_in else f"not let in either ({contrast})"


def _form(refusal: Refusal, code: str, contrast: Contrast, label: str, **args: object) -> Finding:
    evidence = Evidence(label=label, expected="let in", observed=str(contrast), exchange=contrast.exchange)
    return Finding(
        code=code,
        args=args,
        evidence=(*refusal.evidence, evidence),
        confidence="certain" if contrast.let_in else "likely",
        exchange=refusal.exchange.id,
    )


def _mismatched(refusal: Refusal) -> bool:
    schemes = {scheme.lower() for scheme in refusal.challenges.schemes}
    if not schemes:
        return False
    if refusal.shown.kind == "api key":
        return schemes <= _STANDARD
    return (refusal.shown.scheme or "").lower() not in schemes


def _sent(refusal: Refusal) -> str:
    if refusal.shown.kind == "api key":
        return f"an API key in {refusal.shown.place}"
    if refusal.shown.scheme is None:
        return "a bare value in the Authorization header, without a scheme"
    return f"the scheme {refusal.shown.scheme}"
