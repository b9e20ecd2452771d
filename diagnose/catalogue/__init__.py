"""The catalogue of findings: one Markdown page per code, read when it is needed.

Nothing here imports a third-party package, so that ``diagnose explain`` starts at once.
"""

from __future__ import annotations

import string
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["HEADINGS", "Page", "codes", "page"]

HEADINGS = (
    "What it means",
    "Likely causes",
    "Fix",
    "Reproduce",
    "Tell whoever must act",
    "See also",
)
"""The fixed headings of every page, in this order."""

_FENCE = "+++\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One code: its facts, its message templates and its text.

    The templates (``summary``, ``cause``, ``fix``, ``reproduce``, ``forward``) take named arguments in
    braces; a finding that is raised without one of them is a bug, proven by the contract tests.
    """

    code: str
    name: str
    step: str
    severity: str
    side: str
    actor: str
    confidence: str
    summary: str
    cause: str
    fix: str
    spec: str
    rule: str
    forward: str | None = None
    reproduce: str | None = None
    field: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    look_alikes: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    status: str = "active"
    body: str = ""

    def arguments(self) -> frozenset[str]:
        """The names that the templates of this page take."""
        texts = (self.summary, self.cause, self.fix, self.reproduce or "", self.forward or "")
        return frozenset(
            name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name is not None
        )

    def section(self, heading: str) -> str:
        """The text under ``heading``. Raises KeyError where the page has no such heading."""
        marker = f"## {heading}\n"
        if marker not in self.body:
            raise KeyError(heading)
        return self.body.split(marker, 1)[1].split("\n## ", 1)[0].strip()


@cache
def codes() -> tuple[str, ...]:
    """Every code that has a page, sorted."""
    return tuple(sorted(entry.name[:-3] for entry in _pages().iterdir() if entry.name.endswith(".md")))


@cache
def page(code: str) -> Page:
    """The page of ``code``. Raises KeyError for a code that has none."""
    source = _pages().joinpath(f"{code}.md")
    if not code.isalnum() or not source.is_file():
        raise KeyError(code)
    return parse(source.read_text(encoding="utf-8"), origin=f"{code}.md")


def parse(text: str, *, origin: str) -> Page:
    """Read one page. Raises ValueError, naming ``origin``, for a page that breaks the form."""
    if not text.startswith(_FENCE) or text.count(_FENCE) < 2:
        raise ValueError(f"{origin}: a page starts with TOML front matter between two +++ lines")
    _, front, body = text.split(_FENCE, 2)
    try:
        fields: dict[str, Any] = tomllib.loads(front)
        lists = {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
        return Page(**{**fields, **lists}, body=body.strip() + "\n")
    except (tomllib.TOMLDecodeError, TypeError) as problem:
        raise ValueError(f"{origin}: {problem}") from problem


def _pages() -> Any:
    return files("diagnose.catalogue").joinpath("pages")
