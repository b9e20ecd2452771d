"""The report as it is written, or the part of it that there is so far."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.worker import get_current_worker

from diagnose.display import display
from diagnose.model import Report, StepResult
from diagnose_tui.bodies import Row
from diagnose_tui.panes.pane import Pane
from diagnose_tui.view import View
from diagnose_tui.widgets.document import Document

__all__ = ["JsonPane", "json_rows", "json_text"]

_LONGEST = 4000


def json_text(subject: Report | StepResult) -> str:
    """The report, or one step of it; what is not ASCII is escaped, so that no character of it acts."""
    made = subject.to_dict() if isinstance(subject, Report) else subject.model_dump(mode="json")
    return json.dumps(made, indent=2, ensure_ascii=True)


class JsonPane(Pane):
    """The whole report once the run is over, before that the selected step. Rows are made in a thread."""

    TITLE: ClassVar[str] = "JSON"
    can_focus = False
    DEFAULT_CSS = """
    JsonPane { overflow: hidden; scrollbar-gutter: auto; }
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._document = Document()
        self._subject: Report | StepResult | None = None

    @classmethod
    def blank(cls, view: View) -> str | None:
        return None if _subject(view) is not None else "There is no result of this step yet."

    def compose(self) -> ComposeResult:
        yield self._document

    def focus(self, scroll_visible: bool = True) -> JsonPane:
        self._document.focus(scroll_visible)
        return self

    @property
    def text(self) -> str:
        """What is shown, for the clipboard: the lines as they are written, not as they are cut."""
        return json_text(self._subject) if self._subject is not None else self._document.text

    def show(self, view: View) -> None:
        subject = _subject(view)
        if subject is None:
            self._subject = None
            self._document.show([Row(self.blank(view) or "", "muted")])
        elif subject is not self._subject:
            self._subject = subject
            self._write(subject)

    @work(thread=True, exclusive=True, group="json")
    def _write(self, subject: Report | StepResult) -> None:
        rows = json_rows(json_text(subject))
        if not get_current_worker().is_cancelled:
            self.app.call_from_thread(self._written, subject, rows)

    def _written(self, subject: Report | StepResult, rows: list[Row]) -> None:
        if subject is self._subject:
            self._document.show(rows)


def json_rows(text: str) -> list[Row]:
    """The lines of ``text``; a very long one is cut into rows, so that drawing a part of it costs a part."""
    rows: list[Row] = []
    for whole in display(text, layout=True).split("\n"):
        if len(whole) <= _LONGEST:
            rows.append(Row(whole, "json"))
        else:
            rows += [Row(whole[at : at + _LONGEST]) for at in range(0, len(whole), _LONGEST)]
    return rows


def _subject(view: View) -> Report | StepResult | None:
    return view.report if view.report is not None else view.step
