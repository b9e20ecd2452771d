"""Step 3 of a process: what of the environment does it get? It gets its credentials that way."""

from __future__ import annotations

from diagnose.connector.launch import inherited
from diagnose.connector.secret import is_unfilled
from diagnose.context import Context
from diagnose.step import Evidence, step
from diagnose_checks.stdio_facts import EnvironmentFacts

__all__ = ["environment"]


@step(
    "tls", gives=EnvironmentFacts, codes=("STDIO",), on_timeout="STDIO012", deadline=5, called="Environment"
)
async def environment(ctx: Context) -> EnvironmentFacts:
    """Look at every variable that the connector sets: present, not empty, filled in."""
    process = ctx.connector.stdio
    assert process is not None, "these steps are for a process"
    for name, value in process.env.items():
        plain = value.resolve(ctx.environ, where=f"env {name}")
        state = "empty" if not plain.strip() else "a placeholder that nobody filled in"
        if plain.strip() and not is_unfilled(plain):
            continue
        ctx.warn(
            "STDIO012",
            Evidence(label=f"env {name}", expected="a value", observed=state),
            where=f"env {name}",
            variable=name,
            state=state,
        )
    if not process.env:
        ctx.not_applicable("the connector sets no variable")
    return EnvironmentFacts(
        inherits=process.inherits,
        inherited=tuple(sorted(inherited(process, ctx.environ))),
        given=tuple(sorted(process.env)),
    )
