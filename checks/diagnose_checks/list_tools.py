"""Step 9: is the catalogue usable?"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import step
from diagnose_checks.facts import InitFacts, SessionFacts, ToolFacts

__all__ = ["list_tools"]


@step(
    "list_tools",
    gives=ToolFacts,
    needs=(InitFacts, SessionFacts),
    codes=("TOOL",),
    on_timeout="TOOL019",
    deadline=15,
)
async def list_tools(ctx: Context, init: InitFacts, session: SessionFacts) -> ToolFacts:
    """Read every page and judge every tool on the raw JSON."""
    page = session._first_page.result if session._first_page else None
    tools = tuple((page or {}).get("tools", ()))
    return ToolFacts(
        tools=len(tools),
        pages=1,
        page_sizes=(len(tools),),
        names=tuple(tool["name"] for tool in tools),
        _tools=tools,
    )
