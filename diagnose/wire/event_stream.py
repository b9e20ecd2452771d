"""Server-sent events, incrementally and within limits (WHATWG HTML 9.2)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Event", "EventStream", "EventTooLarge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One dispatched event. ``size`` is the length of its data in bytes."""

    type: str
    data: str
    id: str | None
    size: int


class EventTooLarge(Exception):
    """One event grew beyond the limit before it ended."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"one event is larger than {limit} bytes")
        self.limit = limit


class EventStream:
    """Feed bytes, get events. Comments and retry fields are counted, not returned."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._rest = b""
        self._data: list[str] = []
        self._size = 0
        self._type = ""
        self._id: str | None = None
        self._first = True
        self.comments = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that ``chunk`` completes. Raises EventTooLarge."""
        buffer = self._rest + chunk
        if self._first and len(buffer) >= 3:
            buffer = buffer.removeprefix(b"\xef\xbb\xbf")
            self._first = False
        # A line may end in CRLF, LF or CR; a CR at the very end may be half of a CRLF.
        held = b"\r" if buffer.endswith(b"\r") else b""
        lines = buffer.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop() + held
        if len(self._rest) + self._size > self._limit:
            raise EventTooLarge(self._limit)
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, raw: bytes) -> Event | None:
        if not raw:
            return self._dispatch()
        if raw.startswith(b":"):
            self.comments += 1
            return None
        name, _, value = raw.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._size += len(raw)
            if self._size > self._limit:
                raise EventTooLarge(self._limit)
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> Event | None:
        data, size, kind = "\n".join(self._data), self._size, self._type or "message"
        seen = bool(self._data)
        self._data, self._size, self._type = [], 0, ""
        return Event(type=kind, data=data, id=self._id, size=size) if seen else None
