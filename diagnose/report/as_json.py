"""The report itself, as the schema describes it."""

from __future__ import annotations

from diagnose.model import Report

__all__ = ["render"]


def render(report: Report) -> str:
    """The document, indented, in ASCII."""
    return report.to_json() + "\n"
