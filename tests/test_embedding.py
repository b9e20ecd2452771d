"""Every snippet of docs/embedding.md runs as it stands, against a healthy server of the lab."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path

import pytest
from diagnose_lab import Lab

from diagnose.connector.file import load_file

PAGE = Path(__file__).parent.parent / "docs" / "embedding.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_a_snippet_of_the_embedding_page_runs(lab: Lab, tmp_path: Path, number: int) -> None:
    running = lab.start("healthy-modern")
    try:
        source = compile(
            SNIPPETS[number], f"embedding.md snippet {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        )
        outcome = eval(source, {"URL": running.url, "FOLDER": str(tmp_path)})  # noqa: S307 - our own documentation
        if inspect.iscoroutine(outcome):
            asyncio.run(asyncio.wait_for(outcome, 30))
    finally:
        running.stop()


def test_the_page_has_snippets() -> None:
    assert len(SNIPPETS) >= 8


def test_the_example_of_a_connector_file_is_one(tmp_path: Path) -> None:
    text = (PAGE.parent / "connector-file.md").read_text(encoding="utf-8")
    example = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert example is not None
    path = tmp_path / "connector.json"
    path.write_text(example.group(1))
    assert ["crm"] == [connector.name for connector in load_file(path)]
