"""What a run says while it goes: a closed vocabulary, in the order in which things happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diagnose.model import Report, StepResult

__all__ = ["Event", "RunFinished", "RunStarted", "StepFinished", "StepStarted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The run begins; ``connector`` is its name, ``target`` the redacted address."""

    run_id: str
    connector: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A step begins, ``started_ms`` after the run did."""

    number: int
    id: str
    title: str
    started_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """A step has its result; it is final and already redacted."""

    result: StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The last event of every run, also of an interrupted one."""

    report: Report


Event = RunStarted | StepStarted | StepFinished | RunFinished
