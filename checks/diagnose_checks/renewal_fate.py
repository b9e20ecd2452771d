"""An OAuth access token ended: which of four things happened to its renewal.

No refresh token was issued; it is there and nobody used it; it was refused; it was lost in a race between two
of its holders. The last two are proven by what a token endpoint answered, never by a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING

from diagnose.records import record
from diagnose.step import Evidence
from diagnose_checks.claims import moment
from diagnose_checks.refusal import Refusal

if TYPE_CHECKING:
    from diagnose.oauth.record import RefreshRefusal, StoredLogin

__all__ = ["Fate", "fate_of_refusal", "fate_of_renewal", "secret_fate"]

# What authorization servers say of a refresh token that somebody else has spent (OAuth 2.1 4.3.1).
_REUSED = re.compile(
    r"\b(?:re-?used?|reuse|rotated|already (?:been )?(?:used|redeemed|consumed))\b", re.IGNORECASE
)


@record
class Fate:
    """A code, the arguments that are its own, and who has to act where that is not the page's rule."""

    code: str
    args: Mapping[str, object]
    evidence: tuple[Evidence, ...] = ()
    actor: str | None = None


def fate_of_renewal(refusal: Refusal) -> Fate:
    """What happened, as far as the credential and the record of its login tell."""
    login = refusal.login
    if not refusal.has_refresh_token:
        return Fate(code="TOK004", args={"again": _login_again(refusal)})
    ended = secret_fate(login, refusal.clock.local) if login is not None else None
    if ended is not None:
        return replace(ended, args={**ended.args, "state": "the access token ended"})
    if login is not None and login.refusal is not None:
        return fate_of_refusal(refusal, login.refusal, login.token_endpoint)
    if login is not None:
        return Fate(
            code="TOK005",
            args={
                "holder": "It is our own, and it is spent only when that is asked for",
                "advice": f"Renew it: diagnose {refusal.url} --refresh; if that fails, log in again:"
                f" diagnose login {refusal.url}",
            },
            actor="user",
        )
    return Fate(
        code="TOK005",
        args={
            "holder": "It belongs to another program and is never spent here, also not with --refresh:"
            " whoever spends a refresh token beside its owner logs the owner out",
            "advice": "Let the client that owns this credential renew it: reconnect the connector there, or"
            " log in again if that fails; update the client if it never renews",
        },
    )


def fate_of_refusal(refusal: Refusal, refused: RefreshRefusal, endpoint: str) -> Fate:
    """The token endpoint refused the refresh token: because of another holder, or for its own reason."""
    text = ": ".join(part for part in (refused.error, refused.description) if part)[:300]
    when = moment(refused.at.astimezone(UTC).timestamp())
    evidence = Evidence(
        label="the last renewal",
        expected="a new access token",
        observed=f"refused at {when}: {text}",
        where=endpoint,
    )
    raced = refused.raced or _REUSED.search(refused.description or "") is not None
    args = {"endpoint": endpoint, "refused": text, "when": when, "again": _login_again(refusal)}
    return Fate(code="TOK021" if raced else "TOK020", args=args, evidence=(evidence,))


def secret_fate(login: StoredLogin, now: float) -> Fate | None:
    """The client's own secret ended (RFC 7591 3.2.1): nothing can be renewed with it."""
    end = login.client_secret_expires_at
    if end is None or end.timestamp() > now:
        return None
    evidence = Evidence(
        label="client_secret_expires_at of the stored login",
        expected=f"later than {moment(now)}",
        observed=moment(end.timestamp()),
    )
    args = {"client_id": login.client_id, "end": moment(end.timestamp()), "issuer": login.issuer}
    return Fate(code="TOK026", args=args, evidence=(evidence,))


def _login_again(refusal: Refusal) -> str:
    kept = "" if refusal.login is not None else " in the client that owns this credential, or"
    return f"Log in again{kept}: diagnose login {refusal.url}"
