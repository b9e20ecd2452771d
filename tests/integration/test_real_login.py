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

import anyio
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from integration.protected_servers import (
    MACHINE,
    SCOPE,
    Deployment,
    Site,
    deployment,
    typescript_behind_oidc_provider,
)
from jwt.algorithms import RSAAlgorithm

from diagnose import Connector, OAuth2Credential, Options, Secret, diagnose_sync
from diagnose.connector.runtime import open_session

pytestmark = pytest.mark.integration

BROWSER = Path(__file__).parent / "cookie_browser.py"
TWO_HOURS = 7200
SKEW = "ENV002"
"""True after the servers' clocks were put forward: those of this machine stay as they are."""
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
        assert done.returncode in (0, 1), done.stderr
        self._learn_secrets()
        return done.returncode, done.stdout

    def report(self, *args: str) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.diagnose(*args, "--json")[1])
        return report

    def tools(self, there: Deployment) -> list[str]:
        """What a production session with the stored login lists."""

        async def listed() -> list[str]:
            connector = Connector(url=there.url, credential=OAuth2Credential())
            async with open_session(connector, self._environ) as client:
                return [tool.name for tool in (await client.list_tools()).tools]

        names = anyio.run(listed)
        self._learn_secrets()
        return names

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


SERVERS = (typescript_behind_oidc_provider, python_2)


def expect(codes: list[str], report: dict[str, Any]) -> None:
    """Exactly these errors and warnings; a failure shows what was found in words."""
    findings = [finding for step in report["steps"] for finding in step["findings"]]
    grave = [finding for finding in findings if finding["severity"] in ("error", "warning")]
    told = "\n".join(f"{finding['code']} {finding['summary']} {finding['cause']}" for finding in grave)
    assert codes == [finding["code"] for finding in grave], told


def token_requests(there: Deployment) -> int:
    return sum(method == "POST" and target.endswith("/token") for method, target, _ in there.requests())


@pytest.mark.parametrize("start", SERVERS, ids=lambda start: start.__name__)
def test_a_login_is_used_expires_is_renewed_and_is_forgotten(
    start: Callable[[Site], Deployment], site: Site, person: Person
) -> None:
    there = start(site)
    login = person.report("login", there.url, "--open")
    expect([], login)
    assert "passed" == login["steps"][5]["status"]
    assert 1 == token_requests(there)

    expect([], person.report(there.url))
    assert 0 == token_requests(there)
    expect([], person.report(there.url, "--deep"))
    there.requests()

    there.put_clocks_forward(TWO_HOURS)
    expect([SKEW, "TOK005"], person.report(there.url))
    assert 0 == token_requests(there), "a run without --refresh spends no refresh token"

    expect([SKEW], person.report(there.url, "--refresh"))
    assert 1 == token_requests(there)
    expect([SKEW], person.report(there.url))
    assert 0 == token_requests(there), "what was renewed is kept"

    there.put_clocks_forward(2 * TWO_HOURS)
    assert ["current_temperature"] == person.tools(there)
    assert 1 == token_requests(there), "a production session renews the login by itself"

    assert 0 == person.diagnose("logout", there.url)[0]
    assert [] == person.stored()
    expect([SKEW, "TOK001"], person.report(there.url))

    assert 6 == len(person.secrets), "three access tokens, three refresh tokens"
    assert set() == {secret for secret in person.secrets if secret in person.seen}


def machine(there: Deployment, **client: Any) -> Connector:
    asked = OAuth2Credential(
        grant_type="client_credentials", issuer=there.processes[0].said, scope=SCOPE, **client
    )
    return Connector(url=there.url, credential=asked)


def test_a_machine_with_a_secret_gets_its_token_by_itself(site: Site) -> None:
    there = typescript_behind_oidc_provider(site)
    name, secret = MACHINE
    connector = machine(there, client_id=name, client_secret=Secret.literal(secret))
    report = diagnose_sync(connector, environ={}).model_dump(mode="json")
    expect([], report)
    assert 1 == token_requests(there)
    assert secret not in json.dumps(report)


def test_a_machine_with_a_private_key_gets_its_token_by_itself(site: Site, tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    place = tmp_path / "key.pem"
    place.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public = json.dumps(RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"use": "sig"})
    there = typescript_behind_oidc_provider(site, provider_words=("", "listed", public))
    connector = machine(there, client_id="machine-with-a-key", private_key=place)
    expect([], diagnose_sync(connector, environ={}).model_dump(mode="json"))
    assert 1 == token_requests(there)


def test_a_sound_authorization_server_stays_without_a_finding_when_it_is_probed(site: Site) -> None:
    there = typescript_behind_oidc_provider(site)
    client = OAuth2Credential(client_id="native", redirect_uri="http://127.0.0.1/callback")
    connector = Connector(url=there.url, credential=client)
    report = diagnose_sync(connector, options=Options(deep=True), environ={})
    expect(["TOK001"], report.model_dump(mode="json"))
