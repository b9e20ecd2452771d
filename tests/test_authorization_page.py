"""docs/authorization.md shows what a run against the lab really prints.

Under each ``<!-- lab: SCENARIO CODE -->`` stands the finding of that code, as the text report has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from diagnose_lab import Lab
from scenario_runs import Outcome, run

PAGE = Path(__file__).parent.parent / "docs" / "authorization.md"
MARK = re.compile(r"<!-- lab: ([a-z0-9-]+) ([A-Z]+[0-9]{3}) -->\n```\n(.*?)```\n", re.DOTALL)
# Ports and moments differ from run to run; names of the same length keep every line break where it was.
_STEADY = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "2026-01-31T12:00:00Z"),
    (re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"), "Sat, 31 Jan 2026 12:00:00 GMT"),
    (re.compile(r"lab-[0-9a-f]{8}\b"), "lab-0123abcd"),
)
_ENDS = ("Rule", "Where", "Who acts", "Forward", "Ruled out", "Reproduce")


def marks() -> list[tuple[str, str, str]]:
    return [found.groups() for found in MARK.finditer(PAGE.read_text(encoding="utf-8"))]  # type: ignore[misc]


def steady(text: str, outcome: Outcome) -> str:
    """``text`` with the lab's addresses replaced by names: the MCP server, then whoever else is named."""
    own = re.match(r"https?://([^/]+)", outcome.url)
    assert own is not None
    text = text.replace(own.group(1), "mcp.example.com"[: len(own.group(1))])
    # The lab's ports are the system's, of five digits; shorter ones were written by somebody and stay.
    others = dict.fromkeys(re.findall(r"127\.0\.0\.1:\d{5}\b", text))
    for other, name in zip(others, ("idp.example.com", "xyz.example.com"), strict=False):
        text = text.replace(other, name[: len(other)])
    for pattern, constant in _STEADY:
        text = pattern.sub(constant, text)
    return text


def excerpt(text: str, code: str) -> str:
    """The finding: its name and verdict, the cause, the evidence and the fix."""
    return "\n".join(_kept(text.splitlines(), code)).rstrip() + "\n"


def _kept(lines: list[str], code: str) -> Iterator[str]:
    inside, wanted = False, True
    for line in lines:
        if re.match(rf"(! )?{code} ", line):
            inside = True
        elif inside and re.match(r"(! )?[A-Z]+[0-9]{3} |diagnose explain|  Not seen", line):
            return
        if not inside:
            continue
        labelled = re.match(r"  ([A-Z][a-z]+(?: [a-z]+)?)  ", line)
        if labelled is not None:
            wanted = labelled.group(1) not in _ENDS
        if wanted:
            yield line


def printed(lab: Lab, scenario: str, code: str) -> str:
    """What the text report says of ``code`` in a run of ``scenario``."""
    outcome = run(lab, scenario, form="--format=text")
    found = excerpt(steady(outcome.stdout, outcome), code)
    assert found.strip(), f"{scenario} does not print {code}"
    return found


@pytest.mark.parametrize(("scenario", "code", "shown"), marks(), ids=lambda value: str(value)[:40].strip())
def test_the_page_shows_what_a_run_prints(lab: Lab, scenario: str, code: str, shown: str) -> None:
    assert shown == printed(lab, scenario, code)


def test_the_page_shows_something() -> None:
    assert len(marks()) >= 12


def write() -> None:
    """Write every block anew."""
    with Lab() as lab:
        text = PAGE.read_text(encoding="utf-8")
        made = MARK.sub(
            lambda found: (
                f"<!-- lab: {found.group(1)} {found.group(2)} -->\n```\n"
                f"{printed(lab, found.group(1), found.group(2))}```\n"
            ),
            text,
        )
        PAGE.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    write()
