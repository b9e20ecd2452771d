"""Step 6: does the credential open the door?

Where no credential is shown and none is wanted there is nothing to judge, and what judges is not even loaded.
"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import step
from diagnose_checks.facts import AuthFacts, DnsFacts, HttpFacts, TokenFacts

__all__ = ["token_validity"]


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
    if auth.required is False and http._crash is None:
        return TokenFacts(needed=False)
    from diagnose_checks.token_judgement import judge_token

    return await judge_token(ctx, http, auth, dns)
