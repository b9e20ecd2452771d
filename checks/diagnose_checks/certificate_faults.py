"""Faults that the presented certificates show by themselves: dates, names, self-signature."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from diagnose.records import record
from diagnose.step import Evidence, Fault
from diagnose_checks.certificate_chain import Certificate

__all__ = ["Refusal", "expired", "not_yet_valid", "self_signed", "wrong_host"]


@record
class Refusal:
    """A certificate that was not accepted: by which store, with which words, and what was presented."""

    host: str
    store: str
    said: str
    chain: tuple[Certificate, ...]
    now: datetime
    server_date: datetime | None = None

    @property
    def subject(self) -> str:
        return self.chain[0].short if self.chain else "(not readable)"

    @property
    def issuer(self) -> str:
        return self.chain[0].short_issuer if self.chain else "(not readable)"

    def last(self) -> Certificate | None:
        """The end of the path that the presented certificates make, from the leaf upwards."""
        if not self.chain:
            return None
        last, rest = self.chain[0], list(self.chain[1:])
        while not last.self_issued:
            above = next((other for other in rest if other.subject == last.issuer), None)
            if above is None:
                break
            rest.remove(above)
            last = above
        return last

    def evidence(self) -> tuple[Evidence, ...]:
        handshake = Evidence(
            label=f"TLS handshake with {self.host}, verified with {self.store}",
            expected="a certificate that verifies",
            observed=self.said,
        )
        if not self.chain:
            return (handshake,)
        lines = [f"{place}: {_line(certificate)}" for place, certificate in enumerate(self.chain)]
        return (handshake, Evidence(label="certificates presented, leaf first", observed="\n".join(lines)))


def _line(certificate: Certificate) -> str:
    names = f", for {', '.join(certificate.names[:8])}" if certificate.names else ""
    validity = f"valid {_span(certificate)}"
    return (
        f"{certificate.subject}{names}, issued by {certificate.issuer}, {validity}, "
        f"SHA-256 {certificate.fingerprint}"
    )


def day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _span(certificate: Certificate) -> str:
    return f"{day(certificate.not_before)} to {day(certificate.not_after)}"


def _who(certificate: Certificate, refusal: Refusal) -> str:
    if certificate is refusal.chain[0]:
        return f"The certificate of {refusal.host}"
    return f"The intermediate certificate {certificate.short} above {refusal.host}"


def _clock(refusal: Refusal, *, valid_then: bool) -> tuple[str, tuple[Evidence, ...], bool]:
    """What the server's clock says about ours: a sentence, the evidence, and whether ours is suspect."""
    if refusal.server_date is None:
        return "The server gave no Date to compare the local clock with.", (), False
    evidence = Evidence(
        label="clocks",
        expected=f"server (Date header): {day(refusal.server_date)}",
        observed=f"this machine: {day(refusal.now)}",
    )
    hours = abs((refusal.server_date - refusal.now).total_seconds()) / 3600
    if valid_then and hours > 1:
        text = f"The server's clock differs by {hours:.0f} h, and by it the certificate is valid"
        return f"{text}: check the local clock.", (evidence,), True
    agree = "agrees with the local one" if hours <= 1 else f"differs from the local one by {hours:.0f} h"
    return f"The server's clock {agree}; by it the certificate is not valid either.", (evidence,), False


def expired(refusal: Refusal) -> Fault:
    """TLS003, of the leaf or of an intermediate."""
    late = next((entry for entry in refusal.chain if entry.not_after < refusal.now), None)
    return _out_of_date("TLS003", refusal, late, "not_after", late.not_after if late is not None else None)


def not_yet_valid(refusal: Refusal) -> Fault:
    """TLS004, of the leaf or of an intermediate."""
    early = next((entry for entry in refusal.chain if entry.not_before > refusal.now), None)
    return _out_of_date(
        "TLS004", refusal, early, "not_before", early.not_before if early is not None else None
    )


def _out_of_date(
    code: str, refusal: Refusal, wrong: Certificate | None, bound: str, moment: datetime | None
) -> Fault:
    """The fault of a certificate that is past one of its bounds; ``bound`` names it in the page."""
    if wrong is None or moment is None:
        who = f"A certificate of {refusal.host}"
        unread: dict[str, Any] = {bound: "a date that could not be read"}
        return Fault(code, *refusal.evidence(), who=who, clock="", **unread)
    then = refusal.server_date is not None and wrong.not_before <= refusal.server_date <= wrong.not_after
    clock, evidence, suspect = _clock(refusal, valid_then=then)
    return Fault(
        code,
        *refusal.evidence(),
        *evidence,
        actor="user" if suspect else None,
        confidence="likely" if suspect else None,
        who=_who(wrong, refusal),
        clock=clock,
        **dict[str, Any]({bound: day(moment)}),
    )


def wrong_host(refusal: Refusal) -> Fault:
    """TLS002: other names, no names, or a URL that spells the host with the dot of the root."""
    names = refusal.chain[0].names if refusal.chain else ()
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    reason = (
        f"It is for {listed}." if names else "It names no host in subjectAltName, the only place that counts."
    )
    if not refusal.chain:
        reason = "Its names could not be read."
    if refusal.host.endswith("."):
        reason += " The URL ends the host with a dot, which no certificate carries: remove it."
    wrong = [entry for entry in refusal.chain if not entry.not_before <= refusal.now <= entry.not_after]
    # OpenSSL compares the name before it looks at the dates (X509_verify_cert).
    reason += (
        f" It is out of date as well: {wrong[0].short} is valid {_span(wrong[0])}."
        if wrong
        else " The chain itself verifies."
    )
    return Fault(
        "TLS002",
        *refusal.evidence(),
        actor="user" if refusal.host.endswith(".") else None,
        asked=refusal.host,
        reason=reason,
        names=listed or "no name",
    )


def self_signed(refusal: Refusal) -> Fault:
    """TLS006: nobody vouches for the certificate but itself."""
    fingerprint = refusal.chain[0].fingerprint if refusal.chain else "not readable"
    return Fault(
        "TLS006",
        *refusal.evidence(),
        subject=refusal.subject,
        fingerprint=fingerprint,
        store=refusal.store,
    )
