"""docs/findings.md says what the catalogue says."""

from __future__ import annotations

from pathlib import Path

from diagnose.catalogue import codes, page

TABLE = Path(__file__).parent.parent / "docs" / "findings.md"
HEAD = """# Findings

Made from the catalogue; `python tests/test_findings_table.py` writes it anew. `diagnose explain CODE` prints
a page.

| code | name | step | severity | who acts | verdict |
|---|---|---|---|---|---|
"""


def table() -> str:
    """The catalogue as one Markdown table."""
    rows = []
    for code in codes():
        entry = page(code)
        summary = entry.summary.replace("|", "\\|").replace("\n", " ")
        cells = (code, f"`{entry.name}`", entry.step, entry.severity, entry.actor, summary)
        rows.append(f"| {' | '.join(cells)} |")
    return HEAD + "\n".join(rows) + "\n"


def test_the_table_of_findings_is_true() -> None:
    assert table() == TABLE.read_text(encoding="utf-8")


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
