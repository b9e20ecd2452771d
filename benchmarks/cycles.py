"""Connectors per second in one process, against a bare httpx2 loop that sends the same requests."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator

import httpx2
from figures import Figure, median
from processes import sdk_server

from diagnose import diagnose

__all__ = ["figures"]

_CYCLES = 20
_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def figures(rounds: int) -> Iterator[Figure]:
    """Cycles per second of the one over the other, a new connection per cycle on both sides."""
    with sdk_server() as url:
        asyncio.run(_seconds(url, _ours)), asyncio.run(_seconds(url, _bare))
        pairs = [
            (asyncio.run(_seconds(url, _ours)), asyncio.run(_seconds(url, _bare))) for _ in range(rounds)
        ]
        ours, bare = median([pair[0] for pair in pairs]), median([pair[1] for pair in pairs])
    yield Figure(
        what="connectors per second in one process, against bare httpx2",
        value=round(bare / ours, 3),
        unit="x",
        budget=0.7,
        at_least=True,
        detail=f"{_CYCLES / ours:.0f} against {_CYCLES / bare:.0f} per second, one after the other, "
        f"{_CYCLES} cycles, {rounds} rounds",
    )


async def _seconds(url: str, cycle: Callable[[str], Awaitable[None]]) -> float:
    began = time.perf_counter()
    for _ in range(_CYCLES):
        await cycle(url)
    return time.perf_counter() - began


async def _ours(url: str) -> None:
    report = await diagnose(url)
    assert report.ok, report.verdict.summary


async def _bare(url: str) -> None:
    calls: tuple[tuple[str, str | None, dict[str, object]], ...] = (
        ("server/discover", None, {}),
        ("tools/list", None, {}),
        ("tools/call", "current_temperature", {"name": "current_temperature", "arguments": {}}),
    )
    # One shared trust store and no environment: what a loop written for speed would do.
    async with httpx2.AsyncClient(trust_env=False, verify=False) as http:
        for number, (method, name, params) in enumerate(calls):
            headers = {
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": "2026-07-28",
                "Mcp-Method": method,
                **({"Mcp-Name": name} if name else {}),
            }
            message = {"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": _META}}
            answer = await http.post(url, json=message, headers=headers)
            assert answer.status_code == 200, answer.text
            if answer.headers["content-type"].startswith("application/json"):
                json.loads(answer.content)
