"""``diagnose explain``: a page of the catalogue on a terminal, or the pages that a pasted error points to."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import click

from diagnose.catalogue import HEADINGS, Page
from diagnose.catalogue.explain import Candidate, candidates, find, is_code_like, near, plain
from diagnose.cli_delivery import is_terminal, printed
from diagnose.cli_words import refuse
from diagnose.display import display
from diagnose.errors import UsageError
from diagnose.step import TITLES

__all__ = ["explain"]

_WIDTH = 80
_FACTS = (
    ("Severity", "severity"),
    ("Side", "side"),
    ("Who acts", "actor"),
    ("Confidence", "confidence"),
)
_ITEM = re.compile(r"(\s*)([-*]|\d+\.)\s+")


@click.command()
@click.argument("words", nargs=-1, metavar="CODE or TEXT...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(words: tuple[str, ...], as_json: bool) -> int:
    """Print what a code means, or which codes an error text points to.

    CODE is a code such as TLS003 or a name such as tls.expired-certificate; TEXT is any error message,
    best pasted in quotes.
    """
    text = " ".join(words).strip()
    if not text:
        raise refuse("there is nothing to explain", "name a code, such as TLS003, or paste an error text")
    found = find(text)
    if found is not None:
        return printed(json.dumps(_plain_page(found), indent=2) if as_json else "\n".join(_page_lines(found)))
    if is_code_like(text):
        raise _unknown(text)
    fitting = candidates(text, steps=tuple(TITLES))
    if not fitting:
        raise UsageError(
            "CFG014",
            "no finding of the catalogue has these words",
            hint="run diagnose on the connector itself: it looks instead of guessing",
        )
    if as_json:
        return printed(
            json.dumps({"query": text, "candidates": [_plain_candidate(one) for one in fitting]}, indent=2)
        )
    return printed("\n".join(_candidate_lines(text, fitting)))


def _unknown(text: str) -> UsageError:
    close = near(text)
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    return UsageError(
        "CFG014",
        f"there is no finding {text[:60]!r}",
        hint=f"{meant}codes look like TLS003, and a report names them",
    )


def _step(page: Page) -> str:
    return _place(page.step)


def _place(step_id: str) -> str:
    if step_id not in TITLES:
        return {"config": "before the run", "any": "any step"}.get(step_id, step_id)
    number, title = TITLES[step_id]
    return f"step {number} {title}"


def _plain_page(page: Page) -> dict[str, Any]:
    facts = {
        name: getattr(page, name)
        for name in (
            *("code", "name", "status", "step", "severity", "side", "actor", "confidence"),
            *("summary", "cause", "fix", "rule", "spec", "forward", "reproduce"),
            *("field", "symptoms", "look_alikes", "scenarios"),
        )
    }
    return {**facts, "sections": {heading: page.section(heading) for heading in HEADINGS}}


def _page_lines(page: Page) -> Iterator[str]:
    yield _bold(f"{page.code} {page.name}")
    yield from textwrap.wrap(plain(page.summary), _WIDTH)
    yield ""
    yield f"  {'Step':<12}{_step(page).removeprefix('step ')}"
    for label, field in _FACTS:
        yield f"  {label:<12}{_words(getattr(page, field))}"
    yield from _fact("Rule", page.rule)
    if page.spec:
        yield f"  {'Read':<12}{page.spec}"
    yield from _fact("Looks like", ", ".join(page.look_alikes))
    yield from _fact("Try it", ", ".join(f"diagnose demo {name}" for name in page.scenarios[:2]))
    for heading in HEADINGS:
        yield ""
        yield _bold(heading)
        yield from _markdown(page.section(heading))


def _words(identifier: str) -> str:
    return identifier.replace("_", " ")


def _fact(label: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(text, _WIDTH - 14, break_long_words=False, break_on_hyphens=False)
    for position, line in enumerate(lines):
        yield f"  {label if not position else '':<12}{line}"


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if is_terminal(sys.stdout) else text


def _markdown(text: str) -> Iterator[str]:
    """Our own Markdown for a terminal: paragraphs and list items wrapped, code as it is."""
    fenced = False
    held: list[str] = []
    for line in text.split("\n"):
        if line.startswith("```") or (not fenced and (not line.strip() or _ITEM.match(line))):
            yield from _paragraph(held)
            held = []
        if line.startswith("```"):
            fenced = not fenced
        elif fenced:
            yield f"    {line}".rstrip()
        elif not line.strip():
            yield ""
        else:
            held.append(line)
    yield from _paragraph(held)


def _paragraph(lines: list[str]) -> Iterator[str]:
    if not lines:
        return
    item = _ITEM.match(lines[0])
    hanging = " " * (len(item.group()) if item else 0)
    joined = " ".join([lines[0].rstrip(), *(line.strip() for line in lines[1:])])
    yield from textwrap.wrap(
        joined,
        _WIDTH,
        initial_indent="  ",
        subsequent_indent="  " + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _candidate_lines(text: str, fitting: tuple[Candidate, ...]) -> Iterator[str]:
    yield _bold(f"What may be behind: {display(text, limit=200)}")
    for candidate in fitting:
        page = candidate.page
        yield ""
        yield f"{page.code} {page.name}  ({_step(page)})"
        yield from textwrap.wrap(plain(page.summary), _WIDTH, initial_indent="  ", subsequent_indent="  ")
        yield from _told_apart(page, candidate.look_alikes)
    yield ""
    yield "An error text alone decides nothing: diagnose URL sends the contrast that tells them apart."
    yield "diagnose explain CODE prints one of them in full."


def _told_apart(page: Page, others: tuple[Page, ...]) -> Iterator[str]:
    """Which check decides between a page and its look-alikes, one line per check."""
    deciding: dict[str, list[str]] = {}
    for other in others:
        deciding.setdefault(other.step, []).append(f"{other.code} {other.name}")
    for step_id, named in deciding.items():
        same = step_id == page.step
        decides = f"{_step(page)} tells them apart" if same else f"{_place(step_id)} shows that one instead"
        yield from textwrap.wrap(
            f"looks like {', '.join(named)}: {decides}",
            _WIDTH,
            initial_indent="  - ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )


def _plain_candidate(candidate: Candidate) -> dict[str, Any]:
    page = candidate.page
    return {
        "code": page.code,
        "name": page.name,
        "step": page.step,
        "summary": page.summary,
        "score": candidate.score,
        "symptom": candidate.symptom,
        "look_alikes": [
            {"code": other.code, "name": other.name, "step": other.step} for other in candidate.look_alikes
        ],
    }
