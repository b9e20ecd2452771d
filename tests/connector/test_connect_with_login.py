"""The production session of somebody who logged in, and of a client that fetches its own tokens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from diagnose_lab import Lab, Running
from diagnose_lab.scenario import parse
from oauth.logins import ACCESS, REFRESH, SECRET, environment_of, login, store_in

from diagnose.connector import Connector, HttpTransport, NetworkSettings, OAuth2Credential, Secret
from diagnose.connector.credential import JWT_BEARER
from diagnose.connector.runtime import open_session
from diagnose.errors import UsageError
from diagnose.oauth.record import StoredLogin

SERVER = """
title = "a server that wants a login"
transport = "streamable-http"
era = "modern"
[server.auth]
token = "login"
[authorization_server]
"""
KNOWN = SERVER + f'refresh_tokens = ["{REFRESH}"]\nreuse_detection = true\n'
LEAVES = "canary"


def start(lab: Lab, text: str = KNOWN) -> Running:
    return lab.start(parse(text, name="connect-with-login"))


def subject(running: Running, **credential: Any) -> Connector:
    return Connector(
        name="under-test",
        transport=HttpTransport(type="streamable-http", url=running.url),
        network=NetworkSettings(trust_env=False),
        credential=OAuth2Credential(**credential),
    )


def login_of(running: Running, **settings: Any) -> StoredLogin:
    issuer = running.places["as"]
    given: dict[str, Any] = {
        "resource_url": running.url,
        "issuer": issuer,
        "token_endpoint": f"{issuer}/token",
        "resource": running.url,
        "client_secret": None,
        "token_endpoint_auth_method": "none",
        "expires_at": datetime.now(UTC) + timedelta(hours=1),
    }
    return login(**{**given, **settings})


async def tools(connector: Connector, environ: Mapping[str, str]) -> list[str]:
    async with open_session(connector, environ) as client:
        return [tool.name for tool in (await client.list_tools()).tools]


def listed(connector: Connector, folder: Path, **more: str) -> list[str]:
    return asyncio.run(tools(connector, environment_of(folder, **more)))


def grants(running: Running) -> list[str]:
    return [record.form["grant_type"] for record in running.log if "grant_type" in record.form]


def shown_to_the_server(running: Running) -> set[str | None]:
    return {seen.header("authorization") for seen in running.log if seen.server == "server"}


def test_a_stored_login_is_what_the_session_shows(lab: Lab, tmp_path: Path) -> None:
    with start(lab) as running:
        store_in(tmp_path).put(login_of(running, access_token=running.places["fresh"]))
        assert "echo" in listed(subject(running), tmp_path)
        assert {f"Bearer {running.places['fresh']}"} == shown_to_the_server(running)
        assert [] == grants(running)


def test_a_login_that_ended_is_renewed_before_the_first_request(lab: Lab, tmp_path: Path) -> None:
    with start(lab) as running:
        store_in(tmp_path).put(login_of(running, expires_at=datetime.now(UTC) + timedelta(seconds=30)))
        assert "echo" in listed(subject(running), tmp_path)
        kept = store_in(tmp_path).find(running.url)
        assert kept is not None
        assert {f"Bearer {kept.access_token}"} == shown_to_the_server(running)
        assert ["refresh_token"] == grants(running)
        assert "echo" in listed(subject(running), tmp_path)
        assert ["refresh_token"] == grants(running)


def test_a_token_that_the_server_refuses_is_renewed_once(lab: Lab, tmp_path: Path) -> None:
    with start(lab) as running:
        store_in(tmp_path).put(login_of(running, access_token=running.places["lapsed"]))
        assert "echo" in listed(subject(running), tmp_path)
        assert ["refresh_token"] == grants(running)
        statuses = [seen.header("authorization") for seen in running.log if seen.server == "server"]
        assert 1 == statuses.count(f"Bearer {running.places['lapsed']}")


def test_a_server_that_refuses_every_token_is_not_asked_for_ever(lab: Lab, tmp_path: Path) -> None:
    closed = KNOWN.replace('token = "login"', 'token = "login"\nkey_set = "other"')
    with start(lab, closed) as running:
        store_in(tmp_path).put(login_of(running))
        with pytest.raises(BaseExceptionGroup):
            listed(subject(running), tmp_path)
        asked = [seen for seen in running.log if seen.server == "server"]
        assert len(grants(running)) <= len(asked) / 2


def test_sessions_at_the_same_time_spend_one_refresh_token(lab: Lab, tmp_path: Path) -> None:
    async def both(connector: Connector, environ: Mapping[str, str]) -> list[list[str]]:
        return await asyncio.gather(*(tools(connector, environ) for _ in range(3)))

    with start(lab) as running:
        store_in(tmp_path).put(login_of(running, expires_at=datetime.now(UTC)))
        seen = asyncio.run(both(subject(running), environment_of(tmp_path)))
        assert [True] * 3 == ["echo" in names for names in seen]
        assert ["refresh_token"] == grants(running)


def test_without_a_login_there_is_one_sentence_and_no_request(lab: Lab, tmp_path: Path) -> None:
    with start(lab) as running:
        with pytest.raises(UsageError) as caught:
            listed(subject(running), tmp_path)
        assert (f"log in first: diagnose login {running.url}", []) == (caught.value.hint, running.log)
        assert "CFG022" == caught.value.code


@pytest.mark.parametrize(
    "other", [{"issuer": "https://other.test"}, {"client_id": "another"}], ids=["issuer", "client"]
)
def test_a_login_of_another_issuer_or_client_is_not_used(
    lab: Lab, tmp_path: Path, other: dict[str, str]
) -> None:
    with start(lab) as running:
        store_in(tmp_path).put(login_of(running, access_token=running.places["fresh"]))
        with pytest.raises(UsageError, match="CFG022"):
            listed(subject(running, **other), tmp_path)
        assert [] == running.log


def test_a_login_that_nobody_renews_any_more_asks_for_a_new_one(lab: Lab, tmp_path: Path) -> None:
    with start(lab, SERVER + 'refresh = "refused"\n') as running:
        store_in(tmp_path).put(login_of(running, expires_at=datetime.now(UTC) - timedelta(seconds=1)))
        with pytest.raises(UsageError, match="was revoked") as caught:
            listed(subject(running), tmp_path)
        assert ("CFG022", True) == (caught.value.code, "diagnose login" in caught.value.hint)
        assert LEAVES not in str(caught.value)


def test_a_token_that_is_still_good_is_used_while_it_cannot_be_renewed(lab: Lab, tmp_path: Path) -> None:
    with start(lab) as running:
        soon = datetime.now(UTC) + timedelta(seconds=50)
        kept = login_of(
            running,
            access_token=running.places["fresh"],
            expires_at=soon,
            token_endpoint="http://127.0.0.1:1/token",
        )
        store_in(tmp_path).put(kept)
        assert "echo" in listed(subject(running), tmp_path)


def test_no_secret_of_a_session_is_logged(lab: Lab, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with start(lab) as running:
        store_in(tmp_path).put(login_of(running, expires_at=datetime.now(UTC)))
        listed(subject(running), tmp_path)
        kept = store_in(tmp_path).find(running.url)
        assert kept is not None
        assert not [secret for secret in (ACCESS, REFRESH, *kept.secrets()) if secret in caplog.text]


SECRET_CLIENT = f'clients = [{{id = "lab-client", secret = "{SECRET}", methods = ["METHOD"]}}]\n'


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_client_with_a_secret_fetches_its_own_token(lab: Lab, tmp_path: Path, method: str) -> None:
    with start(lab, SERVER + SECRET_CLIENT.replace("METHOD", method)) as running:
        connector = subject(
            running,
            grant_type="client_credentials",
            client_id="lab-client",
            client_secret=Secret("${env:LAB_SECRET}"),
            token_endpoint_auth_method=method,
            issuer=running.places["as"],
        )
        assert "echo" in listed(connector, tmp_path, LAB_SECRET=SECRET)
        assert ["client_credentials"] == grants(running)
        at_the_door = [seen for seen in running.log if seen.server == "server"]
        assert SECRET not in str([(seen.headers, seen.form) for seen in at_the_door])


def test_the_token_that_a_client_fetches_opens_a_transport_that_nobody_declared(
    lab: Lab, tmp_path: Path
) -> None:
    older = SERVER.replace("streamable-http", "sse").replace("modern", "legacy")
    with start(lab, older + SECRET_CLIENT.replace("METHOD", "client_secret_basic")) as running:
        fetching = subject(
            running,
            grant_type="client_credentials",
            client_id="lab-client",
            client_secret=Secret("${env:LAB_SECRET}"),
            issuer=running.places["as"],
        )
        connector = fetching.model_copy(update={"transport": HttpTransport(url=running.url)})
        assert "echo" in listed(connector, tmp_path, LAB_SECRET=SECRET)
        assert ["client_credentials"] == grants(running)


def test_a_client_with_a_key_fetches_its_own_token(lab: Lab, tmp_path: Path) -> None:
    known = 'clients = [{id = "lab-client", methods = ["private_key_jwt"]}]\n'
    with start(lab, SERVER + known) as running:
        connector = subject(
            running,
            grant_type="client_credentials",
            client_id="lab-client",
            private_key=Path(running.places["client_key"]),
            issuer=running.places["as"],
        )
        assert "echo" in listed(connector, tmp_path)
        assert ["client_credentials"] == grants(running)


def test_an_identity_assertion_is_exchanged_for_a_token(lab: Lab, tmp_path: Path) -> None:
    with start(lab, SERVER + SECRET_CLIENT.replace("METHOD", "client_secret_post")) as running:
        connector = subject(
            running,
            grant_type=JWT_BEARER,
            client_id="lab-client",
            client_secret=Secret(SECRET),
            assertion=Secret(running.places["assertion"]),
            issuer=running.places["as"],
        )
        assert "echo" in listed(connector, tmp_path)
        assert [JWT_BEARER] == grants(running)


def test_a_secret_goes_to_its_own_issuer_alone(lab: Lab, tmp_path: Path) -> None:
    with start(lab) as running:
        connector = subject(
            running,
            grant_type="client_credentials",
            client_id="lab-client",
            client_secret=Secret(SECRET),
            issuer="https://auth.elsewhere.test",
        )
        with pytest.raises(BaseExceptionGroup) as caught:
            listed(connector, tmp_path)
        assert [] == grants(running)
        assert SECRET not in str([(seen.headers, seen.form) for seen in running.log])
        assert SECRET not in repr(caught.value)


def test_a_key_that_cannot_be_read_is_one_sentence(lab: Lab, tmp_path: Path) -> None:
    with start(lab) as running:
        connector = subject(
            running,
            grant_type="client_credentials",
            client_id="lab-client",
            private_key=tmp_path / "no-key.pem",
            issuer=running.places["as"],
        )
        with pytest.raises(UsageError, match=r"CFG019.*cannot be read"):
            listed(connector, tmp_path)
        assert [] == running.log
