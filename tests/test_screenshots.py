"""The pictures of the documentation are what the app draws of runs against the lab."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_pictures_are_those_that_the_command_draws(tmp_path: Path) -> None:
    """Where this fails because the app looks different now: python docs/screenshots.py, and look at them."""
    subprocess.run([sys.executable, str(DOCS / "screenshots.py"), str(tmp_path)], check=True, timeout=120)
    drawn = {file.name: file.read_text(encoding="utf-8") for file in tmp_path.glob("*.svg")}
    kept = {file.name: file.read_text(encoding="utf-8") for file in (DOCS / "images").glob("*.svg")}
    assert sorted(kept) == sorted(drawn)
    assert [] == [name for name in drawn if kept[name] != drawn[name]]
