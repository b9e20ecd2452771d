"""Runs of the lab's servers, and others like them at other times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from diagnose_lab import Lab

from diagnose.api import diagnose_sync
from diagnose.history.runs import History
from diagnose.model import Report

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
Copy = Callable[..., Report]


@pytest.fixture(scope="module")
def reports(lab: Lab) -> dict[str, Report]:
    """One run that worked and one that failed, at the same address."""
    with lab.start("healthy-modern") as running:
        worked = diagnose_sync(running.url)
        url = running.url
    return {"worked": worked, "failed": diagnose_sync(url)}


@pytest.fixture
def copy(reports: dict[str, Report]) -> Copy:
    """Another run like one of the two, so many days ago."""

    def make(kind: str, *, days: float = 0.0, name: str | None = None, **connector: object) -> Report:
        report = reports[kind].model_copy(deep=True)
        at = NOW - timedelta(days=days)
        report.run.id = str(uuid4())
        report.run.started_at = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        changes = {**({"name": name} if name else {}), **connector}
        report.connector = report.connector.model_copy(update=changes)
        return report

    return make


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History(tmp_path / "history" / "history.sqlite3", now=NOW.timestamp) as made:
        yield made
        assert made.warning is None
