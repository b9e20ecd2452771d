"""The certificates of a handshake that verified, as the report lists them: leaf first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from diagnose.wire.handshake import Presented
from diagnose_checks.certificate_dates import (
    alternative_names,
    common_name,
    days_until,
    expires_soon,
    moment_of,
    shown_moment,
)
from diagnose_checks.facts import ChainCertificate, Trouble

__all__ = ["NAMES_SHOWN", "chain_of_pass", "date_trouble"]

NAMES_SHOWN = 20
"""Names of one certificate that the report keeps."""


def chain_of_pass(presented: Iterable[Presented], now: datetime) -> tuple[ChainCertificate, ...]:
    """The chain of a handshake that verified, as far as Python gives it."""
    return tuple(_of_info(entry, now, leaf=not place) for place, entry in enumerate(presented))


def _of_info(presented: Presented, now: datetime, *, leaf: bool) -> ChainCertificate:
    info = presented.info
    begin, end = moment_of(info.get("notBefore")), moment_of(info.get("notAfter"))
    soon = leaf and begin is not None and end is not None and expires_soon(begin, end, now)
    names = alternative_names(info)
    return ChainCertificate(
        subject=common_name(info.get("subject", ())),
        issuer=common_name(info.get("issuer", ())),
        names=names[:NAMES_SHOWN] or None,
        more_names=max(len(names) - NAMES_SHOWN, 0) or None,
        not_before=shown_moment(begin),
        not_after=shown_moment(end),
        days_left=days_until(end, now) if end is not None else None,
        fingerprint_sha256=hashlib.sha256(presented.der).hexdigest(),
        trouble=date_trouble(begin, end, now) or ("expires-soon" if soon else None),
    )


def date_trouble(begin: datetime | None, end: datetime | None, now: datetime) -> Trouble | None:
    """Whether a certificate is past one of its bounds."""
    if end is not None and end < now:
        return "expired"
    return "not-yet-valid" if begin is not None and begin > now else None
