"""Under ``--deep``: can a client in a browser read the session id of a legacy server?"""

from __future__ import annotations

from diagnose.step import Evidence
from diagnose.wire.http_wire import ExchangeFailed
from diagnose.wire.recorder import Recorded
from diagnose.wire.rpc import StreamableChannel
from diagnose_checks.http_outcome import Outcome
from diagnose_checks.http_probe import Probe

__all__ = ["exposes", "look_at_cors"]

_SESSION = "mcp-session-id"
_ORIGIN = "https://client.example"


async def look_at_cors(probe: Probe, opening: Outcome) -> None:
    """Initialize once as a browser would and warn where the session id stays hidden from scripts.

    The session that this makes is deleted. Nothing is sent without ``--deep``, to a modern server (it has no
    sessions), or where the door is locked.
    """
    if not probe.ctx.options.deep or opening.challenged:
        return
    if opening.method != "initialize" and opening.reply is not None and opening.reply.result is not None:
        return
    origin = next((value for name, value in _sent(opening) if name.lower() == "origin"), _ORIGIN)
    asked = await probe.contrast(method="initialize", headers={"Origin": origin})
    reply = asked.reply
    session = reply.header(_SESSION) if reply is not None and reply.result is not None else None
    if reply is None or session is None:
        return
    probe.ctx.redactor.register(session)
    allowed = reply.header("access-control-allow-origin")
    if allowed is not None and not exposes(reply.exchange):
        probe.ctx.warn(
            "HTTP039",
            Evidence(
                label=f"initialize with Origin: {origin}",
                expected="Access-Control-Expose-Headers: Mcp-Session-Id",
                observed=f"Access-Control-Expose-Headers: {_exposed(reply.exchange) or 'absent'}",
                exchange=reply.exchange.id,
            ),
            exchange=reply.exchange.id,
            allowed=allowed,
        )
    await _let_go(probe, asked, session)


def exposes(exchange: Recorded) -> bool:
    """Whether scripts may read the session id (Fetch, CORS-exposed header-name list)."""
    names = {name.strip().lower() for name in _exposed(exchange).split(",")}
    credentials = (exchange.header("access-control-allow-credentials") or "").lower() == "true"
    return _SESSION in names or ("*" in names and not credentials)


def _exposed(exchange: Recorded) -> str:
    values = (v for name, v in exchange.response_headers if name.lower() == "access-control-expose-headers")
    return ", ".join(values)


def _sent(opening: Outcome) -> tuple[tuple[str, str], ...]:
    return opening.exchange.request_headers if opening.exchange is not None else ()


async def _let_go(probe: Probe, asked: Outcome, session: str) -> None:
    assert isinstance(asked.channel, StreamableChannel)
    asked.channel.session_id = session
    try:
        await asked.channel.end_session(step=probe.ctx.step_id)
    except ExchangeFailed:
        return  # the session will expire on its own; step 11 judges how sessions end
