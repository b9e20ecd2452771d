"""Step 8: does the second request know the first?"""

from __future__ import annotations

from diagnose.context import Context
from diagnose.step import step
from diagnose_checks.facts import InitFacts, SessionFacts

__all__ = ["session_open"]


@step("session_open", gives=SessionFacts, needs=(InitFacts,), codes=("SESS",), on_timeout="SESS009", deadline=15)
async def session_open(ctx: Context, init: InitFacts) -> SessionFacts:
    """Send the second request: the first page of tools/list, whose content step 9 reads."""
    reply = await init._channel.call("tools/list", step=ctx.step_id)
    return SessionFacts(
        session="session id" if init._channel.session_id else "stateless",
        second_request="tools/list",
        _channel=init._channel,
        _first_page=reply,
    )
