"""The signs of the screen: one cell wide, each with an ASCII twin, and never without a word beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ASCII", "STATUS_STYLES", "UNICODE", "Glyphs", "glyphs_for"]

# What is quiet is $text-muted as ``themes`` has it: readable in every theme, which "dim" is not.
STATUS_STYLES: Mapping[str, str] = {
    "passed": "$text-success",
    "warned": "$text-warning",
    "failed": "bold $text-error",
    "error": "bold $text-error",
    "skipped": "$text-muted",
    "not_applicable": "$text-muted",
    "running": "$text-accent",
    "queued": "$text-muted",
    "idle": "$text-muted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """One set of signs."""

    status: Mapping[str, str]
    bar: str
    """A part of a waterfall bar."""
    thin: str
    """A part of the bar of a sub-phase."""
    frames: str
    """The spinner."""
    here: str
    """Marks the row under the cursor."""
    opened: str
    closed: str
    dot: str
    rule: str
    ellipsis: str


UNICODE = Glyphs(
    status={
        "passed": "✓",
        "warned": "!",
        "failed": "✗",
        "error": "✗",
        "skipped": "·",
        "not_applicable": "-",
        "running": "●",
        "queued": "○",
        "idle": " ",
    },
    bar="█",
    thin="▬",
    frames="⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏",
    here="▌",
    opened="▾",
    closed="▸",
    dot="·",
    rule="─",
    ellipsis="…",
)

ASCII = Glyphs(
    status={**UNICODE.status, "passed": "+", "failed": "x", "error": "x", "skipped": ".", "running": "*"}
    | {"queued": "o"},
    bar="#",
    thin="=",
    frames="|/-\\",
    here=">",
    opened="v",
    closed=">",
    dot="|",
    rule="-",
    ellipsis="...",
)


def glyphs_for(*, ascii_only: bool | None = None, environ: Mapping[str, str] | None = None) -> Glyphs:
    """The signs that this terminal shows: those of ``ascii_only``, or what locale and TERM say.

    ``DIAGNOSE_ASCII`` set to anything asks for ASCII. The Linux console has no Braille and no check mark.
    """
    environ = os.environ if environ is None else environ
    if ascii_only is None:
        encoding = getattr(sys.__stdout__, "encoding", None) or "utf-8"
        plain = encoding.lower().replace("-", "") not in ("utf8", "utf16", "utf8sig")
        ascii_only = bool(environ.get("DIAGNOSE_ASCII")) or plain or environ.get("TERM") in ("linux", "vt100")
    return ASCII if ascii_only else UNICODE
