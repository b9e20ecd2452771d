"""The certificates of a handshake that was refused over them, and which one is the trouble."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from diagnose_checks.certificate_chain import Certificate, short_name
from diagnose_checks.certificate_dates import days_until, shown_moment
from diagnose_checks.certificate_faults import Refusal
from diagnose_checks.chain_facts import NAMES_SHOWN, date_trouble
from diagnose_checks.facts import ChainCertificate, RefusedTlsFacts, Trouble

__all__ = ["chain_of_refusal"]

_MARKS: Mapping[str, tuple[str, Trouble]] = {
    "TLS001": ("end", "untrusted"),
    "TLS002": ("leaf", "wrong-host"),
    "TLS005": ("end", "issuer-missing"),
    "TLS006": ("leaf", "self-signed"),
    "TLS007": ("leaf", "inspected"),
    "TLS015": ("end", "untrusted"),
}
"""What a code says of one certificate: the leaf, or the end of the path that was sent."""


def chain_of_refusal(refusal: Refusal, code: str) -> RefusedTlsFacts | None:
    """What was presented and not accepted; None where it could not be read."""
    if not refusal.chain:
        return None
    which, trouble = _MARKS.get(code, ("", None))
    marked = {"leaf": refusal.chain[0], "end": refusal.last()}.get(which)
    leaf = _of_certificate(refusal.chain[0], refusal.now)
    return RefusedTlsFacts(
        subject=leaf.subject,
        issuer=leaf.issuer,
        names=refusal.chain[0].names or None,
        not_before=leaf.not_before,
        not_after=leaf.not_after,
        days_left=leaf.days_left,
        fingerprint_sha256=leaf.fingerprint_sha256,
        trust_store=refusal.store,
        chain=tuple(
            replace(shown, trouble=trouble) if found is marked else shown
            for found in refusal.chain
            for shown in (_of_certificate(found, refusal.now),)
        ),
    )


def _of_certificate(found: Certificate, now: datetime) -> ChainCertificate:
    return ChainCertificate(
        subject=_named(found.subject, found.organisation),
        issuer=_named(found.issuer, found.issuer_organisation),
        names=found.names[:NAMES_SHOWN] or None,
        more_names=max(len(found.names) - NAMES_SHOWN, 0) or None,
        not_before=shown_moment(found.not_before),
        not_after=shown_moment(found.not_after),
        days_left=days_until(found.not_after, now),
        fingerprint_sha256=found.fingerprint,
        key=found.key,
        signed_with=found.signed_with,
        trouble=date_trouble(found.not_before, found.not_after, now),
    )


def _named(name: str, organisation: str | None) -> str:
    """The name by which a handshake that verified lists it, so that two runs are compared alike."""
    short = short_name(name)
    return organisation if short == name and organisation else short
