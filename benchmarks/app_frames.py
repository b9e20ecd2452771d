"""The longest time that the app's loop was away: nothing is drawn and no key is heard meanwhile."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diagnose_lab import Lab, Scenario
from diagnose_lab.scenario import parse
from figures import Figure
from processes import HERE, installed, sdk_server
from terminal import on_terminal

__all__ = ["figures"]

_CONNECTORS = 100
_TOOLS = 5000
_TOOL = """{name = "search_NUMBER", description = "Look for records by their words, the best of them first.",
 inputSchema = {type = "object", required = ["query"], properties = {query = {type = "string", minLength = 1,
 description = "Words that a record must hold."}, limit = {type = "integer", minimum = 1, maximum = 100},
 order = {type = "string", enum = ["newest", "oldest", "best"]}, filter = {type = "object", properties = {
 owner = {type = "string"}, tags = {type = "array", items = {type = "string"}}}}}}},
"""


def many_tools() -> Scenario:
    """A server of that many tools, each with a schema as servers have them."""
    tools = "".join(_TOOL.replace("NUMBER", str(number)).replace("\n", "") for number in range(_TOOLS))
    head = 'title = "t"\ntransport = "streamable-http"\nera = "modern"\n'
    return parse(f"{head}[server]\ntools = [{tools}]\n", name="many")


def figures(rounds: int) -> Iterator[Figure]:
    """The servers are processes or threads of their own; the app is a process on a terminal."""
    with sdk_server() as url:
        yield _figure(f"{_CONNECTORS} connectors side by side", "all", [url] * _CONNECTORS)
    with Lab() as lab, lab.start(many_tools()) as running:
        yield _figure(f"a server of {_TOOLS} tools, opened and looked through", "tools", [running.url])


def _figure(what: str, mode: str, urls: list[str]) -> Figure:
    measured = _measured(mode, urls)
    gaps = sorted(gap * 1000 for gap in measured["gaps"])
    late = sum(gap > 50 for gap in gaps)
    return Figure(
        what=f"longest frame, {what}",
        value=round(gaps[-1], 1),
        unit="ms",
        budget=100,
        detail=f"99 of 100 below {gaps[len(gaps) * 99 // 100]:.1f} ms, {late} above 50 ms; "
        f"{measured['took']:.1f} s, {measured['passed']} of {len(urls)} passed",
    )


def _measured(mode: str, urls: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "frames.json"
        environ = {**installed(), "HOME": folder, "DIAGNOSE_STATE_DIR": str(Path(folder) / "state")}
        command = [sys.executable, str(HERE / "frames_app.py"), str(file), mode, *urls]
        with on_terminal(command, environ, width=160, height=50) as terminal:
            code = terminal.read_to_the_end()
            if code or not file.exists():
                raise RuntimeError(f"the app ended with {code}: {terminal.written[-2000:]!r}")
        read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return read
