"""The loopback callback of a login, met by everything that a stranger on this machine can send."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from diagnose.oauth.callback import (
    Authorization,
    CallbackListener,
    PortUnavailable,
    Redirect,
    redirect_of,
)
from diagnose.redact import Redactor

STATE = "state-of-this-login-7f3a91"
ISSUER = "https://auth.example.com"
CODE = "code-of-this-login-52c0de"


@asynccontextmanager
async def listening(
    redirect: Redirect | None = None, redactor: Redactor | None = None, *, iss_promised: bool = False
) -> AsyncIterator[CallbackListener]:
    async with CallbackListener(redirect or Redirect(), redactor or Redactor()) as listener:
        listener.expect(state=STATE, issuer=ISSUER, iss_promised=iss_promised)
        yield listener


async def sent(listener: CallbackListener, raw: bytes, address: str = "127.0.0.1") -> bytes:
    reader, writer = await asyncio.open_connection(address, listener.port)
    writer.write(raw)
    with suppress(ConnectionError):
        writer.write_eof()
    answer = b""
    with suppress(ConnectionError):
        answer = await reader.read()
    writer.close()
    return answer


def request(
    listener: CallbackListener,
    query: str = f"code={CODE}&state={STATE}",
    *,
    method: str = "GET",
    host: str | None = None,
    path: str | None = None,
    more: str = "",
) -> bytes:
    place = urlsplit(listener.uri)
    target = (place.path if path is None else path) + (f"?{query}" if query else "")
    return f"{method} {target} HTTP/1.1\r\nHost: {host or place.netloc}\r\n{more}\r\n".encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


async def came(listener: CallbackListener) -> Authorization:
    return await asyncio.wait_for(listener.answer(), 5)


def test_the_right_answer_gives_the_code_and_a_page_that_says_nothing_of_it() -> None:
    async def hit() -> tuple[bytes, Authorization]:
        async with listening() as listener:
            return await sent(listener, request(listener)), await came(listener)

    answer, authorization = asyncio.run(hit())

    assert 200 == status(answer)
    assert ("code", CODE) == (authorization.kind, authorization.code)
    assert CODE.encode() not in answer
    assert STATE.encode() not in answer
    for header in (
        b"Connection: close",
        b"Content-Security-Policy: default-src 'none'",
        b"Cache-Control: no-store",
        b"Referrer-Policy: no-referrer",
    ):
        assert header in answer


@pytest.mark.parametrize(
    ("change", "expected", "counted"),
    [
        ({"query": f"code=x&state={STATE}x"}, 403, "another state than this login's"),
        ({"query": "code=x"}, 403, "another state than this login's"),
        ({"query": f"error=access_denied&state={STATE[:-1]}"}, 403, "another state than this login's"),
        ({"method": "POST"}, 405, "another method than GET"),
        ({"method": "HEAD"}, 405, "another method than GET"),
        ({"host": "attacker.example"}, 421, "another Host than the listener's"),
        ({"host": "localhost"}, 421, "another Host than the listener's"),
        ({"path": "/"}, 404, "another path than the listener's"),
        ({"path": "/callback"}, 404, "another path than the listener's"),
        (
            {"query": f"code=x&state={STATE}&state={STATE}"},
            400,
            "a parameter given twice, or no query at all",
        ),
        ({"query": ""}, 400, "a parameter given twice, or no query at all"),
    ],
)
def test_a_wrong_hit_is_refused_counted_and_does_not_use_up_the_answer(
    change: dict[str, str], expected: int, counted: str
) -> None:
    async def hit() -> tuple[bytes, dict[str, int], Authorization]:
        async with listening() as listener:
            wrong = await sent(listener, request(listener, **change))
            await sent(listener, request(listener))
            return wrong, dict(listener.wrong_hits), await came(listener)

    wrong, hits, authorization = asyncio.run(hit())

    assert expected == status(wrong)
    assert {counted: 1} == hits
    assert CODE == authorization.code


def test_a_request_of_more_than_8_kib_is_refused_before_it_ends() -> None:
    async def hit() -> tuple[bytes, dict[str, int], Authorization]:
        async with listening() as listener:
            wrong = await sent(listener, request(listener, f"code=x&state={STATE}&pad=" + "x" * 1_000_000))
            await sent(listener, request(listener))
            return wrong, dict(listener.wrong_hits), await came(listener)

    wrong, hits, authorization = asyncio.run(hit())

    assert status(wrong) in (0, 400)  # the rest of it may still be on its way when the connection closes
    assert {"a request of more than 8192 bytes": 1} == hits
    assert CODE == authorization.code


def test_the_answer_is_taken_once_and_a_reload_is_no_attack() -> None:
    async def hit() -> tuple[bytes, dict[str, int], Authorization]:
        async with listening() as listener:
            await sent(listener, request(listener))
            again = await sent(listener, request(listener, f"code=another&state={STATE}"))
            return again, dict(listener.wrong_hits), await came(listener)

    again, hits, authorization = asyncio.run(hit())

    assert 410 == status(again)
    assert {} == hits
    assert CODE == authorization.code


def test_what_a_browser_asks_for_by_itself_is_not_counted() -> None:
    async def hit() -> tuple[bytes, dict[str, int]]:
        async with listening() as listener:
            icon = await sent(listener, request(listener, "", path="/favicon.ico"))
            await sent(listener, b"")  # a connection ahead of need
            return icon, dict(listener.wrong_hits)

    icon, hits = asyncio.run(hit())

    assert 404 == status(icon)
    assert {} == hits


@pytest.mark.parametrize(
    ("iss", "promised", "kind"),
    [
        (ISSUER, True, "code"),
        (None, False, "code"),
        (None, True, "issuer"),
        (f"{ISSUER}/", False, "issuer"),
        ("https://AUTH.example.com", False, "issuer"),
        ("", False, "issuer"),
    ],
)
def test_iss_is_compared_byte_for_byte(iss: str | None, promised: bool, kind: str) -> None:
    async def hit() -> Authorization:
        async with listening(iss_promised=promised) as listener:
            named = "" if iss is None else f"&iss={quote(iss, safe='')}"
            await sent(listener, request(listener, f"code={CODE}&state={STATE}{named}"))
            return await came(listener)

    assert kind == asyncio.run(hit()).kind


def test_an_error_is_told_only_where_the_issuer_is_right() -> None:
    async def hit(iss: str) -> Authorization:
        async with listening() as listener:
            query = f"error=access_denied&error_description=Go+to+evil.example&state={STATE}&iss={quote(iss)}"
            await sent(listener, request(listener, query))
            return await came(listener)

    told, hidden = asyncio.run(hit(ISSUER)), asyncio.run(hit("https://evil.example"))

    assert ("error", "access_denied") == (told.kind, told.error)
    assert ("issuer", None, None) == (hidden.kind, hidden.error, hidden.description)


def test_the_code_is_hidden_as_soon_as_it_came() -> None:
    redactor = Redactor()

    async def hit() -> None:
        async with listening(redactor=redactor) as listener:
            await sent(listener, request(listener))
            await came(listener)

    asyncio.run(hit())

    assert "the code is [redacted]" == redactor.text(f"the code is {CODE}")


def test_it_listens_on_loopback_alone_at_a_free_port_and_a_path_that_nobody_guesses() -> None:
    async def addresses() -> tuple[set[str], str, str]:
        async with listening() as one, listening() as other:
            bound = {sock.getsockname()[0] for server in one._servers for sock in server.sockets}
            return bound, one.uri, other.uri

    bound, one, other = asyncio.run(addresses())

    assert {"127.0.0.1"} == bound
    assert urlsplit(one).hostname == "127.0.0.1"
    assert urlsplit(one).path != urlsplit(other).path
    assert len(urlsplit(one).path) > 20


def test_a_configured_redirect_is_kept_byte_for_byte_and_checked_by_its_own_name() -> None:
    async def hit() -> tuple[str, int, bytes, bytes]:
        redirect = redirect_of("http://localhost/callback")
        assert redirect is not None
        async with listening(redirect) as listener:
            wrong = await sent(listener, request(listener, host=f"127.0.0.1:{listener.port}"))
            right = await sent(listener, request(listener))
            return listener.uri, listener.port, wrong, right

    uri, port, wrong, right = asyncio.run(hit())

    assert f"http://localhost:{port}/callback" == uri
    assert (421, 200) == (status(wrong), status(right))


@pytest.mark.parametrize(
    "uri",
    [
        "https://127.0.0.1/callback",
        "http://192.0.2.7/callback",
        "http://localhost.evil.example/callback",
        "http://user@127.0.0.1/callback",
        "http://127.0.0.1/callback?next=1",
        "http://127.0.0.1:99999/callback",
        "com.example.app:/callback",
        "//127.0.0.1/callback",
    ],
)
def test_a_redirect_that_is_no_place_on_this_machine_is_none(uri: str) -> None:
    assert redirect_of(uri) is None


def test_a_taken_port_is_said_before_anything_else_happens() -> None:
    async def hit() -> str:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(PortUnavailable) as refused:
                async with listening(Redirect(port=taken.getsockname()[1])):
                    pass
        return str(refused.value)

    assert "in use" in asyncio.run(hit()).lower()


def test_twenty_silent_connections_do_not_shut_the_answer_out() -> None:
    async def hit() -> Authorization:
        async with listening() as listener:
            held = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(20)]
            for _, writer in held[:5]:
                writer.close()  # one place is free again as soon as anybody leaves
                await writer.wait_closed()
            answer = b""
            while not answer:
                answer = await sent(listener, request(listener))
            for _, writer in held[5:]:
                writer.close()
            return await came(listener)

    assert CODE == asyncio.run(hit()).code


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000))
@example(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
@example(b"GET http://127.0.0.1/ HTTP/1.1\r\nHost: \xff\r\n\r\n")
@example(b"\x16\x03\x01\x02\x00\x01\x00")
@example(b"GET /?state=%ff&state HTTP/1.0\r\n\r\n")
def test_no_bytes_end_the_wait_or_get_a_success(raw: bytes) -> None:
    async def hit() -> tuple[bytes, Authorization]:
        async with listening() as listener:
            answer = await sent(listener, raw)
            await sent(listener, request(listener))
            return answer, await came(listener)

    answer, authorization = asyncio.run(hit())

    assert status(answer) in (0, 400, 403, 404, 405, 421)
    assert CODE == authorization.code


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="&#", codec="utf-8"), max_size=200))
def test_no_other_query_gets_past_the_state(text: str) -> None:
    async def hit() -> bytes:
        async with listening() as listener:
            return await sent(listener, request(listener, f"code=x&{quote(text, safe='=+%')}"))

    assert 200 != status(asyncio.run(hit()))
