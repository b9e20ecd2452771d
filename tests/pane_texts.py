"""What panes say, as text, and a view of a run that goes on."""

from __future__ import annotations

from diagnose_tui.flow import Block, laid_out
from diagnose_tui.view import View

from diagnose.model import Exchange, Report

__all__ = ["lines_of", "running", "text_of"]


def lines_of(blocks: list[Block], width: int = 76) -> list[str]:
    """The lines of ``blocks`` for ``width`` cells."""
    return [content.plain for content in laid_out(blocks, width)]


def text_of(blocks: list[Block], width: int = 76) -> str:
    """The same as one text."""
    return "\n".join(lines_of(blocks, width))


def running(report: Report, step_id: str, exchanges: list[Exchange]) -> View:
    """``report`` as it was while ``step_id`` ran."""
    done = [step for step in report.steps if step.number < report.step(step_id).number]
    target = report.connector.url or " ".join(report.connector.command or [])
    return View(name="x", target=target, selected=step_id, steps=done, running=step_id, exchanges=exchanges)
