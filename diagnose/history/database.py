"""The file of the history: opened for each call, made with its schema, moved aside when it is damaged."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from diagnose.oauth.private_files import claim_private

__all__ = ["SCHEMA", "Database", "ForeignDatabase", "is_damaged", "moved_aside"]

SCHEMA = 1
"""Of ``user_version``. A newer one is left alone: what it means is not known here."""

_APPLICATION = 0x436E4467  # "CnDg", for file(1) and against a database of somebody else
_BUSY_SECONDS = 5.0  # another process writes one run, which takes milliseconds
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_TABLES = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    target TEXT NOT NULL,
    started INTEGER NOT NULL,
    duration REAL NOT NULL,
    status TEXT NOT NULL,
    worked INTEGER NOT NULL,
    step TEXT,
    code TEXT,
    server_version TEXT,
    protocol_version TEXT,
    report BLOB NOT NULL
);
CREATE INDEX runs_of_connector ON runs (name, target, started);
"""


class ForeignDatabase(Exception):
    """The file is a database, and not one that this version may write to; the text says whose."""


class Database:
    """Transactions on one file, or in memory where ``path`` is None. Safe to use from several threads."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._one_at_a_time = threading.Lock()
        self._memory = _connected(":memory:") if path is None else None
        if self._memory is not None:
            _make(self._memory)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection that commits at the end, or rolls back.

        Raises sqlite3.Error, UsageError CFG020 or CFG023, and ForeignDatabase.
        """
        with self._one_at_a_time, self._connection() as connection:
            # IMMEDIATE: whoever reads first and writes afterwards would be refused where two do so at once.
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def close(self) -> None:
        """Let go of what is kept in memory; a file is not held open between two calls."""
        if self._memory is not None:
            self._memory.close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        if self._memory is not None:
            with nullcontext(self._memory) as connection:
                yield connection
            return
        assert self.path is not None
        claim_private(self.path, of="history")
        with closing(_connected(str(self.path))) as connection:
            _prepare(connection)
            yield connection


def _connected(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        name, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=16
    )
    # What is removed is overwritten. No write-ahead log: a home directory may lie on a network, where it
    # fails (sqlite.org/wal.html), and one short transaction per run has nothing to gain from it.
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables of a new file. Raises ForeignDatabase for a file of somebody else."""
    connection.execute("BEGIN")  # one look at one state: another process may be making the tables just now
    try:
        ours = _is_ours(connection)
    finally:
        connection.rollback()
    if ours:
        return
    connection.execute("PRAGMA auto_vacuum = FULL")
    connection.execute("BEGIN EXCLUSIVE")
    try:
        if not _is_ours(connection):  # another process may have made them meanwhile
            _make(connection)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _make(connection: sqlite3.Connection) -> None:
    for statement in filter(str.strip, _TABLES.split(";")):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Whether the tables are there; False for an empty file. Raises ForeignDatabase."""
    [application] = connection.execute("PRAGMA application_id").fetchone()
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if application == _APPLICATION:
        if version > SCHEMA:
            raise ForeignDatabase("a newer version of diagnose wrote it")
        return True
    [tables] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application or version or tables:
        raise ForeignDatabase("it is the database of another program")
    return False


def is_damaged(problem: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is broken, and not that it cannot be used just now."""
    code = getattr(problem, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in _DAMAGED


def moved_aside(path: Path) -> Path:
    """Rename a damaged file to a name that nothing has. Raises OSError."""
    name, number = path.with_name(f"{path.name}.broken"), 1
    while name.exists():
        number += 1
        name = path.with_name(f"{path.name}.broken-{number}")
    path.rename(name)
    return name
