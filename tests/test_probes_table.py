"""docs/authorization-probes.md lists what ``--deep`` and ``--register`` send, as the plan says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from diagnose.cli_run import run
from diagnose.deep_plan import PLAN, announced, help_text
from diagnose.step import TITLES

DOCUMENT = Path(__file__).parent.parent / "docs" / "authorization-probes.md"
BEGIN, END = "<!-- plan: begin -->\n", "<!-- plan: end -->\n"


def listed() -> str:
    """The plan as Markdown: one section for each kind of request."""
    parts = []
    for row in PLAN:
        number, title = TITLES[row.step]
        lines = (
            f"### {row.id[0].upper()}{row.id[1:]} (`{row.flag}`, step {number} {title})\n",
            f"- **Request:** {row.request}, at most {row.most}.",
            f"- **When:** {row.when}.",
            f"- **Why:** {row.why}.",
            f"- **Carries:** {row.carries}.",
            f"- **Never:** {row.never}.",
        )
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def written(document: str) -> str:
    """The document with the plan in its place."""
    head, _, rest = document.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + "\n" + listed() + "\n" + END + tail


def test_the_document_lists_what_the_plan_lists() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert written(document) == document


def test_every_row_has_an_id_of_its_own_and_a_step() -> None:
    assert len({row.id for row in PLAN}) == len(PLAN)
    assert {row.step for row in PLAN} <= set(TITLES)


@pytest.mark.parametrize("flag", ["--deep", "--register"])
def test_the_help_of_a_flag_is_made_from_the_plan(flag: str) -> None:
    (option,) = [it for it in run.params if flag in it.opts]
    assert help_text(flag) == getattr(option, "help", None)


@pytest.mark.parametrize("flag", ["--deep", "--register"])
def test_what_is_said_before_a_run_names_every_request_of_the_flag(flag: str) -> None:
    said = "\n".join(announced(flag))
    assert [] == [row.request for row in PLAN if row.flag == flag and row.request not in said]
    assert [] == [row.request for row in PLAN if row.flag != flag and row.request in said]


def test_without_a_flag_nothing_is_said() -> None:
    assert () == announced()


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
