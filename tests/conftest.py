"""What every test may use: one lab for the whole session."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from diagnose_lab import Lab

# A run on a terminal is kept, and a test may have one: the history of whoever runs the tests is not theirs.
os.environ.setdefault("DIAGNOSE_HISTORY", "off")


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab's thread, its certificate authority made once."""
    with Lab() as running:
        yield running


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The loop that the product runs on; another one that is installed is not meant."""
    return "asyncio"
