"""The eleven steps: status, time, and a waterfall whose bars start when the steps did."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from diagnose.records import record
from diagnose.report.wording import STATUSES, reason
from diagnose.step import TITLES
from diagnose_tui.glyphs import STATUS_STYLES, UNICODE, Glyphs
from diagnose_tui.session import ORDER
from diagnose_tui.text import line
from diagnose_tui.view import View
from diagnose_tui.widgets.waterfall import bar

if TYPE_CHECKING:
    from diagnose.model import Exchange, StepResult

__all__ = ["StepList", "rows_of"]

_FIXED = 44
"""Cells before the bar: cursor, sign, word, number, title and time."""
_LEAST_BAR, _MOST_BAR = 8, 44
"""Cells of the waterfall; what is left of a wide screen says the phases in words."""
_QUIET = frozenset({"passed", "not_applicable", "skipped"})


@record
class Row:
    """One line: a step, several that need no look, or a phase of one."""

    ids: tuple[str, ...]
    exchange: Exchange | None = None


def rows_of(view: View, *, compact: bool, every: bool, expanded: frozenset[str]) -> list[Row]:
    """The lines to draw. ``compact`` folds what needs no look, ``every`` folds nothing.

    Steps that were not reached are one line in any case; the step under the cursor is always its own.
    """
    known = {step.id: step for step in view.steps}
    rows: list[Row] = []
    for step_id in ORDER:
        step = known.get(step_id)
        before = rows[-1] if rows else None
        if not every and before is not None and before.exchange is None:
            line_so_far = [known[one] for one in before.ids if one in known]
            if _together(line_so_far, step, view, compact=compact) and before.ids[-1] != view.selected:
                rows[-1] = Row(ids=(*before.ids, step_id))
                continue
        rows.append(Row(ids=(step_id,)))
        if step_id in expanded:
            rows += [Row(ids=(step_id,), exchange=one) for one in _of_step(step, step_id, view.exchanges)]
    return rows


def _together(so_far: Sequence[StepResult], step: StepResult | None, view: View, *, compact: bool) -> bool:
    if not so_far or step is None or step.id == view.selected:
        return False
    if so_far[0].blocked_by is not None and (step.blocked_by is not None or step.status == "not_applicable"):
        return True
    last = so_far[-1]
    done = view.report is not None
    return (
        compact
        and done
        and {last.status, step.status} <= _QUIET
        and (last.status == "skipped") == (step.status == "skipped")
    )


def _of_step(step: StepResult | None, step_id: str, exchanges: Sequence[Exchange]) -> Iterator[Exchange]:
    wanted = set(step.exchanges) if step is not None else set()
    return (one for one in exchanges if one.id in wanted or (step is None and one.step == step_id))


class StepList(Widget, can_focus=True):
    """Draws itself whole: eleven lines cost less than eleven widgets."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("home", "move(-20)", "First step", show=False),
        Binding("end", "move(20)", "Last step", show=False),
    ]
    DEFAULT_CSS = """
    StepList { height: auto; width: 1fr; padding: 0 1; }
    """

    class Chosen(Message):
        """Somebody put the cursor on a step."""

        def __init__(self, step_id: str) -> None:
            super().__init__()
            self.step_id = step_id

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view = View(name="", target="")
        self._rows: list[Row] = rows_of(self._view, compact=False, every=False, expanded=frozenset())
        self._total_ms = 0.0
        self._since: float | None = None
        self._started_ms = 0.0
        self.every = False
        self.compact = False
        self.expanded: frozenset[str] = frozenset()

    def show(self, view: View, *, total_ms: float, started_ms: float, since: float | None) -> None:
        """Show a run; ``since`` is the monotonic time at which the running step began."""
        self._view, self._total_ms, self._started_ms, self._since = view, total_ms, started_ms, since
        before = len(self._rows)
        self._rows = rows_of(view, compact=self.compact, every=self.every, expanded=self.expanded)
        self.refresh(layout=before != len(self._rows))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._rows)

    def render(self) -> Content:
        width = self.content_size.width
        return Content("\n").join([self._line(row, width) for row in self._rows])

    def action_move(self, by: int) -> None:
        """Move to another step; a folded line opens where the cursor enters it."""
        place = min(max(ORDER.index(self._view.selected) + by, 0), len(ORDER) - 1)
        self.post_message(self.Chosen(ORDER[place]))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None and offset.y < len(self._rows):
            self.post_message(self.Chosen(self._rows[offset.y].ids[0]))

    def _line(self, row: Row, width: int) -> Content:
        if row.exchange is not None:
            return self._phase(row.exchange, width)
        if len(row.ids) > 1:
            return self._folded(row.ids, width)
        return self._step(row.ids[0], width)

    @property
    def _signs(self) -> Glyphs:
        return self._view.glyphs or UNICODE

    def _step(self, step_id: str, width: int) -> Content:
        view, number = self._view, TITLES[step_id][0]
        step = next((one for one in view.steps if one.id == step_id), None)
        running = step is None and view.running == step_id
        status = "running" if running else step.status if step is not None else "idle"
        took = self._took(step, running)
        title = step.title if step is not None else TITLES[step_id][1]
        here = step_id == view.selected
        word = "running" if running else STATUSES.get(status, "")
        sign = self._spinner() if running else self._signs.status[status]
        head = Content.assemble(
            (self._signs.here if here else " ", "$accent"),
            (f"{sign} {word:<7} ", STATUS_STYLES[status]),
            (f"{number:>2} ", "$text-muted"),
            (f"{title[:19]:<19}", "bold" if here else ""),
            (f"{took:>10} ", ""),
        )
        rest = Content.assemble(head, self._after(step, running, max(width - _FIXED, 0)))
        return rest.stylize("on $boost") if here and self.has_focus else rest

    def _took(self, step: StepResult | None, running: bool) -> str:
        if running and self._since is not None:
            return f"{time.monotonic() - self._since:.1f} s"
        return _time(step.duration_ms) if step is not None and step.duration_ms is not None else ""

    def _after(self, step: StepResult | None, running: bool, room: int) -> Content:
        if step is not None and "reused" in step.facts:
            return line(_reused(step), "$text-muted").truncate(room, ellipsis=True)
        if step is not None and step.started_ms is None:
            return line(reason(step, self._view.steps), "$text-muted").truncate(room, ellipsis=True)
        codes = _codes(step)
        width = max(min(room - max(len(codes) + 1, 9), _MOST_BAR), 0)
        if width < _LEAST_BAR or (step is None and not running):
            return Content.styled(codes, "bold")
        if step is not None:
            first, cells = bar(step.started_ms or 0.0, step.duration_ms or 0.0, self._total_ms, width)
            style = STATUS_STYLES[step.status]
        else:
            since = (time.monotonic() - self._since) * 1000 if self._since is not None else 0.0
            first, cells = bar(self._started_ms, since, self._total_ms, width)
            style = STATUS_STYLES["running"]
        drawn = Content.assemble(" " * first, (self._signs.bar * cells, style), " " * (width - first - cells))
        said = Content.styled(codes, STATUS_STYLES[step.status] if step is not None else "")
        return Content.assemble(drawn, " ", said)

    def _folded(self, ids: tuple[str, ...], width: int) -> Content:
        steps = {step.id: step for step in self._view.steps}
        first, last = steps[ids[0]], steps[ids[-1]]
        unreached = first.blocked_by is not None
        status = next(
            (steps[one].status for one in ids if steps[one].status != "not_applicable"), first.status
        )
        names = ", ".join(steps[one].title for one in ids if steps[one].status == status)
        others = ", ".join(steps[one].title for one in ids if steps[one].status != status)
        without = f"; {STATUSES['not_applicable']}: {others}" if others else ""
        word = reason(first, self._view.steps) if unreached else f"{names}{without}"
        took = sum(steps[one].duration_ms or 0.0 for one in ids)
        sign = self._signs.status[status]
        said = Content.assemble(
            " ",
            (f"{sign} {STATUSES[status]:<7} ", STATUS_STYLES[status]),
            (f"{first.number}-{last.number} ", "$text-muted"),
            line(f"{word}{'' if unreached else f'  {_time(took)}'}", "$text-muted"),
        )
        return said.truncate(width, ellipsis=True)

    def _phase(self, exchange: Exchange, width: int) -> Content:
        timings = {name: ms for name, ms in exchange.timings_ms.items() if name != "total"}
        said = ", ".join(f"{name} {ms:.1f}" for name, ms in timings.items())
        said = f"{said} ms" if said else "no answer"
        request = exchange.request
        where = str(request.get("url") or "").partition("://")[2].partition("/")[2]
        name = f"{request.get('method')} /{where}" if "url" in request else str(request.get("method"))
        head = Content.assemble(
            "      ", line(name[: _FIXED - 8]).truncate(_FIXED - 8, ellipsis=True, pad=True), "  "
        )
        room = max(min(width - _FIXED - 9, _MOST_BAR), 0)
        began = exchange.started_ms
        if room < _LEAST_BAR or began is None:
            return Content.assemble(head, line(said, "$text-muted")).truncate(width, ellipsis=True)
        first, cells = bar(began, (timings and sum(timings.values())) or 0.0, self._total_ms, room)
        drawn = Content.assemble(
            " " * first, (self._signs.thin * cells, "$text-accent"), " " * (room - first - cells)
        )
        return Content.assemble(head, drawn, " ", line(said, "$text-muted")).truncate(width, ellipsis=True)

    def _spinner(self) -> str:
        if self.app.animation_level == "none":
            return self._signs.status["running"]
        return self._signs.frames[int(time.monotonic() * 10) % len(self._signs.frames)]


def _codes(step: StepResult | None) -> str:
    if step is None:
        return ""
    grave = [finding for finding in step.findings if finding.severity != "info"]
    said = list(dict.fromkeys(finding.code for finding in grave))
    return said[0] + (f" +{len(said) - 1}" if len(said) > 1 else "") if said else ""


def _reused(step: StepResult) -> str:
    """That an earlier run found it, and how long ago."""
    age = float(step.facts["reused"]["age_s"])
    ago = f"{age:.0f} s" if age < 120 else f"{age / 60:.0f} min"
    return f"found {ago} ago, not asked again"


def _time(ms: float) -> str:
    return f"{ms:.1f} ms" if ms < 1000 else f"{ms / 1000:.2f} s" if ms < 100_000 else f"{ms / 60_000:.1f} min"
