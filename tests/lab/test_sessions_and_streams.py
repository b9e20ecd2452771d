"""Legacy sessions, replicas, and the old HTTP+SSE transport."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx2
import pytest
from diagnose_lab import Lab, Running

from .wire import INITIALIZE, LEGACY, ask, client, legacy_post, modern_request, scenario

SSE = 'title = "t"\ntransport = "sse"\nera = "legacy"\n'
JSON = '[server]\nanswers = "json"\n'


def open_session(http: httpx2.Client, running: Running) -> str:
    return str(legacy_post(http, running, "initialize", **INITIALIZE).headers["mcp-session-id"])


def test_a_session_lives_from_initialize_to_delete(lab: Lab) -> None:
    with lab.start(scenario(JSON, head=LEGACY)) as running, client(running) as http:
        session = open_session(http, running)
        headers = {"mcp-session-id": session}
        statuses = [
            legacy_post(http, running, "notifications/initialized", session).status_code,
            legacy_post(http, running, "tools/list", session).status_code,
            http.delete(running.url, headers=headers).status_code,
            legacy_post(http, running, "tools/list", session).status_code,
            http.delete(running.url, headers=headers).status_code,
        ]
    assert [202, 200, 200, 404, 404] == statuses


@pytest.mark.parametrize(("session", "status"), [(None, 400), ("another", 404)])
def test_a_stranger_is_refused(lab: Lab, session: str | None, status: int) -> None:
    with lab.start(scenario(JSON, head=LEGACY)) as running, client(running) as http:
        assert status == legacy_post(http, running, "tools/list", session).status_code


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("2025-11-25", "2025-11-25"), ("2025-03-26", "2025-03-26"), ("2099-01-01", "2025-11-25")],
)
def test_a_version_is_negotiated(lab: Lab, asked: str, answered: str) -> None:
    with lab.start(scenario(JSON, head=LEGACY)) as running, client(running) as http:
        answer = legacy_post(http, running, "initialize", **(INITIALIZE | {"protocolVersion": asked}))
        assert answered == answer.json()["result"]["protocolVersion"]


def test_a_modern_probe_is_refused_as_real_legacy_servers_do(lab: Lab) -> None:
    with lab.start(scenario("", head=LEGACY)) as running:
        answer = ask(running)
        assert (400, -32600) == (answer.status_code, answer.json()["error"]["code"])


def test_a_legacy_probe_is_refused_by_a_modern_server_with_its_versions(lab: Lab) -> None:
    with lab.start(scenario("")) as running, client(running) as http:
        answer = legacy_post(http, running, "initialize", **INITIALIZE)
        assert (400, ["2026-07-28"]) == (answer.status_code, answer.json()["error"]["data"]["supported"])


@pytest.mark.parametrize(
    ("change", "code"),
    [({"mcp-method": "tools/list"}, -32020), ({"mcp-protocol-version": "2099-01-01"}, -32020)],
)
def test_a_header_that_differs_from_the_body_is_a_mismatch(
    lab: Lab, change: dict[str, str], code: int
) -> None:
    with lab.start(scenario("")) as running:
        answer = ask(running, "server/discover", None, **change)
        assert (400, code) == (answer.status_code, answer.json()["error"]["code"])


def test_replicas_do_not_share_sessions(lab: Lab) -> None:
    toml = JSON + 'replicas = 2\nbalance = "request"'
    with lab.start(scenario(toml, head=LEGACY)) as running, client(running) as http:
        session = open_session(http, running)
        found = [legacy_post(http, running, "tools/list", session).status_code for _ in range(4)]
    assert [404, 200, 404, 200] == found


def test_replicas_by_connection_are_met_by_a_new_connection(lab: Lab) -> None:
    with lab.start(scenario(JSON + "replicas = 2", head=LEGACY)) as running:
        with client(running) as http:
            session = open_session(http, running)
            assert legacy_post(http, running, "tools/list", session).status_code == 200
        with client(running) as http:
            assert legacy_post(http, running, "tools/list", session).status_code == 404


def test_sessions_can_be_forgotten(lab: Lab) -> None:
    toml = JSON + '[[rule]]\nwhen = {method = "tools/list"}\nforget_sessions = true'
    with lab.start(scenario(toml, head=LEGACY)) as running, client(running) as http:
        session = open_session(http, running)
        assert [200, 404] == [legacy_post(http, running, "tools/list", session).status_code for _ in range(2)]


def test_a_page_from_elsewhere_is_refused(lab: Lab) -> None:
    with lab.start(scenario("")) as running:
        found = [
            ask(running, origin=origin).status_code for origin in ("https://evil.example", "http://localhost")
        ]
    assert [403, 200] == found


def test_the_clock_of_a_server_can_be_wrong(lab: Lab) -> None:
    from email.utils import parsedate_to_datetime

    with lab.start(scenario("[server]\ndate_offset = -86400")) as running:
        date = parsedate_to_datetime(ask(running).headers["date"])
    with lab.start(scenario("")) as running:
        now = parsedate_to_datetime(ask(running).headers["date"])
    assert 86300 < (now - date).total_seconds() < 86500


def events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, line[6:]


def first_answer(running: Running, method: str = "initialize") -> tuple[int, str]:
    """Status of the POST, and the data of the event that answers it."""
    with client(running) as http, http.stream("GET", running.url) as stream:
        seen = events(stream.iter_lines())
        _, place = next(seen)
        posted = http.post(running.places["origin"] + place, json=modern_request(method))
        return posted.status_code, next(seen, ("", ""))[1]


def test_http_sse_answers_on_the_stream(lab: Lab) -> None:
    with lab.start(scenario("", head=SSE)) as running:
        status, data = first_answer(running)
        assert (202, "lab") == (status, json.loads(data)["result"]["serverInfo"]["name"])


@pytest.mark.parametrize(
    ("rule", "status", "data"),
    [
        ("result = {x = 1}", 202, '{"jsonrpc":"2.0","id":1,"result":{"x":1}}'),
        ("result = {x = 1}\nstatus = 200", 200, '{"jsonrpc":"2.0","id":1,"result":{"x":1}}'),
        ("sse = {respond = false, end = true}", 202, ""),
        ('text = "no json"', 202, "no json"),
    ],
)
def test_a_rule_changes_what_travels_on_the_stream(lab: Lab, rule: str, status: int, data: str) -> None:
    with lab.start(scenario(f'[[rule]]\nwhen = {{method = "initialize"}}\n{rule}', head=SSE)) as running:
        assert (status, data) == first_answer(running)
        assert [] == running.errors


@pytest.mark.parametrize(
    ("sse", "seen"),
    [
        ('{endpoint = "https://evil.example/x"}', ("endpoint", "https://evil.example/x")),
        ('{endpoint = false, events = [{event = "hello", data = "x"}]}', ("hello", "x")),
        ("{endpoint = false, end = true}", None),
    ],
)
def test_a_rule_changes_the_first_event(lab: Lab, sse: str, seen: tuple[str, str] | None) -> None:
    toml = f'[[rule]]\nwhen = {{http = "GET"}}\nsse = {sse}'
    with (
        lab.start(scenario(toml, head=SSE)) as running,
        client(running) as http,
        http.stream("GET", running.url) as stream,
    ):
        assert seen == next(events(stream.iter_lines()), None)


def test_a_post_to_the_stream_is_not_allowed(lab: Lab) -> None:
    with lab.start(scenario("", head=SSE)) as running, client(running) as http:
        answer = legacy_post(http, running, "initialize", **INITIALIZE)
        assert (405, "HEAD, GET") == (answer.status_code, answer.headers["allow"])


def test_a_protected_stream_guards_its_messages_too(lab: Lab) -> None:
    with lab.start(scenario("[server.auth]", head=SSE)) as running, client(running) as http:
        post = http.post(running.places["origin"] + "/messages/?session_id=x", json=modern_request("ping"))
        assert [401, 401] == [http.get(running.url).status_code, post.status_code]
