"""What was seen of a TLS handshake: first bytes, alerts, whether a client certificate was asked for."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio.abc

from diagnose.records import record

__all__ = ["Handshake", "Presented", "presented", "presented_chain"]

_KEPT = 4096
_ALERT, _HANDSHAKE = 21, 22
_NEW_SESSION_TICKET, _CERTIFICATE_REQUEST = 4, 13


@dataclass(slots=True)
class Handshake:
    """A record of one handshake.

    ``alert`` is the number of the peer's last alert (RFC 8446 6). ``ticket`` says that the server went on
    after our last flight, which it does only when it accepted it. None of the three is known where the
    context is not OpenSSL's own.
    """

    first_bytes: bytes = b""
    received: int = 0
    alert: int | None = None
    certificate_requested: bool = False
    ticket: bool = False

    def tap(self, stream: anyio.abc.ByteStream) -> anyio.abc.ByteStream:
        """``stream``, with its first bytes noted here."""
        return _Tapped(stream, self)

    @contextmanager
    def watching(self, context: ssl.SSLContext) -> Iterator[None]:
        """Note the messages of a handshake that is made with ``context``.

        OpenSSL's message callback is the only place that shows a TLS 1.3 CertificateRequest and the number
        of an alert; CPython exposes it as the private ``_msg_callback`` (3.8 and later), so that its absence
        must change nothing but what is known.
        """
        settable: Any = context
        if type(context) is not ssl.SSLContext or not hasattr(context, "_msg_callback"):
            yield
            return
        settable._msg_callback = self._note
        try:
            yield
        finally:
            settable._msg_callback = None

    def _note(
        self, _conn: object, direction: str, _version: int, content: int, message: int, data: bytes
    ) -> None:
        if direction != "read":
            return
        if int(content) == _ALERT and len(data) == 2:
            # Level warning is no refusal (close_notify, unrecognized_name of some TLS 1.2 servers).
            self.alert = data[1] if data[0] == 2 else self.alert
        elif int(content) == _HANDSHAKE:
            self.certificate_requested |= int(message) == _CERTIFICATE_REQUEST
            self.ticket |= int(message) == _NEW_SESSION_TICKET


class _Tapped(anyio.abc.ByteStream):
    """Stands between TLS and TCP for the length of a handshake."""

    def __init__(self, stream: anyio.abc.ByteStream, record: Handshake) -> None:
        self._stream = stream
        self._record = record

    async def receive(self, max_bytes: int = 65536) -> bytes:
        chunk = await self._stream.receive(max_bytes)
        room = _KEPT - len(self._record.first_bytes)
        self._record.first_bytes += chunk[:room]
        self._record.received += len(chunk)
        return chunk

    async def send(self, item: bytes) -> None:
        await self._stream.send(item)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return self._stream.extra_attributes


@record
class Presented:
    """One certificate that the peer sent; ``info`` has the form of ``getpeercert``."""

    info: Mapping[str, Any]
    der: bytes


def presented(peer: ssl.SSLObject, *, most: int = 10) -> tuple[Presented, ...]:
    """The certificates that the peer of a verified handshake sent, leaf first; no library is loaded for it.

    Only the private member, which all versions have, gives them decoded; without it there is the leaf.
    """
    inner = getattr(getattr(peer, "_sslobj", None), "get_unverified_chain", None)
    sent = (inner() or ())[:most] if inner is not None else ()
    read = tuple(entry for entry in map(_read, sent) if entry is not None)
    leaf, info = peer.getpeercert(binary_form=True), peer.getpeercert()
    return read or ((Presented(info=info, der=leaf),) if leaf and info else ())


def _read(entry: Any) -> Presented | None:
    try:
        return Presented(info=entry.get_info(), der=ssl.PEM_cert_to_DER_cert(entry.public_bytes()))
    except (AttributeError, ValueError, ssl.SSLError):
        return None  # one that the verification went past, and that OpenSSL does not decode


def presented_chain(peer: ssl.SSLObject) -> tuple[bytes, ...]:
    """The certificates that the peer sent, leaf first, as DER; at least the leaf where it sent one.

    Public from Python 3.13 on; 3.11 and 3.12 have the same function on a private member only.
    """
    chain = getattr(peer, "get_unverified_chain", None)
    if chain is not None:
        return tuple(bytes(entry) for entry in chain() or ())
    inner = getattr(getattr(peer, "_sslobj", None), "get_unverified_chain", None)
    if inner is not None:
        return tuple(ssl.PEM_cert_to_DER_cert(entry.public_bytes()) for entry in inner() or ())
    leaf = peer.getpeercert(binary_form=True)
    return (leaf,) if leaf else ()
