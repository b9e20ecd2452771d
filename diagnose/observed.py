"""What is seen of a run beside its results, ready to be shown: exchanges while it goes on, and the tools."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, overload

from diagnose import model
from diagnose.redact import Redactor
from diagnose.wire.event_stream import EventStream, EventTooLarge
from diagnose.wire.recorder import KEPT_BODY, Recorded, Recorder
from diagnose.wire.strict_json import HostileJson, parse

__all__ = ["CleanTools", "LiveExchanges", "offered_tools"]

_Page = tuple[str | None, Mapping[str, Any]]

# What display makes of a character that JSON may hold as it is, in a form that JSON does not know.
_WRITTEN_OUT = re.compile(r"(?<!\\)((?:\\\\)*)\\(x[0-9a-f]{2}|U[0-9a-f]{8})")


class LiveExchanges:
    """The exchanges of a run as its report will hold them; each is read anew only when it has changed."""

    def __init__(self, recorder: Recorder, redactor: Redactor) -> None:
        self._recorder = recorder
        self._redactor = redactor
        self._read: dict[int, tuple[tuple[object, ...], model.Exchange]] = {}

    def read(self, run_began: float, wanted: Collection[int] | None = None) -> list[model.Exchange]:
        """All of them, or those with a number in ``wanted``. ``run_began`` is on the monotonic clock."""
        every = (*self._recorder.carried, *self._recorder.exchanges)
        return [
            self._one(exchange, run_began) for exchange in every if wanted is None or exchange.id in wanted
        ]

    def _one(self, exchange: Recorded, run_began: float) -> model.Exchange:
        # A secret that became known since may stand in what was read before.
        state = (_state(exchange), self._redactor.secrets)
        before = self._read.get(exchange.id)
        if before is not None and before[0] == state:
            return before[1]
        shown = exchange.report(self._redactor, run_began=run_began)
        self._read[exchange.id] = (state, shown)
        return shown


def _state(exchange: Recorded) -> tuple[object, ...]:
    """What tells that an exchange went on: whatever of it changes while it does."""
    return exchange.status, exchange.body_size, len(exchange.marks), exchange.error, exchange.request_headers


class CleanTools(Sequence[Any]):
    """Tools as JSON values, each cleaned when it is taken out: thousands are listed and few are looked at."""

    def __init__(self, tools: Sequence[Any], redactor: Redactor) -> None:
        self._tools = tools
        self._redactor = redactor

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> CleanTools: ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return CleanTools(self._tools[place], self._redactor)
        return self._redactor.clean(self._tools[place])

    def __len__(self) -> int:
        return len(self._tools)

    def __iter__(self) -> Iterator[Any]:
        return map(self._redactor.clean, self._tools)


def offered_tools(report: model.Report) -> Sequence[Any]:
    """The server's tools out of a report, cleaned like those of a run.

    They are whole where every page of ``tools/list`` is; of a longer answer the report keeps the beginning,
    and then there is an object with the ``name`` alone for each name in the facts of step 9.
    """
    facts = report.step("list_tools").facts
    for tools in reversed(_catalogues(tuple(_pages(report.exchanges)))):
        if len(tools) == facts.get("tools"):
            return CleanTools(tools, Redactor())
    names = facts.get("names")
    return CleanTools([{"name": name} for name in names] if isinstance(names, list) else [], Redactor())


def _catalogues(pages: Sequence[_Page]) -> list[list[Any]]:
    """Every whole list: a request without a cursor, and those that go on where the page before it ended."""
    found: list[list[Any]] = []
    for place, (cursor, page) in enumerate(pages):
        if cursor is not None:
            continue
        tools, following = list(page["tools"]), page.get("nextCursor")
        for asked, later in pages[place + 1 :]:
            if following is not None and asked == following:
                tools, following = [*tools, *later["tools"]], later.get("nextCursor")
        if following is None:
            found.append(tools)
    return found


def _pages(exchanges: Sequence[model.Exchange]) -> Iterator[_Page]:
    """The cursor that was sent and the result that came, of each whole page of tools/list."""
    # Over HTTP+SSE the answers to all requests come on the stream that a GET opened.
    streams = [exchange for exchange in exchanges if exchange.request.get("method") == "GET"]
    for exchange in exchanges:
        asked = _object(exchange.request.get("body"))
        if asked.get("method") != "tools/list":
            continue
        params = asked.get("params")
        cursor = params.get("cursor") if isinstance(params, Mapping) else None
        results = (
            answer["result"]
            for carrier in (exchange, *streams)
            for answer in _messages(carrier)
            if answer.get("id") == asked.get("id") and _is_page(answer.get("result"))
        )
        found = next(results, None)
        if found is not None:
            yield cursor if isinstance(cursor, str) else None, found


def _is_page(result: Any) -> bool:
    return isinstance(result, Mapping) and isinstance(result.get("tools"), list)


def _messages(exchange: model.Exchange) -> Iterator[Mapping[str, Any]]:
    """The JSON objects of an answer: one document, lines of a process, or the events of a stream."""
    if exchange.truncated or exchange.response is None:
        return
    body = str(exchange.response.get("body", ""))
    whole = _object(body)
    if whole:
        yield whole
        return
    yield from map(_object, body.splitlines())
    try:
        events = EventStream(limit=2 * KEPT_BODY).feed(f"{body}\n\n".encode())
    except EventTooLarge:
        return
    yield from (_object(event.data) for event in events)


def _object(text: Any) -> Mapping[str, Any]:
    try:
        value = (
            parse(_WRITTEN_OUT.sub(r"\1\\\\\2", str(text)).encode("utf-8", "surrogatepass")).value
            if text
            else None
        )
    except HostileJson:
        return {}
    return value if isinstance(value, Mapping) else {}
