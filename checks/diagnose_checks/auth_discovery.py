"""Step 5: can a client find out how to log in?"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import step
from diagnose_checks.facts import AuthFacts, HttpFacts

__all__ = ["auth_discovery"]


@step("auth_discovery", gives=AuthFacts, needs=(HttpFacts,), codes=("AUTH",), on_timeout="AUTH022", deadline=15)
async def auth_discovery(ctx: Context, http: HttpFacts) -> AuthFacts:
    """Walk from the challenge to the authorization server, as a client would before its first login."""
    return AuthFacts(required=http.challenged)
