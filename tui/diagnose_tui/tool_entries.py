"""The tools of a catalogue and what is wrong with each: JSON of any shape, from a server nobody vetted."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from diagnose.display import display
from diagnose.model import Evidence, Exchange, Finding, StepResult
from diagnose.records import record
from diagnose_tui.bodies import Kind, Row, prose_rows, value_rows
from diagnose_tui.view import View

__all__ = ["Flawed", "ToolList", "hints", "listed_tools", "rejudged", "tool_list", "tool_rows", "unnamed"]

_PLACE = re.compile(r"/result/tools/(\d+)(?:/.*)?", re.DOTALL)
_PAGE = re.compile(r", page (\d+)$")
_SHOWN_EVIDENCE = 5
"""A finding of step 9 names at most so many tools."""
_REFUSED_NAME = 128
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
_SAID = frozenset(("name", "title", "description", "annotations", "inputSchema", "outputSchema"))
_KINDS: Mapping[str, Kind] = {"error": "error", "warning": "warning", "info": "strong"}
_WEIGHT = {"error": 0, "warning": 1, "info": 2}


@record
class Flawed:
    """A finding, as far as it concerns one tool."""

    finding: Finding
    evidence: Evidence


@record
class ToolList:
    """The catalogue as it can be shown. ``names`` are safe; ``note`` says what is missing, if anything."""

    tools: Sequence[Any]
    names: Sequence[str]
    flaws: Mapping[int, Sequence[Flawed]]
    refused: Mapping[str, str]
    called: str | None
    note: str | None = None

    def gravity(self, number: int) -> str | None:
        """The gravest severity that a finding about this tool has."""
        severities = [flaw.finding.severity for flaw in self.flaws.get(number, ())]
        return min(severities, key=_WEIGHT.__getitem__, default=None)


def tool_list(view: View) -> ToolList:
    """The tools of the run: as it holds them, else from the recorded answers, else their names alone."""
    listing, calling = _step(view, "list_tools"), _step(view, "sample_call")
    facts = listing.facts if listing is not None else {}
    tools, note = view.tools, None
    if not tools:
        tools = listed_tools(view.exchanges)
        names = facts.get("names")
        if not tools and isinstance(names, list) and names:
            tools = [{"name": name} for name in names]
            note = "The answers were not kept whole: only the names are known."
    counted = facts.get("tools")
    if isinstance(counted, int) and counted > len(tools) and tools and note is None:
        note = f"{len(tools)} of {counted} tools: the rest of the answers was not kept."
    flaws: dict[int, list[Flawed]] = {}
    for number, flaw in _flaws(listing, calling, tools):
        flaws.setdefault(number, []).append(flaw)
    refused = calling.facts.get("refused") if calling is not None else None
    called = calling.facts.get("tool") if calling is not None else None
    return ToolList(
        tools=tools,
        names=[_name(tool, number) for number, tool in enumerate(tools)],
        flaws=flaws,
        refused=refused if isinstance(refused, Mapping) else {},
        called=called if isinstance(called, str) else None,
        note=note,
    )


def _step(view: View, id: str) -> StepResult | None:
    return next((step for step in view.steps if step.id == id), None)


def _name(tool: Any, number: int) -> str:
    name = tool.get("name") if isinstance(tool, Mapping) else None
    return display(name) if isinstance(name, str) and name else f"(no name, number {number + 1})"


def listed_tools(exchanges: Iterable[Exchange]) -> list[Any]:
    """The tools of the pages that were recorded whole; a page that was asked for twice counts once."""
    pages: dict[str, list[Any]] = {}
    for exchange in exchanges:
        request = _document(exchange.request.get("body"))
        if not isinstance(request, Mapping) or request.get("method") != "tools/list" or exchange.truncated:
            continue
        params = request.get("params")
        cursor = params.get("cursor") if isinstance(params, Mapping) else None
        for answer in _documents(str((exchange.response or {}).get("body") or "")):
            result = answer.get("result") if isinstance(answer, Mapping) else None
            tools = result.get("tools") if isinstance(result, Mapping) else None
            if isinstance(tools, list):
                pages.setdefault(repr(cursor), tools)
    return [tool for page in pages.values() for tool in page]


def _documents(body: str) -> Iterator[Any]:
    whole = _document(body)
    if whole is not None:
        yield whole
        return
    for line in body.split("\n"):  # events of a stream, or the lines of a process
        yield _document(line.removeprefix("data:").strip())


def _document(text: object) -> Any:
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _flaws(
    listing: StepResult | None, calling: StepResult | None, tools: Sequence[Any]
) -> Iterator[tuple[int, Flawed]]:
    if listing is not None:
        starts = _starts(listing)
        for finding in listing.findings:
            for evidence in finding.evidence:
                number = _number(evidence, starts)
                if number is not None and number < len(tools):
                    yield number, Flawed(finding=finding, evidence=evidence)
    called = calling.facts.get("tool") if calling is not None else None
    if calling is None or not isinstance(called, str):
        return
    number = next((at for at, tool in enumerate(tools) if _called(tool, called)), None)
    if number is not None:
        for finding in calling.findings:
            evidence = finding.evidence[0] if finding.evidence else Evidence(label="sample call")
            yield number, Flawed(finding=finding, evidence=evidence)


def _called(tool: Any, name: str) -> bool:
    given = tool.get("name") if isinstance(tool, Mapping) else None
    return isinstance(given, str) and display(given[: len(name) or 1])[: len(name)] == name


def _starts(listing: StepResult) -> list[int]:
    """The number of the first tool of each page."""
    sizes = listing.facts.get("page_sizes")
    starts = [0]
    for size in sizes if isinstance(sizes, list) else []:
        starts.append(starts[-1] + (size if isinstance(size, int) else 0))
    return starts


def _number(evidence: Evidence, starts: list[int]) -> int | None:
    place = _PLACE.fullmatch(evidence.where or "")
    page = _PAGE.search(evidence.label)
    if place is None:
        return None
    at = int(page[1]) - 1 if page is not None else 0
    return starts[at] + int(place[1]) if at < len(starts) else None


def unnamed(view: View) -> Mapping[str, Finding]:
    """The findings of step 9, by code, that may concern more tools than their evidence names."""
    listing = _step(view, "list_tools")
    found = listing.findings if listing is not None else []
    return {finding.code: finding for finding in found if len(finding.evidence) >= _SHOWN_EVIDENCE}


def rejudged(listed: ToolList, view: View) -> ToolList:
    """``listed`` with every tool that those findings concern; takes as long as step 9 took to judge."""
    from diagnose_checks.tool_findings import judge_entries
    from diagnose_checks.tool_rules import Entry, Profile

    facts = next((step.facts for step in view.steps if step.id == "mcp_initialize"), {})
    profile = Profile(
        era="legacy" if facts.get("era") == "legacy" else "modern", version=str(facts.get("protocol_version"))
    )
    findings = unnamed(view)
    listing = _step(view, "list_tools")
    starts = _starts(listing) if listing is not None else [0]
    pages = [max(bisect_right(starts[:-1] or starts, at), 1) for at in range(len(listed.tools))]
    entries = [
        Entry(tool=tool, page=page, index=at - starts[page - 1], exchange=0)
        for at, (tool, page) in enumerate(zip(listed.tools, pages, strict=True))
    ]
    places = {id(entry): at for at, entry in enumerate(entries)}
    flaws = {at: list(known) for at, known in listed.flaws.items()}
    for flaw in judge_entries(entries, profile):
        finding, known = findings.get(flaw.code), flaws.setdefault(places[id(flaw.entry)], [])
        told = {(one.finding.code, one.evidence.where) for one in known}
        if finding is not None and (flaw.code, flaw.pointer) not in told:
            evidence = Evidence(
                label="tool", expected=flaw.expected, observed=flaw.observed, where=flaw.pointer
            )
            known.append(Flawed(finding=finding, evidence=evidence))
    return replace(listed, flaws={at: found for at, found in flaws.items() if found})


def hints(tool: Any) -> str:
    """What the annotations promise, in a word. An absent hint counts as the specification says: the worse."""
    given = tool.get("annotations") if isinstance(tool, Mapping) else None
    if not isinstance(given, Mapping) or not any(name in given for name in _HINTS):
        return "no hints"
    if given.get("readOnlyHint") is True:
        return "read-only" if given.get("destructiveHint") is not True else "contradictory"
    return "changes, keeps" if given.get("destructiveHint") is False else "destructive"


def _hints_in_full(tool: Mapping[str, Any]) -> str:
    given = tool.get("annotations")
    if given is None:
        return "none; a client must expect that it changes and destroys, and reaches beyond its own system"
    if not isinstance(given, Mapping):
        return "no object, so they say nothing"
    said = [f"{name} {json.dumps(given[name])[:60]}" for name in _HINTS if name in given]
    return f"{hints(tool)} ({', '.join(said)})" if said else "none of the four hints"


def tool_rows(listed: ToolList, number: int) -> list[Row]:
    """Everything about one tool: what is wrong with it first."""
    tool, name = listed.tools[number], listed.names[number]
    rows = [Row(name, "strong"), Row(f"tool {number + 1} of {len(listed.tools)}", "muted")]
    for flaw in listed.flaws.get(number, ()):
        rows += [Row(""), *_flaw_rows(flaw)]
    rows.append(Row(""))
    if not isinstance(tool, Mapping):
        return [*rows, Row("not a JSON object", "error"), *value_rows(tool)]
    rows += _about(listed, tool, name)
    for member, title in (("inputSchema", "Input schema"), ("outputSchema", "Output schema")):
        if member in tool:
            rows += [Row(""), Row(title, "title"), *value_rows(tool[member])]
    more = {key: value for key, value in tool.items() if key not in _SAID}
    if more:
        rows += [Row(""), Row("More", "title"), *value_rows(more)]
    return rows


def _about(listed: ToolList, tool: Mapping[str, Any], name: str) -> Iterator[Row]:
    title, said = tool.get("title"), tool.get("description")
    if isinstance(title, str) and title:
        yield from prose_rows("Title", title)
    if isinstance(said, str) and said.strip():
        yield from prose_rows("Purpose", said)
    elif set(tool) != {"name"}:
        yield from prose_rows("Purpose", "nothing: a model has its name alone to choose by", "muted")
    if set(tool) == {"name"}:
        return
    yield from prose_rows("Hints", _hints_in_full(tool))
    reason = next((why for key, why in listed.refused.items() if _refers(key, name)), None)
    if listed.called is not None and _refers(listed.called, name):
        yield from prose_rows("Called", "by step 10")
    elif reason is not None:
        yield from prose_rows("Not called", str(reason))


def _refers(key: str, name: str) -> bool:
    key = display(str(key))
    return key == name or (len(key) >= _REFUSED_NAME and name.startswith(key))


def _flaw_rows(flaw: Flawed) -> Iterator[Row]:
    finding, evidence = flaw.finding, flaw.evidence
    yield Row(display(f"{finding.code} {finding.name}"), _KINDS[finding.severity])
    for label, text in (
        ("Expected", evidence.expected),
        ("Observed", evidence.observed),
        ("Where", evidence.where),
        ("Fix", finding.fix if finding.evidence[:1] == [evidence] else None),
    ):
        if text is not None:
            yield from prose_rows(label, text)
