"""Freeze the reports that the pictures of the app are drawn from: real runs against the lab, put in order.

python tests/frozen_reports.py         writes tests/tui/reports/*.json

To be run when a report has got something new that a picture shall show; what a run finds is tested elsewhere.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diagnose_lab import Lab

from diagnose.model import Report

__all__ = ["FOLDER", "frozen"]

FOLDER = Path(__file__).parent / "tui" / "reports"
_DOCS = Path(__file__).parent.parent / "docs"
_SCENARIOS = (
    "auth-issuer-mismatch",
    "healthy-modern-tls",
    "http-wrong-path",
    "list-many-bad-tools",
    "stdio-command-not-found",
    "tls-expired",
)
_ENVIRONMENT = {"python": "3.11.0", "openssl": "OpenSSL 3", "platform": "Linux", "mcp": "2", "httpx2": "2"}
_MS = {"connect": 0.4, "tls": 2.1, "send": 0.6, "wait": 1.8, "receive": 0.2}
"""How long each phase of every exchange took."""
_CHANCE = (
    (re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT"), "Mon, 02 Mar 2026 09:00:00 GMT"),
    (re.compile(r"diagnose_nonexistent_[0-9a-f]{6}"), "diagnose_nonexistent_3f3f3f"),
    (re.compile(r"python-httpx2/[\d.]+"), "python-httpx2/2"),
)
_DAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def frozen(name: str) -> Report:
    """The report of the scenario ``name``, as it was when the command was last run."""
    return Report.model_validate_json((FOLDER / f"{name}.json").read_bytes())


def main() -> None:
    """Run every scenario once and write what it found."""
    sys.path.insert(0, str(_DOCS))
    from screenshots import in_order, played

    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as state, Lab() as lab:
        os.environ.update(
            DIAGNOSE_STATE_DIR=state, DIAGNOSE_KEYRING="off", PATH="/usr/local/bin:/usr/bin:/bin"
        )
        for name in _SCENARIOS:
            report = in_order(played(lab, name), _DAY, "3f")
            plain = _still(report.to_dict())
            plain["environment"].update(_ENVIRONMENT)
            text = json.dumps(plain, ensure_ascii=False, indent=1)
            for pattern, fixed in _CHANCE:
                text = pattern.sub(fixed, text)
            (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def _still(plain: Any, path: str = "") -> Any:
    """``plain`` without what the clock alone decides: durations inside a step, and the skew of two clocks."""
    if isinstance(plain, list):
        return [_still(one, path) for one in plain]
    if not isinstance(plain, dict):
        return plain
    if path.endswith("timings_ms"):
        known = {name: _MS[name] for name in plain if name in _MS}
        return {**known, "total": round(sum(known.values()), 1)}
    return {name: _measured(name, value, path) for name, value in plain.items()}


def _measured(name: str, value: Any, path: str) -> Any:
    if isinstance(value, float) and "facts" in path and name.endswith("_ms"):
        return 1.0
    if name == "clock_skew_s" and value is not None:
        return 0.0
    return _still(value, f"{path}/{name}")


if __name__ == "__main__":
    main()
