"""The eleven checks of a connector that is a process, in their order. Two of them are those of HTTP."""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import Step, step
from diagnose_checks.facts import AuthFacts, TokenFacts
from diagnose_checks.list_tools import list_tools
from diagnose_checks.sample_call import sample_call
from diagnose_checks.stdio_alive import alive
from diagnose_checks.stdio_environment import environment
from diagnose_checks.stdio_initialize import initialize_over_stdio
from diagnose_checks.stdio_locate import locate_command
from diagnose_checks.stdio_session import same_process
from diagnose_checks.stdio_spawn import spawn
from diagnose_checks.stdio_teardown import end_process

__all__ = ["STDIO_STEPS"]

_NOT_OVER_STDIO = "credentials come from the environment"


@step("auth_discovery", gives=AuthFacts, codes=("STDIO",), on_timeout="STDIO012", deadline=5)
async def no_discovery(ctx: Context) -> AuthFacts:
    """Say why there is nothing to discover."""
    ctx.not_applicable(_NOT_OVER_STDIO)
    return AuthFacts(required=None)


@step("token_validity", gives=TokenFacts, codes=("STDIO",), on_timeout="STDIO012", deadline=5)
async def no_token(ctx: Context) -> TokenFacts:
    """Say why no token is presented."""
    ctx.not_applicable(_NOT_OVER_STDIO)
    return TokenFacts(needed=False)


STDIO_STEPS: tuple[Step, ...] = (
    locate_command,
    spawn,
    environment,
    alive,
    no_discovery,
    no_token,
    initialize_over_stdio,
    same_process,
    list_tools,
    sample_call,
    end_process,
)
