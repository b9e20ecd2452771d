"""One entry of a file while it is read: what fills which slot, what is left over, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from diagnose.connector.defined import Origin, Problem
from diagnose.connector.dialects.documents import Document, Path_
from diagnose.connector.dialects.row import Dialect
from diagnose.connector.json_document import Place, kind_of
from diagnose.records import record

__all__ = ["Entry", "Here", "Slot", "read_slots"]

_NOT_IN_THE_MODEL = ("text", "kept", "ms", "s", "word")


@record
class Here:
    """The machine and the place from which a file is read."""

    environ: Mapping[str, str]
    platform: str
    home: str
    cwd: str


@record
class Slot:
    """A value, and its path in the document."""

    value: Any
    at: Path_
    field: str


class Entry:
    """The work on one entry; everything it learns goes into one :class:`Defined` in the end."""

    def __init__(
        self,
        row: Dialect,
        document: Document,
        at: Path_,
        raw: Any,
        name: str,
        here: Here,
        folder: str | None = None,
    ) -> None:
        self.row = row
        self.document = document
        self.at = at
        self.raw = raw
        self.name = name
        self.here = here
        self.folder = folder
        self.slots: dict[str, Slot] = {}
        self.times: list[tuple[str, Slot]] = []
        self.kept: list[Slot] = []
        self.unknown: dict[str, Slot] = {}
        self.extra: dict[str, Any] = {}
        self.problems: list[Problem] = []

    def origin(self, at: Path_ | None = None) -> Origin:
        """Where a path of the document stands."""
        at = self.at if at is None else at
        mark = self.document.marks(at)
        line, column = mark if mark else (None, None)
        pointer = Place("", at).pointer
        return Origin(file=self.document.file, line=line, column=column, pointer=pointer)

    def note(
        self,
        code: str,
        severity: Literal["error", "warning", "info"],
        what: str,
        hint: str,
        at: Path_ | None = None,
    ) -> None:
        """Add a problem, once."""
        made = Problem(code=code, severity=severity, what=what, hint=hint, origin=self.origin(at))
        if made not in self.problems:
            self.problems.append(made)

    def value(self, slot: str) -> Any:
        """What fills a slot, or None."""
        found = self.slots.get(slot)
        return None if found is None else found.value

    def text(self, slot: str) -> str | None:
        """A slot that is a string; anything else there is a problem and counts as nothing."""
        found = self.slots.get(slot)
        if found is None or found.value is None:
            return None
        if isinstance(found.value, str):
            return found.value
        self.wrong_kind(found, "a string")
        return None

    def wrong_kind(self, slot: Slot, wanted: str) -> None:
        what = f"{slot.field} is {kind_of(slot.value)}"
        self.note("CFG019", "error", what, f"write {wanted}", slot.at)

    def keep(self, slot: str) -> None:
        """Move a slot that the model has no place for to what is kept."""
        found = self.slots.get(slot)
        if found is not None:
            self.extra[self._pointer(found.at)] = found.value

    def _pointer(self, at: Path_) -> str:
        return Place("", at[len(self.at) :]).pointer

    @property
    def failed(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)


def read_slots(entry: Entry) -> None:
    """Sort the members of an entry by the row of its dialect."""
    fields = entry.row.fields
    deeper = {name.rpartition(".")[0] for name in fields if "." in name}
    deeper |= {name.rpartition(".")[0] for name in deeper if "." in name}
    for dotted, at, value in _members(entry.raw, entry.at, "", deeper, fields):
        slot = Slot(value=value, at=at, field=dotted)
        meaning = fields.get(dotted)
        pointer = Place("", at[len(entry.at) :]).pointer
        if meaning is None or meaning in _NOT_IN_THE_MODEL:
            entry.extra[pointer] = value
        if meaning is None:
            entry.unknown[dotted] = slot
        elif meaning in ("ms", "s"):
            entry.times.append((meaning, slot))
        elif meaning == "kept":
            entry.kept.append(slot)
        elif meaning != "text":
            entry.slots.setdefault(meaning, slot)


def _members(
    raw: Mapping[str, Any], at: Path_, before: str, deeper: set[str], fields: Mapping[str, str]
) -> Iterator[tuple[str, Path_, Any]]:
    for name, value in raw.items():
        dotted = f"{before}{name}"
        if dotted in deeper and isinstance(value, dict):
            yield from _members(value, (*at, name), f"{dotted}.", deeper, fields)
        else:
            yield dotted, (*at, name), value
