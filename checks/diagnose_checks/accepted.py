"""The credential was accepted: what is known of it, and how long that lasts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from diagnose.connector import OAuth2Credential
from diagnose.context import Context
from diagnose.step import Evidence
from diagnose.wire.rpc import RpcReply
from diagnose_checks.claims import TokenReading, moment, read_token
from diagnose_checks.facts import AuthFacts, TokenFacts
from diagnose_checks.presented import Presented
from diagnose_checks.refusal import Clock, clock_of
from diagnose_checks.renewal_fate import secret_fate

__all__ = ["accepted_facts", "warn_unsigned"]

_SOON = 300
"""Seconds before the end of a token that are worth a warning."""


def accepted_facts(ctx: Context, auth: AuthFacts, shown: Presented, opening: RpcReply) -> TokenFacts:
    """The facts of a credential that ``opening`` let in, or that nobody refused; warnings on the way."""
    accepted = True if opening.http_status < 300 or opening.message is not None else None
    reading = read_token(shown.token) if shown.token and shown.kind in ("bearer", "oauth2", "query") else None
    clock = clock_of(ctx, opening.exchange)
    end = _end(ctx, reading)
    exchange = opening.exchange.id
    if accepted:
        if end is not None and 0 < end - clock.now <= _SOON:
            _warn_of_end(ctx, exchange, end, clock)
        if reading is not None:
            warn_unsigned(ctx, reading, exchange)
        _warn_of_secret(ctx, exchange)
    return TokenFacts(
        needed=True,
        credential={**ctx.connector.credential.describe(), "sent_in": shown.place, **_login(ctx)},
        accepted=accepted,
        form=reading.note if reading is not None else None,
        claims=reading.shown() if reading is not None else None,
        scopes_granted=_granted(ctx, reading),
        scopes_asked=auth.scopes,
        renews_itself=_renews(ctx),
        expires_in_s=int(end - clock.now) if end is not None else None,
    )


def _login(ctx: Context) -> Mapping[str, Any]:
    """When the stored login was made, and when it was last renewed."""
    if ctx.login is None:
        return {}
    times = {"obtained_at": ctx.login.obtained_at, "renewed_at": ctx.login.renewed_at}
    return {name: time.astimezone(UTC).isoformat() for name, time in times.items() if time is not None}


def _granted(ctx: Context, reading: TokenReading | None) -> tuple[str, ...] | None:
    """What the token says, else what the token endpoint said when it was issued."""
    if reading is not None and reading.scopes is not None:
        return reading.scopes
    stored = getattr(ctx.connector.credential, "scope", None) if ctx.login is not None else None
    return tuple(stored.split()) if stored else None


def _renews(ctx: Context) -> bool | None:
    """Whether whoever holds this credential can go on after the token's end without a person."""
    credential = ctx.connector.credential
    if not isinstance(credential, OAuth2Credential):
        return None
    return credential.refresh_token is not None or not credential.needs_person


def _end(ctx: Context, reading: TokenReading | None) -> float | None:
    claimed = reading.time("exp") if reading is not None else None
    stored = getattr(ctx.connector.credential, "expires_at", None)
    return claimed if claimed is not None else (stored.timestamp() if stored is not None else None)


def _warn_of_end(ctx: Context, exchange: int, end: float, clock: Clock) -> None:
    evidence = Evidence(label="end of the token", expected=f"at least {_SOON} s away", observed=moment(end))
    ctx.warn(
        "TOK011",
        evidence,
        exchange=exchange,
        left=int(end - clock.now),
        end=moment(end),
        renewal="has a refresh token for the time after" if _renews(ctx) else "has no refresh token",
    )


def _warn_of_secret(ctx: Context, exchange: int) -> None:
    if ctx.login is None or ctx.login.refresh_token is None:
        return
    fate = secret_fate(ctx.login, ctx.clock().timestamp())
    if fate is not None:
        state = "the access token is still accepted"
        args: dict[str, Any] = {**fate.args, "state": state}
        ctx.warn(fate.code, *fate.evidence, severity="warning", exchange=exchange, **args)


def warn_unsigned(ctx: Context, reading: TokenReading, exchange: int) -> None:
    """A token that nobody signed is worth a warning, accepted or not."""
    algorithm = reading.header.get("alg")
    if isinstance(algorithm, str) and algorithm.lower() == "none":
        evidence = Evidence(label="alg of the token", expected="a signature algorithm", observed="none")
        ctx.warn("TOK014", evidence, exchange=exchange)
