"""Step 10: does a tool answer?"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import step
from diagnose_checks.facts import CallFacts, InitFacts, SessionFacts, ToolFacts

__all__ = ["sample_call"]


@step(
    "sample_call",
    gives=CallFacts,
    needs=(InitFacts, SessionFacts),
    wants=(ToolFacts,),
    codes=("CALL",),
    on_timeout="CALL008",
    deadline=30,
)
async def sample_call(
    ctx: Context, init: InitFacts, session: SessionFacts, tools: ToolFacts | None
) -> CallFacts:
    """Make one safe call, or prove dispatch with a name that cannot exist."""
    return CallFacts(note="no call")
