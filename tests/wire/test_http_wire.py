"""The wire: one coding layer, decoded in small pieces, bounded; and the record of how far an answer got."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise

import pytest
from diagnose_lab import Lab, Running
from hypothesis import given
from hypothesis import strategies as st

from diagnose.connector.credential import Applied
from diagnose.wire.http_wire import _PIECE, ExchangeFailed, HttpWire, _Decoder
from diagnose.wire.recorder import KEPT_BODY, Recorder
from diagnose.wire.resolver import Address
from diagnose.wire.sockets import WireStream, connect
from diagnose.wire.transport import StagedTransport
from diagnose.wire.trust import unverified

GZIP, DEFLATE = (31,), (15, -15)
LIMIT = 1024 * 1024


def decoded(window_bits: tuple[int, ...], *chunks: bytes) -> bytes:
    decoder = _Decoder(window_bits)
    return b"".join(piece for chunk in chunks for piece in decoder.pieces(chunk))


def cut(text: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({min(place, len(text)) for place in places} | {0, len(text)})
    return [text[start:stop] for start, stop in pairwise(marks)]


@given(body=st.binary(max_size=2000), places=st.lists(st.integers(0, 2000), max_size=8))
def test_gzip_is_decoded_however_it_arrives(body: bytes, places: list[int]) -> None:
    assert body == decoded(GZIP, *cut(gzip.compress(body), places))


@given(body=st.binary(min_size=1, max_size=2000))
def test_deflate_is_read_with_and_without_its_zlib_header(body: bytes) -> None:
    bare = zlib.compressobj(wbits=-15)
    assert body == decoded(DEFLATE, zlib.compress(body))
    assert body == decoded(DEFLATE, bare.compress(body) + bare.flush())


@given(chunks=st.lists(st.binary(max_size=60), max_size=6), bits=st.sampled_from((GZIP, DEFLATE)))
def test_bytes_that_are_not_compressed_end_in_an_error_and_not_in_a_crash(
    chunks: list[bytes], bits: tuple[int, ...]
) -> None:
    with suppress(zlib.error):
        decoded(bits, *chunks)


def test_a_bomb_comes_out_in_pieces() -> None:
    decoder = _Decoder(GZIP)
    sizes = [len(piece) for piece in decoder.pieces(gzip.compress(b" " * 8 * _PIECE))]
    assert _PIECE == max(sizes)
    assert 8 * _PIECE == sum(sizes)


def test_what_follows_the_compressed_data_is_dropped_and_not_hoarded() -> None:
    decoder = _Decoder(GZIP)
    assert b"a" == b"".join(decoder.pieces(gzip.compress(b"a")))
    assert [] == [piece for _ in range(100) for piece in decoder.pieces(b"x" * 1000)]
    assert b"" == decoder._inflate.unused_data


def test_a_compressed_body_that_ends_early_is_unfinished() -> None:
    decoder = _Decoder(GZIP)
    list(decoder.pieces(gzip.compress(b"a" * 1000)[:-10]))
    assert decoder.unfinished


def test_an_empty_body_is_finished_whatever_its_coding() -> None:
    assert not _Decoder(GZIP).unfinished


@asynccontextmanager
async def wire_to(running: Running) -> AsyncIterator[HttpWire]:
    async def dial(host: str, port: int) -> WireStream:
        return await connect(Address(ip="127.0.0.1", port=port))

    wire = HttpWire(
        StagedTransport(dial, unverified()),
        Recorder(),
        authorize=lambda url: Applied(),
        user_agent="test",
        body_limit=LIMIT,
    )
    try:
        yield wire
    finally:
        await wire.aclose()


async def failure(running: Running) -> ExchangeFailed:
    body = b'{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{}}'
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    async with wire_to(running) as wire:
        try:
            await wire.fetch("POST", running.url, step="http_reachability", headers=headers, body=body)
        except ExchangeFailed as problem:
            return problem
    raise AssertionError("the exchange did not fail")


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [
        ("http-closed", "closed"),
        ("http-reset", "reset"),
        ("http-not-http", "not-http"),
        ("http-banner", "not-http"),
        ("http-headers-flood", "headers-too-large"),
        ("http-header-huge", "headers-too-large"),
        ("http-gzip-bomb", "too-large"),
        ("http-endless", "too-large"),
        ("http-short-body", "truncated"),
        ("http-brotli", "encoding"),
        ("http-double-gzip", "encoding"),
        ("http-false-gzip", "encoding"),
    ],
)
def test_a_broken_exchange_says_how_it_broke(lab: Lab, scenario: str, kind: str) -> None:
    with lab.start(scenario) as running:
        assert kind == asyncio.run(failure(running)).kind


def test_reading_stops_at_the_limit_and_keeps_little(lab: Lab) -> None:
    with lab.start("http-gzip-bomb") as running:
        problem = asyncio.run(failure(running))
    assert LIMIT < problem.exchange.body_size <= LIMIT + _PIECE
    assert len(problem.exchange.body) < 2 * KEPT_BODY


def test_the_record_knows_the_peer_and_the_first_bytes_of_a_stranger(lab: Lab) -> None:
    with lab.start("http-banner") as running:
        exchange = asyncio.run(failure(running)).exchange
    assert "127.0.0.1" == exchange.peer
    assert exchange.first_bytes.startswith(b"SSH-2.0")


def test_progress_counts_bytes_that_make_no_headers_yet(lab: Lab) -> None:
    async def waited(running: Running) -> str:
        async with wire_to(running) as wire:
            try:
                async with asyncio.timeout(0.3):
                    await wire.fetch("POST", running.url, step="s", body=b'{"method":"server/discover"}')
            except TimeoutError:
                return wire.recorder.get(1).progress()
        raise AssertionError("the answer came")

    with lab.start("http-drip") as running:
        assert "do not make complete HTTP headers" in asyncio.run(waited(running))
    with lab.start("http-timeout") as running:
        assert "not one byte of an answer" == asyncio.run(waited(running))
