"""From a login to its expiry, its renewal and its end: real processes against real authorization servers."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from integration.protected_servers import (
    Deployment,
    Site,
    deployment,
    fastmcp_behind_oidc_provider,
    python_2_behind_oidc_provider,
    typescript_behind_oidc_provider,
)

pytestmark = pytest.mark.integration

BROWSER = Path(__file__).parent / "cookie_browser.py"
TWO_HOURS = 7200
_SECONDS = 60


class Person:
    """Somebody with a terminal, a browser and a home of their own; everything they see is kept."""

    def __init__(self, home: Path) -> None:
        self._environ = {
            **os.environ,
            "BROWSER": f"{shlex.join([sys.executable, str(BROWSER)])} %s",
            "DIAGNOSE_KEYRING": "off",
            "DIAGNOSE_STATE_DIR": str(home),
        }
        self.home = home
        self.seen = ""
        self.secrets: set[str] = set()

    def diagnose(self, *args: str) -> tuple[int, str]:
        """Run ``diagnose`` and give its exit code and its standard output."""
        command = [sys.executable, "-m", "diagnose", *args]
        done = subprocess.run(
            command, env=self._environ, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        self.seen += done.stdout + done.stderr
        self._learn_secrets()
        return done.returncode, done.stdout

    def report(self, *args: str) -> dict[str, Any]:
        code, text = self.diagnose(*args, "--json")
        assert text, self.seen
        report: dict[str, Any] = json.loads(text)
        assert (0 if report["verdict"]["code"] is None else 1) == code, self.seen
        return report

    def stored(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text("utf-8")) for path in self.home.rglob("logins/*.json")]

    def _learn_secrets(self) -> None:
        names = ("access_token", "refresh_token", "client_secret")
        self.secrets |= {record[name] for record in self.stored() for name in names if record.get(name)}


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path / "state")


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Servers for one test alone: it puts their clocks forward."""
    with ExitStack() as stack:
        yield Site(request, stack)


def python_2(site: Site) -> Deployment:
    return deployment(site.python("python_sdk_2_auth.py", "own"))


SERVERS = (
    typescript_behind_oidc_provider,
    python_2_behind_oidc_provider,
    fastmcp_behind_oidc_provider,
    python_2,
)


def found(report: dict[str, Any], *severities: str) -> list[str]:
    findings = [finding for step in report["steps"] for finding in step["findings"]]
    return [
        finding["code"] for finding in findings if finding["severity"] in (severities or ("error", "warning"))
    ]


def token_requests(there: Deployment) -> int:
    return sum(method == "POST" and target.endswith("/token") for method, target, _ in there.requests())


@pytest.mark.parametrize("start", SERVERS, ids=lambda start: start.__name__)
def test_a_login_is_used_expires_is_renewed_and_is_forgotten(
    start: Callable[[Site], Deployment], site: Site, person: Person
) -> None:
    there = start(site)
    login = person.report("login", there.url, "--open")
    assert ([], "passed") == (found(login), login["steps"][5]["status"]), person.seen
    assert 1 == token_requests(there)

    assert [] == found(person.report(there.url)), person.seen
    assert 0 == token_requests(there)

    there.put_clocks_forward(TWO_HOURS)
    assert ["TOK005"] == found(person.report(there.url)), person.seen
    assert 0 == token_requests(there), "a run without --refresh spends no refresh token"

    assert [] == found(person.report(there.url, "--refresh")), person.seen
    assert 1 == token_requests(there)
    assert [] == found(person.report(there.url)), person.seen
    assert 0 == token_requests(there), "what was renewed is kept"

    assert 0 == person.diagnose("logout", there.url)[0]
    assert [] == person.stored()
    assert ["TOK001"] == found(person.report(there.url))

    assert 4 == len(person.secrets), "two access tokens, two refresh tokens"
    assert set() == {secret for secret in person.secrets if secret in person.seen}
