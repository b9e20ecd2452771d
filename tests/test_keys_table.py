"""The table of keys in docs/app.md is that of the app. ``python tests/test_keys_table.py`` writes it."""

from __future__ import annotations

import re
from pathlib import Path

from diagnose_tui.keys import ACTIONS, key_shown

PAGE = Path(__file__).parents[1] / "docs" / "app.md"
MARKED = re.compile(r"(<!-- keys -->\n).*?(<!-- /keys -->)", re.DOTALL)


def table() -> str:
    """The rows of the table, and its head."""
    rows = [f"| `{key_shown(one)}` | {one.label}: {one.help} |" for one in ACTIONS]
    return "\n".join(["| key | does |", "|---|---|", *rows]) + "\n"


def written(text: str) -> str:
    """``text`` with the table that the app has."""
    return MARKED.sub(lambda found: found.group(1) + table() + found.group(2), text)


def test_the_page_lists_the_keys_that_the_app_has() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert written(text) == text, "python tests/test_keys_table.py writes the table"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
