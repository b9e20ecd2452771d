"""The environments of the servers, made once and kept between runs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
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
