"""The runs of this user: stored whole, listed by connector, found by the beginning of their id."""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from diagnose.display import display
from diagnose.errors import UsageError
from diagnose.history import Entry, retention
from diagnose.history.database import Database, ForeignDatabase, is_damaged, moved_aside
from diagnose.oauth.store import state_folder

if TYPE_CHECKING:
    from diagnose.model import Report

__all__ = ["History", "opened", "target_of"]

_T = TypeVar("_T")
_COLUMNS = (
    "id, name, target, started, duration, status, step, code, server_version, protocol_version"  # of Entry
)
_SHORTEST_PREFIX = 4
_LONGEST_REPORT = 256 * 1024 * 1024  # bytes when unpacked: a file that somebody made to burst is refused
_LONGEST_NAME = 2000


def opened(environ: Mapping[str, str]) -> History:
    """See :func:`diagnose.history.open_history`."""
    wanted = environ.get("DIAGNOSE_HISTORY", "").strip().lower() or "on"
    if wanted not in ("on", "off"):
        raise UsageError(
            "CFG006",
            f"{wanted[:40]!r} is not known",
            where="DIAGNOSE_HISTORY",
            hint="it takes one of on, off",
        )
    if wanted == "off":
        return History(None)
    folder = state_folder(environ)
    if folder is None:
        return History(None, fault=_unusable("this user has no home directory", None))
    history = History(folder / "history" / "history.sqlite3")
    history.runs(limit=1)  # what is wrong with the place is said now, and not with the first run
    return history


class History:
    """Earlier runs. Every method may wait for a disk: call it off the event loop, from any thread.

    No method fails because of the file. From its first fault on, runs are kept in memory: ``place`` is None
    then, ``fault`` is the CFG026 that says why, and ``warning`` the one sentence for the screen.
    """

    def __init__(
        self,
        place: Path | None,
        *,
        fault: UsageError | None = None,
        now: Callable[[], float] = time.time,
        largest: int = retention.LARGEST,
    ) -> None:
        self.fault: UsageError | None = None
        self.warning: str | None = None
        self._now = now
        self._largest = largest
        self._database = Database(place)
        if fault is not None:
            self._forget_the_file(fault)

    @property
    def place(self) -> Path | None:
        """The file in which the runs are kept; None for memory."""
        return self._database.path

    def add(self, report: Report) -> None:
        """Keep ``report``, which a run has redacted, and remove what is too old or too much."""
        row = _row_of(report)

        def stored(connection: sqlite3.Connection) -> None:
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(f"INSERT OR REPLACE INTO runs ({names}) VALUES ({values})", row)  # noqa: S608  our own names
            retention.prune(connection, now_ms=int(self._now() * 1000), largest=self._largest)

        self._do(stored)

    def runs(
        self,
        connector: str | None = None,
        *,
        target: str | None = None,
        failed: bool = False,
        limit: int = 100,
    ) -> tuple[Entry, ...]:
        """The runs, newest first. ``connector`` is a name, or a target as the reports have it."""
        query = (
            f"SELECT {_COLUMNS} FROM runs"  # noqa: S608  our own names
            " WHERE (:connector IS NULL OR name = :connector OR target = :connector)"
            " AND (:target IS NULL OR target = :target) AND (NOT :failed OR NOT worked)"
            " ORDER BY started DESC, number DESC LIMIT :limit"
        )
        given = {"connector": connector, "target": target, "failed": failed, "limit": limit}
        return tuple(map(_entry_of, self._do(lambda connection: connection.execute(query, given).fetchall())))

    def find(self, prefix: str) -> Entry:
        """The run whose id begins with ``prefix``. Raises UsageError CFG006."""
        wanted = prefix.strip().lower()
        query = (
            f"SELECT {_COLUMNS} FROM runs WHERE substr(id, 1, length(:wanted)) = :wanted"  # noqa: S608  our own names
            " ORDER BY started DESC, number DESC LIMIT 5"
        )
        shown = display(prefix, limit=40)
        found: list[tuple[object, ...]] = []
        if len(wanted) >= _SHORTEST_PREFIX:
            found = self._do(lambda connection: connection.execute(query, {"wanted": wanted}).fetchall())
        entries = [_entry_of(row) for row in found]
        if not entries:
            hint = f"diagnose history lists the ids; {_SHORTEST_PREFIX} characters of one are enough"
            raise UsageError("CFG006", f"no run of the history has the id {shown!r}", hint=hint)
        if len(entries) > 1 and entries[0].id != wanted:
            several = ", ".join(_distinct([entry.id for entry in entries]))
            raise UsageError(
                "CFG006", f"several runs have an id that begins with {shown}", hint=f"type one of {several}"
            )
        return entries[0]

    def report(self, prefix: str) -> Report:
        """The whole report of the run whose id begins with ``prefix``. Raises UsageError CFG006, CFG025."""
        from diagnose.stored_report import report_in

        run = self.find(prefix).id
        query = "SELECT report FROM runs WHERE id = ?"
        [packed] = self._do(lambda connection: connection.execute(query, (run,)).fetchone())
        where = f"run {run[:8]} of the history"
        return report_in(_unpacked(packed, where), where)

    def previous(self, report: Report, *, worked: bool = False) -> Entry | None:
        """The run of the same connector before this one, or the last one before it that worked."""
        query = (
            f"SELECT {_COLUMNS} FROM runs WHERE name = :name AND target = :target AND id <> :id"  # noqa: S608  our own names
            " AND started <= :started AND (NOT :worked OR worked) ORDER BY started DESC, number DESC LIMIT 1"
        )
        given = {**_key_of(report), "worked": worked}
        found = self._do(lambda connection: connection.execute(query, given).fetchone())
        return _entry_of(found) if found is not None else None

    def remove(self, connector: str | None = None, *, run: str | None = None) -> int:
        """Forget every run, those of a connector, or one by its whole id; how many there were."""
        query = (
            "DELETE FROM runs WHERE (:connector IS NULL OR name = :connector OR target = :connector)"
            " AND (:run IS NULL OR id = :run)"
        )
        given = {"connector": connector, "run": run}
        return self._do(lambda connection: connection.execute(query, given).rowcount)

    def close(self) -> None:
        """Let go of the runs that are in memory."""
        self._database.close()

    def __enter__(self) -> History:
        return self

    def __exit__(self, *ending: object) -> None:
        self.close()

    def _do(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """``work`` in a transaction on the file; on a fresh one, or in memory, where the file fails."""
        if self.place is not None:
            for fresh in (False, True):
                try:
                    return self._once(work)
                except sqlite3.Error as problem:
                    if not fresh and is_damaged(problem) and self._replaced(self.place):
                        continue
                    fault = _unusable(f"the history cannot be read or written: {problem}", self.place)
                except ForeignDatabase as problem:
                    fault = _unusable(f"the file of the history is left alone: {problem}", self.place)
                except UsageError as problem:
                    fault = UsageError("CFG026", problem.what, where=problem.where, hint=problem.hint)
                except OSError as problem:
                    fault = _unusable(f"the history cannot be opened: {problem.strerror}", self.place)
                self._forget_the_file(fault)
                break
        return self._once(work)

    def _once(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        with self._database.transaction() as connection:
            return work(connection)

    def _replaced(self, place: Path) -> bool:
        """Whether the damaged file could be moved aside, so that a new one can be made."""
        try:
            aside = moved_aside(place)
        except FileNotFoundError:  # another process was faster
            return True
        except OSError:
            return False
        self._warn(f"the history was damaged and begins anew; what is left of it is in {aside}")
        return True

    def _forget_the_file(self, fault: UsageError) -> None:
        self._database = Database(None)
        self.fault = fault
        self._warn(f"runs are kept only until this program ends: {fault.without_code}")

    def _warn(self, sentence: str) -> None:
        self.warning = self.warning or str(display(sentence))


def _unusable(what: str, place: Path | None) -> UsageError:
    where = str(place) if place is not None else None
    return UsageError("CFG026", what, where=where, hint="set DIAGNOSE_STATE_DIR to a folder of your own")


def target_of(report: Report) -> str:
    """What a run went to, as its report shows it: the URL or the command."""
    connector = report.connector
    return connector.url or " ".join(connector.command or []) or connector.name


def _key_of(report: Report) -> dict[str, object]:
    started = datetime.fromisoformat(report.run.started_at)
    return {
        "id": report.run.id,
        "name": str(display(report.connector.name, limit=_LONGEST_NAME)),
        "target": str(display(target_of(report), limit=_LONGEST_NAME)),
        "started": round(started.timestamp() * 1000),
    }


def _row_of(report: Report) -> dict[str, object]:
    verdict, opening = report.verdict, report.step("mcp_initialize").facts
    text = json.dumps(report.to_dict(), ensure_ascii=True, separators=(",", ":"))
    return {
        **_key_of(report),
        "duration": report.run.duration_ms,
        "status": verdict.status,
        "worked": report.ok,
        "step": verdict.failed_step.id if verdict.failed_step is not None else None,
        "code": verdict.code,
        "server_version": _text(opening.get("server_version")),
        "protocol_version": _text(opening.get("protocol_version")),
        "report": zlib.compress(text.encode("ascii")),
    }


def _text(value: object) -> str | None:
    return str(display(str(value), limit=200)) if value is not None else None


def _entry_of(row: tuple[object, ...]) -> Entry:
    named = dict(zip(_COLUMNS.split(", "), row, strict=True))
    started = datetime.fromtimestamp(float(str(named["started"])) / 1000, UTC)
    text = {name: None if named[name] is None else str(named[name]) for name in named}
    return Entry(
        id=str(named["id"]),
        connector=str(named["name"]),
        target=str(named["target"]),
        started_at=started,
        duration_ms=float(str(named["duration"])),
        status=str(named["status"]),
        step=text["step"],
        code=text["code"],
        server_version=text["server_version"],
        protocol_version=text["protocol_version"],
    )


def _unpacked(packed: bytes, where: str) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(packed, _LONGEST_REPORT)
    except zlib.error:
        content = b""
    if not content or not unpacking.eof:
        raise UsageError("CFG025", "the stored report is damaged", where=where, hint="choose another run")
    return content


def _distinct(ids: list[str]) -> list[str]:
    """The shortest beginnings, of at least eight characters, that tell ``ids`` apart."""
    length = 8
    while len({run[:length] for run in ids}) < len(ids):
        length += 1
    return [run[:length] for run in ids]
