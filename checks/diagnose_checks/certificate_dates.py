"""Names and dates of a certificate in the form of ``ssl.SSLSocket.getpeercert``, as the report shows them."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

__all__ = ["alternative_names", "common_name", "days_until", "expires_soon", "moment_of", "shown_moment"]

_SOON = timedelta(days=14)


def common_name(name: Iterable[Iterable[tuple[str, str]]]) -> str | None:
    """The common name, or the organisation where there is none."""
    parts = {key: value for part in name for key, value in part}
    return parts.get("commonName") or parts.get("organizationName")


def alternative_names(info: Mapping[str, Any]) -> tuple[str, ...]:
    """The DNS names, then the addresses in their short form: OpenSSL writes out every zero of ``::1``."""
    named = info.get("subjectAltName", ())
    dns = [str(value) for kind, value in named if kind == "DNS"]
    return (*dns, *(_address(str(value)) for kind, value in named if kind == "IP Address"))


def _address(text: str) -> str:
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        return text


def moment_of(text: str | None) -> datetime | None:
    """The moment that ``notBefore`` or ``notAfter`` names."""
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if text else None


def shown_moment(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else None


def days_until(end: datetime, now: datetime) -> int:
    """Whole days; negative, and rounded towards zero, for what is over."""
    return int((end - now) / timedelta(days=1))


def expires_soon(begin: datetime, end: datetime, now: datetime) -> bool:
    """Whether renewal is overdue: under 14 days left, and under a third of the certificate's life.

    Certificates of six days are normal and renewed in time; ACME clients renew at a third.
    """
    return end - now < min(_SOON, (end - begin) / 3)
