"""A client of a lab process at its barest: real pipes, one line out, one line in."""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from diagnose_lab import Lab, Running, Scenario
from diagnose_lab.scenario import parse

__all__ = [
    "INITIALIZE",
    "INITIALIZED",
    "Peer",
    "discover",
    "opened",
    "plain",
    "process",
    "request",
    "script",
    "silent",
    "spawned",
    "started",
]

_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
_SECONDS = 20


def process(toml: str = "", *, era: str = "modern") -> Scenario:
    return parse(f'title = "t"\ntransport = "stdio"\nera = "{era}"\n{toml}', name="made-up")


def request(method: str, identifier: int = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identifier, "method": method, "params": {**params, "_meta": _META}}


def plain(method: str, identifier: int | None = 1, **params: Any) -> dict[str, Any]:
    """A message of the handshake era; without an identifier a notification."""
    made: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    return made if identifier is None else made | {"id": identifier}


INITIALIZE = plain(
    "initialize",
    protocolVersion="2025-11-25",
    capabilities={},
    clientInfo={"name": "test", "version": "0"},
)


def discover() -> dict[str, Any]:
    return request("server/discover")


class Peer:
    """One started process and its pipes."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.child = child
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        self.stdin, self.stdout, self.stderr = child.stdin, child.stdout, child.stderr

    def say(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            self.stdin.write(json.dumps(message).encode() + b"\n")
        self.stdin.flush()

    def line(self) -> bytes:
        return self.stdout.readline()

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        self.say(message)
        answer = json.loads(self.line())
        assert isinstance(answer, dict)
        return answer

    def ended(self) -> tuple[bytes, bytes, int]:
        """Close stdin and read everything to the end."""
        out, err = self.child.communicate(timeout=_SECONDS)
        return out, err, self.child.returncode


@contextmanager
def started(lab: Lab, scenario: Scenario | str) -> Iterator[tuple[Running, Peer]]:
    """The scenario's process as a client starts it, killed and reaped afterwards."""
    with lab.start(scenario) as running, spawned(running) as peer:
        yield running, peer


@contextmanager
def spawned(running: Running, **extra: str) -> Iterator[Peer]:
    """One more start of a running scenario's process, with more in its environment."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        running.argv,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        cwd=running.cwd,
        env=os.environ | running.env | extra,
        start_new_session=True,
    ) as child:
        try:
            yield Peer(child)
        finally:
            child.kill()


INITIALIZED = plain("notifications/initialized", None)


def opened(peer: Peer) -> dict[str, Any]:
    """The handshake of the older era; returns the result of ``initialize``."""
    answer = peer.ask(INITIALIZE)
    peer.say(INITIALIZED)
    result = answer["result"]
    assert isinstance(result, dict)
    return result


def silent(peer: Peer, seconds: float = 0.3) -> bool:
    """Whether nothing can be read from stdout for this long."""
    return not select.select([peer.stdout], [], [], seconds)[0]


def script(text: str, *, era: str = "modern", rest: str = "") -> Any:
    return process(f"[process.script]\n{text}\n{rest}", era=era)
