"""The environments of the servers, made once and kept between runs."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.local_runs import command_line, package, start
from integration.server_processes import left_behind, node_environment, old_node, python_environment


@pytest.fixture(scope="session")
def environments(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where environments are kept: pytest's cache, or a temporary folder where that is switched off."""
    cache = getattr(request.config, "cache", None)
    return cache.mkdir("integration-servers") if cache else tmp_path_factory.mktemp("integration-servers")


@pytest.fixture(scope="session")
def python_sdk_1(environments: Path) -> str:
    """The interpreter of an environment with the official Python SDK 1.x."""
    return python_environment(environments, "mcp>=1.30,<2")


@pytest.fixture(scope="session")
def node_servers(environments: Path) -> Path:
    """The folder from which the servers of the TypeScript world are started."""
    return node_environment(environments)


@pytest.fixture(scope="session")
def node_16(environments: Path) -> str:
    """A Node.js of 2021, which the servers of today do not run on."""
    return old_node(environments)


@pytest.fixture(scope="session")
def uv(environments: Path) -> Path:
    """The folder of uv and uvx."""
    return Path(python_environment(environments, "uv>=0.13")).parent


@pytest.fixture
def mark() -> Iterator[str]:
    """A value for a variable of a server's environment; at the end nothing may run that has it."""
    value = uuid.uuid4().hex
    yield value
    assert [] == left_behind(value)


@pytest.fixture(scope="session")
def without_network(request: pytest.FixtureRequest) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A run of mistral-mcp with a key and no network, where its SDK tries again for half a minute."""
    unshare, mark = shutil.which("unshare"), uuid.uuid4().hex
    if unshare is None or subprocess.run([unshare, "-rn", "true"], check=False).returncode:
        pytest.skip("no network namespace of one's own here, in which nothing is reached")
    call = ("--tool", "workflow_execute", "--args", '{"workflowIdentifier": "report"}')
    server = (unshare, "-rn", *package("mistral-mcp")(request))
    child = start(command_line(mark, "--env", "MISTRAL_API_KEY=any", *call, "--", *server))
    yield mark, child
    child.terminate()
    child.communicate(timeout=20)
