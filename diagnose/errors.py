"""Exit codes and the one exception for input that cannot be used."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ExitCode", "UsageError"]


class ExitCode(IntEnum):
    """What the process says to its caller; the failing step itself is in the report."""

    PASSED = 0
    """Every step passed; warnings are allowed unless ``--fail-on warning``."""
    FAILED = 1
    """A step failed."""
    USAGE = 2
    """The command line, a file or a variable cannot be used; nothing was sent."""
    NO_CONNECTOR = 3
    """No connector matched the name."""
    DEADLINE = 4
    """The run's own deadline (``--timeout``) ended it."""
    INTERNAL = 70
    """Our bug (EX_SOFTWARE of sysexits)."""
    INTERRUPTED = 130
    """SIGINT or SIGTERM; the report is partial but valid."""


class UsageError(Exception):
    """Input that cannot be used: what, where, and what to type instead.

    ``code`` is a CFG code of the catalogue. The text never holds a secret value.
    """

    def __init__(self, code: str, what: str, *, hint: str, where: str | None = None) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        return f"{self.code} {self.without_code}"

    @property
    def without_code(self) -> str:
        """The refusal as a part of another sentence."""
        place = f" ({self.where})" if self.where else ""
        return f"{self.what}{place}: {self.hint}"
