"""A line for a shell that shows the same again, without any secret."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import urlsplit

from textual.content import Content

from diagnose.curl_line import curl_line
from diagnose.display import display
from diagnose.model import Exchange
from diagnose.step import TITLES
from diagnose_tui.flow import Block
from diagnose_tui.panes.decisive import decisive
from diagnose_tui.panes.flow_pane import FlowPane
from diagnose_tui.text import line, plain
from diagnose_tui.view import View

__all__ = ["CurlPane", "curl_blocks", "curl_text"]

_MASK = "[redacted]"
_VARIABLE = re.compile(r"\$(DIAGNOSE_[A-Z]+)")
_SHOWN = 20
_LISTENS_S = 5
_CA_BUNDLE = "CA bundle "
_GAP = Block(text=Content(""))


class CurlPane(FlowPane):
    """The line of the finding, then one for each exchange of the step."""

    TITLE: ClassVar[str] = "curl"

    @classmethod
    def blank(cls, view: View) -> str | None:
        if next(_lines(view), None) is not None:
            return None
        return "There is no request to repeat yet." if view.report is None else "No request was sent."

    @classmethod
    def blocks(cls, view: View, width: int) -> list[Block]:
        return curl_blocks(view)


def curl_blocks(view: View) -> list[Block]:
    """Everything that the pane says of ``view``."""
    blocks: list[Block] = []
    names: set[str] = set()
    for title, text in _lines(view):
        blocks += [
            *([_GAP] if blocks else []),
            Block(text=line(title, "bold")),
            Block(text=plain(text), wraps=False),
        ]
        names.update(_VARIABLE.findall(text))
    if names:
        told = f"No secret is in a line: set {', '.join(sorted(names))} in the shell first."
        blocks += [_GAP, Block(text=plain(told, "$text-muted"))]
    return blocks or [Block(text=plain(CurlPane.blank(view) or "", "$text-muted"))]


def curl_text(view: View) -> str:
    """The first of the lines: that of the finding, or of the first exchange. Empty where nothing was sent."""
    return next((display(text, layout=True) for _, text in _lines(view)), "")


def _lines(view: View) -> Iterator[tuple[str, str]]:
    """Title and line, that of the finding first."""
    found = decisive(view)
    if found is not None and found[1].reproduce:
        yield f"Reproduces {found[1].code} of step {found[0].number}", found[1].reproduce
    # What a step judges, an earlier one may have sent.
    for exchange in (view.step_exchanges or view.exchanges)[:_SHOWN]:
        text = _process_line(exchange, view) if "process" in exchange.request else _line(exchange, view)
        if text:
            yield _title(exchange), text


def _title(exchange: Exchange) -> str:
    answered = (exchange.response or {}).get("status")
    said = f", HTTP {answered}" if answered is not None else ""
    number, title = TITLES.get(exchange.step, ("", exchange.step))
    return f"Exchange {exchange.id}, step {number} {title}: {exchange.request.get('method', '')}{said}"


def _line(exchange: Exchange, view: View) -> str:
    """The request of an exchange; a report out of a file is a stranger's, so that nothing in it may act."""
    request = exchange.request
    url = str(request.get("url", ""))
    if not url.startswith(("http://", "https://")):
        return ""
    pairs = [pair for pair in _pairs(request.get("headers")) if not pair[0].startswith("@")]
    return curl_line(
        method=str(request.get("method", "GET")),
        url=display(url),
        headers=[(name, None if _MASK in value else value) for name, value in pairs],
        body=str(request.get("body") or ""),
        options=_options(url, view),
    )


def _pairs(headers: object) -> list[tuple[str, str]]:
    pairs = headers if isinstance(headers, list) else []
    return [(display(str(pair[0])), display(str(pair[1]))) for pair in pairs if len(pair) == 2]


def _options(url: str, view: View) -> list[str]:
    """The address and the certificates of the run, where the request went over its first connection."""
    options = ["--globoff"] if re.search(r"[\[\]{}]", url) else []
    facts = {step.id: step.facts for step in view.steps}
    host, port = _authority(url)
    peer = str(facts.get("tcp", {}).get("peer") or "").rpartition(":")[0]
    direct = not facts.get("tcp", {}).get("via_proxy")
    if direct and peer and host and (host, port) == _authority(view.target):
        options += ["--resolve", shlex.quote(display(f"{host}:{port}:{peer}"))]
    store = str(facts.get("tls", {}).get("trust_store") or "")
    if url.startswith("https://") and store.startswith(_CA_BUNDLE):
        options += ["--cacert", shlex.quote(display(store.removeprefix(_CA_BUNDLE)))]
    return options


def _authority(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "", 0


def _process_line(exchange: Exchange, view: View) -> str:
    """What was said up to ``exchange``, into a new process; its stdin stays open until it can answer."""
    command = (view.report.connector.command if view.report is not None else None) or []
    if not command:
        return ""
    number = exchange.request.get("process")
    said = [
        shlex.quote(display(str(other.request["body"])))
        for other in view.exchanges
        if other.request.get("process") == number and other.id <= exchange.id and other.request.get("body")
    ]
    words = " ".join(
        '"$DIAGNOSE_SECRET"' if _MASK in word else shlex.quote(display(word)) for word in command
    )
    return f"(printf '%s\\n' {' '.join(said)}; sleep {_LISTENS_S}) | ({words})"
