"""The certificates that the server showed, from its own up, and what the handshake agreed on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from textual.content import Content

from diagnose.model import StepResult
from diagnose.report.wording import reason
from diagnose_tui.flow import Block
from diagnose_tui.panes.evidence import bounded
from diagnose_tui.panes.facts import fact_words
from diagnose_tui.panes.flow_pane import FlowPane
from diagnose_tui.text import line, plain
from diagnose_tui.view import View

__all__ = ["ChainPane", "chain_blocks"]

_PRESENTED = "certificates presented, leaf first"
_MOST = 20
_MARGIN = 14
_GAP = Block(text=Content(""))
_HANDSHAKE = (
    ("version", "Version"),
    ("cipher", "Cipher"),
    ("alpn", "ALPN"),
    ("trust_store", "Trust store"),
    ("client_certificate_requested", "Client cert."),
)
_TROUBLES: Mapping[str, str] = {
    "expired": "it has expired",
    "expires-soon": "it ends soon",
    "inspected": "a program in between issued it to read the traffic",
    "issuer-missing": "the certificate above it was not sent",
    "not-yet-valid": "its validity has not begun",
    "self-signed": "it vouches for itself, and this store does not know it",
    "untrusted": "the trust store knows nobody who vouches for it",
    "wrong-host": "it is not for this host",
}


class ChainPane(FlowPane):
    """Handshake and chain of step 3."""

    TITLE: ClassVar[str] = "Certificate"

    @classmethod
    def blank(cls, view: View) -> str | None:
        step = _tls(view)
        if step is None:
            return "No TLS handshake so far."
        if step.status == "skipped":
            return f"There was no TLS handshake: {reason(step, view.steps)}."
        if step.status == "not_applicable" or "inherits" in step.facts:
            stdio = "://" not in view.target
            return (
                "A local process is reached without TLS." if stdio else "Plain HTTP: there is no certificate."
            )
        return (
            None
            if _certificates(step) or _presented(step) or step.facts
            else "The server showed no certificate."
        )

    @classmethod
    def blocks(cls, view: View, width: int) -> list[Block]:
        return chain_blocks(view)


def chain_blocks(view: View) -> list[Block]:
    """Everything that the pane says of ``view``."""
    step = _tls(view)
    why = ChainPane.blank(view)
    if step is None or why is not None:
        return [Block(text=plain(why or "", "$text-muted"))]
    blocks = [
        _row(label, fact_words(name, step.facts[name]))
        for name, label in _HANDSHAKE
        if step.facts.get(name) is not None
    ]
    chain = _certificates(step)
    now = _began(view)
    for place, certificate in enumerate(chain[:_MOST]):
        blocks += [*([_GAP] if blocks else []), *_certificate(place, certificate, view, now)]
    if not chain and (presented := _presented(step)):
        blocks += [
            *([_GAP] if blocks else []),
            Block(text=line("Certificates presented, leaf first", "bold")),
        ]
        blocks += [Block(text=plain(bounded(entry)), indent=2) for entry in presented.split("\n")[:_MOST]]
    return blocks


def _tls(view: View) -> StepResult | None:
    return next((step for step in view.steps if step.id == "tls"), None)


def _certificates(step: StepResult) -> list[Mapping[str, Any]]:
    """The chain; of a report that is older than the chain, its leaf."""
    chain = step.facts.get("chain")
    if isinstance(chain, list):
        return [entry for entry in chain if isinstance(entry, Mapping)]
    return [step.facts] if step.facts.get("fingerprint_sha256") or step.facts.get("not_after") else []


def _presented(step: StepResult) -> str:
    evidence = (item for finding in step.findings for item in finding.evidence)
    return next((item.observed or "" for item in evidence if item.label == _PRESENTED), "")


def _certificate(place: int, certificate: Mapping[str, Any], view: View, now: datetime | None) -> list[Block]:
    trouble = certificate.get("trouble")
    head = line(f"Certificate {place + 1}" + (", the server's own" if place == 0 else ""), "bold")
    if trouble:
        said = _TROUBLES.get(str(trouble), str(trouble))
        head = Content.assemble(
            head, "  ", line(f"{view.glyphs.status['failed']} {said}", "bold $text-error")
        )
    names = fact_words("names", certificate.get("names") or [])
    more = certificate.get("more_names")
    rows = [
        ("Subject", certificate.get("subject")),
        ("Issuer", certificate.get("issuer")),
        ("Names", f"{names} and {more} more" if more else names),
        ("Valid", _validity(certificate, now)),
        ("Key", certificate.get("key")),
        ("Signed with", certificate.get("signed_with")),
        ("SHA-256", certificate.get("fingerprint_sha256")),
    ]
    shown = [_row(label, bounded(str(text))) for label, text in rows if text and text != "none"]
    return [Block(text=head), *shown]


def _row(label: str, text: str) -> Block:
    return Block(label=label, text=line(text), indent=2, margin=_MARGIN, quiet=True)


def _validity(certificate: Mapping[str, Any], now: datetime | None) -> str:
    """Both bounds, and the nearer one in words."""
    begin, end = _moment(certificate.get("not_before")), _moment(certificate.get("not_after"))
    if end is None:
        return str(certificate.get("not_after") or "")
    dates = f"{_day(begin)} to {_day(end)}" if begin is not None else f"until {_day(end)}"
    if now is None:
        left = certificate.get("days_left")
        return f"{dates}, {left} days left when it was read" if isinstance(left, int) else dates
    if begin is not None and begin > now:
        return f"{dates}, begins in {_span(begin - now)}"
    return f"{dates}, {f'ends in {_span(end - now)}' if end >= now else f'ended {_span(now - end)} ago'}"


def _span(length: timedelta) -> str:
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60)):
        number = int(length.total_seconds() // seconds)
        if number:
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return "less than a minute"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _began(view: View) -> datetime | None:
    return _moment(view.report.run.started_at) if view.report is not None else None


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
