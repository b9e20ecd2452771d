"""Run a scenario of the lab as a user would: through the command line, in this process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

from diagnose_lab import Lab, Running, Scenario

from diagnose.cli import main
from diagnose.oauth.record import StoredLogin
from diagnose.oauth.store import open_store

_LOGIN_SECONDS = 120


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
    messages: list[Any]

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


def _here(words: list[str], env: dict[str, str]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with environment(env), redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    return code, out.getvalue(), err.getvalue()


def _in_a_process(words: list[str], env: dict[str, str]) -> tuple[int, str, str]:
    """A login opens a browser, and ``webbrowser`` reads BROWSER once per process."""
    ended = subprocess.run(
        [sys.executable, "-m", "diagnose", *words],
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LOGIN_SECONDS,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def keep_login(running: Running, env: dict[str, str]) -> None:
    """Store what ``[run.store]`` says that an earlier login has stored."""
    if running.stored is not None:
        open_store(env).put(StoredLogin.model_validate(running.stored))


def run(lab: Lab, name: str, *more: str, form: str = "--json") -> Outcome:
    """Start the scenario, diagnose it, stop it."""
    running = lab.start(name)
    try:
        words = [running.command, form, *running.args, *more, *running.target]
        env = {**running.env, "DIAGNOSE_KEYRING": "off"}  # a developer's keyring is not the tests'
        keep_login(running, env)
        code, out, err = (_in_a_process if running.command == "login" else _here)(words, env)
        assert [] == running.pids(), "a process of the scenario was left behind"
        return Outcome(
            scenario=running.scenario,
            exit_code=code,
            stdout=out,
            stderr=err,
            url=running.url,
            env=dict(running.env),
            connections=running.connections,
            requests=running.log,
            messages=running.messages,
        )
    finally:
        running.stop()
