"""What the registrations prove: closed, or a redirect URI that is not taken, and what stayed behind."""

from __future__ import annotations

from diagnose.step import Evidence, Finding
from diagnose_checks.deep_ledger import Subject
from diagnose_checks.registration_probe import Registered, RegistrationReply

__all__ = ["judge_registrations", "left_behind"]


def judge_registrations(registered: Registered, subject: Subject, *, only_route: bool) -> list[Finding]:
    """``only_route``: this connector's client can get its client id in no other way."""
    own, other = registered.own, registered.other
    replies = tuple(it for it in (own, other) if it is not None)
    severity = "error" if only_route else "warning"
    if own.kind == "registered":
        if other is None or other.kind not in ("redirect refused", "closed"):
            return []
        return [_redirect(registered, other, own, subject, severity="info")]
    if own.kind == "redirect refused" or (other is not None and other.kind == "registered"):
        return [_redirect(registered, own, other, subject, severity=severity)]
    if own.kind == "failed":
        severity = "warning"
    return [
        Finding(
            code="AUTH050",
            args={"endpoint": registered.endpoint, "detail": own.detail, "issuer": subject.issuer},
            evidence=tuple(_shown(registered, it) for it in replies),
            confidence="certain" if own.kind == "closed" else "possible",
            severity=severity,
            where=registered.endpoint,
            exchange=own.exchange,
        )
    ]


def _redirect(
    registered: Registered,
    refused: RegistrationReply,
    other: RegistrationReply | None,
    subject: Subject,
    *,
    severity: str,
) -> Finding:
    good = other is not None and other.kind == "registered"
    contrast = (_shown(registered, other),) if other is not None else ()
    taken = f"{other.redirect_uri} is taken" if good and other is not None else "no other was taken either"
    return Finding(
        code="AUTH046",
        args={
            "endpoint": registered.endpoint,
            "redirect_uri": refused.redirect_uri,
            "taken": taken,
            "detail": refused.detail,
            "issuer": subject.issuer,
        },
        evidence=(_shown(registered, refused), *contrast),
        confidence="certain" if good else "likely",
        severity=severity,
        where=registered.endpoint,
        exchange=refused.exchange,
    )


def _shown(registered: Registered, reply: RegistrationReply) -> Evidence:
    return Evidence(
        label=f"registration with {reply.redirect_uri}",
        expected="201 with a client_id",
        observed=f"{reply.kind}: {reply.detail}",
        where=registered.endpoint,
        exchange=reply.exchange,
    )


def left_behind(registered: Registered, subject: Subject) -> list[Finding]:
    """A note for the owner of the authorization server: these clients of this run are still there."""
    left = [client for client in registered.clients if client.removed is False]
    if not left:
        return []
    named = ", ".join(client.client_id for client in left)
    evidence = tuple(
        Evidence(label=f"client {client.client_id}", expected="removed", observed=client.why_left)
        for client in left
    )
    args = {"clients": named, "issuer": subject.issuer, "why": left[0].why_left}
    return [Finding(code="AUTH053", args=args, evidence=evidence, where=registered.endpoint)]
