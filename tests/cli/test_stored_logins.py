"""Stored logins on the command line: used by a plain URL, left alone on request, forgotten by ``logout``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Run
from diagnose_lab import Lab, Running
from diagnose_lab.scenario import parse
from oauth.logins import ACCESS, REFRESH, SECRET, URL, environment_of, login, store_in

from diagnose.oauth.record import StoredLogin

SERVER = """
title = "a server that wants a login"
transport = "streamable-http"
era = "modern"
[server.auth]
token = "login"
[authorization_server]
"""


@pytest.fixture
def running(lab: Lab) -> Iterator[Running]:
    with lab.start(parse(SERVER, name="stored-logins")) as started:
        yield started


def login_of(running: Running, **settings: Any) -> StoredLogin:
    issuer = running.places["as"]
    given = {
        "resource_url": running.url,
        "issuer": issuer,
        "token_endpoint": f"{issuer}/token",
        "client_secret": None,
        "token_endpoint_auth_method": "none",
        "access_token": running.places["fresh"],
        "expires_at": datetime.now(UTC) + timedelta(hours=1),
    }
    return login(**{**given, **settings})


def token_step(report: str) -> dict[str, Any]:
    found = json.loads(report)["steps"][5]
    assert isinstance(found, dict)
    return found


def test_a_plain_url_uses_its_stored_login_and_says_so(
    running: Running, tmp_path: Path, diagnose: Run
) -> None:
    store_in(tmp_path).put(login_of(running))
    done = diagnose(running.url, "--json", env=environment_of(tmp_path))
    source = token_step(done.stdout)["facts"]["credential"]["source"]
    assert 0 == done.returncode
    assert source.startswith("the login stored on ")
    assert f"in the file {tmp_path}" in source
    for secret in (running.places["fresh"], REFRESH):
        assert secret not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--no-login"], ["--header", "X-API-Key: k1234"], ["--header", "Authorization: Bearer other"]],
    ids=["no-login", "api-key", "authorization"],
)
def test_a_login_is_left_alone_where_the_command_says_what_to_send(
    running: Running, tmp_path: Path, diagnose: Run, arguments: list[str]
) -> None:
    store_in(tmp_path).put(login_of(running))
    done = diagnose(running.url, "--json", *arguments, env=environment_of(tmp_path))
    assert (1, "token_validity") == (
        done.returncode,
        json.loads(done.stdout)["verdict"]["failed_step"]["id"],
    )
    assert running.places["fresh"] not in str([seen.headers for seen in running.log])


def test_a_header_that_holds_no_secret_leaves_the_login_in_use(
    running: Running, tmp_path: Path, diagnose: Run
) -> None:
    store_in(tmp_path).put(login_of(running))
    assert 0 == diagnose(running.url, "--header", "X-Tenant: 7", env=environment_of(tmp_path)).returncode


@pytest.mark.parametrize(
    ("credential", "code"),
    [
        ({}, 0),
        ({"credential": {"type": "oauth2"}}, 0),
        ({"credential": {"type": "oauth2", "issuer": "https://other.test"}}, 1),
        ({"credential": {"type": "none"}}, 1),
    ],
    ids=["silent", "oauth2", "other-issuer", "none"],
)
def test_a_connector_file_decides_whether_its_login_is_used(
    running: Running, tmp_path: Path, diagnose: Run, credential: dict[str, Any], code: int
) -> None:
    store_in(tmp_path).put(login_of(running))
    file = tmp_path / "connectors.json"
    file.write_text(json.dumps({"name": "docs", "url": running.url, **credential}), encoding="utf-8")
    done = diagnose("docs", "--config", str(file), "--json", env=environment_of(tmp_path))
    assert code == done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_login_that_others_can_read_ends_the_run_before_it_begins(
    running: Running, tmp_path: Path, diagnose: Run
) -> None:
    store_in(tmp_path).put(login_of(running))
    (file,) = tmp_path.glob("logins/*.json")
    file.chmod(0o644)
    done = diagnose(running.url, env=environment_of(tmp_path))
    assert (2, "") == (done.returncode, done.stdout)
    assert f"CFG020 the place of the stored login is open to other users (mode 0644) ({file})" in done.stderr
    assert [] == running.log
    assert 1 == diagnose(running.url, "--no-login", env=environment_of(tmp_path)).returncode


@pytest.mark.parametrize(
    ("content", "code"), [("{", "CFG021"), ('{"kept_in": "keyring"}', "CFG024")], ids=["cut", "keyring"]
)
def test_a_login_that_cannot_be_read_is_a_usage_error(
    tmp_path: Path, diagnose: Run, content: str, code: str
) -> None:
    store_in(tmp_path).put(login())
    (file,) = tmp_path.glob("logins/*.json")
    file.write_text(content, encoding="utf-8")
    done = diagnose(URL, env=environment_of(tmp_path))
    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert done.stderr.startswith(f"diagnose: {code} ")


def test_a_lock_that_cannot_be_taken_is_a_usage_error(tmp_path: Path, diagnose: Run) -> None:
    store_in(tmp_path).put(login())
    (lock,) = tmp_path.glob("logins/*.lock")
    lock.unlink()
    lock.mkdir()
    done = diagnose("logout", URL, env=environment_of(tmp_path))
    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert done.stderr.startswith("diagnose: CFG023 the login cannot be ")


def test_logout_forgets_the_login_and_sends_nothing(running: Running, tmp_path: Path, diagnose: Run) -> None:
    store_in(tmp_path).put(login_of(running))
    done = diagnose("logout", running.url, env=environment_of(tmp_path))
    assert (0, [], []) == (done.returncode, list(tmp_path.glob("logins/*.json")), running.log)
    assert done.stdout.startswith(f"Forgotten: the login for {running.url} at {running.places['as']}, from ")


def test_logout_of_one_issuer_keeps_the_other(tmp_path: Path, diagnose: Run) -> None:
    for issuer in ("https://a.test", "https://b.test"):
        store_in(tmp_path).put(login(issuer=issuer))
    assert 0 == diagnose("logout", URL, "--issuer", "https://a.test", env=environment_of(tmp_path)).returncode
    assert ["https://b.test"] == [kept.issuer for kept in store_in(tmp_path).all()]


def test_logout_of_all_forgets_every_login(tmp_path: Path, diagnose: Run) -> None:
    store_in(tmp_path).put(login())
    store_in(tmp_path).put(login(resource_url="https://other.test/mcp"))
    done = diagnose("logout", "--all", env=environment_of(tmp_path))
    assert (0, 2, ()) == (done.returncode, len(done.stdout.splitlines()), store_in(tmp_path).all())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([URL], f"diagnose: no login for {URL} is stored\n"),
        ([URL, "--issuer", "https://a.test"], f"diagnose: no login for {URL} at https://a.test is stored\n"),
        (["--all"], "diagnose: no login is stored\n"),
    ],
)
def test_where_nothing_is_stored_logout_says_so_with_exit_code_3(
    tmp_path: Path, diagnose: Run, arguments: list[str], said: str
) -> None:
    done = diagnose("logout", *arguments, env=environment_of(tmp_path))
    assert (3, "", said) == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [[], [URL, "--all"], ["--all", "--issuer", "https://a.test"], ["docs"], ["ftp://x"]],
    ids=["nothing", "both", "issuer-of-all", "a-name", "scheme"],
)
def test_logout_without_one_clear_target_is_refused(
    tmp_path: Path, diagnose: Run, arguments: list[str]
) -> None:
    done = diagnose("logout", *arguments, env=environment_of(tmp_path))
    assert (True, "", 1) == (done.returncode in (2, 3), done.stdout, len(done.stderr.splitlines()))


def test_logout_revokes_both_tokens_at_the_recorded_endpoint_when_asked(
    lab: Lab, tmp_path: Path, diagnose: Run
) -> None:
    rule = '[[rule]]\nwhen = {on = "as", path = "/revoke"}\nstatus = 200\n'
    with lab.start(parse(SERVER + rule, name="revoking")) as running:
        endpoint = f"{running.places['as']}/revoke"
        store_in(tmp_path).put(login_of(running, revocation_endpoint=endpoint))
        done = diagnose("logout", running.url, "--revoke", env=environment_of(tmp_path))
        asked = [(seen.form["token_type_hint"], seen.form["token"]) for seen in running.log]
        assert 0 == done.returncode, done.stderr
        assert [("refresh_token", REFRESH), ("access_token", running.places["fresh"])] == asked


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        (None, "its metadata names no revocation endpoint"),
        ("{as}/no-such-place", "answered HTTP 404"),
        ("http://127.0.0.1:1/revoke", "no answer from"),
        ("http://169.254.169.254/revoke", "not sent"),
    ],
    ids=["none", "404", "nobody", "forbidden"],
)
def test_a_login_that_is_not_revoked_is_forgotten_all_the_same(
    running: Running, tmp_path: Path, diagnose: Run, endpoint: str | None, said: str
) -> None:
    place = endpoint.replace("{as}", running.places["as"]) if endpoint else None
    store_in(tmp_path).put(login_of(running, revocation_endpoint=place))
    done = diagnose("logout", running.url, "--revoke", env=environment_of(tmp_path))
    assert (1, (), True) == (done.returncode, store_in(tmp_path).all(), said in done.stderr)
    assert not [secret for secret in (ACCESS, REFRESH, SECRET) if secret in done.stdout + done.stderr]


def test_what_logout_prints_is_redacted_and_harmless(tmp_path: Path, diagnose: Run) -> None:
    store_in(tmp_path).put(
        login(resource_url=f"{URL}?api_key=canary-key-123", issuer="https://a.test/\x1b[31m")
    )
    done = diagnose("logout", "--all", env=environment_of(tmp_path))
    assert (0, False, False) == (done.returncode, "canary" in done.stdout, "\x1b" in done.stdout)
