"""The command line as its users meet it: a process of its own, or main() where a process adds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from diagnose_lab import Lab
from diagnose_lab.scenario import parse

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(added: Mapping[str, str] | None = None) -> dict[str, str]:
    """This environment without anything that would change what a child prints or where it goes."""
    unwanted = ("NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS", "COLUMNS")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in unwanted and not name.lower().endswith("_proxy")
    }
    return {**kept, "PYTHONUTF8": "1", **(added or {})}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "diagnose", *arguments]


@pytest.fixture
def diagnose() -> Run:
    """Run ``diagnose ARGUMENTS`` as a child process; no traceback may ever come out of it."""

    def run(
        *arguments: str, env: Mapping[str, str] | None = None, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        done = subprocess.run(
            command(*arguments),
            env=environment(env),
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=60,
            check=False,
            **given,
        )
        assert "Traceback" not in (done.stderr or "")
        return done

    return run


@pytest.fixture
def begin() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``diagnose ARGUMENTS`` and leave it running; what still runs at the end is killed."""
    children: list[subprocess.Popen[str]] = []

    def start(*arguments: str, env: Mapping[str, str] | None = None, **more: Any) -> subprocess.Popen[str]:
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **more}
        child = subprocess.Popen(command(*arguments), env=environment(env), text=True, **given)
        children.append(child)
        return child

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with Lab() as started:
        yield started


SILENT = """
title = "The server takes the request and never answers"
transport = "streamable-http"
era = "modern"
[server]
profile = "modern"
[[rule]]
when = { http = "POST" }
delay = "forever"
"""


@pytest.fixture
def silent(lab: Lab) -> Iterator[Any]:
    """A server that takes every request and says nothing."""
    running = lab.start(parse(SILENT, name="silent", folder=Path()))
    yield running
    running.stop()
