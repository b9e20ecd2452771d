"""Run a scenario of the lab as a user would: through the command line, in this process."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

from diagnose_lab import Lab, Scenario

from diagnose.cli import main


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything that a run put out."""

    scenario: Scenario
    exit_code: int
    stdout: str
    stderr: str
    url: str
    env: dict[str, str]
    connections: int
    requests: list[Any]

    @property
    def report(self) -> dict[str, Any]:
        made = json.loads(self.stdout)
        assert isinstance(made, dict)
        return made

    def findings(self, *severities: str) -> list[tuple[str, str]]:
        """Step and code of every finding of these severities."""
        return [
            (step["id"], finding["code"])
            for step in self.report["steps"]
            for finding in step["findings"]
            if finding["severity"] in severities
        ]


@contextmanager
def environment(extra: dict[str, str]) -> Iterator[None]:
    """The process environment with ``extra`` in it, as it was before afterwards."""
    before = dict(os.environ)
    os.environ.update(extra)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def run(lab: Lab, name: str, *more: str, form: str = "--json") -> Outcome:
    """Start the scenario, diagnose it, stop it."""
    running = lab.start(name)
    try:
        out, err = io.StringIO(), io.StringIO()
        with environment(running.env), redirect_stdout(out), redirect_stderr(err):
            code = main(["run", running.url, form, *running.args, *more])
        return Outcome(
            scenario=running.scenario,
            exit_code=code,
            stdout=out.getvalue(),
            stderr=err.getvalue(),
            url=running.url,
            env=dict(running.env),
            connections=running.connections,
            requests=list(running.log),
        )
    finally:
        running.stop()
