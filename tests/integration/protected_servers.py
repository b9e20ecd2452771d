"""Protected MCP servers with their authorization servers, each in a process of its own."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from integration.authorization_flow import CALLBACK
from integration.server_processes import SOURCES, Process, free_port, serving, started

__all__ = [
    "CASES",
    "MACHINE",
    "SCOPE",
    "Case",
    "Deployment",
    "Site",
    "deployment",
    "typescript_behind_oidc_provider",
]

READY = r"listening on (http://127\.0\.0\.1:\d+)"
SCOPE = "mcp:read"
MACHINE = ("machine", "machine-secret-of-the-integration-tests")
_marks = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A protected MCP server that runs, with every process that belongs to it, its own last."""

    url: str
    processes: tuple[Process, ...]

    def put_clocks_forward(self, seconds: int) -> None:
        """Every process lives so many seconds in the future from now on, its Date headers too."""
        for process in self.processes:
            httpx2.post(f"{process.said}/clock?ahead={seconds}").raise_for_status()

    def requests(self) -> list[tuple[str, str, str]]:
        """Method, target and "yes" for an Authorization header: every request since the last call."""
        seen: list[str] = []
        for process in self.processes:
            mark = f"/mark-{next(_marks)}"
            httpx2.get(process.said + mark)
            seen += process.until(f"GET {mark} ")
        lines = [line.split() for line in seen if line.startswith("request ")]
        return [(method, target, carried.partition("=")[2]) for _, method, target, carried in lines]


class Site:
    """The servers of one test module: each is started when a test first asks for it, and then shared."""

    def __init__(self, request: pytest.FixtureRequest, stack: ExitStack) -> None:
        self._request = request
        self._stack = stack
        self._running: dict[tuple[str, ...], Process] = {}
        self._example: str | None = None

    def _process(self, *command: str) -> Process:
        if command not in self._running:
            environ = {"FASTMCP_CHECK_FOR_UPDATES": "off"}
            self._running[command] = self._stack.enter_context(started(command, READY, environ))
        return self._running[command]

    def node(self, script: str, *args: str) -> Process:
        home: Path = self._request.getfixturevalue("node_servers")
        return self._process("node", str(home / script), *args)

    def python(self, script: str, *args: str, interpreter: str = sys.executable) -> Process:
        return self._process(interpreter, str(SOURCES / script), *args)

    def python_1(self, script: str, *args: str) -> Process:
        return self.python(script, *args, interpreter=self._request.getfixturevalue("python_sdk_1"))

    def fastmcp(self, *args: str) -> Process:
        if importlib.util.find_spec("fastmcp") is None:
            pytest.skip("fastmcp is not installed here: pip install -r requirements-dev.txt")
        return self.python("fastmcp_auth.py", *args)

    def typescript_example(self) -> str:
        """The URL of the TypeScript SDK's own example, which people copy: its server at its own issuer."""
        if self._example is None:
            home: Path = self._request.getfixturevalue("node_servers")
            script = home / "node_modules/@modelcontextprotocol/sdk/dist/esm/examples/server"
            command = ["node", str(script / "simpleStreamableHttp.js"), "--oauth", "--oauth-strict"]
            environ = {"MCP_PORT": str(free_port()), "MCP_AUTH_PORT": str(free_port())}
            ready = r"HTTP Server listening on port (\d+)"
            port = self._stack.enter_context(serving(command, ready, environ))
            self._example = f"http://localhost:{port}/mcp"
        return self._example

    def oidc_provider(self, *args: str) -> Process:
        return self.node("oidc_provider.mjs", *args)


def deployment(*processes: Process) -> Deployment:
    return Deployment(url=f"{processes[-1].said}/mcp", processes=processes)


def typescript_behind_oidc_provider(
    site: Site, *words: str, provider_words: tuple[str, ...] = ()
) -> Deployment:
    provider = site.oidc_provider(*provider_words)
    return deployment(provider, site.node("typescript_sdk_1_auth.mjs", provider.said, *words))


def python_2_behind_oidc_provider(site: Site) -> Deployment:
    provider = site.oidc_provider()
    return deployment(provider, site.python("python_sdk_2_auth.py", "verifier", provider.said))


def fastmcp_behind_oidc_provider(site: Site) -> Deployment:
    # An issuer with a path, as Keycloak's realms are: found at the third of the three places.
    provider = site.oidc_provider("/realm")
    return deployment(provider, site.fastmcp("remote", f"{provider.said}/realm"))


def fastmcp_proxy(site: Site) -> Deployment:
    provider = site.oidc_provider("/realm")
    return deployment(provider, site.fastmcp("proxy", f"{provider.said}/realm"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A deployment and what a diagnosis must say of each kind of token.

    ``expired`` is the code for a bare expired bearer token, ``elsewhere`` that for one of another resource;
    None where the authorization server issues no such token. An opaque token says nothing, so that the
    servers that answer every refusal with the same words leave no more than TOK002. ``unscoped`` are the
    codes that are true of a token without the scope: FastMCP's verifier answers it as it answers every bad
    token, but its challenge names the scope that it wants.
    """

    id: str
    start: Callable[[Site], Deployment]
    known_clients: bool = True
    machines: bool = False
    expired: str | None = None
    elsewhere: str | None = None
    unscoped: tuple[str, ...] = ("TOK008",)


CASES = (
    Case(
        id="typescript-sdk-1-behind-oidc-provider",
        start=typescript_behind_oidc_provider,
        machines=True,
        expired="TOK003",
        elsewhere="TOK006",
    ),
    Case(
        id="python-sdk-2-behind-oidc-provider",
        start=python_2_behind_oidc_provider,
        machines=True,
        expired="TOK003",
        elsewhere="TOK006",
    ),
    Case(
        id="fastmcp-behind-oidc-provider",
        start=fastmcp_behind_oidc_provider,
        machines=True,
        expired="TOK003",
        elsewhere="TOK006",
        unscoped=("TOK002", "TOK008"),
    ),
    Case(id="fastmcp-proxy", start=fastmcp_proxy, known_clients=False, unscoped=("TOK002", "TOK008")),
    Case(
        id="fastmcp-in-memory",
        start=lambda site: deployment(site.fastmcp("memory", CALLBACK)),
        expired="TOK002",
    ),
    Case(
        id="python-sdk-2",
        start=lambda site: deployment(site.python("python_sdk_2_auth.py", "own", CALLBACK)),
        expired="TOK002",
        elsewhere="TOK002",
    ),
    Case(
        id="python-sdk-1",
        start=lambda site: deployment(site.python_1("python_sdk_1_auth.py", CALLBACK)),
        expired="TOK002",
        elsewhere="TOK002",
    ),
)
