"""A found file's command is started in Python only when the caller says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from diagnose_lab import Lab, Running

from diagnose import Options
from diagnose import diagnose as run
from diagnose.connector import Connector, Secret, StdioTransport, discover, load
from diagnose.errors import UsageError


@pytest.fixture
def local() -> Iterator[Running]:
    with Lab() as lab, lab.start("healthy-stdio-modern") as running:
        yield running


@pytest.fixture
def file(local: Running, tmp_path: Path) -> Path:
    path = tmp_path / ".cursor" / "mcp.json"
    path.parent.mkdir()
    entry = {"command": local.argv[0], "args": list(local.argv[1:]), "env": local.env}
    path.write_text(json.dumps({"mcpServers": {"local": entry}}), encoding="utf-8")
    return path


def found(file: Path) -> Connector:
    (entry,) = discover({"HOME": str(file.parents[1])}, file.parents[1], "linux")
    assert entry.connector is not None
    return entry.connector


def status(connector: Connector, options: Options | None = None) -> str:
    return asyncio.run(run(connector, options=options)).verdict.status


def test_a_found_command_is_refused_until_it_is_allowed(local: Running, file: Path) -> None:
    with pytest.raises(UsageError) as caught:
        asyncio.run(run(found(file)))

    assert "CFG071" == caught.value.code
    assert [] == local.events
    assert "passed" == status(found(file), Options(allow_stdio=True))


def test_a_command_of_a_named_file_and_one_of_the_caller_are_meant(local: Running, file: Path) -> None:
    (entry,) = load(file)
    assert entry.connector is not None
    made = StdioTransport(
        command=local.argv[0],
        args=local.argv[1:],
        env={name: Secret(value) for name, value in local.env.items()},
    )

    assert "passed" == status(entry.connector)
    assert "passed" == status(Connector(name="mine", transport=made))
