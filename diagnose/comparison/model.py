"""A comparison: two runs, their differences, and what neither proves nor excludes one."""

from __future__ import annotations

from dataclasses import dataclass

from diagnose.records import record

__all__ = ["Change", "Compared", "Comparison"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One of the two runs."""

    id: str
    started_at: str
    connector: str
    target: str
    status: str
    step: str | None
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. None stands for what was not there; ``note`` says what it may mean."""

    group: str
    label: str
    before: str | None
    after: str | None
    step: str | None = None
    note: str | None = None


@record
class Comparison:
    """What is different, by group, and why something was not looked at."""

    before: Compared
    after: Compared
    differences: tuple[Change, ...]
    not_compared: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether no difference was found in what both runs saw."""
        return not self.differences
