"""Records that nobody changes: keyword-only, with slots, frozen for every type checker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn, TypeVar, dataclass_transform

__all__ = ["record"]

_T = TypeVar("_T")


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=False, field_specifiers=(field,))
def record(cls: type[_T]) -> type[_T]:
    """Make ``cls`` a record without a repr, which could print a secret, and without equality.

    A process makes about a hundred of these while it starts. ``dataclass(frozen=True)`` compiles six
    methods for each of them, this one: a fifth of the start of a run (docs/performance.md). Assignment to a
    field is refused by the type checker alone. What is compared or hashed is a frozen dataclass instead;
    comparing a record is an error and not an answer.
    """
    made = dataclass(slots=True, kw_only=True, eq=False, repr=False)(cls)
    made.__eq__ = _not_compared  # type: ignore[method-assign]  # it never answers
    made.__hash__ = None  # type: ignore[assignment]  # as for every class that defines equality
    return made


def _not_compared(self: object, other: object) -> NoReturn:
    raise TypeError(f"{type(self).__name__} is not compared: make it a frozen dataclass where that is meant")
