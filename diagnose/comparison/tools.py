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
from diagnose.redact import Redactor

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
    facts = [report.step(_STEP).facts for report in (before, after)]
    if any("tools" not in known for known in facts):
        return [], []
    defined = [_definitions(report) for report in (before, after)]
    names = [_names(known, tools) for known, tools in zip(facts, defined, strict=True)]
    changes: list[Change] = []
    unseen: list[str] = []
    if names[0] is not None and names[1] is not None:
        changes += _came_and_went(names[0], names[1], defined[0] or {}, defined[1] or {})
    else:
        unseen.append("which tools came and went: the reports do not hold all names")
    if defined[0] is not None and defined[1] is not None:
        for name in sorted(defined[0].keys() & defined[1].keys()):
            changes += _changed(name, defined[0][name], defined[1][name])
        return changes, unseen
    digests = [known.get("definitions_sha256") for known in facts]
    if None in digests or not all(known.get("complete") for known in facts):
        unseen.append("the descriptions and schemas of the tools: the reports do not hold all of them")
    elif digests[0] != digests[1]:
        note = _READ_IT if names[0] is not None and names[0] == names[1] else None
        ours, theirs = map(str, digests)
        label = "definitions of all tools (SHA-256)"
        changes.append(Change(group="tools", label=label, before=ours, after=theirs, step=_STEP, note=note))
        unseen.append("which tool was defined anew: the reports do not hold all descriptions and schemas")
    return changes, unseen


def _names(facts: Mapping[str, Any], defined: Mapping[str, Any] | None) -> set[str] | None:
    """The names of all tools; None where the facts hold the first of them only."""
    if defined is not None:
        return {*defined}
    names = facts.get("names")
    whole = isinstance(names, list) and len(names) == facts["tools"] and facts.get("complete") is True
    return {str(name) for name in names or ()} if whole else None


def _came_and_went(
    ours: Set[str], theirs: Set[str], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Change]:
    for name in sorted(ours - theirs):
        yield Change(group="tools", label=name, before=_said(before.get(name)), after=None, step=_STEP)
    for name in sorted(theirs - ours):
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
    """Every tool as it was sent, by name; None unless the exchanges hold as many as the step counted."""
    asked = {identity for exchange in report.exchanges for identity in _asked(exchange)}
    found: dict[str, Any] = {}
    for sent in (tool for exchange in report.exchanges for tool in _listed(exchange, asked)):
        # The escapes of the body have become characters again by reading it as JSON.
        tool = Redactor().clean(sent)
        if isinstance(tool, dict) and isinstance(tool.get("name"), str):
            found.setdefault(tool["name"], tool)
    facts = report.step(_STEP).facts
    return found if len(found) == facts["tools"] and facts.get("complete") is True else None


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

    body = body.replace("^M\n", "\n")  # a line end of two characters, as the report shows it
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
