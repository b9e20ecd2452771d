"""The report's formats: one file each, one literal table. A new format is one file and one row."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diagnose.model import Report

__all__ = ["FORMATS", "render"]

_MODULES: Mapping[str, str] = {
    "text": "diagnose.report.as_text",
    "json": "diagnose.report.as_json",
    "junit": "diagnose.report.as_junit",
    "sarif": "diagnose.report.as_sarif",
    "github": "diagnose.report.as_github",
    "markdown": "diagnose.report.as_markdown",
    "har": "diagnose.report.as_har",
}

FORMATS: tuple[str, ...] = tuple(_MODULES)
"""The words that ``--format`` and ``--report`` take."""


def render(report: Report, format: str) -> str:
    """The report in one of :data:`FORMATS`. Raises KeyError for any other word."""
    return str(import_module(_MODULES[format]).render(report))
