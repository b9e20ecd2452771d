"""``diagnose login`` with real processes: a browser that logs in, a store that keeps, a run that uses it.

One subject and one set of processes, which is why it is longer than other files.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from diagnose_lab import Lab, Running
from diagnose_lab.browser import UserAgent
from diagnose_lab.scenario import parse

from diagnose.connector import Connector, OAuth2Credential
from diagnose.oauth.acquisition import presentable
from diagnose.oauth.record import StoredLogin
from diagnose.oauth.store import open_store

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Begin = Callable[..., "subprocess.Popen[str]"]

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals and signals")

LOGIN = """
title = "A server that wants a login"
transport = "streamable-http"
era = "modern"
[server.auth]
token = "login"
[authorization_server]
"""


@pytest.fixture
def server(lab: Lab) -> Any:
    """Start the scenario of LOGIN with more of its settings."""
    started: list[Running] = []

    def start(more: str = "") -> Running:
        running = lab.start(parse(LOGIN + more, name="login", folder=Path()))
        started.append(running)
        return running

    yield start
    for running in started:
        running.stop()


def browsing(running: Running, mode: str = "approves") -> dict[str, str]:
    return {**running.env, "BROWSER": f"{sys.executable} -m diagnose_lab.browser --as {mode} %s"}


def sent_secrets(running: Running) -> set[str]:
    """What went to the authorization server and must stay between the two."""
    names = ("code", "code_verifier", "client_secret", "refresh_token", "assertion", "client_assertion")
    return {
        entry.form[name]
        for entry in running.log
        for name in names
        if entry.path == "/token" and name in entry.form
    }


def printed_url(text: str) -> str:
    found = re.search(r"^http\S+/authorize\S+$", text, re.MULTILINE)
    assert found is not None, text
    return found.group()


def test_a_login_is_kept_and_used_by_the_next_run_and_by_the_production_session(
    diagnose: Run, server: Any
) -> None:
    running = server()
    done = diagnose("login", running.url, "--open", env=browsing(running))
    run = diagnose(running.url, "--json", env=running.env)
    connector = Connector(url=running.url, credential=OAuth2Credential())

    async def tools() -> int:
        from diagnose.connector.runtime import open_session

        async with open_session(connector, {**os.environ, **running.env}) as client:
            return len((await client.list_tools()).tools)

    assert 0 == done.returncode, done.stdout
    assert "Logged in at" in done.stdout
    assert "it renews itself" in done.stdout
    assert 0 == run.returncode, run.stdout
    assert "the login stored on" in json.loads(run.stdout)["steps"][5]["facts"]["credential"]["source"]
    assert 4 == asyncio.run(tools())


def test_stdout_is_the_report_alone_and_no_secret_of_the_login_is_in_any_output(
    diagnose: Run, server: Any, tmp_path: Path
) -> None:
    running = server()
    files = [
        word for form in ("har", "text", "markdown") for word in ("--report", f"{form}={tmp_path}/{form}")
    ]
    done = diagnose("login", running.url, "--open", "--json", "-vv", *files, env=browsing(running))

    (kept,) = open_store({**os.environ, **running.env}).all()
    secrets = {*sent_secrets(running), *kept.secrets()}
    written = done.stdout + "".join(path.read_text() for path in tmp_path.iterdir())
    state = parse_qs(urlsplit(printed_url(done.stderr)).query)["state"][0]
    assert 0 == done.returncode, done.stdout
    assert 11 == len(json.loads(done.stdout)["steps"])
    assert 4 <= len(secrets)
    assert set() == {secret for secret in secrets if secret in written + done.stderr}
    assert state not in written


def test_a_registration_is_said_before_and_a_client_id_avoids_it(diagnose: Run, server: Any) -> None:
    one, other = server(), server()
    registered = diagnose("login", one.url, "--open", env=browsing(one))
    given = diagnose("login", other.url, "--open", "--client-id", "lab-client", env=browsing(other))

    assert "a client will be registered at" in registered.stderr.splitlines()[0]
    assert "/register" in [entry.path for entry in one.log]
    assert 0 == given.returncode, given.stdout
    assert "registered" not in given.stderr
    assert "/register" not in [entry.path for entry in other.log]


def test_without_a_word_the_url_is_printed_and_nothing_is_opened(begin: Begin, server: Any) -> None:
    running = server()
    child = begin("login", running.url, "--json", env=browsing(running))
    url = url_of(child)
    before = [entry.path for entry in running.log]
    callback = UserAgent().answer_to(url)
    assert callback is not None
    page = UserAgent().open(callback)
    out, _ = child.communicate(timeout=30)

    assert "/authorize" not in before
    assert 200 == page.status
    assert 0 == child.returncode, out


def test_no_open_never_starts_a_browser(diagnose: Run, server: Any) -> None:
    running = server()
    done = diagnose("login", running.url, "--no-open", "--wait", "1", "--json", env=browsing(running))

    assert 1 == done.returncode
    assert "TOK031" == json.loads(done.stdout)["verdict"]["code"]
    assert "/authorize" not in [entry.path for entry in running.log]


def url_of(child: subprocess.Popen[str]) -> str:
    """Read stderr up to the URL."""
    assert child.stderr is not None
    for line in child.stderr:
        if "/authorize" in line:
            return line.strip()
    raise AssertionError("no URL was printed")


@posix
@pytest.mark.parametrize(("word", "opened"), [("y\n", True), ("n\n", False)])
def test_a_terminal_is_asked_and_only_a_yes_opens_the_browser(
    begin: Begin, server: Any, word: str, opened: bool
) -> None:
    import pty

    running = server()
    main, terminal = pty.openpty()
    environ = {**browsing(running), "TERM": "dumb"}
    child = begin(
        "login",
        running.url,
        "--json",
        "--wait",
        "5" if opened else "1",
        env=environ,
        stdin=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(main, 4096)
    os.write(main, word.encode())
    out, _ = child.communicate(timeout=30)
    os.close(main)

    assert opened == ("/authorize" in [entry.path for entry in running.log])
    assert (0 if opened else 1) == child.returncode, out


def asked(running: Running, path: str, method: str = "POST") -> list[Any]:
    return [entry for entry in running.log if entry.path == path and entry.method == method]


def test_the_next_login_uses_the_client_that_the_first_one_registered(diagnose: Run, server: Any) -> None:
    running = server("clients = []\n")
    for _ in range(2):
        done = diagnose("login", running.url, "--open", "--json", env=browsing(running))
        assert 0 == done.returncode, done.stderr
    assert 1 == len(asked(running, "/register"))
    assert "will be registered" not in done.stderr
    sent = [parse_qs(urlsplit(entry.target).query) for entry in asked(running, "/authorize", "GET")]
    assert 2 == len(sent)
    assert sent[0]["client_id"] == sent[1]["client_id"]
    assert sent[0]["redirect_uri"] == sent[1]["redirect_uri"]


def kept_before(running: Running, **more: Any) -> StoredLogin:
    """A login of an earlier day, kept in the store of this run."""
    login = StoredLogin(
        resource_url=running.url,
        issuer=running.places["as"],
        token_endpoint=f"{running.places['as']}/token",
        client_id="lab-forgotten",
        registration="dynamic",
        redirect_uri="http://127.0.0.1:33419/older",
        access_token="lab-older-token-4f7d",
        obtained_at=datetime(2026, 1, 31, tzinfo=UTC),
    ).model_copy(update=more)
    open_store({**os.environ, **running.env}).put(login)
    return login


def test_a_client_that_the_server_forgot_is_registered_anew_before_anybody_logs_in(
    diagnose: Run, server: Any
) -> None:
    running = server("clients = []\n")
    kept_before(running)
    done = diagnose("login", running.url, "--open", "--json", env=browsing(running))
    assert 0 == done.returncode, done.stderr
    assert 1 == len(asked(running, "/register"))
    sent = [
        parse_qs(urlsplit(entry.target).query)["client_id"] for entry in asked(running, "/authorize", "GET")
    ]
    assert 1 == len(sent)
    assert ["lab-forgotten"] not in sent


@pytest.mark.parametrize(
    "more",
    [
        {"registration": "configured"},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"redirect_uri": "http://127.0.0.1/portless"},
        {
            "token_endpoint_auth_method": "client_secret_post",
            "client_secret": "lab-client-secret-91c2f7",
            "client_secret_expires_at": datetime(2026, 2, 1, tzinfo=UTC),
        },
    ],
    ids=["configured", "no secret", "no port", "secret ended"],
)
def test_a_client_that_cannot_begin_a_login_is_not_asked_about(
    diagnose: Run, server: Any, more: dict[str, Any]
) -> None:
    running = server()
    kept_before(running, **more)
    done = diagnose("login", running.url, "--open", "--json", env=browsing(running))
    assert 0 == done.returncode, done.stderr
    assert 1 == len(asked(running, "/register"))
    assert ["lab-forgotten"] != [entry.form.get("client_id") for entry in asked(running, "/token")]


def test_a_login_that_fails_leaves_no_registered_client_behind(diagnose: Run, server: Any) -> None:
    running = server("approve = false\n")
    done = diagnose("login", running.url, "--open", "--json", env=browsing(running))
    assert 1 == done.returncode
    removed = [entry for entry in running.log if entry.method == "DELETE" and entry.server == "as"]
    assert 1 == len(removed)
    token = (removed[0].header("authorization") or "").removeprefix("Bearer ")
    assert token
    assert token not in done.stdout + done.stderr


def test_a_token_that_the_server_refuses_takes_the_place_of_no_older_login(diagnose: Run, lab: Lab) -> None:
    text = LOGIN.replace('token = "login"', 'token = "login"\naccept = "nothing"')
    running = lab.start(parse(text, name="login", folder=Path()))
    try:
        older = kept_before(running, registration="configured")
        done = diagnose("login", running.url, "--open", "--json", env=browsing(running))
        assert 1 == done.returncode
        assert 1 < len(asked(running, "/mcp"))
        kept = open_store({**os.environ, **running.env}).all()
        assert [older.access_token] == [login.access_token for login in kept]
        assert 1 == len([entry for entry in running.log if entry.method == "DELETE" and entry.server == "as"])
    finally:
        running.stop()


@posix
def test_an_interrupt_ends_the_login_closes_the_callback_and_keeps_nothing(begin: Begin, server: Any) -> None:
    running = server()
    child = begin("login", running.url, "--json", env=running.env)
    redirect = urlsplit(parse_qs(urlsplit(url_of(child)).query)["redirect_uri"][0])
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)

    assert 130 == child.returncode
    assert "interrupted" in json.loads(out)["verdict"]["summary"]
    assert "Traceback" not in err
    assert () == open_store({**os.environ, **running.env}).all()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", redirect.port or 0), timeout=5)


def test_a_login_that_cannot_work_is_predicted_before_anybody_logs_in(diagnose: Run, server: Any) -> None:
    running = server('remove = ["/code_challenge_methods_supported"]\n')
    done = diagnose("login", running.url, "--open", "--json", env=browsing(running))

    assert "AUTH013" == json.loads(done.stdout)["verdict"]["code"]
    assert set() == {"/register", "/authorize", "/token"} & {entry.path for entry in running.log}


@pytest.mark.parametrize(
    "place",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "--profile=/tmp/x",
        "http://169.254.169.254/authorize",
        "https://user:lab-pass-81@auth.example/authorize",
        "http://127.0.0.1:9/authorize\\u001b[31m",
    ],
)
def test_a_hostile_authorization_endpoint_is_neither_printed_nor_opened(
    diagnose: Run, server: Any, place: str
) -> None:
    running = server(f'patch = {{authorization_endpoint = "{place}"}}\n')
    done = diagnose("login", running.url, "--open", "--json", env=browsing(running))

    assert 1 == done.returncode
    assert "Log in at this URL" not in done.stderr
    assert "/token" not in [entry.path for entry in running.log]


def test_the_url_is_put_together_from_its_parts() -> None:
    endpoint = "https://auth.example.com/authorize?tenant=7"

    assert f"{endpoint}&state=x" == presentable(f"{endpoint}?state=x", endpoint)
    for hostile in (
        "javascript:alert(1)",
        "https://a@b.example/?x=1",
        "https://a.example/\x1b[2J",
        "-https://a",
    ):
        with pytest.raises(ValueError, match="authorization URL"):
            presentable(hostile, "https://a.example/")


def test_a_server_without_authentication_asks_nobody(diagnose: Run, lab: Lab) -> None:
    with lab.start("healthy-modern") as running:
        done = diagnose("login", running.url, "--open", env=browsing(running))

    assert 0 == done.returncode
    assert "needs no login" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("http://mcp.example.com/mcp",), "over plain http"),
        (
            ("https://mcp.example.com/mcp", "--header", "Authorization: Bearer lab-secret-77"),
            "no login gives",
        ),
        (("https://user:lab-secret-77@mcp.example.com/mcp",), "no login gives"),
        (("https://mcp.example.com/mcp", "--issuer", "auth"), "no absolute URL"),
        (("https://mcp.example.com/mcp", "--port", "70000"), "70000"),
        (("https://mcp.example.com/mcp", "--wait", "never"), "'never' is not a time"),
        (("https://mcp.example.com/mcp", "--until", "dns"), "there is no option --until"),
        ((), "target"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(diagnose: Run, arguments: tuple[str, ...], said: str) -> None:
    done = diagnose("login", *arguments)

    assert (2, "") == (done.returncode, done.stdout)
    assert said.lower() in done.stderr.lower()
    assert 1 == len(done.stderr.splitlines())
    assert "lab-secret-77" not in done.stderr


def test_a_redirect_uri_that_is_elsewhere_is_refused_before_anything_is_sent(
    diagnose: Run, server: Any, tmp_path: Path
) -> None:
    running = server()
    credential = {"type": "oauth2", "client_id": "lab-client", "redirect_uri": "https://app.example.com/cb"}
    file = tmp_path / "connector.json"
    file.write_text(json.dumps({"name": "app", "url": running.url, "credential": credential}))
    done = diagnose("login", "app", "--config", str(file), env=running.env)

    assert 2 == done.returncode
    assert "CFG019" in done.stderr
    assert [] == running.log


def test_a_secret_stays_at_home_where_the_server_names_another_issuer(
    diagnose: Run, server: Any, tmp_path: Path
) -> None:
    running = server()
    credential = {
        "type": "oauth2",
        "client_id": "lab-client",
        "client_secret": "${env:OUR_SECRET}",
        "issuer": "https://auth.example.com",
    }
    file = tmp_path / "connector.json"
    file.write_text(json.dumps({"name": "app", "url": running.url, "credential": credential}))
    environ = {**browsing(running), "OUR_SECRET": "lab-secret-5581c0"}
    done = diagnose("login", "app", "--config", str(file), "--open", "--json", env=environ)

    assert "AUTH027" == json.loads(done.stdout)["verdict"]["code"]
    assert set() == {"/register", "/authorize", "/token"} & {entry.path for entry in running.log}
    assert "lab-secret-5581c0" not in done.stdout + done.stderr


def test_a_place_that_cannot_keep_a_login_is_refused_before_anybody_logs_in(
    diagnose: Run, server: Any, tmp_path: Path
) -> None:
    running = server()
    (tmp_path / "state").write_text("no folder")
    environ = {**browsing(running), "DIAGNOSE_STATE_DIR": str(tmp_path / "state")}
    done = diagnose("login", running.url, "--open", env=environ)

    assert 2 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert [] == running.log
