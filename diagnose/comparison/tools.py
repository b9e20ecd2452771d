"""The tools of two runs: which came, which went, and which say something else than they did.

A description is text for a model. One that changes after somebody has read and allowed the tool is how a
server turns on its users ("rug pull"), so every change of a definition is told with its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

from diagnose.comparison.model import Change
from diagnose.comparison.values import leaves
from diagnose.model import Exchange, Report

__all__ = ["compared_tools"]

_MOST_CHANGES = 20
"""Of one tool: whoever reads the twentieth opens the two reports."""

_LONGEST_EVENT = 1024 * 1024
_READ_IT = (
    "what a tool says of itself goes into the model's prompt, and it changed after it may have been approved "
    "(a rug pull): read it before you allow the tool again"
)
_STEP = "list_tools"


def compared_tools(before: Report, after: Report) -> tuple[list[Change], list[str]]:
    """The differences of the lists, and sentences about what was not compared."""
    names = [_names(report) for report in (before, after)]
    if names[0] is None or names[1] is None:
        return [], []
    complete = [report.step(_STEP).facts.get("complete") is True for report in (before, after)]
    defined = [_definitions(report) for report in (before, after)]
    changes: list[Change] = []
    unseen: list[str] = []
    if all(complete):
        changes += _came_and_went(names[0], names[1], defined[0] or {}, defined[1] or {})
    else:
        unseen.append("which tools came and went: one of the two lists is not complete")
    if defined[0] is None or defined[1] is None:
        unseen.append(
            "the descriptions and schemas of the tools: a report does not hold the whole answer to tools/list"
        )
        return changes, unseen
    for name in sorted(defined[0].keys() & defined[1].keys()):
        changes += _changed(name, defined[0][name], defined[1][name])
    return changes, unseen


def _names(report: Report) -> list[str] | None:
    names = report.step(_STEP).facts.get("names")
    return [str(name) for name in names] if isinstance(names, list) else None


def _came_and_went(
    ours: list[str], theirs: list[str], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Change]:
    for name in sorted({*ours} - {*theirs}):
        yield Change(group="tools", label=name, before=_said(before.get(name)), after=None, step=_STEP)
    for name in sorted({*theirs} - {*ours}):
        yield Change(group="tools", label=name, before=None, after=_said(after.get(name)), step=_STEP)


def _said(tool: object) -> str:
    description = tool.get("description") if isinstance(tool, Mapping) else None
    return f"listed: {description}" if isinstance(description, str) and description else "listed"


def _changed(name: str, before: object, after: object) -> Iterator[Change]:
    ours, theirs = dict(leaves(before)), dict(leaves(after))
    places = [place for place in sorted({*ours, *theirs}) if ours.get(place) != theirs.get(place)]
    for place in places[:_MOST_CHANGES]:
        yield Change(
            group="tools",
            label=f"{name} {place}",
            before=ours.get(place),
            after=theirs.get(place),
            step=_STEP,
            note=_READ_IT,
        )
    if len(places) > _MOST_CHANGES:
        more = f"{len(places) - _MOST_CHANGES} more places differ"
        yield Change(group="tools", label=name, before=None, after=more, step=_STEP, note=_READ_IT)


def _definitions(report: Report) -> dict[str, Any] | None:
    """Every tool as it was sent, by name; None unless the exchanges hold exactly the tools of the facts."""
    asked = {identity for exchange in report.exchanges for identity in _asked(exchange)}
    found: dict[str, Any] = {}
    for tool in (tool for exchange in report.exchanges for tool in _listed(exchange, asked)):
        if isinstance(tool, dict) and isinstance(tool.get("name"), str):
            found.setdefault(tool["name"], tool)
    return found if sorted(found) == sorted(set(_names(report) or ())) else None


def _asked(exchange: Exchange) -> Iterator[str]:
    """The id of a request for the list. Over HTTP+SSE its answer comes in another exchange."""
    request = _json(str(exchange.request.get("body") or ""))
    if isinstance(request, dict) and request.get("method") == "tools/list":
        yield str(request.get("id"))


def _listed(exchange: Exchange, asked: Set[str]) -> Iterator[Any]:
    """The tools in the answers to these ids. One that was cut off in a body is no JSON any more."""
    for message in _messages(str((exchange.response or {}).get("body") or "")):
        result = message.get("result") if isinstance(message, dict) else None
        if isinstance(result, dict) and str(message.get("id")) in asked:
            tools = result.get("tools")
            yield from tools if isinstance(tools, list) else ()


def _messages(body: str) -> Iterator[Any]:
    """What a body says: one JSON document, a stream of events, or lines of a process."""
    from diagnose.wire.event_stream import EventStream, EventTooLarge

    whole = _json(body)
    if whole is not None:
        yield whole
        return
    try:
        events = EventStream(limit=_LONGEST_EVENT).feed(body.encode("utf-8", "replace") + b"\n\n")
    except EventTooLarge:
        return
    for text in (*(event.data for event in events), *body.splitlines()):
        yield _json(text)


def _json(text: str) -> Any:
    from diagnose.wire.strict_json import HostileJson, parse

    try:
        return parse(text.encode("utf-8", "replace")).value
    except HostileJson:
        return None
