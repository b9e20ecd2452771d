"""The lab's user agent, started as ``webbrowser`` starts it, and the run around a login."""

from __future__ import annotations

import subprocess
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from diagnose_lab import Lab, Running

from .authorizing import ASKED
from .wire import scenario

LOGIN = '[server.auth]\ntoken = "login"\n[run]\ncommand = "login"\n%s\n[authorization_server]\n'


class Hit(NamedTuple):
    method: str
    path: str
    query: dict[str, list[str]]
    host: str


class Callback(BaseHTTPRequestHandler):
    """Writes down what arrives."""

    hits: list[Hit]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.hits.append(Hit(self.command, parts.path, parse_qs(parts.query), self.headers["host"]))
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the hits are the log."""


@contextmanager
def callback() -> Iterator[tuple[str, list[Hit]]]:
    """The URL of a loopback callback, and what arrived there."""
    hits: list[Hit] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Callback,), {"hits": hits}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/callback", hits
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def visit(running: Running, redirect_uri: str) -> bool:
    """Open the authorization request as a client on this machine would."""
    url = running.places["as"] + "/authorize?" + urlencode(ASKED | {"redirect_uri": redirect_uri})
    return webbrowser.get(running.env["BROWSER"]).open(url)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("approves", [("GET", "/callback", "s-1")]),
        ("twice", [("GET", "/callback", "s-1"), ("GET", "/callback", "s-1")]),
        ("wrong-state", [("GET", "/callback", "lab-wrong-state"), ("GET", "/callback", "s-1")]),
        ("post", [("POST", "/callback", None), ("GET", "/callback", "s-1")]),
        ("wrong-path", [("GET", "/lab-elsewhere", "s-1"), ("GET", "/callback", "s-1")]),
        ("never", []),
    ],
)
def test_a_user_agent_calls_the_callback_as_its_mode_says(
    lab: Lab, mode: str, expected: list[tuple[str, str, str | None]]
) -> None:
    with (
        lab.start(scenario(LOGIN % f'browser = "{mode}"')) as running,
        callback() as (where, hits),
    ):
        assert visit(running, where)
        assert expected == [(hit.method, hit.path, hit.query.get("state", [None])[0]) for hit in hits]
        assert "/authorize" == running.log[-1].path


def test_a_foreign_host_is_sent_before_the_right_one(lab: Lab) -> None:
    with lab.start(scenario(LOGIN % 'browser = "wrong-host"')) as running, callback() as (where, hits):
        visit(running, where)
        assert ["attacker.example", urlsplit(where).netloc] == [hit.host for hit in hits]


def test_a_denial_brings_an_error_with_state_and_issuer(lab: Lab) -> None:
    with lab.start(scenario(LOGIN % 'browser = "denies"')) as running, callback() as (where, hits):
        visit(running, where)
        expected = {"error": ["access_denied"], "state": ["s-1"], "iss": [running.places["as"]]}
        assert [expected] == [hit.query for hit in hits]


def test_a_huge_hit_does_not_keep_the_right_one_away(lab: Lab) -> None:
    # The callback of http.server refuses a request line of more than 64 KiB, and never sees the hit.
    with lab.start(scenario(LOGIN % 'browser = "huge"')) as running, callback() as (where, hits):
        visit(running, where)
        assert ["s-1"] == [hit.query["state"][0] for hit in hits]


@pytest.mark.parametrize("way", ["page", "redirect"])
def test_a_user_agent_submits_a_login_form(lab: Lab, way: str) -> None:
    toml = LOGIN % "" + f'login = "{way}"\ntls = true'
    with lab.start(scenario(toml)) as running, callback() as (where, hits):
        visit(running, where)
        assert (1, "code" in hits[0].query) == (len(hits), True)
        assert ("POST", "/login") == (running.log[-1].method, running.log[-1].path)


def test_a_page_that_leads_nowhere_ends_the_visit(lab: Lab) -> None:
    with lab.start(scenario(LOGIN % "" + "clients = []")) as running, callback() as (where, hits):
        assert (True, []) == (visit(running, where), hits)


def test_a_user_agent_prints_nothing(lab: Lab) -> None:
    with lab.start(scenario(LOGIN % "")) as running, callback() as (where, _):
        url = running.places["as"] + "/authorize?" + urlencode(ASKED | {"redirect_uri": where})
        words = list(webbrowser.get(running.env["BROWSER"]).args)
        command = [running.env["BROWSER"].split()[0], *(word.replace("%s", url) for word in words)]
        ended = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert (0, b"", b"") == (ended.returncode, ended.stdout, ended.stderr)


def test_a_plain_run_has_no_browser_unless_it_names_one(lab: Lab) -> None:
    with lab.start(scenario("")) as running:
        assert ("run", False) == (running.command, "BROWSER" in running.env)
    with lab.start(scenario('[run]\nbrowser = "denies"')) as running:
        assert "--as denies" in running.env["BROWSER"]


def test_every_run_has_an_empty_state_folder_of_its_own_until_it_stops(lab: Lab) -> None:
    with lab.start(scenario("")) as first, lab.start(scenario("")) as second:
        assert [[], []] == [list(Path(run.env["DIAGNOSE_STATE_DIR"]).iterdir()) for run in (first, second)]
        assert first.state != second.state
        (first.state / "login.json").write_text("{}")
    assert [False, False] == [run.state.exists() for run in (first, second)]


def test_a_stored_login_is_handed_over_with_its_placeholders_filled(lab: Lab) -> None:
    toml = LOGIN % "" + '[run.store.record]\nissuer = "{as}"\ntokens = {access_token = "{lapsed}"}'
    with lab.start(scenario(toml)) as running:
        lapsed = running.places["lapsed"]
        assert {"issuer": running.places["as"], "tokens": {"access_token": lapsed}} == running.stored
    with lab.start(scenario("")) as running:
        assert running.stored is None


def test_the_line_to_paste_logs_in_where_the_scenario_does(lab: Lab) -> None:
    with lab.start(scenario(LOGIN % "")) as running:
        assert f"diagnose login {running.url}" in running.command_line
        assert running.command_line.startswith(f"DIAGNOSE_STATE_DIR={running.state} BROWSER=")
    with lab.start(scenario("")) as running:
        assert f"diagnose {running.url}" == running.command_line
