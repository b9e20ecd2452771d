"""The app's first picture beside that of a bare Textual app, and how soon a key is answered."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from figures import Figure, median, spread
from processes import DIAGNOSE, HERE, installed
from terminal import on_terminal

__all__ = ["figures"]

_LAST_PAINTED = b"Help"
"""It stands in the last line of both apps."""
_KEYS = 40
_DOWN, _UP = b"\x1b[B", b"\x1b[A"


def figures(rounds: int) -> Iterator[Figure]:
    """The ratio of the medians; the sides take turns, so that both see the same machine."""
    with tempfile.TemporaryDirectory() as home:
        environ = {**installed(), "HOME": home, "DIAGNOSE_STATE_DIR": str(Path(home) / "state")}
        ours, bare = [*DIAGNOSE, "tui"], [sys.executable, str(HERE / "bare_app.py")]
        _first_paint(ours, environ), _first_paint(bare, environ)  # once unmeasured: bytecode is written
        pairs = [(_first_paint(ours, environ), _first_paint(bare, environ)) for _ in range(rounds)]
        mine, other = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        yield Figure(
            what="first paint of the app, against a bare Textual app with the same widgets",
            value=round(median(mine) / median(other), 3),
            unit="x",
            budget=1.3,
            detail=f"{median(mine) * 1000:.0f} ms ({spread(mine, 1000)}) against "
            f"{median(other) * 1000:.0f} ms ({spread(other, 1000)}), {rounds} rounds",
        )
        answers = _answers(ours, environ)
        yield Figure(
            what="a key to the repaint, half of them",
            value=round(median(answers) * 1000, 1),
            unit="ms",
            detail=f"{_KEYS} cursor keys in the list ({spread(answers, 1000)} ms)",
        )


def _first_paint(command: Sequence[str], environ: Mapping[str, str]) -> float:
    began = time.perf_counter()
    with on_terminal(command, environ) as terminal:
        return terminal.read_until(_LAST_PAINTED) - began


def _answers(command: Sequence[str], environ: Mapping[str, str]) -> list[float]:
    with on_terminal(command, environ) as terminal:
        terminal.read_until(_LAST_PAINTED)
        terminal.settle(2.0)  # what is imported behind the first picture has its own time
        return [terminal.answer_to(key) for _ in range(_KEYS // 4) for key in (_DOWN, _DOWN, _UP, _UP)]
