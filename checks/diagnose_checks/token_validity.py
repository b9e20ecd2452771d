"""Step 6: does the credential open the door?"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import Fault, step
from diagnose_checks.facts import AuthFacts, HttpFacts, TokenFacts

__all__ = ["token_validity"]


@step(
    "token_validity",
    gives=TokenFacts,
    needs=(HttpFacts, AuthFacts),
    codes=("TOK",),
    on_timeout="TOK002",
    deadline=15,
)
async def token_validity(ctx: Context, http: HttpFacts, auth: AuthFacts) -> TokenFacts:
    """Judge the credential by the answer to the very request that the runtime sends."""
    if http.challenged:
        raise Fault("TOK001")
    return TokenFacts(needed=False)
