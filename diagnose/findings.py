"""From a raised finding to a printed one: page templates filled in, reproduction line added, redacted."""

from __future__ import annotations

import shlex
import string
import traceback
from typing import Any

from diagnose import model
from diagnose.catalogue import Page, page
from diagnose.context import Context
from diagnose.curl_line import curl_line
from diagnose.display import display
from diagnose.step import Evidence, Finding
from diagnose.wire.recorder import Recorded

__all__ = ["bug", "curl", "printed", "printed_or_bug"]

_LONGEST_ARGUMENT = 400
_LONGEST_EVIDENCE = 2000


class _Template(string.Formatter):
    """``str.format`` over our own templates; a value is shown as text and never formatted again."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        return kwargs[field_name], field_name  # no attribute and no index access


def printed(finding: Finding, ctx: Context, *, ruled_out: tuple[str, ...] = ()) -> model.Finding:
    """The finding as the report holds it. Raises KeyError for a missing template argument (our bug)."""
    entry = page(finding.code)
    values = {
        name: display(_uncut(str(value), _LONGEST_ARGUMENT, ctx), limit=_LONGEST_ARGUMENT)
        for name, value in {**ctx.common(), **finding.args}.items()
    }

    def fill(template: str) -> str:
        return _Template().vformat(template, (), values).strip()

    raw = {
        "code": entry.code,
        "name": entry.name,
        "severity": finding.severity or entry.severity,
        "side": entry.side,
        "actor": finding.actor or entry.actor,
        "confidence": finding.confidence or entry.confidence,
        "summary": fill(entry.summary),
        "cause": fill(entry.cause),
        "fix": " ".join(part for part in (fill(entry.fix), finding.advice) if part),
        "evidence": [_evidence(item, ctx) for item in finding.evidence],
        "where": finding.where,
        "rule": f"{entry.rule} ({entry.spec})" if entry.spec else entry.rule,
        "reproduce": _reproduce(finding, entry, fill, ctx),
        "ruled_out": [*finding.ruled_out, *ruled_out],
        "forward": fill(entry.forward) if entry.forward else None,
    }
    return model.Finding.model_validate(ctx.redactor.clean(raw))


def printed_or_bug(finding: Finding, ctx: Context, ruled_out: tuple[str, ...] = ()) -> model.Finding:
    """The finding in print; one whose page is missing or does not fit costs itself, not the report."""
    try:
        return printed(finding, ctx, ruled_out=ruled_out)
    except Exception as problem:
        return printed(bug(problem, finding.code), ctx)


def bug(problem: Exception, code: str | None = None) -> Finding:
    """Our own failure, with where it happened and no value of any variable."""
    frames = traceback.extract_tb(problem.__traceback__)[-4:]
    trail = " < ".join(
        f"{frame.filename.replace(chr(92), '/').rpartition('/')[2]}:{frame.lineno} {frame.name}"
        for frame in reversed(frames)
    )
    label = f"where it happened, printing {code}" if code else "where it happened"
    evidence = Evidence(label=label, observed=f"{type(problem).__name__}: {trail}")
    return Finding(code="BUG001", args={"kind": type(problem).__name__}, evidence=(evidence,))


def _uncut(text: str, limit: int, ctx: Context) -> str:
    """``text`` as it may be cut at ``limit``: half a secret would not be known for one afterwards."""
    return ctx.redactor.text(text) if len(text) > limit else text


def _evidence(item: Evidence, ctx: Context) -> dict[str, Any]:
    def shown(text: str | None) -> str | None:
        if text is None:
            return None
        return display(_uncut(text, _LONGEST_EVIDENCE, ctx), limit=_LONGEST_EVIDENCE, layout=True)

    return {
        "label": item.label,
        "expected": shown(item.expected),
        "observed": shown(item.observed),
        "where": item.where,
        "exchange": item.exchange,
    }


def _reproduce(finding: Finding, entry: Page, fill: Any, ctx: Context) -> str | None:
    if entry.reproduce:
        return str(fill(entry.reproduce))
    exchange_id = finding.exchange or next(
        (item.exchange for item in finding.evidence if item.exchange is not None), None
    )
    if exchange_id is None:
        seen = ctx.recorder.of_step(ctx.step_id) or ctx.recorder.exchanges
        exchange_id = seen[-1].id if seen else None
    exchange = None if exchange_id is None else ctx.recorder.get(exchange_id)
    if ctx.connector.stdio is not None:
        from diagnose.stdio_repeat import repeat_line

        return repeat_line(ctx, exchange)
    return None if exchange is None else curl(exchange, ctx)


def curl(exchange: Recorded, ctx: Context) -> str:
    """One curl line that repeats an exchange, pinned to the address probed, without any secret."""
    redactor, network = ctx.redactor, ctx.connector.network
    options: list[str] = []
    if exchange.peer and exchange.url.startswith(str(ctx.origin)) and not ctx.proxies.get("effective"):
        options += ["--resolve", f"{ctx.origin.host}:{ctx.origin.port}:{exchange.peer}"]
    if network.ca_bundle is not None:
        options += ["--cacert", shlex.quote(str(network.ca_bundle))]
    if ctx.proxies.get("effective"):
        options += ["--proxy", shlex.quote(ctx.proxies["effective"])]
    return curl_line(
        method=exchange.method,
        url=redactor.text(exchange.url),
        headers=[
            (name, value if redactor.header(name, value) == value else None)
            for name, value in exchange.request_headers
        ],
        body=redactor.text(exchange.request_body.decode("utf-8", "replace")),
        options=options,
    )
