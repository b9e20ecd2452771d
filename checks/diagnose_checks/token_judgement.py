"""The judgement of step 6 on a credential that was shown, or that is still to be got.

Judged by the answer to the very request that the runtime sends, and by reading the token locally. No claim is
a fault while the server accepts the token. More than that request is sent only after a refusal: the same
request with one thing changed, the key set of the token's issuer, and, where that was asked for, a renewal.
Where the connector is one that fetches its own token, or somebody logs in, it is got here and judged like any
other.
"""

from __future__ import annotations

import dataclasses

from diagnose.context import Context
from diagnose.step import Evidence, Fault, Finding
from diagnose.wire.reach import reach_of
from diagnose_checks.accepted import accepted_facts, warn_unsigned
from diagnose_checks.acquiring import acquires, open_with_new_token
from diagnose_checks.credential_form import wrong_form
from diagnose_checks.discovery_walk import challenges_of
from diagnose_checks.enforcement import look_at_enforcement
from diagnose_checks.facts import AuthFacts, Crash, DnsFacts, HttpFacts, TokenFacts
from diagnose_checks.identity_providers import advised, recognised
from diagnose_checks.presented import presented
from diagnose_checks.refusal import Refusal, refusal_of
from diagnose_checks.renewing import open_with_renewed_token, renews
from diagnose_checks.token_causes import KEY_WORDS, cause_of, forbidden, unexplained, unscoped
from diagnose_checks.token_keys import judge_keys
from diagnose_checks.vetted_wires import VettedWires

__all__ = ["judge_token"]

# Another issuer signs with other keys: it is named before any signature is looked at.
_OTHER_ISSUER = frozenset(("TOK007", "TOK027"))


async def judge_token(ctx: Context, http: HttpFacts, auth: AuthFacts, dns: DnsFacts | None) -> TokenFacts:
    """Judge the credential by the answer to the very request that the runtime sends."""
    addresses = dns._addresses if dns is not None and dns._proxy is None else None
    wires = VettedWires(ctx, http._http, reach_of(ctx.origin, addresses))
    if not acquires(ctx, http, auth):
        return await _judged(ctx, http, auth, wires)
    opened = await open_with_new_token(ctx, http, auth, dns)
    facts = await _judged(ctx, opened.http, auth, wires)
    return dataclasses.replace(facts, acquired=opened.acquired, _opened=opened.http)


async def _judged(
    ctx: Context, http: HttpFacts, auth: AuthFacts, wires: VettedWires, *, renewed: bool = False
) -> TokenFacts:
    shown = presented(ctx.connector, ctx.environ)
    if shown.token:
        ctx.redactor.register(shown.token)
    if http._crash is not None:
        raise _crashed(http._crash)
    if not http.challenged:
        if shown.kind == "none":
            return TokenFacts(needed=False)
        facts = accepted_facts(ctx, auth, shown, http._opening)
        return await look_at_enforcement(ctx, http, shown, facts)
    if shown.kind == "none":
        raise _missing(ctx.connector.url, http, auth)
    refusal = refusal_of(ctx, http, auth, shown)
    warn_unsigned(ctx, refusal.reading, http._opening.exchange.id)
    finding = _advised(await _why(ctx, http, auth, wires, refusal), auth, refusal)
    if renewed or not renews(ctx, finding):
        raise Fault.of(finding)
    again = await open_with_renewed_token(ctx, http, wires, refusal, finding)
    facts = await _judged(ctx, again, auth, wires, renewed=True)
    return dataclasses.replace(facts, renewed=True, _opened=again)


async def _why(
    ctx: Context, http: HttpFacts, auth: AuthFacts, wires: VettedWires, refusal: Refusal
) -> Finding:
    """The form of the credential, then what the server names, then the token's own words, then its key."""
    if http.status == 403:
        return forbidden(refusal)
    found = await wrong_form(ctx, http._http, refusal) or cause_of(refusal)
    doubted = refusal.says(*KEY_WORDS) and (found is None or found.code not in _OTHER_ISSUER)
    if found is not None and not doubted:
        return found
    keys = await judge_keys(wires, auth, refusal)
    return (
        keys.finding
        or found
        or unscoped(refusal, *keys.evidence, cleared=keys.cleared)
        or unexplained(refusal, *keys.evidence, clue=keys.clue, cleared=keys.cleared)
    )


def _advised(finding: Finding, auth: AuthFacts, refusal: Refusal) -> Finding:
    """With the setting of the product that issued the token: the one that its iss names, if it names one."""
    issuer = refusal.reading.text("iss") or auth.issuer
    read = auth._server_metadata if issuer == auth.issuer else None
    provider = recognised(read or {"issuer": issuer}) or recognised({"issuer": issuer})
    return advised([finding], provider)[0]


def _crashed(crash: Crash) -> Fault:
    """No refusal and no admission: what judges credentials fails."""
    return Fault(
        "TOK050",
        *crash.evidence,
        where=crash.where,
        exchange=crash.exchange,
        status=crash.status,
        proof=crash.proof,
        server=crash.server,
    )


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
