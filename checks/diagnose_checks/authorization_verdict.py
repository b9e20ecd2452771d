"""What the authorization requests prove: each finding with the refused request and its contrast."""

from __future__ import annotations

from diagnose.step import Evidence, Finding
from diagnose_checks.authorization_answer import AuthorizationReply
from diagnose_checks.authorization_probe import OFFLINE, Asked, Probed
from diagnose_checks.client_identity import Identity
from diagnose_checks.deep_ledger import Subject

__all__ = ["judge_authorization", "shown"]

_ENTRA_RESOURCE, _ENTRA_GRAPH = "AADSTS9010010", "AADSTS650053"


_OPENID = frozenset(("openid", "profile", "email", OFFLINE))


def judge_authorization(asked: Asked, subject: Subject, identity: Identity) -> list[Finding]:
    """The findings of the first request and its contrasts; a client that is unknown is judged elsewhere."""
    reply = asked.first.reply
    found = _response(asked.first, subject)
    if reply.accepted:
        return found + _needs_resource(asked, subject)
    if reply.about == "client":
        return found
    if reply.about == "redirect":
        return [*found, _redirect(asked, identity)]
    if reply.about == "resource":
        return [*found, resource_refused(subject, identity, asked.first, asked.resource_left_out)]
    if reply.about == "scope":
        return [*found, _scope(asked, subject, identity)]
    return found + _undecided(asked, subject, identity)


def shown(probed: Probed, *, expected: str | None = None) -> Evidence:
    """One request as evidence: what was changed in it, and what came back."""
    label = probed.changed or "the authorization request that a client would send"
    where = probed.request.endpoint
    observed = f"{probed.reply.kind}: {probed.reply.detail}"
    return Evidence(
        label=label, expected=expected, observed=observed, where=where, exchange=probed.reply.exchange
    )


def _made(
    code: str, first: Probed, *contrasts: Probed, severity: str | None = None, sure: bool, **args: object
) -> Finding:
    return Finding(
        code=code,
        args={"detail": first.reply.detail, **args},
        evidence=(shown(first, expected="accepted"), *(shown(it) for it in contrasts)),
        confidence="certain" if sure else "likely",
        severity=severity,
        where=first.request.endpoint,
        exchange=first.reply.exchange,
    )


def _redirect(asked: Asked, identity: Identity) -> Finding:
    """RFC 6749 3.1.2.3: simple string comparison; RFC 8252 7.3 frees the port of IP literals alone."""
    good = [it for it in asked.redirects if it.reply.accepted]
    named = ", ".join(it.request.redirect_uri for it in good)
    # Without a configured one, the form refused here may be another than the client of the connector uses.
    severity = "error" if identity.redirect_uri is not None else "warning"
    return _made(
        "AUTH040",
        asked.first,
        *(good or asked.redirects[:2]),
        severity=severity,
        sure=bool(good),
        redirect_uri=asked.first.request.redirect_uri,
        client_id=identity.client_id,
        accepted=f"accepted are: {named}" if good else "no other loopback form is accepted either",
        use=f"use {good[0].request.redirect_uri}, which is accepted, or " if good else "",
    )


def resource_refused(subject: Subject, identity: Identity, first: Probed, without: Probed | None) -> Finding:
    """RFC 8707 2: ``invalid_target``, and accepted without the parameter."""
    sure = without is not None and without.reply.about != "resource"
    contrasts = (without,) if without is not None else ()
    if _ENTRA_RESOURCE in first.reply.description:
        return _made(
            "AUTH024",
            first,
            *contrasts,
            severity="error",
            sure=True,
            resource=subject.resource,
            scopes=" ".join(first.request.scopes) or "that it would give by default",
            issuer=subject.issuer,
        )
    return _made(
        "AUTH041",
        first,
        *contrasts,
        sure=sure,
        resource=subject.resource,
        issuer=subject.issuer,
        client_id=identity.client_id,
        endpoint=first.request.endpoint,
    )


def _scope(asked: Asked, subject: Subject, identity: Identity) -> Finding:
    first = asked.first
    good = next((it for it in asked.scopes if it.reply.accepted or it.reply.about != "scope"), None)
    gone = tuple(it for it in first.request.scopes if good is None or it not in good.request.scopes)
    tried = (good,) if good is not None else asked.scopes
    known = " ".join(subject.known_scopes or ()) or "none"
    if _ENTRA_GRAPH in first.reply.description:
        bare = " ".join(it for it in first.request.scopes if "/" not in it and it not in _OPENID)
        return _made(
            "AUTH026", first, *tried, severity="error", sure=True, scopes=bare, issuer=subject.issuer
        )
    if gone == (OFFLINE,) and OFFLINE in subject.asked_by_resource:
        offered = "lists it" if OFFLINE in (subject.known_scopes or ()) else "does not list it"
        told = f"{offered} and refuses it"
        return _made(
            "AUTH018",
            first,
            *tried,
            severity="error",
            sure=True,
            source=subject.scope_source,
            offered=told,
        )
    unknown = tuple(it for it in gone if it not in (subject.known_scopes or ()))
    if good is not None and unknown:
        return _made(
            "AUTH017",
            first,
            *tried,
            severity="error",
            sure=len(gone) == len(unknown),
            scopes=" ".join(unknown),
            source=subject.scope_source,
            known=known,
        )
    return _made(
        "AUTH048",
        first,
        *tried,
        sure=good is not None,
        scopes=" ".join(gone) or "that were not asked for",
        client_id=identity.client_id,
        issuer=subject.issuer,
    )


def _needs_resource(asked: Asked, subject: Subject) -> list[Finding]:
    without = asked.resource_left_out
    if without is None or without.reply.accepted or without.reply.kind in ("failed", "no answer"):
        return []
    evidence = (shown(without, expected="accepted"), shown(asked.first))
    return [
        Finding(
            code="AUTH042",
            args={"detail": without.reply.detail, "resource": subject.resource, "issuer": subject.issuer},
            evidence=evidence,
            where=without.request.endpoint,
            exchange=without.reply.exchange,
        )
    ]


def _undecided(asked: Asked, subject: Subject, identity: Identity) -> list[Finding]:
    """A refusal in words that say nothing: the contrast that was accepted tells what it was about."""
    good = next((it for it in asked.contrasts if it.reply.accepted), None)
    if good is not None and good is asked.resource_left_out:
        return [resource_refused(subject, identity, asked.first, good)]
    if good is not None and any(good is it for it in asked.scopes):
        return [_scope(asked, subject, identity)]
    if good is not None:
        return [_redirect(asked, identity)]
    first = asked.first
    return [
        _made(
            "AUTH049",
            first,
            *asked.contrasts[:3],
            sure=False,
            endpoint=first.request.endpoint,
            client_id=identity.client_id,
        )
    ]


def _response(first: Probed, subject: Subject) -> list[Finding]:
    """What stands in the redirect back: ``state`` (RFC 6749 4.1.2) and ``iss`` (RFC 9207 2.4)."""
    reply = first.reply
    if not reply.returned:
        return []
    if reply.state != first.request.state:
        return [_stops(first, reply, "state", first.request.state, reply.state, "RFC 6749 4.1.2")]
    promised = subject.server.get("authorization_response_iss_parameter_supported") is True
    if (promised or reply.iss is not None) and reply.iss != subject.issuer:
        return [_stops(first, reply, "iss", subject.issuer, reply.iss, "RFC 9207 2.4")]
    return []


def _stops(
    first: Probed, reply: AuthorizationReply, name: str, expected: str, observed: str | None, rule: str
) -> Finding:
    evidence = Evidence(
        label=f"{name} in the redirect back to the client",
        expected=expected,
        observed="absent" if observed is None else observed[:300],
        where=first.request.endpoint,
        exchange=reply.exchange,
    )
    what = "is absent" if observed is None else "is not the one that belongs there"
    return Finding(
        code="AUTH044",
        args={
            "what": f"{name} in the answer of the authorization endpoint {what}",
            "why": f"A client that checks it ({rule}) throws the answer away and asks for no token.",
            "change": f"Send {name} back as {rule} says.",
        },
        evidence=(evidence, shown(first)),
        confidence="certain",
        where=first.request.endpoint,
        exchange=reply.exchange,
    )
