"""What every test may use: one lab for the whole session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from diagnose_lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab's thread, its certificate authority made once."""
    with Lab() as running:
        yield running
