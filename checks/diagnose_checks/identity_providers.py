"""Known identity providers, recognised by what their documents say, and their own settings for a finding.

The table is ``identity_providers.toml``. A document can claim to be anybody's: recognition chooses one
sentence of advice and nothing else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from diagnose.records import record
from diagnose.step import Finding

__all__ = ["Provider", "advised", "providers", "recognised"]

_ANY = "*"
_LONGEST = 2048  # characters of a member that a sign is searched in


@record
class Provider:
    """One product: how its metadata gives it away, and its setting for each code of ours."""

    name: str
    source: str
    signs: tuple[Mapping[str, str], ...]
    advice: Mapping[str, str]


@cache
def providers() -> tuple[Provider, ...]:
    """The table, in its order; what is particular stands before what is general."""
    text = files("diagnose_checks").joinpath("identity_providers.toml").read_text(encoding="utf-8")
    return tuple(
        Provider(
            name=row["name"],
            source=row["source"],
            signs=tuple(row["signs"]),
            advice=row.get("advice", {}),
        )
        for row in tomllib.loads(text)["provider"]
    )


def recognised(value: Mapping[str, Any]) -> Provider | None:
    """The provider whose metadata this is. Where no document was found, ``{"issuer": ...}`` is enough."""
    return next((known for known in providers() if any(_shows(sign, value) for sign in known.signs)), None)


def advised(findings: Iterable[Finding], provider: Provider | None) -> list[Finding]:
    """The same findings, each with the setting of this provider that it is about."""
    known = provider.advice if provider is not None else {}
    return [
        replace(finding, advice=known[finding.code]) if finding.code in known else finding
        for finding in findings
    ]


def _shows(sign: Mapping[str, str], value: Mapping[str, Any]) -> bool:
    return all(_matches(pattern, value.get(member)) for member, pattern in sign.items())


def _matches(pattern: str, found: object) -> bool:
    if pattern == _ANY:
        return found is not None
    return isinstance(found, str) and re.search(pattern, found[:_LONGEST], re.IGNORECASE) is not None
