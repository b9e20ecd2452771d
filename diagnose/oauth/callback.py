"""The place on this machine to which a login comes back: one answer, for one state, on loopback alone.

Any program and any web page on this machine can send requests to it, so nothing that a request says counts
before its state does (OAuth 2.1 7.5.1, RFC 8252 8.3, RFC 9207 2.4).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections import Counter
from collections.abc import Mapping
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

import h11

from diagnose.records import record
from diagnose.redact import Redactor

__all__ = ["Authorization", "CallbackListener", "PortUnavailable", "Redirect", "redirect_of"]

_LARGEST = 8 * 1024
"""Bytes of a request; a browser's is a tenth of it."""
_MOST_AT_ONCE = 20
_READING_S = 5.0
_LONGEST_TEXT = 300
_ONCE = ("state", "code", "iss", "error", "error_description")

_HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", "default-src 'none'"),
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Connection", "close"),
)
_DONE = "The login came back. You can close this window and return to diagnose."
_REFUSED = "This request is not the answer that diagnose waits for."


class PortUnavailable(Exception):
    """The address of the redirect URI cannot be listened on; the text is the system's reason."""


@record
class Redirect:
    """The parts of a loopback redirect URI; ``port`` 0 takes a free one, ``path`` None a random one."""

    host: str = "127.0.0.1"
    port: int = 0
    path: str | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        # A browser may take either address for the name, and RFC 8252 7.3 has no word for which.
        return ("127.0.0.1", "::1") if self.host == "localhost" else (self.host,)


@record
class Authorization:
    """What the right request brought: a code, or why there is none.

    ``error`` and ``description`` are only there where state and issuer were right (RFC 9207 2.4).
    """

    kind: Literal["code", "error", "issuer", "incomplete"]
    code: str | None = None
    iss: str | None = None
    error: str | None = None
    description: str | None = None


def redirect_of(uri: str | None, port: int | None = None) -> Redirect | None:
    """The redirect that ``uri`` (default: any) configures; None where it is none of this machine."""
    if uri is None:
        return Redirect(port=port or 0)
    try:
        parts = urlsplit(uri)
        host, own = parts.hostname or "", parts.port
    except ValueError:
        return None
    plain = parts.scheme == "http" and not parts.query and not parts.fragment and parts.username is None
    if not plain or host not in ("localhost", "127.0.0.1", "::1"):
        return None
    return Redirect(host=host, port=port or own or 0, path=parts.path)


class CallbackListener:
    """Listens while it is entered. ``wrong_hits`` counts what came and was not the answer."""

    def __init__(self, redirect: Redirect, redactor: Redactor) -> None:
        self._redirect = redirect
        self._redactor = redactor
        self._path = f"/{secrets.token_urlsafe(16)}" if redirect.path is None else redirect.path
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.Task[None]] = set()
        self._answer: asyncio.Future[Authorization] | None = None
        self._state: bytes | None = None
        self._issuer = ""
        self._iss_promised = False
        self._port = redirect.port
        self.wrong_hits: Counter[str] = Counter()

    async def __aenter__(self) -> CallbackListener:
        self._answer = asyncio.get_running_loop().create_future()
        try:
            for address in self._redirect.addresses:
                await self._listen(address)
        except OSError as problem:
            await self.aclose()
            raise PortUnavailable(problem.strerror or str(problem)) from problem
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _listen(self, address: str) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            server = await asyncio.start_server(
                self._serve, address, self._port, family=family, limit=_LARGEST
            )
        except OSError:
            if self._servers:  # the second address of a name: this machine may have one family alone
                return
            raise
        self._port = server.sockets[0].getsockname()[1]
        self._servers.append(server)

    async def aclose(self) -> None:
        """Stop listening and drop what is still connected."""
        for server in self._servers:
            server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    @property
    def port(self) -> int:
        return self._port

    @property
    def uri(self) -> str:
        """The redirect URI, as the authorization server gets it."""
        return f"http://{self._host}{self._path}"

    @property
    def _host(self) -> str:
        host = f"[{self._redirect.host}]" if ":" in self._redirect.host else self._redirect.host
        return f"{host}:{self._port}"

    @property
    def _hosts(self) -> tuple[str, ...]:
        # A client leaves the default port out (RFC 9110 7.2).
        return (self._host, self._host.removesuffix(":80")) if self._port == 80 else (self._host,)

    def expect(self, *, state: str, issuer: str, iss_promised: bool) -> None:
        """Take the answer to this ``state``; ``iss_promised``: the metadata says that ``iss`` comes along."""
        self._state, self._issuer, self._iss_promised = state.encode(), issuer, iss_promised

    @property
    def state(self) -> str:
        """The state that the answer has, as it was compared."""
        return (self._state or b"").decode()

    async def answer(self) -> Authorization:
        """Wait for the right request; the caller bounds the time."""
        assert self._answer is not None, "the listener is entered first"
        return await self._answer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._open) >= _MOST_AT_ONCE:
            self.wrong_hits["one connection too many"] += 1
            writer.close()
            return
        self._open.add(task)
        try:
            # A cancelled handler ends in silence: the loop would report it as our fault.
            with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(_READING_S):
                    await self._reply(reader, writer)
        finally:
            self._open.discard(task)
            writer.close()

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST)
        request = await self._request(http, reader)
        if request is None:
            return
        status = 400 if isinstance(request, str) else self._judged(request)
        if isinstance(request, str):
            self.wrong_hits[request] += 1
        text = _DONE if status == 200 else _REFUSED
        body = f"<!doctype html><title>diagnose</title><p>{text}</p>".encode()
        headers = [*_HEADERS, ("Content-Length", str(len(body)))]
        if status == 405:
            headers.append(("Allow", "GET"))
        if http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            writer.write(http.send(h11.Response(status_code=status, headers=headers)) or b"")
            writer.write((http.send(h11.Data(data=body)) or b"") + (http.send(h11.EndOfMessage()) or b""))
            await writer.drain()

    async def _request(self, http: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | str | None:
        """The head of the request, what is wrong with it, or None where none came."""
        size = 0
        while True:
            try:
                event = http.next_event()
            except h11.RemoteProtocolError:
                return "no HTTP request"
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:
                return None
            chunk = await reader.read(_LARGEST)
            size += len(chunk)
            if size > _LARGEST:
                return f"a request of more than {_LARGEST} bytes"
            if not chunk and not size:
                return None  # browsers open connections ahead of need
            http.receive_data(chunk)

    def _judged(self, request: h11.Request) -> int:
        """The status for a request; the first right one becomes the answer."""
        target = request.target.decode("ascii", "replace")
        path, _, query = target.partition("?")
        hosts = [value.decode("ascii", "replace") for name, value in request.headers if name == b"host"]
        if request.method != b"GET":
            return self._wrong("another method than GET", 405)
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return self._wrong("another Host than the listener's", 421)
        if path == "/favicon.ico":
            return 404  # what a browser asks for by itself
        if not secrets.compare_digest(path.encode(), (self._path or "/").encode()):
            return self._wrong("another path than the listener's", 404)
        given = _parameters(query)
        if given is None:
            return self._wrong("a parameter given twice, or no query at all", 400)
        # The state comes before everything else: a page that guesses the port must not use up the answer.
        if self._state is None or not secrets.compare_digest(given.get("state", "").encode(), self._state):
            return self._wrong("another state than this login's", 403)
        assert self._answer is not None
        if self._answer.done():
            return 410  # a page that is loaded again; nobody else knows the state
        if given.get("code"):
            self._redactor.register(given["code"])
        self._answer.set_result(self._authorization(given))
        return 200

    def _wrong(self, what: str, status: int) -> int:
        self.wrong_hits[what] += 1
        return status

    def _authorization(self, given: Mapping[str, str]) -> Authorization:
        iss = given.get("iss")
        # RFC 9207 2.4: simple string comparison, and absence is a mismatch where the server promised it.
        if iss != self._issuer if iss is not None else self._iss_promised:
            return Authorization(kind="issuer", iss=iss[:_LONGEST_TEXT] if iss is not None else None)
        if "error" in given:
            words = given.get("error_description")
            return Authorization(
                kind="error",
                iss=iss,
                error=given["error"][:_LONGEST_TEXT],
                description=words[:_LONGEST_TEXT] if words else None,
            )
        if not given.get("code"):
            return Authorization(kind="incomplete", iss=iss)
        return Authorization(kind="code", code=given["code"], iss=iss)


def _parameters(query: str) -> dict[str, str] | None:
    """The parameters; None where one of ours stands twice (RFC 6749 3.1) or there is nothing to read."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return None
    counted = Counter(name for name, _ in pairs)
    if not pairs or any(counted[name] > 1 for name in _ONCE):
        return None
    return dict(pairs)
