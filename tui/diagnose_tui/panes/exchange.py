"""Exchange: what was sent in the selected step, and what came back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from diagnose.display import display
from diagnose.model import Exchange
from diagnose.report.wording import reason
from diagnose.step import TITLES
from diagnose_tui.bodies import Row, body_rows, prose_rows
from diagnose_tui.panes.pane import Pane
from diagnose_tui.view import View
from diagnose_tui.widgets.document import Document
from diagnose_tui.widgets.rows import Rows

__all__ = ["ExchangePane", "exchange_rows"]

_LISTED = 4
_QUIET: Mapping[str, tuple[str, str]] = {
    "dns": (
        "This step looks up a name; it sends no request.",
        "This step finds the command; it sends nothing.",
    ),
    "tcp": ("This step connects; it sends no request.", "This step starts the process; it sends nothing."),
    "tls": (
        "This step shakes hands; it sends no request.",
        "This step looks at variables; it sends nothing.",
    ),
    "teardown": ("This step closes what was opened; it sent no request.", "This step ends the process."),
}
"""Steps that need no request: for a URL, and for a process."""
_JUDGED: Mapping[str, re.Pattern[str]] = {
    "mcp_initialize": re.compile(r'"method": ?"(initialize|server/discover)"'),
    "list_tools": re.compile(r'"method": ?"tools/list"'),
}
"""What a step judges that an earlier one sent: nothing is asked twice."""
_ASKED_WITHIN = 2000


class ExchangePane(Pane):
    """A line for each exchange where there are several, and the chosen one in full."""

    TITLE = "Exchange"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,left_square_bracket", "step_to(-1)", "Previous exchange", show=False),
        Binding("right,right_square_bracket", "step_to(1)", "Next exchange", show=False),
    ]
    can_focus = False
    DEFAULT_CSS = """
    ExchangePane { overflow: hidden; layout: vertical; scrollbar-gutter: auto; }
    ExchangePane Rows { height: auto; max-height: 4; margin-bottom: 1; }
    ExchangePane #exchange-keys { color: $text-muted; height: 1; }
    ExchangePane .-absent { display: none; }
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._shown: list[Exchange] = []
        self._selected: str | None = None
        self._view: View | None = None

    @classmethod
    def blank(cls, view: View) -> str | None:
        return None if _exchanges(view) else _why_none(view)

    def compose(self) -> ComposeResult:
        rows = Rows(id="exchange-list")
        rows.can_focus = False
        yield rows
        yield Document(id="exchange-text")

    def focus(self, scroll_visible: bool = True) -> ExchangePane:
        self.query_one(Document).focus(scroll_visible)
        return self

    @property
    def text(self) -> str:
        """What is shown, for the clipboard."""
        return self.query_one(Document).text

    def show(self, view: View) -> None:
        exchanges = _exchanges(view)
        moved = view.selected != self._selected
        if not moved and exchanges and _same(exchanges, self._shown):
            self._view = view
            return
        rows = self.query_one(Rows)
        before = self._shown[rows.cursor].id if self._shown and not moved else None
        self._view, self._shown, self._selected = view, exchanges, view.selected
        ids = [exchange.id for exchange in exchanges]
        cursor = ids.index(before) if before in ids else _telling(view, ids)
        rows.show(len(exchanges), self._draw, cursor=cursor)
        rows.styles.height = min(len(exchanges), _LISTED)
        rows.set_class(len(exchanges) < 2, "-absent")
        self._open(keep_place=not moved and before is not None)

    def action_step_to(self, by: int) -> None:
        self.query_one(Rows).action_move(by)

    @on(Rows.Moved)
    def _turned(self, event: Rows.Moved) -> None:
        event.stop()
        self._open()

    @on(Rows.Chosen)
    def _chosen(self, event: Rows.Chosen) -> None:
        event.stop()
        self.query_one(Document).focus()

    def _open(self, *, keep_place: bool = False) -> None:
        document, view = self.query_one(Document), self._view
        if view is None:
            return
        if not self._shown:
            document.show([Row(_why_none(view), "prose")])
            return
        at = self.query_one(Rows).cursor
        place = f"{at + 1} of {len(self._shown)}" if len(self._shown) > 1 else ""
        document.show(exchange_rows(self._shown[at], view.selected, place=place), keep_place=keep_place)

    def _draw(self, number: int, width: int, here: bool) -> Content:
        exchange, view = self._shown[number], self._view
        assert view is not None, "rows are drawn after they were shown"
        mark = view.glyphs.here if here else " "
        took = f"{exchange.timings_ms.get('total', 0.0):8.1f} ms"
        place = display(_place(exchange, view.target))
        widest = max(len(_answer_shown(one)) for one in self._shown)
        room = max(width - widest - 25, 8)
        if len(place) > room:
            place = display(place[: room - 1] + view.glyphs.ellipsis)
        method = display(exchange.request.get("method") or "?")[:16]
        style = "" if here or _went_well(exchange) else "$text-error"
        return Content.assemble(
            f"{mark}{exchange.id:>3} {method:<7}{place:<{room}} ",
            (f"{_answer_shown(exchange):<{widest}}", style),
            took,
        )


def _answer_shown(exchange: Exchange) -> str:
    return str(display(_answer(exchange), limit=22))


def _exchanges(view: View) -> list[Exchange]:
    """Those of the step, those that its findings speak of, and those of earlier steps that it judged."""
    own = {exchange.id for exchange in view.step_exchanges}
    step = view.step
    if step is not None:
        own |= {said.exchange for finding in step.findings for said in finding.evidence if said.exchange}
        if not own and step.status in ("passed", "warned", "failed"):
            asked = _JUDGED.get(view.selected)
            return [exchange for exchange in view.exchanges if asked and asked.search(_body(exchange))]
    return [exchange for exchange in view.exchanges if exchange.id in own]


def _body(exchange: Exchange) -> str:
    return str(exchange.request.get("body") or "")[:_ASKED_WITHIN]


def _same(left: Sequence[Exchange], right: Sequence[Exchange]) -> bool:
    return len(left) == len(right) and all(a is b or a == b for a, b in zip(left, right, strict=True))


def _telling(view: View, ids: list[int]) -> int:
    """The exchange that the finding speaks of, else the first."""
    finding = view.finding
    named = [evidence.exchange for evidence in finding.evidence] if finding is not None else []
    return next((ids.index(number) for number in named if number in ids), 0)


def _why_none(view: View) -> str:
    step = view.step
    if view.trouble is not None and step is None:
        return "Nothing was sent: the definition cannot be used."
    if step is None:
        return "Nothing was sent yet." if view.running == view.selected else "This step has not run yet."
    if step.status in ("skipped", "not_applicable"):
        why = reason(step, view.steps)
        return f"This step did not run: {why}." if why else "This step did not run."
    if view.selected in _QUIET:
        return _QUIET[view.selected]["://" not in view.target]
    return "This step sent nothing of its own: it judged the answers to earlier requests."


def _place(exchange: Exchange, target: str) -> str:
    """The path at the connector's own origin, the whole address anywhere else."""
    process = exchange.request.get("process")
    if process is not None:
        return f"process {process}"
    url = str(exchange.request.get("url") or "")
    try:
        there, own = urlsplit(url), urlsplit(target)
    except ValueError:
        return url
    if there[:2] != own[:2]:
        return url
    return (there.path or "/") + (f"?{there.query}" if there.query else "")


def _answer(exchange: Exchange) -> str:
    response = exchange.response
    if response is None:
        return "no answer"
    if "status" in response:
        ended = ", broken off" if response.get("error") else ""
        return f"{response['status']} {response.get('reason') or ''}".strip() + ended
    return "no answer" if response.get("error") else "answered"


def _went_well(exchange: Exchange) -> bool:
    response = exchange.response or {"error": "no answer"}
    status = response.get("status", 200)
    return not response.get("error") and isinstance(status, int) and status < 400


def exchange_rows(exchange: Exchange, selected: str = "", *, place: str = "") -> list[Row]:
    """One exchange as lines: its times and its end first, then the request, then the answer.

    ``selected`` is the step that is looked at, which may have judged what another one sent.
    """
    process = exchange.request.get("process")
    where = f"process {process}, stdin" if process is not None else exchange.request.get("url")
    rows = [Row(display(f"{exchange.request.get('method')} {where}"), "strong", "")]
    parts = [f"exchange {exchange.id}", f"{place}, left and right turn" if place else ""]
    if exchange.step != selected and exchange.step in TITLES:
        number, title = TITLES[exchange.step]
        parts.append(f"sent in step {number} {title}")
    rows.append(Row("; ".join(part for part in parts if part), "muted"))
    response = exchange.response
    if exchange.timings_ms:
        phases = [f"{display(name)} {ms:.1f}" for name, ms in exchange.timings_ms.items() if name != "total"]
        total = exchange.timings_ms.get("total", sum(exchange.timings_ms.values()))
        rows += prose_rows("Time", f"{total:.1f} ms: {', '.join(phases)}" if phases else f"{total:.1f} ms")
    if response is not None:
        rows += prose_rows("Answer", _answer_in_short(response, cut=exchange.truncated))
    if response is None or response.get("error"):
        rows += prose_rows("Ended", str((response or {}).get("error") or "no answer"), "error")
    rows += [Row(""), Row("Request", "title"), *_message(exchange.request)]
    if response is None:
        return rows
    rows += [Row(""), Row("Answer", "title")]
    if "status" in response:
        said = f"{response.get('http_version') or ''} {response['status']} {response.get('reason') or ''}"
        rows.append(Row(display(said.strip()), "strong"))
    elif process is not None:
        rows.append(Row(f"process {display(str(process))}, stdout", "strong"))
    rows += _message(response, cut=exchange.truncated)
    return rows


def _answer_in_short(response: Mapping[str, Any], *, cut: bool) -> str:
    """Status, kind and size of an answer: a small pane shows no more of it at first."""
    if "status" not in response and "body" not in response:
        return "none"
    parts = [f"{response['status']} {response.get('reason') or ''}".strip()] if "status" in response else []
    parts.append(_content_type(response).partition(";")[0])
    size = response.get("body_size")
    parts.append(f"{size} bytes{', only the beginning of them kept' if cut else ''}" if size else "no body")
    return ", ".join(part for part in parts if part)


def _pairs(part: Mapping[str, Any]) -> list[tuple[object, object]]:
    """The headers that are pairs, as those of a stored report may not be."""
    given = part.get("headers")
    pairs = given if isinstance(given, list) else []
    return [(pair[0], pair[1]) for pair in pairs if isinstance(pair, list | tuple) and len(pair) == 2]


def _content_type(part: Mapping[str, Any]) -> str:
    return next((str(value) for name, value in _pairs(part) if str(name).lower() == "content-type"), "")


def _message(part: Mapping[str, Any], *, cut: bool = False) -> list[Row]:
    """Headers and body."""
    rows = [Row(display(f"{name}: {value}"), "header") for name, value in _pairs(part)]
    body = body_rows(str(part.get("body") or ""), _content_type(part), cut=cut)
    if body:
        rows += [Row(""), *body]
    elif "status" in part:
        rows += [Row(""), Row("no body", "muted")]
    if cut:
        rows.append(Row(f"only the beginning was kept of {part.get('body_size', 'its')} bytes", "muted"))
    return rows
