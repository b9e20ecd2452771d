"""``diagnose serve --web``: who is let in, what the page loads, and what is left when a page is closed."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from cli.conftest import Run

pytest.importorskip("textual_serve", reason="the extra web is not installed here")

import aiohttp
from aiohttp import web
from diagnose_tui.browser.door import Door, new_key
from diagnose_tui.browser.server import AppServer
from diagnose_tui.browser.serving import listening
from diagnose_tui.browser.visit import Visit, bounded
from textual_serve.download_manager import DownloadManager

_PATIENCE_S = 60


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running ``diagnose serve --web``."""

    url: str
    process: psutil.Process
    child: subprocess.Popen[str]

    @property
    def host(self) -> str:
        return self.url.split("/")[2]

    @property
    def key(self) -> str:
        return self.url.split("/")[3]


@contextmanager
def served(*words: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "diagnose", "serve", "--web", *words]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        yield Served(url=child.stdout.readline().strip(), process=psutil.Process(child.pid), child=child)
    finally:
        child.terminate()
        child.communicate(timeout=_PATIENCE_S)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """One server for the tests that only ask it something."""
    with served("--demo", "tls-expired") as running:
        yield running


def test_the_address_is_this_machines_and_its_key_is_new_each_time(server: Served) -> None:
    form = r"http://127\.0\.0\.1:\d+/[\w-]{43}/"
    with served() as other:
        assert re.fullmatch(form, other.url)
        assert other.key != server.key
    assert re.fullmatch(form, server.url)


def test_a_warning_says_what_an_address_opens() -> None:
    with served() as running:
        running.child.send_signal(signal.SIGTERM)
        _, said = running.child.communicate(timeout=_PATIENCE_S)
    assert "Whoever opens this address acts as you" in said


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Any
    text: str


def asked(url: str, **headers: str) -> Answer:
    async def get() -> Answer:
        async with aiohttp.ClientSession() as client, client.get(url, headers=headers) as answer:
            return Answer(status=answer.status, headers=answer.headers.copy(), text=await answer.text())

    return asyncio.run(get())


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("KEY/", {}, 200),
        ("KEY/", {"Origin": "http://HOST"}, 200),
        ("KEY/own/page.js", {}, 200),
        ("KEY/own/page.html", {}, 404),
        ("KEY/own/..%2fserver.py", {}, 404),
        ("KEY/static/js/textual.js", {}, 200),
        ("KEY/static/", {}, 403),
        ("KEY/static/..%2f..%2fserver.py", {}, 404),
        ("", {}, 404),
        ("another-key/", {}, 404),
        ("static/js/textual.js", {}, 404),
        ("download/00000000000000000000000000000000", {}, 404),
        ("KEY/", {"Host": "attacker.example"}, 403),
        ("KEY/", {"Host": "127.0.0.1"}, 403),
        ("KEY/", {"Origin": "http://attacker.example"}, 403),
        ("KEY/", {"Origin": "null"}, 403),
    ],
)
def test_only_who_has_the_key_and_comes_from_here_gets_an_answer(
    server: Served, path: str, headers: dict[str, str], status: int
) -> None:
    base = f"http://{server.host}/"
    given = {name: value.replace("HOST", server.host) for name, value in headers.items()}
    assert status == asked(base + path.replace("KEY", server.key), **given).status


@pytest.mark.parametrize(
    ("path", "origin", "status"),
    [
        ("KEY/ws", "http://HOST", 101),
        ("KEY/ws", "http://attacker.example", 403),
        ("KEY/ws", "https://HOST", 403),
        ("KEY/ws", None, 403),
        ("another-key/ws", "http://HOST", 404),
        ("ws", "http://HOST", 404),
    ],
)
def test_a_terminal_is_opened_by_a_page_of_ours_alone(
    server: Served, path: str, origin: str | None, status: int
) -> None:
    async def upgraded() -> int:
        headers = {"Origin": origin.replace("HOST", server.host)} if origin is not None else {}
        url = f"http://{server.host}/{path.replace('KEY', server.key)}"
        try:
            async with aiohttp.ClientSession() as client, client.ws_connect(url, headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as refused:
            return refused.status

    assert status == asyncio.run(upgraded())


def test_the_page_loads_nothing_from_elsewhere(server: Served) -> None:
    page = asked(server.url)
    style = asked(f"{server.url}own/page.css").text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text) + re.findall(r'url\("([^"]+)"\)', style)
    assert [] == [url for url in loaded if ":" in url and not url.startswith("data:")]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "http" not in page.headers["Content-Security-Policy"].replace(f"http://{server.host}", "")
    assert "no-referrer" == page.headers["Referrer-Policy"]
    assert "no-store" == page.headers["Cache-Control"]


@asynccontextmanager
async def terminal(server: Served, size: str = "width=100&height=30") -> Any:
    url = f"{server.url}ws?{size}"
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(url, headers={"Origin": f"http://{server.host}"}) as opened,
    ):
        yield opened


async def shows(opened: Any, text: str) -> None:
    """Wait until the app has drawn ``text``."""
    seen = ""
    async with asyncio.timeout(_PATIENCE_S):
        while text not in re.sub(r"\x1b\[[0-9;?$]*[a-zA-Z]", "", seen):
            message = await opened.receive()
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
            if message.type is aiohttp.WSMsgType.BINARY:
                seen += message.data.decode("utf-8", "replace")


def test_a_page_gets_an_app_of_its_own_with_the_words_of_the_command_line(server: Served) -> None:
    async def opened() -> list[str]:
        async with terminal(server) as one:
            await shows(one, "TLS003")
            return [word for child in server.process.children() for word in child.cmdline()]

    words = asyncio.run(opened())
    assert ["-m", "diagnose_tui.browser.visitor", "--demo", "tls-expired"] == words[-4:]


def test_a_key_reaches_the_app_and_its_end_is_the_end_of_the_page(server: Served) -> None:
    async def left() -> Any:
        async with terminal(server) as one:
            await shows(one, "TLS003")
            await one.send_json(["stdin", "q"])
            async with asyncio.timeout(_PATIENCE_S):
                while True:
                    message = await one.receive()
                    if message.type is not aiohttp.WSMsgType.BINARY:
                        return message.type

    assert asyncio.run(left()) in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


def test_a_page_that_is_closed_leaves_no_process(server: Served) -> None:
    async def closed() -> list[psutil.Process]:
        async with terminal(server) as one:
            await shows(one, "TLS003")
            return server.process.children(recursive=True)

    _, alive = psutil.wait_procs(asyncio.run(closed()), timeout=_PATIENCE_S)
    assert [] == alive


@pytest.mark.skipif(sys.platform == "win32", reason="Windows passes no pipe on by its number")
def test_a_server_that_is_killed_leaves_no_process() -> None:
    with served("--demo", "tls-expired") as running:

        async def killed() -> list[psutil.Process]:
            async with terminal(running) as one:
                await shows(one, "TLS003")
                children = running.process.children(recursive=True)
                running.child.kill()
                return children

        _, alive = psutil.wait_procs(asyncio.run(killed()), timeout=_PATIENCE_S)
        assert [] == alive


@pytest.mark.parametrize("said", ["nonsense", "[]", '["resize", {}]', '["stdin"]', '["stdin", 7]', "{}"])
def test_what_no_page_of_ours_says_ends_that_page_and_not_the_server(server: Served, said: str) -> None:
    async def answered() -> Any:
        async with terminal(server) as one:
            await one.send_str(said)
            async with asyncio.timeout(_PATIENCE_S):
                while True:
                    message = await one.receive()
                    if message.type is aiohttp.WSMsgType.CLOSE:
                        return message.data

    assert 1003 == asyncio.run(answered())
    assert 200 == asked(server.url).status


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_end_of_the_server_ends_every_page_and_its_process(number: int) -> None:
    with served("--demo", "tls-expired") as running:

        async def ended() -> list[psutil.Process]:
            async with terminal(running) as one:
                await shows(one, "TLS003")
                children = running.process.children(recursive=True)
                running.child.send_signal(number)
                async with asyncio.timeout(_PATIENCE_S):
                    async for _ in one:
                        pass
                return children

        children = asyncio.run(ended())
        assert 0 == running.child.wait(_PATIENCE_S)
        assert [] == psutil.wait_procs(children, timeout=_PATIENCE_S)[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "add --web"),
        (["--web", "--host", "10.0.0.1"], "whoever opens the app runs commands as you"),
        (["--web", "--host", "example.com"], "ssh -L"),
        (["--web", "--nosuch"], "there is no option --nosuch"),
        (["--web", "--demo", "no-such-scenario"], "no-such-scenario"),
        (["--web", "https:/x"], "CFG001"),
        (["--web", "https://mcp.example.com/mcp", "--args", "{}"], "--tool"),
    ],
)
def test_what_cannot_be_served_is_refused_before_anything_listens(
    diagnose: Run, words: list[str], said: str
) -> None:
    done = diagnose("serve", *words)
    assert (2, "") == (done.returncode, done.stdout)
    assert said in done.stderr
    assert 1 == len(done.stderr.strip().splitlines())


def test_a_name_that_no_connector_has_is_refused_as_everywhere(diagnose: Run) -> None:
    done = diagnose("serve", "--web", "no-such-connector")
    assert (3, "") == (done.returncode, done.stdout)
    assert "CFG011" in done.stderr


def test_a_port_that_is_taken_is_refused(diagnose: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = diagnose("serve", "--web", "--port", str(port))
    assert (2, "") == (done.returncode, done.stdout)
    assert f"port {port} of 127.0.0.1 cannot be used" in done.stderr


_WITHOUT = """
import sys
sys.modules["textual_serve"] = None  # as where the extra is not installed
from diagnose.cli import main
sys.exit(main(["serve", "--web"]))
"""


def test_without_the_extra_one_sentence_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT], capture_output=True, text=True, check=False, timeout=_PATIENCE_S
    )
    assert (2, "") == (done.returncode, done.stdout)
    assert 'pip install "connector-diagnose[web]"' in done.stderr
    assert 1 == len(done.stderr.strip().splitlines())


@pytest.mark.parametrize(
    ("said", "cells"), [("80", 80), (0, 1), (-5, 1), (10**9, 1000), ("many", 80), (None, 80), (7.5, 80)]
)
def test_no_page_asks_for_a_terminal_of_an_impossible_size(said: object, cells: int) -> None:
    assert cells == bounded(said)


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("https://auth.example.com/authorize", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("file:///etc/passwd", False),
        (None, False),
    ],
)
def test_the_browser_is_sent_to_web_addresses_alone(url: str | None, opened: bool) -> None:
    sent: list[str] = []

    async def keep(text: str) -> None:
        sent.append(text)

    async def ignore(*_: object) -> None:
        return None

    visit = Visit(["app"], write_bytes=ignore, write_str=keep, close=ignore, downloads=DownloadManager())
    asyncio.run(visit.on_meta(json.dumps({"type": "open_url", "url": url, "new_tab": True}).encode()))
    assert opened is bool(sent)


def test_a_file_that_the_app_gives_is_fetched_by_its_own_key_and_runs_nothing() -> None:
    app = Path(__file__).parents[1] / "tui" / "delivering_app.py"

    async def fetched() -> Answer:
        async with AsyncExitStack() as closing:
            sock = listening("127.0.0.1", 0)
            host = f"127.0.0.1:{sock.getsockname()[1]}"
            door = Door(key=new_key(), hosts=frozenset({host}))
            runner = web.AppRunner(
                AppServer([sys.executable, str(app)], door=door, title="x").application(), access_log=None
            )
            await runner.setup()
            closing.push_async_callback(runner.cleanup)
            await web.SockSite(runner, sock).start()
            client = await closing.enter_async_context(aiohttp.ClientSession())
            opened = await client.ws_connect(
                f"http://{host}/{door.key}/ws", headers={"Origin": f"http://{host}"}
            )
            await opened.send_json(["stdin", "d"])
            async with asyncio.timeout(_PATIENCE_S):
                while (message := await opened.receive()).type is not aiohttp.WSMsgType.TEXT:
                    continue
            kind, key = message.json()
            assert "deliver_file_start" == kind
            async with client.get(f"http://{host}/download/{key}") as answer:
                made = Answer(status=answer.status, headers=answer.headers.copy(), text=await answer.text())
            await opened.close()
            return made

    answer = asyncio.run(fetched())
    assert (200, "image/svg+xml; charset=utf-8") == (answer.status, answer.headers["Content-Type"])
    assert "<script>" in answer.text
    assert "default-src 'none'; script-src 'self'" in answer.headers["Content-Security-Policy"]
