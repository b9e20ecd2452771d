"""The run while it goes, on a terminal's stderr; rich is imported here and nowhere else."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from diagnose.events import Event, RunStarted, StepFinished, StepStarted
from diagnose.report.paint import Paint
from diagnose.report.wording import STATUSES, reason, safe

if TYPE_CHECKING:
    from diagnose.model import StepResult

__all__ = ["Progress"]

_STYLES = {"passed": "green", "warned": "yellow", "failed": "bold red"}


class Progress:
    """One line per step, the running one with a spinner. ``stays`` keeps the lines when the run is over."""

    def __init__(self, *, color: bool, unicode: bool, stays: bool) -> None:
        self._console = Console(file=sys.stderr, no_color=not color, highlight=False, markup=False, emoji=False)
        self._paint = Paint(unicode=unicode)
        self._lines: list[Text] = []
        self._spinner = "dots" if unicode else "line"
        self._live = Live(console=self._console, transient=not stays, refresh_per_second=10)

    def __enter__(self) -> Progress:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.update(Group(*self._lines))
        self._live.stop()

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._lines.append(Text(safe(event.target), style="bold", no_wrap=True, overflow="ellipsis"))
        elif isinstance(event, StepStarted):
            self._live.update(Group(*self._lines, self._running(event)))
            return
        elif isinstance(event, StepFinished):
            self._lines.append(self._finished(event.result))
        self._live.update(Group(*self._lines))

    def _running(self, event: StepStarted) -> Table:
        row = Table.grid(padding=(0, 0, 0, 2))
        text = Text(f"{'running':<8} {event.number:>2} {event.title}")
        row.add_row(Spinner(self._spinner, text=text))
        return row

    def _finished(self, result: StepResult) -> Text:
        took = f"{result.duration_ms:8.1f} ms" if result.duration_ms is not None else " " * 11
        said = ", ".join(dict.fromkeys(entry.code for entry in result.findings if entry.severity != "info"))
        line = Text("  ", no_wrap=True, overflow="ellipsis")
        word = f"{self._paint.glyph(result.status)} {STATUSES[result.status]:<8}"
        line.append(word, style=_STYLES.get(result.status, "dim"))
        line.append(f" {result.number:>2} {result.title:<18}{took}  {said or safe(reason(result))}")
        return line
