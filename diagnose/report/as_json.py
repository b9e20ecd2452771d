"""The report itself, as the schema describes it."""

from __future__ import annotations

import json
import re
from typing import Any

from diagnose.model import Report

__all__ = ["dumped", "render"]

_CI_COMMAND = re.compile(r"##(?=\w*\[)")


def render(report: Report) -> str:
    """The document, indented, in ASCII."""
    return dumped(report.to_dict())


def dumped(document: Any) -> str:
    """JSON that can be printed into any log.

    ``##[`` and ``##vso[`` are commands to build servers wherever they stand in a line, so the second of two
    number signs is escaped; it reads back as the same text.
    """
    return _CI_COMMAND.sub(r"#\\u0023", json.dumps(document, indent=2, ensure_ascii=True)) + "\n"
