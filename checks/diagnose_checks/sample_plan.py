"""What step 10 will call, decided before anything is sent: a named tool, a safe one, or no tool at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from itertools import islice
from typing import Any

from diagnose.context import Context
from diagnose.records import record
from diagnose.step import Evidence, Fault
from diagnose_checks.facts import ToolFacts
from diagnose_checks.safe_tool import choose, forbidden
from diagnose_checks.tool_rules import tool_name

__all__ = ["NoCall", "Plan", "plan_call"]

_REFUSALS_SHOWN = 50
_NO_CATALOGUE = "the list of tools could not be read, so there is nothing to choose from"


@record
class Plan:
    """One call. ``tool`` is its entry in the list, None for the name that cannot exist."""

    name: str
    how: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    tool: Mapping[str, Any] | None = None
    refused: Mapping[str, str] = field(default_factory=dict)
    by_user: bool = False

    @property
    def is_probe(self) -> bool:
        return self.tool is None and not self.by_user


@record
class NoCall:
    """Nothing is called, and why."""

    reason: str


def plan_call(ctx: Context, tools: ToolFacts | None) -> Plan | NoCall:
    """Decide by DESIGN section 6. Raises Fault CALL019 for a named tool that is not listed."""
    options, connector = ctx.options, ctx.connector
    if options.sample == "never":
        return NoCall(reason="--sample never: nothing was called")
    if options.tool is not None:
        return _named(ctx, options.tool, options.arguments, "named by --tool", tools)
    if connector.sample is not None:
        given = connector.sample
        return _named(ctx, given.tool, given.arguments, "named by the connector", tools)
    if tools is None:
        return NoCall(reason=_NO_CATALOGUE)
    if not tools.pages and not tools.complete:
        return NoCall(reason=_NO_CATALOGUE)
    if not tools.tools and not tools.offered:
        return NoCall(reason="the server offers no tools")
    return _automatic(ctx, tools)


def _named(
    ctx: Context, name: str, arguments: Mapping[str, Any], how: str, tools: ToolFacts | None
) -> Plan | NoCall:
    against = forbidden(name, ctx.connector.tools, ctx.options.confirmed_tools)
    if against is not None:
        return NoCall(reason=f"{name} was not called: {against}")
    if tools is None:
        return Plan(name=name, how=how, arguments=arguments, by_user=True)
    tool = next((tool for tool in tools._tools if tool_name(tool) == name), None)
    if tool is None and tools.complete:
        raise _not_listed(name, tools)
    return Plan(name=name, how=how, arguments=arguments, tool=tool, by_user=True)


def _not_listed(name: str, tools: ToolFacts) -> Fault:
    listed = [found for tool in tools._tools if (found := tool_name(tool)) is not None]
    near = _nearest(name, listed)
    shown = ", ".join(listed[:20]) + (", ..." if len(listed) > 20 else "")
    evidence = Evidence(label="names in tools/list", expected=name, observed=shown or "none")
    closest = f"The nearest listed name is {near}." if near is not None else "No listed name is like it."
    return Fault("CALL019", evidence, tool=name, total=len(listed), closest=closest)


def _nearest(name: str, listed: list[str]) -> str | None:
    from difflib import get_close_matches

    # difflib is quadratic in the length of a name.
    short = {found.lower(): found for found in listed[:500] if len(found) <= 128}
    close = get_close_matches(name.lower()[:128], list(short), n=1, cutoff=0.5)
    return short[close[0]] if close else None


def _automatic(ctx: Context, tools: ToolFacts) -> Plan:
    choice = choose(tools._tools, tools._flawed, ctx.connector.tools, ctx.options.confirmed_tools)
    refused = {name[:128]: reason for name, reason in islice(choice.refused.items(), _REFUSALS_SHOWN)}
    name = tool_name(choice.tool)
    if choice.tool is None or name is None:
        return Plan(name=_impossible_name(ctx, tools), how="no tool is safe to call", refused=refused)
    return Plan(
        name=name,
        how="read-only by its annotations, no writing verb in its name, arguments from its own schema",
        arguments=choice.arguments,
        tool=choice.tool,
        refused=refused,
    )


def _impossible_name(ctx: Context, tools: ToolFacts) -> str:
    taken = {tool_name(tool) for tool in tools._tools}
    while (name := f"diagnose_nonexistent_{ctx.random.getrandbits(24):06x}") in taken:
        continue
    return name
