"""How long a run is kept, and which go first."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from diagnose.history.retention import DAYS, MOST
from diagnose.history.runs import History
from diagnose.model import Report

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
Copy = Callable[..., Report]


def test_failures_are_kept_in_larger_number_than_successes(history: History, copy: Copy) -> None:
    for number in range(MOST["worked"] + 5):
        history.add(copy("worked", days=number / 100))
    for number in range(MOST["broken"] + 5):
        history.add(copy("failed", days=number / 100))
    kept = history.runs(limit=1000)

    assert MOST["worked"] == sum(entry.worked for entry in kept)
    assert MOST["broken"] == sum(not entry.worked for entry in kept)
    assert MOST["broken"] == len(history.runs(failed=True, limit=1000))


def test_the_oldest_go_first(history: History, copy: Copy) -> None:
    oldest = copy("worked", days=2)
    history.add(oldest)
    for number in range(MOST["worked"]):
        history.add(copy("worked", days=number / 100))

    assert oldest.run.id not in {entry.id for entry in history.runs(limit=1000)}


def test_the_numbers_hold_for_each_connector_alone(history: History, copy: Copy) -> None:
    for number in range(MOST["worked"] + 5):
        history.add(copy("worked", days=number / 100, name="one"))
    history.add(copy("worked", days=3, name="two"))

    assert 1 == len(history.runs("two"))


def test_failures_are_kept_longer_than_successes(history: History, copy: Copy) -> None:
    for kind, days in (("worked", 80), ("worked", 100), ("failed", 100), ("failed", 400)):
        history.add(copy(kind, days=days))
    history.add(copy("worked"))
    ages = {(entry.worked, (NOW - entry.started_at).days) for entry in history.runs()}

    assert {(True, 0), (True, 80), (False, 100)} == ages
    assert DAYS["broken"] > DAYS["worked"]


def test_a_limit_of_size_takes_successes_first_and_leaves_the_newest_of_each_kind(
    tmp_path: Path, copy: Copy
) -> None:
    history = History(tmp_path / "history" / "history.sqlite3", now=NOW.timestamp, largest=1)
    for days in (3, 2, 1):
        history.add(copy("worked", days=days))
    assert [] == list(history.runs())

    size = max(_sizes_of(tmp_path, copy))
    history = History(tmp_path / "history" / "history.sqlite3", now=NOW.timestamp, largest=5 * size)
    for days in range(9, 0, -1):
        history.add(copy("failed", days=days))
        history.add(copy("worked", days=days))
    kept = [(entry.worked, (NOW - entry.started_at).days) for entry in history.runs()]

    assert (True, 1) in kept
    assert 1 == sum(worked for worked, _ in kept)
    assert sum(not worked for worked, _ in kept) > 3


def _sizes_of(folder: Path, copy: Copy) -> list[int]:
    with History(folder / "sizes" / "history.sqlite3", now=NOW.timestamp) as history:
        history.add(copy("worked"))
        history.add(copy("failed"))
    with closing(sqlite3.connect(folder / "sizes" / "history.sqlite3")) as connection:
        return [size for (size,) in connection.execute("SELECT length(report) FROM runs")]
