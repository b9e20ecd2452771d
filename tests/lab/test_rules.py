"""What each key of a rule does to the bytes on the wire."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
from typing import Any

import httpx2
import pytest
from diagnose_lab import Lab

from .wire import INITIALIZE, LEGACY, ask, client, legacy_post, option, raw_answer, scenario


def message(raw: bytes) -> Any:
    """The JSON body of an answer with content-length."""
    return json.loads(raw.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    ("rule", "seen"),
    [
        (
            'status = 503\nheaders = {retry-after = "5"}',
            b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n",
        ),
        ('status = 200\nreason = "\\u001b[31m"', b"HTTP/1.1 200 \x1b[31m\r\n"),
        ('headers = {set-cookie = ["a=1", "b=2"]}', b"set-cookie: a=1\r\nset-cookie: b=2\r\n"),
        ('html = "<p>login</p>"', b"content-type: text/html; charset=utf-8"),
        ('body_hex = "fffe"', b"\r\n\r\n\xff\xfe"),
        ('body = "ab"\nbody_repeat = 3', b"\r\n\r\nababab"),
        ('redirect = "/elsewhere"', b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\n"),
        (
            'redirect = {status = 301, location = "{origin}/x"}',
            b"HTTP/1.1 301 Moved Permanently\r\nlocation: http",
        ),
        ('raw = "HTTP/1.1 999\\r\\n\\r\\n"', b"HTTP/1.1 999\r\n\r\n"),
        ("status = 500\nkeep = true", b'"supportedVersions":["2026-07-28"]'),
        ('text = \'{"id":{id},"result":NaN}\'', b'\r\n\r\n{"id":1,"result":NaN}'),
        ('text_hex = "7bff"', b"\r\n\r\n{\xff"),
        ('nest = {pointer = "/deep", depth = 5000}', b"[" * 5000 + b"]" * 5000),
        ('fill = {pointer = "/n", kib = 2, text = "9", unquoted = true}', b'"n":' + b"9" * 2048),
        ("interim = 2", b"HTTP/1.1 103 Early Hints"),
        ('framing = "bad-length"', b"content-length: twelve"),
        ('framing = "bad-chunk"', b"zz\r\nnot a chunk"),
        ('huge_headers = {count = 3, size = 5, name = "set-cookie"}', b"set-cookie: n2=xxxxx\r\n"),
        ('encoding = "br"', b"content-encoding: br"),
        (
            "sse = {server_request = {method = 'sampling/createMessage'}}",
            b'"method":"sampling/createMessage"',
        ),
        ('sse = {event = "other"}', b'event: other\ndata: {"jsonrpc"'),
        ('sse = {raw = "data: {}\\n\\n"}', b"data: {}\n\n"),
        ('sse = {line_end = "\\r\\n", split = true}', b'data: {"jsonrpc":"2.0",\r\ndata: "id":1,'),
        (
            'sse = {events = [{comment = "hi", data = "d", id = "1", retry = 5}]}',
            b": hi\nid: 1\nretry: 5\ndata: d\n\n",
        ),
        ('as = "sse"\nduplicate = true', b"data: {"),
    ],
)
def test_a_rule_puts_this_on_the_wire(lab: Lab, rule: str, seen: bytes) -> None:
    with lab.start(scenario(f"[[rule]]\n{rule}")) as running:
        assert seen in raw_answer(running)
        assert [] == running.errors


@pytest.mark.parametrize(
    ("rule", "pointer", "value"),
    [
        ("result = {x = 1}", ("result",), {"x": 1}),
        ("patch = {capabilities = {prompts = {}}}", ("result", "capabilities", "prompts"), {}),
        ('set = {"/supportedVersions/0" = "1999"}', ("result", "supportedVersions"), ["1999"]),
        ("error = {code = -1, message = 'm'}", ("error",), {"code": -1, "message": "m"}),
        ('id = "wrong"', ("id",), 1001),
        ('id = "string"', ("id",), "1"),
        ('id = "null"', ("id",), None),
        ("message_patch = {error = {code = 1}}", ("error", "code"), 1),
        ("batch = true", (0, "id"), 1),
        ("duplicate = true", (1, "id"), 1),
        ('fill = {pointer = "/instructions", kib = 1, text = "ab"}', ("result", "instructions"), "ab" * 512),
    ],
)
def test_a_rule_changes_the_message(lab: Lab, rule: str, pointer: tuple[Any, ...], value: object) -> None:
    with lab.start(scenario(f"[[rule]]\n{rule}")) as running:
        found = message(raw_answer(running))
    for step in pointer:
        found = found[step]
    assert value == found


@pytest.mark.parametrize("rule", ['remove = ["/ttlMs"]', 'message_remove = ["/result/ttlMs"]'])
def test_a_rule_removes_a_member(lab: Lab, rule: str) -> None:
    with lab.start(scenario(f"[[rule]]\n{rule}")) as running:
        assert "ttlMs" not in message(raw_answer(running))["result"]


@pytest.mark.parametrize(
    "rule",
    [
        'close = "before-headers"',
        'close = "after-headers"',
        'close = "mid-body"',
        'framing = "short-body"',
        'framing = "missing-last-chunk"',
        'framing = "bad-chunk"',
        'close = "before-headers"\nreset = true',
    ],
)
def test_an_answer_cut_short_is_an_error_for_http_clients(lab: Lab, rule: str) -> None:
    with lab.start(scenario(f"[[rule]]\n{rule}")) as running, pytest.raises(httpx2.TransportError):
        ask(running)


@pytest.mark.parametrize(
    "rule", ['framing = "chunked"', 'framing = "no-length"', "delay = 0.01", 'encoding = "gzip,gzip"']
)
def test_an_unusual_but_correct_answer_is_read(lab: Lab, rule: str) -> None:
    with lab.start(scenario(f"[[rule]]\n{rule}")) as running:
        assert ask(running).json()["id"] == 1


@pytest.mark.parametrize(
    "rule",
    [
        'delay = "forever"',
        "drip = true",
        "endless = true",
        "sse = {hold = true}",
        "sse = {comments_forever = true}",
        "sse = {notifications_forever = true}",
        "sse = {open = true}",
    ],
)
def test_an_answer_that_never_ends_is_cut_by_stopping(lab: Lab, rule: str) -> None:
    with lab.start(scenario(f"[[rule]]\n{rule}")) as running:
        sock = socket.create_connection(("127.0.0.1", running.port), timeout=5)
        with sock:
            sock.sendall(b"POST /mcp HTTP/1.1\r\nhost: lab\r\ncontent-length: 0\r\n\r\n")
            if rule != 'delay = "forever"' and "hold" not in rule:
                assert sock.recv(1)
            running.stop()
            # An end or a reset; what matters is that it comes.
            with contextlib.suppress(ConnectionError), sock.makefile("rb") as rest:
                rest.read()


def test_a_gzip_bomb_is_small_on_the_wire_and_valid(lab: Lab) -> None:
    with lab.start(scenario("[[rule]]\ngzip_bomb = 3\nframing = 'no-length'")) as running:
        body = raw_answer(running).partition(b"\r\n\r\n")[2]
    assert len(body) < 10_000
    assert gzip.decompress(body) == b" " * 3 * 1024 * 1024


@pytest.mark.parametrize(
    ("when", "answers"),
    [
        ('{method = "server/*"}', [500, 500, 500]),
        ('{method = "tools/list"}', [200, 200, 200]),
        ("{nth = 2}", [200, 500, 200]),
        ("{nth = [1, 3]}", [500, 200, 500]),
        ("{from = 2}", [200, 500, 500]),
        ("{connection = 3}", [200, 200, 500]),
        ('{header = {accept = "*event-stream*"}}', [500, 500, 500]),
        ('{header_absent = ["mcp-method"]}', [200, 200, 200]),
        ('{http = "GET|DELETE"}', [200, 200, 200]),
        ('{path = "/mcp"}', [500, 500, 500]),
        ("{has_session = true}", [200, 200, 200]),
        ('{param = {"/_meta/io.modelcontextprotocol~1protocolVersion" = "2026-07-28"}}', [500, 500, 500]),
    ],
)
def test_a_rule_meets_the_requests_it_describes(lab: Lab, when: str, answers: list[int]) -> None:
    with lab.start(scenario(f"[[rule]]\nwhen = {when}\nstatus = 500")) as running:
        assert answers == [ask(running).status_code for _ in range(3)]


def test_a_rule_can_meet_one_page_and_one_tool(lab: Lab) -> None:
    toml = "[server]\npage_size = 2\n[[rule]]\nwhen = {page = 2}\nstatus = 500\n"
    toml += '[[rule]]\nwhen = {tool = "add"}\nstatus = 502'
    with lab.start(scenario(toml)) as running:
        first = ask(running, "tools/list")
        second = ask(running, "tools/list", {"cursor": first.json()["result"]["nextCursor"]})
        called = ask(running, "tools/call", {"name": "add", "arguments": {}})
    assert [200, 500, 502] == [first.status_code, second.status_code, called.status_code]


def test_the_first_rule_that_matches_answers(lab: Lab) -> None:
    with lab.start(scenario("[[rule]]\nstatus = 501\n[[rule]]\nstatus = 502")) as running:
        assert ask(running).status_code == 501


def test_a_whole_answer_stands_before_authentication_and_a_change_behind_it(lab: Lab) -> None:
    toml = '[server.auth]\n[[rule]]\nwhen = {method = "tools/list"}\nstatus = 503\n[[rule]]\nresult = {}'
    with lab.start(scenario(toml)) as running:
        assert [503, 401] == [ask(running, "tools/list").status_code, ask(running).status_code]


def test_another_origin_serves_and_records(lab: Lab) -> None:
    with lab.start(scenario('[other]\n[[rule]]\nredirect = "{other}/mcp"')) as running:
        location = ask(running).headers["location"]
        with client(running) as http:
            http.get(location)
        assert ["server", "other"] == [record.server for record in running.log]
        assert location == running.places["other"] + "/mcp"


def test_a_delete_can_be_answered_without_ending_the_session(lab: Lab) -> None:
    toml = '[server]\nanswers = "json"\n[[rule]]\nwhen = {http = "DELETE"}\nstatus = 200\nbody = ""'
    with lab.start(scenario(toml, head=LEGACY)) as running, client(running) as http:
        session = legacy_post(http, running, "initialize", **INITIALIZE).headers["mcp-session-id"]
        assert http.delete(running.url, headers={"mcp-session-id": session}).status_code == 200
        assert legacy_post(http, running, "tools/list", session).status_code == 200


def test_the_run_table_fills_its_placeholders(lab: Lab) -> None:
    toml = '[run]\nurl = "http://lab.test:{port}/x"\nargs = ["--header", "X-Port: {port}"]\n'
    toml += 'env = {P = "{port}"}\nstep_timeout = 2'
    with lab.start(scenario(toml)) as running:
        port = str(running.port)
    assert (f"http://lab.test:{port}/x", f"X-Port: {port}", "2", port) == (
        running.url,
        option(running, "--header"),
        option(running, "--step-timeout"),
        running.env["P"],
    )


def test_an_added_option_can_be_left_out_or_replaced(lab: Lab) -> None:
    toml = '[tls]\n[proxy]\n[run]\nwithout = ["ca"]\nargs = ["--proxy", "http://127.0.0.1:1"]'
    with lab.start(scenario(toml)) as running:
        assert ("--proxy", "http://127.0.0.1:1") == running.args
