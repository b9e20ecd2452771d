"""The official SDK client is content with every healthy server that listens."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from diagnose_lab import Lab, Running, Scenario, load, names

from .wire import option

HEALTHY = [load(name) for name in names() if name.startswith("healthy-") and "stdio" not in name]
DUAL = ("dual", "sdk-dual")


def modes(scenario: Scenario) -> tuple[str, ...]:
    if scenario.era == "legacy":
        return ("legacy",)
    return ("auto", "legacy") if scenario.profile in DUAL else ("auto", "2026-07-28")


def http_client(running: Running, **more: Any) -> httpx2.AsyncClient:
    headers = {}
    variable, header = option(running, "--bearer-env"), option(running, "--header")
    if variable:
        headers["Authorization"] = f"Bearer {running.env[variable]}"
    if (option(running, "--config") or not headers) and "fresh" in running.places:
        # A login, a stored one, a client that fetches its own: what all of them end with is such a token.
        headers["Authorization"] = f"Bearer {running.places['fresh']}"
    if header:
        name, _, value = header.partition(": ")
        headers[name] = value
    verify: ssl.SSLContext | bool = False
    if bundle := option(running, "--ca-bundle"):
        verify = ssl.create_default_context(cafile=bundle)
        if certificate := option(running, "--client-cert"):
            verify.load_cert_chain(certificate)
    settings = {"verify": verify, "proxy": option(running, "--proxy"), "trust_env": False, "timeout": 10}
    return httpx2.AsyncClient(**(more | settings | {"headers": headers}))


async def tools_and_sum(running: Running, mode: str) -> tuple[list[str], str | None]:
    """List all pages, and add one and two if there is a tool for it."""
    from mcp import Client
    from mcp.client.sse import sse_client
    from mcp.client.streamable_http import streamable_http_client

    # Every name of a healthy scenario is the loopback address, which the SDK cannot be told.
    url = running.url
    if "[" not in url:
        url = urlsplit(url)._replace(netloc=f"127.0.0.1:{running.port}").geturl()
    async with http_client(running) as http:
        if running.scenario.transport == "sse":
            transport: Any = sse_client(
                url, httpx_client_factory=lambda headers=None, timeout=None, auth=None: http_client(running)
            )
        else:
            transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode) as client:
            page = await client.list_tools()
            tools = [tool.name for tool in page.tools]
            while page.next_cursor:
                page = await client.list_tools(cursor=page.next_cursor)
                tools += [tool.name for tool in page.tools]
            if "add" not in tools:
                return tools, None
            called = await client.call_tool("add", {"a": 1, "b": 2})
            return tools, str(getattr(called.content[0], "text", ""))


def served(scenario: Scenario) -> list[str]:
    """The names of the tools the scenario's server has."""
    if scenario.profile.startswith("sdk-"):
        return ["server_time", "add"]
    if scenario.server.tools is None:
        return ["echo", "server_time", "add", "search_documents"]
    return [tool if isinstance(tool, str) else tool["name"] for tool in scenario.server.tools]


@pytest.mark.parametrize(
    ("scenario", "mode"),
    [(scenario, mode) for scenario in HEALTHY for mode in modes(scenario)],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_the_sdk_client_lists_and_calls(lab: Lab, scenario: Scenario, mode: str) -> None:
    with lab.start(scenario) as running:
        tools, total = asyncio.run(asyncio.wait_for(tools_and_sum(running, mode), 20))
        # A rule may write the list itself; then that the client took it is all there is to say.
        assert scenario.rule or served(scenario) == tools
        assert ("3" if "add" in tools else None) == total
        assert [] == running.errors
