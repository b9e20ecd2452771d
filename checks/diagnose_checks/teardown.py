"""Step 11: does it let go?"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import step
from diagnose_checks.facts import InitFacts, TeardownFacts

__all__ = ["teardown"]


@step(
    "teardown",
    gives=TeardownFacts,
    needs=(InitFacts,),
    codes=("DOWN",),
    on_timeout="DOWN002",
    deadline=3,
    always=True,
)
async def teardown(ctx: Context, init: InitFacts) -> TeardownFacts:
    """End the session where there is one."""
    return TeardownFacts(how="connection closed, nothing sent")
