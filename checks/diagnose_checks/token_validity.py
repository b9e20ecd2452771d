"""Step 6: does the credential open the door?

Judged by the answer to the very request that the runtime sends, and by reading the token locally. Nothing
is refreshed, introspected or verified, and no claim is a fault while the server accepts the token. Where the
connector is one that fetches its own token, or somebody logs in, it is got here and judged like any other.
"""

from __future__ import annotations

import dataclasses

from diagnose.connector import OAuth2Credential
from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose_checks.acquiring import acquires, open_with_new_token
from diagnose_checks.auth_discovery import challenges_of
from diagnose_checks.claims import TokenReading, moment, read_token
from diagnose_checks.credential_form import wrong_form
from diagnose_checks.facts import AuthFacts, DnsFacts, HttpFacts, TokenFacts
from diagnose_checks.presented import Presented, presented
from diagnose_checks.refusal import Clock, clock_of, refusal_of
from diagnose_checks.token_causes import cause_of, forbidden

__all__ = ["token_validity"]

_SOON = 300
"""Seconds before the end of a token that are worth a warning."""


@step(
    "token_validity",
    gives=TokenFacts,
    needs=(HttpFacts, AuthFacts),
    wants=(DnsFacts,),
    codes=("TOK",),
    on_timeout="TOK002",
    deadline=15,
)
async def token_validity(ctx: Context, http: HttpFacts, auth: AuthFacts, dns: DnsFacts | None) -> TokenFacts:
    """Judge the credential by the answer to the very request that the runtime sends."""
    if not acquires(ctx, http, auth):
        return await _judged(ctx, http, auth)
    opened = await open_with_new_token(ctx, http, auth, dns)
    facts = await _judged(ctx, opened.http, auth)
    return dataclasses.replace(facts, acquired=opened.acquired, _opened=opened.reply)


async def _judged(ctx: Context, http: HttpFacts, auth: AuthFacts) -> TokenFacts:
    shown = presented(ctx.connector, ctx.environ)
    if shown.token:
        ctx.redactor.register(shown.token)
    if not http.challenged:
        return _accepted(ctx, http, shown)
    if shown.kind == "none":
        raise _missing(ctx.connector.url, http, auth)
    refusal = refusal_of(ctx, http, auth, shown)
    if http.status == 403:
        raise Fault.of(forbidden(refusal))
    finding = await wrong_form(ctx, http._http, refusal) or cause_of(refusal)
    if _unsigned(refusal.reading):
        _warn_unsigned(ctx, http)
    raise Fault.of(finding)


def _missing(url: str, http: HttpFacts, auth: AuthFacts) -> Fault:
    challenges = challenges_of(http)
    wanted = " or ".join(challenges.schemes) or "a scheme that it does not name"
    server = auth.issuer or next(iter(auth.authorization_servers or ()), None)
    if challenges.schemes and challenges.of("Bearer", "DPoP") is None:
        how = "--header 'NAME: VALUE', with the header and the value that the server documents"
    elif server is not None:
        how = f"diagnose login {url} logs in at {server}; a token of yours goes with --bearer-env TOKEN"
    else:
        how = "give a token: export TOKEN=... and --bearer-env TOKEN"
    exchange = http._opening.exchange
    challenge = exchange.header("www-authenticate") or "absent"
    evidence = Evidence(
        label="the first request, without a credential",
        expected="accepted",
        observed=f"HTTP {http.status}; WWW-Authenticate: {challenge}"[:800],
        exchange=exchange.id,
    )
    return Fault("TOK001", evidence, exchange=exchange.id, wanted=wanted, how=how, status=http.status)


def _accepted(ctx: Context, http: HttpFacts, shown: Presented) -> TokenFacts:
    if shown.kind == "none":
        return TokenFacts(needed=False)
    accepted = True if http.status < 300 or http._opening.message is not None else None
    reading = read_token(shown.token) if shown.token and shown.kind in ("bearer", "oauth2", "query") else None
    clock = clock_of(ctx, http._opening.exchange)
    end = _end(ctx, reading)
    if accepted and end is not None and 0 < end - clock.now <= _SOON:
        _warn_of_end(ctx, http, end, clock)
    if accepted and reading is not None and _unsigned(reading):
        _warn_unsigned(ctx, http)
    return TokenFacts(
        needed=True,
        credential={**ctx.connector.credential.describe(), "sent_in": shown.place},
        accepted=accepted,
        form=reading.note if reading is not None else None,
        claims=reading.shown() if reading is not None else None,
        expires_in_s=int(end - clock.now) if end is not None else None,
    )


def _end(ctx: Context, reading: TokenReading | None) -> float | None:
    claimed = reading.time("exp") if reading is not None else None
    stored = getattr(ctx.connector.credential, "expires_at", None)
    return claimed if claimed is not None else (stored.timestamp() if stored is not None else None)


def _warn_of_end(ctx: Context, http: HttpFacts, end: float, clock: Clock) -> None:
    credential = ctx.connector.credential
    renewed = isinstance(credential, OAuth2Credential) and credential.refresh_token is not None
    evidence = Evidence(label="end of the token", expected=f"at least {_SOON} s away", observed=moment(end))
    ctx.warn(
        "TOK011",
        evidence,
        exchange=http._opening.exchange.id,
        left=int(end - clock.now),
        end=moment(end),
        renewal="has a refresh token for the time after" if renewed else "has no refresh token",
    )


def _unsigned(reading: TokenReading) -> bool:
    algorithm = reading.header.get("alg")
    return isinstance(algorithm, str) and algorithm.lower() == "none"


def _warn_unsigned(ctx: Context, http: HttpFacts) -> None:
    evidence = Evidence(label="alg of the token", expected="a signature algorithm", observed="none")
    ctx.warn("TOK014", evidence, exchange=http._opening.exchange.id)
