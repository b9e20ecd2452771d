"""SCENARIOS.md tells the truth about the grammar."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import diagnose_lab
import pytest
from diagnose_lab import Lab, authorization_settings, process_settings, rules, vocabulary
from diagnose_lab import scenario as sections
from diagnose_lab.scenario import parse

DOCUMENT = (Path(diagnose_lab.__file__).parent / "SCENARIOS.md").read_text(encoding="utf-8")
BLOCKS = [
    block for block in re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL) if block.startswith("title")
]


def keys() -> list[str]:
    """Every key of every table of the grammar, as a scenario writes it."""
    tables = [
        entry
        for module in (sections, authorization_settings, process_settings, rules)
        for entry in vars(module).values()
        if isinstance(entry, type) and dataclasses.is_dataclass(entry) and entry.__module__ == module.__name__
    ]
    return sorted(
        {
            f"{table.__name__}: {field.metadata['name'] or field.name}"
            for table in tables
            for field in dataclasses.fields(table)
            if "reader" in field.metadata
        }
    )


@pytest.mark.parametrize("key", keys())
def test_every_key_is_in_the_document(key: str) -> None:
    word = re.escape(key.partition(": ")[2])
    assert re.search(rf"(?<![\w-]){word}(?![\w-])", DOCUMENT)


@pytest.mark.parametrize(
    "words",
    [
        vocabulary.BROWSERS,
        vocabulary.CHAINS,
        vocabulary.COMMANDS,
        vocabulary.ENCODINGS,
        vocabulary.INSTALLERS,
        vocabulary.PROFILES,
        vocabulary.SIGNALS,
        vocabulary.TCP_BEHAVIOURS,
        vocabulary.TOKENS,
    ],
)
def test_every_word_of_a_closed_set_is_in_the_document(words: tuple[str, ...]) -> None:
    assert [] == [word for word in words if word.rstrip(":") not in DOCUMENT]


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_whole_example_loads_and_runs(lab: Lab, block: str) -> None:
    lab.start(parse(block, name="example")).stop()
