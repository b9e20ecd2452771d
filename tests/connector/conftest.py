"""The lab, once for all tests of the connector."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from diagnose_lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running
