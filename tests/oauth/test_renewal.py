"""Renewal: one refresh token is spent once, whoever asks at the same time and whatever happens in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from diagnose_lab import Lab, Running
from diagnose_lab.scenario import parse
from oauth.logins import ACCESS, REFRESH, SECRET, environment_of, login, store_in

from diagnose.connector import Connector, NetworkSettings
from diagnose.oauth.foreign import foreign_transport, post_over
from diagnose.oauth.record import StoredLogin
from diagnose.oauth.renewal import RenewalFailed, RenewalRefused, ends_soon, renewed
from diagnose.oauth.token_request import TokenRequest
from diagnose.wire.resolver import SystemResolver

SERVER = """
title = "a login that is renewed"
transport = "streamable-http"
era = "modern"
[server.auth]
token = "login"
[authorization_server]
"""
DETECTS = SERVER + f'refresh_tokens = ["{REFRESH}"]\nreuse_detection = true\n'


def now() -> datetime:
    return datetime.now(UTC)


def start(lab: Lab, text: str = DETECTS) -> Running:
    return lab.start(parse(text, name="renewal"))


def login_of(running: Running, **settings: Any) -> StoredLogin:
    """A login that ended, as the scenario's authorization server would have given it to a public client."""
    issuer = running.places["as"]
    given: dict[str, Any] = {
        "resource_url": running.url,
        "issuer": issuer,
        "token_endpoint": f"{issuer}/token",
        "resource": running.url,
        "scope": "mcp:tools",
        "client_secret": None,
        "token_endpoint_auth_method": "none",
    }
    return login(**{**given, **settings})


def spent(running: Running) -> list[dict[str, str]]:
    """The forms of the refresh requests that the authorization server saw."""
    return [record.form for record in running.log if record.form.get("grant_type") == "refresh_token"]


async def over_the_wire(url: str, request: TokenRequest) -> tuple[int, Mapping[str, str], bytes]:
    connector = Connector(url=url, network=NetworkSettings(trust_env=False))
    transport = await foreign_transport(connector, {}, SystemResolver())
    try:
        return await post_over(transport, request)
    finally:
        await transport.aclose()


def renew(folder: Path, subject: StoredLogin) -> StoredLogin:
    return asyncio.run(
        renewed(
            store_in(folder),
            subject,
            post=lambda request: over_the_wire(subject.resource_url, request),
            now=now,
        )
    )


PROGRAM = """
import asyncio, os, sys
from datetime import UTC, datetime
from diagnose.oauth.renewal import RenewalRefused, renewed
from diagnose.oauth.store import open_store
from oauth.test_renewal import over_the_wire

async def main(url):
    store = open_store(os.environ)
    login = store.find(url)
    print("ready", flush=True)
    sys.stdin.readline()
    async def post(request):
        answer = await over_the_wire(url, request)
        if "hold" in sys.argv:
            print("spent", flush=True)
            sys.stdin.readline()
        return answer
    print((await renewed(store, login, post=post, now=lambda: datetime.now(UTC))).access_token)

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Any]:
    """Start a process that renews once it is told to; what still runs at the end is killed."""
    children: list[subprocess.Popen[str]] = []

    def started(url: str, *more: str) -> subprocess.Popen[str]:
        env = {**os.environ, **environment_of(tmp_path), "PYTHONPATH": str(Path(__file__).parents[1])}
        child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, url, *more],
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        children.append(child)
        assert child.stdout is not None
        assert "ready\n" == child.stdout.readline()
        return child

    yield started
    for child in children:
        child.kill()
        child.communicate()


def go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def test_a_renewed_login_is_stored_before_it_is_given(lab: Lab, tmp_path: Path) -> None:
    with start(lab) as running:
        before = login_of(running)
        store_in(tmp_path).put(before)
        after = renew(tmp_path, before)
        kept = store_in(tmp_path).find(running.url)
        assert after == kept
        assert (False, False) == (after.access_token == ACCESS, after.refresh_token in (REFRESH, None))
        assert after.expires_at is not None
        assert timedelta(minutes=59) < after.expires_at - now() <= timedelta(hours=1)
        assert (before.obtained_at, "mcp:tools") == (after.obtained_at, after.scope)


def test_the_refresh_goes_to_the_recorded_endpoint_with_the_recorded_resource(
    lab: Lab, tmp_path: Path
) -> None:
    with start(lab) as running:
        store_in(tmp_path).put(login_of(running))
        renew(tmp_path, login_of(running))
        wanted = {"refresh_token": REFRESH, "client_id": "lab-client", "resource": running.url}
        assert [{"grant_type": "refresh_token", **wanted}] == spent(running)
        assert {("as", "POST")} == {(seen.server, seen.method) for seen in running.log}


def test_a_confidential_client_shows_itself_as_recorded(lab: Lab, tmp_path: Path) -> None:
    clients = f'clients = [{{id = "lab-client", secret = "{SECRET}", methods = ["client_secret_basic"]}}]\n'
    with start(lab, DETECTS + clients) as running:
        subject = login_of(running, client_secret=SECRET, token_endpoint_auth_method="client_secret_basic")
        store_in(tmp_path).put(subject)
        assert ACCESS != renew(tmp_path, subject).access_token
        assert "client_secret" not in spent(running)[0]


def test_a_refresh_token_that_is_not_replaced_stays(lab: Lab, tmp_path: Path) -> None:
    with start(lab, DETECTS + 'refresh = "keep"\ntoken_remove = ["/scope", "/expires_in"]\n') as running:
        store_in(tmp_path).put(login_of(running))
        after = renew(tmp_path, login_of(running))
        assert (REFRESH, "mcp:tools", None) == (after.refresh_token, after.scope, after.expires_at)


def test_two_processes_that_renew_at_once_spend_one_refresh_token(
    lab: Lab, tmp_path: Path, begin: Any
) -> None:
    with start(lab) as running:
        store_in(tmp_path).put(login_of(running))
        children = [begin(running.url) for _ in range(3)]
        for child in children:
            go(child)
        said = [child.communicate(timeout=60) for child in children]
        kept = store_in(tmp_path).find(running.url)
        assert kept is not None
        assert [(kept.access_token + "\n", "")] * 3 == said
        assert 1 == len(spent(running))


def test_a_process_that_dies_with_the_lock_keeps_nobody_waiting_and_leaves_the_record(
    lab: Lab, tmp_path: Path, begin: Any
) -> None:
    with start(lab) as running:
        store_in(tmp_path).put(login_of(running))
        child = begin(running.url, "hold")
        go(child)
        assert "spent\n" == child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert REFRESH == getattr(store_in(tmp_path).find(running.url), "refresh_token", None)
        # What was spent cannot be had back: the next one is told the truth, and it is a race.
        with pytest.raises(RenewalRefused) as caught:
            renew(tmp_path, login_of(running))
        assert ("invalid_grant", True) == (caught.value.refusal.error, caught.value.refusal.raced)


def test_who_waited_takes_what_the_other_one_got(lab: Lab, tmp_path: Path, begin: Any) -> None:
    with start(lab) as running:
        store_in(tmp_path).put(login_of(running))
        first, second = begin(running.url, "hold"), begin(running.url)
        go(first)
        assert "spent\n" == first.stdout.readline()
        go(second)
        go(first)
        assert first.communicate(timeout=60)[0] == second.communicate(timeout=60)[0]
        assert 1 == len(spent(running))


def test_a_login_that_was_renewed_elsewhere_is_taken_and_nothing_is_sent(lab: Lab, tmp_path: Path) -> None:
    with start(lab) as running:
        other = login_of(running, access_token="newer", expires_at=now() + timedelta(hours=1))
        store_in(tmp_path).put(other)
        assert "newer" == renew(tmp_path, login_of(running)).access_token
        assert [] == spent(running)


def test_a_login_that_was_renewed_elsewhere_and_ended_again_is_renewed_with_its_own_token(
    lab: Lab, tmp_path: Path
) -> None:
    with start(lab) as running:
        store_in(tmp_path).put(login_of(running, access_token="newer"))
        renew(tmp_path, login_of(running, refresh_token="long-gone"))
        assert [REFRESH] == [form["refresh_token"] for form in spent(running)]


@pytest.mark.parametrize(
    ("settings", "raced", "said"),
    [
        ('refresh = "refused"\n', False, "was revoked"),
        (f'refresh_tokens = ["x"]\nrotated_tokens = ["{REFRESH}"]\nreuse_detection = true\n', True, "reuse"),
        ('refresh_tokens = ["x"]\n', False, "unknown"),
    ],
    ids=["refused", "rotated", "unknown"],
)
def test_a_refusal_is_kept_and_says_whether_it_was_a_race(
    lab: Lab, tmp_path: Path, settings: str, raced: bool, said: str
) -> None:
    with start(lab, SERVER + settings) as running:
        store_in(tmp_path).put(login_of(running))
        with pytest.raises(RenewalRefused, match=said) as caught:
            renew(tmp_path, login_of(running))
        kept = store_in(tmp_path).find(running.url)
        assert kept is not None
        assert kept.refusal == caught.value.refusal
        assert ("invalid_grant", raced) == (caught.value.refusal.error, caught.value.refusal.raced)
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "rule",
    [
        "status = 503",
        'body = "<html>"',
        "status = 302\nheaders = {Location = '{other}/token'}",
        "status = 429",
    ],
    ids=["503", "html", "redirect", "429"],
)
def test_an_answer_that_decides_nothing_leaves_the_record_alone(lab: Lab, tmp_path: Path, rule: str) -> None:
    text = f'{DETECTS}[other]\n[[rule]]\nwhen = {{on = "as", path = "/token"}}\n{rule}\n'
    with start(lab, text) as running:
        store_in(tmp_path).put(login_of(running))
        before = store_in(tmp_path).find(running.url)
        with pytest.raises(RenewalFailed) as caught:
            renew(tmp_path, login_of(running))
        assert before == store_in(tmp_path).find(running.url)
        assert "other" not in {seen.server for seen in running.log}
        assert "canary" not in str(caught.value)


def test_nobody_at_the_token_endpoint_leaves_the_record_alone(lab: Lab, tmp_path: Path) -> None:
    with start(lab) as running:
        subject = login_of(running, token_endpoint="http://127.0.0.1:1/token")
        store_in(tmp_path).put(subject)
        with pytest.raises(RenewalFailed, match="no answer from"):
            renew(tmp_path, subject)
        assert subject == store_in(tmp_path).find(running.url)


@pytest.mark.parametrize(
    "endpoint", ["http://169.254.169.254/token", "http://10.0.0.1/token", "file:///etc/passwd"]
)
def test_a_token_endpoint_in_a_forbidden_place_gets_nothing(lab: Lab, tmp_path: Path, endpoint: str) -> None:
    with start(lab) as running:
        subject = login_of(running, token_endpoint=endpoint)
        store_in(tmp_path).put(subject)
        with pytest.raises(RenewalFailed, match="not sent"):
            renew(tmp_path, subject)


@pytest.mark.parametrize(
    ("stored", "said"), [(False, "not stored any more"), (True, "no refresh token")], ids=["gone", "none"]
)
def test_what_cannot_be_renewed_is_said_without_a_request(
    lab: Lab, tmp_path: Path, stored: bool, said: str
) -> None:
    with start(lab) as running:
        subject = login_of(running, refresh_token=None)
        if stored:
            store_in(tmp_path).put(subject)
        with pytest.raises(RenewalFailed, match=said):
            renew(tmp_path, subject)
        assert [] == spent(running)


def test_a_caller_that_is_cancelled_loses_no_token(lab: Lab, tmp_path: Path) -> None:
    with start(lab) as running:
        subject = login_of(running)
        store = store_in(tmp_path)
        store.put(subject)

        async def main() -> None:
            sent = asyncio.Event()

            async def post(request: TokenRequest) -> tuple[int, Mapping[str, str], bytes]:
                sent.set()
                return await over_the_wire(running.url, request)

            task = asyncio.create_task(renewed(store, subject, post=post, now=now))
            await sent.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        kept = store.find(running.url)
        assert kept is not None
        assert (1, False) == (len(spent(running)), kept.refresh_token == REFRESH)


def test_an_answer_that_quotes_the_token_does_not_show_it(tmp_path: Path) -> None:
    subject = login()
    store_in(tmp_path).put(subject)

    async def post(request: TokenRequest) -> tuple[int, Mapping[str, str], bytes]:
        said = {"error": "invalid_grant", "error_description": f"no {REFRESH} {SECRET}\x1b[31m"}
        return 400, {"content-type": "application/json"}, json.dumps(said).encode()

    with pytest.raises(RenewalRefused) as caught:
        asyncio.run(renewed(store_in(tmp_path), subject, post=post, now=now))
    kept = store_in(tmp_path).find(subject.resource_url)
    assert kept is not None
    for text in (str(caught.value), repr(caught.value.refusal), repr(kept.refusal)):
        assert not {"canary", "\x1b"} & {word for word in ("canary", "\x1b") if word in text}


@pytest.mark.parametrize(("left", "soon"), [(59, True), (61, False), (None, False), (-1, True)])
def test_a_token_is_renewed_a_minute_before_its_end(left: int | None, soon: bool) -> None:
    at = now()
    assert soon == ends_soon(login(expires_at=None if left is None else at + timedelta(seconds=left)), at)
