"""What a step that runs is waiting for, as far as its exchanges tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from diagnose_tui.flow import Block
from diagnose_tui.text import line
from diagnose_tui.view import View

if TYPE_CHECKING:
    from diagnose.model import Exchange

__all__ = ["waiting_for"]

_BY_STEP: Mapping[str, tuple[str, str]] = {
    "dns": ("the resolver's answer", "the command to be found"),
    "tcp": ("the connection to be taken", "the process to start"),
    "tls": ("the handshake to end", "the environment to be read"),
    "teardown": ("the server to let go", "the process to end"),
}
"""What a step without an exchange waits for: over the network, and of a local process."""

_SHOWN = 6


def waiting_for(view: View) -> list[Block]:
    """The newest exchanges of the selected step, each with how far it is."""
    exchanges = view.step_exchanges
    if exchanges:
        return [
            Block(label=f"{exchange.id}", text=line(_how_far(exchange)), margin=5, quiet=True)
            for exchange in exchanges[-_SHOWN:]
        ]
    remote = "://" in view.target
    network, process = _BY_STEP.get(view.selected, ("the first request", "the first request"))
    return [Block(label="Waits for", text=line(network if remote else process))]


def _how_far(exchange: Exchange) -> str:
    request, response = exchange.request, exchange.response or {}
    process = request.get("process")
    where = f"to process {process}" if process is not None else str(request.get("url", ""))
    return f"{request.get('method', '')} {where}: {_state(exchange, response)}"


def _state(exchange: Exchange, response: Mapping[str, object]) -> str:
    if response.get("error"):
        return f"ended by {response['error']}"
    status = response.get("status")
    if status is not None:
        read = "read" if "receive" in exchange.timings_ms else "the body is being read"
        return f"HTTP {status}, {read}"
    if exchange.request.get("process") is not None:
        return "answered" if response else "sent, no answer yet"
    return "sent, no answer yet" if "send" in exchange.timings_ms else "on its way"
