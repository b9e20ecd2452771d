"""How long a run is kept: constants with their reasons, and the statements that apply them."""

from __future__ import annotations

import sqlite3

__all__ = ["DAYS", "LARGEST", "MOST", "prune"]

MOST = {"worked": 50, "broken": 200}
"""Runs per connector. A run that worked is there to be compared with, and one is like the other; each one
that failed may be the only sight of a fault that comes and goes."""

DAYS = {"worked": 90, "broken": 365}
"""A quarter: the servers and clients of three months ago are not those of today. A year for failures: a
certificate that is renewed once a year fails once a year."""

LARGEST = 64 * 1024 * 1024
"""Bytes of compressed reports in all. A usual one takes 3 to 10 KB, so the numbers above decide; this holds
where many connectors answer at length."""

_DAY_MS = 86_400_000

_TOO_OLD = "DELETE FROM runs WHERE started < CASE worked WHEN 1 THEN :worked_since ELSE :broken_since END"

_TOO_MANY = """
DELETE FROM runs WHERE number IN (
    SELECT number FROM (
        SELECT number, worked, row_number() OVER (
            PARTITION BY name, target, worked ORDER BY started DESC, number DESC) AS place
        FROM runs)
    WHERE place > CASE worked WHEN 1 THEN :most_worked ELSE :most_broken END)
"""

# The newest run of each kind of every connector goes last: it is what the next run is compared with. Before
# those go failures, and first of all the oldest runs that worked.
_TOO_LARGE = """
DELETE FROM runs WHERE number IN (
    SELECT number FROM (
        SELECT number, sum(size) OVER (
            ORDER BY place > 1, worked, started DESC, number DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS total
        FROM (
            SELECT number, worked, started, length(report) AS size, row_number() OVER (
                PARTITION BY name, target, worked ORDER BY started DESC, number DESC) AS place
            FROM runs))
    WHERE total > :largest)
"""


def prune(connection: sqlite3.Connection, *, now_ms: int, largest: int = LARGEST) -> None:
    """Remove what is too old, too many or too large, inside the transaction that is open."""
    connection.execute(
        _TOO_OLD,
        {
            "worked_since": now_ms - DAYS["worked"] * _DAY_MS,
            "broken_since": now_ms - DAYS["broken"] * _DAY_MS,
        },
    )
    connection.execute(_TOO_MANY, {"most_worked": MOST["worked"], "most_broken": MOST["broken"]})
    connection.execute(_TOO_LARGE, {"largest": largest})
