"""The official SDK's client finds every healthy local server of the lab in order."""

from __future__ import annotations

import asyncio
import os

import pytest
from diagnose_lab import Lab, Running, Scenario, scenarios
from mcp import Client, StdioServerParameters

HEALTHY = [
    made
    for made in scenarios()
    # Told the era by its arguments: what the client would ask without them is not answered.
    if made.transport == "stdio" and made.healthy and "--era" not in made.run.args
]
SECONDS = 30


def parameters(running: Running) -> StdioServerParameters:
    """What a connector with the scenario's arguments starts."""
    given: dict[str, str] = {
        name: running.env[name] for name in ("PATH", "HOME", "SHELL") if name in running.env
    }
    for option, value in zip(running.args, running.args[1:], strict=False):
        if option == "--env":
            name, told, text = value.partition("=")
            given[name] = text if told else running.env[name]
    return StdioServerParameters(
        command=running.argv[0],
        args=list(running.argv[1:]),
        env={"PATH": os.environ["PATH"]} | given,
        cwd=running.cwd,
    )


async def seen(running: Running) -> tuple[str, int, bool]:
    async with asyncio.timeout(SECONDS), Client(parameters(running), mode="auto") as client:
        listed = await client.list_tools()
        called = await client.call_tool("server_time", {})
        return client.protocol_version, len(listed.tools), called.is_error


@pytest.mark.parametrize("scenario", HEALTHY, ids=lambda made: made.name)
def test_a_healthy_process_works_for_the_official_client(lab: Lab, scenario: Scenario) -> None:
    with lab.start(scenario) as running:
        version, tools, failed = asyncio.run(seen(running))
        assert scenario.era == ("modern" if version >= "2026" else "legacy")
        assert (scenario.server.page_size or 4, False) == (tools, failed)
        assert [] == running.pids()
