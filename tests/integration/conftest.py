"""The environments of the servers, made once and kept between runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.server_processes import node_environment, python_environment


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
