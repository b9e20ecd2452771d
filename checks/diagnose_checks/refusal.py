"""A credential that was refused: everything step 6 may judge by, gathered once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from diagnose.connector import OAuth2Credential
from diagnose.context import Context
from diagnose.records import record
from diagnose.step import Evidence, Finding
from diagnose.wire.recorder import Recorded
from diagnose.wire.rpc import RpcReply
from diagnose.wire.strict_json import HostileJson, parse
from diagnose_checks.challenge import Challenges
from diagnose_checks.claims import TokenReading, read_token
from diagnose_checks.discovery_walk import challenges_of
from diagnose_checks.facts import AuthFacts, HttpFacts
from diagnose_checks.presented import Presented
from diagnose_checks.scope_lists import scopes_in

if TYPE_CHECKING:
    from diagnose.oauth.record import StoredLogin

__all__ = ["Clock", "Refusal", "clock_of", "refusal_of"]

_NOTICED = 60.0
"""Seconds of difference between two clocks that are worth a word."""

# As the TypeScript SDK (expectedResource), JWT libraries and servers of their own say it.
_ELSEWHERE = re.compile(
    r"\baud\b|audience"
    r"|(?:not|n't) (?:issued|intended|meant|minted|valid) (?:for|to) "
    r"(?:this|the) (?:mcp )?(?:resource|server|service|api|protected resource)\b"
    r"|(?:for|to) (?:another|a different|the wrong|other) (?:mcp )?(?:resource|server|service|api)\b"
    r"|(?:another|different|wrong) resource|resource mismatch",
    re.IGNORECASE,
)
# "Invalid, expired, or not issued for this resource": a stock phrase that names every reason, and so none.
_OTHER_REASONS = re.compile(r"\b(?:expired|revoked|malformed|unknown|inactive)\b", re.IGNORECASE)


@record
class Clock:
    """``now`` is the server's time where its answer says so: its clock decides, not ours."""

    now: float
    local: float
    of_server: bool

    @property
    def source(self) -> str:
        if self.of_server:
            return "the server's clock (Date header)"
        return "this machine's clock (the server sent no Date)"

    @property
    def words(self) -> str:
        apart = self.now - self.local
        if abs(apart) <= _NOTICED:
            return f"by {self.source}" + (", which agrees with this machine's" if self.of_server else "")
        side = "ahead of" if apart > 0 else "behind"
        return f"by {self.source}, which is {abs(apart):.0f} s {side} this machine's"


@record
class Refusal:
    """The refused request and what is known of its credential. ``words`` are the server's own reasons.

    ``resource`` is the name that the protected resource metadata gives, ``login`` the stored login whose
    tokens the credential has.
    """

    url: str
    status: int
    shown: Presented
    reading: TokenReading
    challenges: Challenges
    words: str
    clock: Clock
    resource: str | None
    issuers: tuple[str, ...]
    expires_at: float | None
    has_refresh_token: bool
    kept: str
    exchange: Recorded
    client_id: str | None = None
    has_certificate: bool = False
    resource_metadata: Mapping[str, Any] = field(default_factory=dict)
    scopes_known: tuple[str, ...] | None = None
    """The scopes that the authorization server lists."""
    login: StoredLogin | None = None

    def says(self, *words: str) -> bool:
        """Whether the server's own reason holds one of these words."""
        return any(word in self.words.lower() for word in words)

    @property
    def names_audience(self) -> bool:
        """Whether the server's own reason is that the token was made for somebody else."""
        listed = re.search(r"\bor\b", self.words) and _OTHER_REASONS.search(self.words)
        return _ELSEWHERE.search(self.words) is not None and not listed

    def finding(
        self,
        code: str,
        *more: Evidence,
        confidence: str | None = None,
        actor: str | None = None,
        **args: object,
    ) -> Finding:
        """A finding of this refusal: its own evidence comes first, and templates may name what it said."""
        return Finding(
            code=code,
            args={"said": self.said, "kept": self.kept, **args},
            evidence=(*self.evidence, *more),
            confidence=confidence,
            actor=actor,
            exchange=self.exchange.id,
        )

    @property
    def said(self) -> str:
        return self.words or "nothing about the reason"

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The refusal, and the claims where there are any."""
        raw = [value for name, value in self.exchange.response_headers if name.lower() == "www-authenticate"]
        header = f"; WWW-Authenticate: {' | '.join(raw)[:600]}" if raw else "; no WWW-Authenticate"
        answer = Evidence(
            label=f"the first request, with the credential in {self.shown.place}",
            expected="accepted",
            observed=f"HTTP {self.status}{header}",
            exchange=self.exchange.id,
        )
        claims = self.reading.shown()
        if claims is None:
            return (answer,)
        listed = ", ".join(f"{name}={value}" for name, value in claims.items() if name != "verified")
        return answer, Evidence(label="claims of the token (unverified)", observed=listed)


def clock_of(ctx: Context, exchange: Recorded) -> Clock:
    """The time by which the server judged: its Date header, else this machine's clock."""
    local = ctx.clock().timestamp()
    try:
        stamped = parsedate_to_datetime(exchange.header("date") or "")
        if stamped.tzinfo is None:
            stamped = stamped.replace(tzinfo=UTC)
        return Clock(now=stamped.timestamp(), local=local, of_server=True)
    except (ValueError, OverflowError):
        return Clock(now=local, local=local, of_server=False)


def refusal_of(ctx: Context, http: HttpFacts, auth: AuthFacts, shown: Presented) -> Refusal:
    """Gather what is known. Raises UsageError for a credential reference that cannot be resolved."""
    credential = ctx.connector.credential
    oauth = credential if isinstance(credential, OAuth2Credential) else None
    challenges = challenges_of(http)
    issuers = dict.fromkeys(
        issuer for issuer in (auth.issuer, *(auth.authorization_servers or ())) if issuer is not None
    )
    return Refusal(
        url=ctx.connector.url,
        status=http.status,
        shown=shown,
        reading=read_token(shown.token or ""),
        challenges=challenges,
        words=_words(challenges, http._opening),
        clock=clock_of(ctx, http._opening.exchange),
        resource=auth.resource,
        issuers=tuple(issuers),
        expires_at=_seconds(oauth.expires_at) if oauth and oauth.expires_at else None,
        has_refresh_token=oauth is not None and oauth.refresh_token is not None,
        kept=str(credential.describe().get("source", "the connector's definition")),
        exchange=http._opening.exchange,
        client_id=oauth.client_id if oauth else None,
        has_certificate=ctx.connector.network.client_certificate is not None,
        resource_metadata=auth._resource_metadata or {},
        scopes_known=scopes_in(auth._server_metadata or {}),
        login=ctx.login if oauth else None,
    )


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _words(challenges: Challenges, opening: RpcReply) -> str:
    """``error`` and its description: from the challenge (RFC 6750 3), else from a JSON body."""
    error, description = challenges.parameter("error"), challenges.parameter("error_description")
    if error is None and description is None:
        try:
            body = parse(opening.text.encode()).value
        except HostileJson:
            body = None
        if isinstance(body, Mapping):
            error, description = _body_words(body)
    return ": ".join(part for part in (error, description) if part)[:300]


def _body_words(body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    error = body.get("error")
    if isinstance(error, Mapping):  # JSON-RPC
        return None, str(error.get("message", ""))
    described = (body.get(name) for name in ("error_description", "message", "detail"))
    return (
        error if isinstance(error, str) else None,
        next((text for text in described if isinstance(text, str)), None),
    )
