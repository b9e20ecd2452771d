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
    """Feed bytes, get events. Comments are counted and the last retry field is kept; neither is returned."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._rest: list[bytes] = []
        self._held = 0
        self._data: list[str] = []
        self._size = 0
        self._type = ""
        self._id: str | None = None
        self._first = True
        self._after_cr = False
        self.comments = 0
        self.retry_ms: int | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that ``chunk`` completes. Raises EventTooLarge."""
        if not chunk:
            return []
        # A line may end in CRLF, LF or CR. A CR at the end of one chunk ends its line at once; an LF that
        # follows in the next chunk is the second half of that line end.
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r") if chunk else False
        *lines, rest = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        if lines:
            lines[0] = b"".join((*self._rest, lines[0]))
            self._rest, self._held = [], 0
        self._rest.append(rest)
        self._held += len(rest)
        if self._held + self._size > self._limit:
            raise EventTooLarge(self._limit)
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, raw: bytes) -> Event | None:
        if self._first:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
            self._first = False
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
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value[:9])
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> Event | None:
        data, size, kind = "\n".join(self._data), self._size, self._type or "message"
        seen = bool(self._data)
        self._data, self._size, self._type = [], 0, ""
        return Event(type=kind, data=data, id=self._id, size=size) if seen else None
