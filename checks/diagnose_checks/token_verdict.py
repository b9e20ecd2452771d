"""What the token request proves, alone and together with the authorization request."""

from __future__ import annotations

from collections.abc import Mapping

from diagnose.step import Evidence, Finding
from diagnose_checks.authorization_probe import Asked
from diagnose_checks.authorization_verdict import shown
from diagnose_checks.client_identity import Identity
from diagnose_checks.deep_ledger import Subject
from diagnose_checks.registration_probe import Registered
from diagnose_checks.token_probe import TokenAsked, TokenReply

__all__ = ["judge_client", "judge_token", "told"]

# After these no code will ever be redeemed: what is there is no token endpoint.
_NO_ENDPOINT = frozenset((*range(200, 400), 404, 405))


def told(reply: TokenReply, label: str, *, expected: str | None = None, where: str) -> Evidence:
    """One token request as evidence."""
    observed = f"{reply.kind}: {reply.detail}"
    return Evidence(label=label, expected=expected, observed=observed, where=where, exchange=reply.exchange)


def judge_token(token: TokenAsked, subject: Subject) -> list[Finding]:
    """An endpoint that is none, that is out of reach, that fails, or that knows no such resource."""
    first = token.first
    if first.kind == "not JSON":
        absent = first.status in _NO_ENDPOINT
        return [_made("AUTH043", token, severity="error" if absent else "warning", sure=absent)]
    if first.kind == "unreachable":
        what = f"the token endpoint {token.endpoint} is out of reach: {first.detail}"
        why = "A client that comes back from the login with its code has nobody to redeem it."
        change = f"Let {token.endpoint} be reached from wherever clients run."
        return [_made("AUTH044", token, sure=True, what=what, why=why, change=change)]
    if first.kind == "server error":
        what = f"the token endpoint fails over a made-up code: {first.detail}"
        why = "RFC 6749 5.2 asks for 400 and invalid_grant; whether a real code fares better was not tried."
        change = f"Look in the log of {token.endpoint} at the time of this run."
        return [_made("AUTH044", token, severity="warning", sure=False, what=what, why=why, change=change)]
    if first.kind == "token":
        return [_made("AUTH052", token, sure=True)]
    if first.error == "invalid_target" and subject.resource is not None:
        return [_resource(token, subject)]
    return []


def _resource(token: TokenAsked, subject: Subject) -> Finding:
    without = token.resource_left_out
    evidence = [told(token.first, "a made-up code", expected="invalid_grant", where=token.endpoint)]
    if without is not None:
        evidence.append(told(without, "the same without resource", where=token.endpoint))
    sure = without is not None and without.kind == "error" and without.error != "invalid_target"
    return Finding(
        code="AUTH041",
        args={
            "detail": token.first.detail,
            "resource": subject.resource,
            "issuer": subject.issuer,
            "endpoint": token.endpoint,
        },
        evidence=tuple(evidence),
        confidence="certain" if sure else "likely",
        where=token.endpoint,
        exchange=token.first.exchange,
    )


def _made(
    code: str, token: TokenAsked, *, sure: bool, severity: str | None = None, **args: object
) -> Finding:
    evidence = told(
        token.first,
        "the answer to a made-up code",
        expected='400 with application/json and {"error": "invalid_grant"}',
        where=token.endpoint,
    )
    return Finding(
        code=code,
        args={"endpoint": token.endpoint, "detail": token.first.detail, **args},
        evidence=(evidence,),
        confidence="certain" if sure else "likely",
        severity=severity,
        where=token.endpoint,
        exchange=token.first.exchange,
    )


def judge_client(
    asked: Asked | None,
    token: TokenAsked | None,
    registered: Registered | None,
    identity: Identity,
    subject: Subject,
) -> list[Finding]:
    """A client that is unknown, one that was forgotten, one that cannot prove who it is."""
    by_page = asked is not None and asked.first.reply.about == "client" and not asked.first.reply.accepted
    refused = token is not None and token.first.error == "invalid_client" and identity.authenticates
    evidence = _evidence(asked, token)
    args: dict[str, object] = {"client_id": identity.client_id, "source": identity.named}
    args["issuer"] = subject.issuer
    exchange = evidence[0].exchange if evidence else None
    where = evidence[0].where if evidence else None
    if by_page:
        again = registered.own if registered is not None else None
        works = again is not None and again.client is not None
        if works and registered is not None and again is not None:
            new = Evidence(
                label="a new registration",
                expected="a client id",
                observed=again.detail,
                where=registered.endpoint,
                exchange=again.exchange,
            )
            evidence = (*evidence, new)
        code = "AUTH045" if works or identity.registered else "AUTH047"
        proof = "a new registration works" if works else "it came from a registration"
        # Only an id that came from a registration is known to have been good once.
        proven = works and identity.registered if code == "AUTH045" else refused
        sure = "certain" if proven else "likely"
        args["proof"] = proof
        return [
            Finding(code=code, args=args, evidence=evidence, confidence=sure, where=where, exchange=exchange)
        ]
    accepted = asked is not None and asked.first.reply.accepted
    if not refused or token is None or not accepted:
        return []
    return [_unproven(token, evidence, args)]


def _unproven(token: TokenAsked, evidence: tuple[Evidence, ...], args: Mapping[str, object]) -> Finding:
    """The authorization endpoint knows the client, and the token endpoint does not believe it."""
    method = token.first.method
    shows = method != "none"
    how = f"its proof ({method}) is refused" if shows else "it shows none, and the connector has none"
    return Finding(
        code="AUTH051",
        args={**args, "how": how, "detail": token.first.detail},
        evidence=evidence,
        confidence="certain" if shows else "likely",
        where=token.endpoint,
        exchange=token.first.exchange,
    )


def _evidence(asked: Asked | None, token: TokenAsked | None) -> tuple[Evidence, ...]:
    found: list[Evidence] = []
    if asked is not None:
        found.append(shown(asked.first, expected="a client that is known"))
    if token is not None:
        found.append(
            told(
                token.first,
                "the token request of the same client",
                expected="invalid_grant",
                where=token.endpoint,
            )
        )
    return tuple(found)
