"""Step 5: can a client find out how to log in?

Where nobody was turned away and nobody shows a credential there is no road to look at. Nothing is fetched
then, and what would walk it is not even loaded.
"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import step
from diagnose_checks.facts import AuthFacts, DnsFacts, HttpFacts
from diagnose_checks.presented import presented

__all__ = ["auth_discovery"]


@step(
    "auth_discovery",
    gives=AuthFacts,
    needs=(HttpFacts,),
    wants=(DnsFacts,),
    codes=("AUTH",),
    on_timeout="AUTH022",
    deadline=15,
    # Documents of several origins; whether they are wanted shows in the first answer, which is new each time.
    about=frozenset({"endpoint", "network", "credential", "era", "depth"}),
)
async def auth_discovery(ctx: Context, http: HttpFacts, dns: DnsFacts | None) -> AuthFacts:
    """Find out what a client would find out before its first login."""
    shown = presented(ctx.connector, ctx.environ)
    if shown.kind == "none" and not http.challenged and not ctx.options.deep:
        return AuthFacts(required=False)
    from diagnose_checks.discovery_walk import walk_to_login

    return await walk_to_login(ctx, http, dns, shown)
