"""What an access token says about itself, read locally. Nothing here verifies a signature.

Only the claims that explain a refusal are shown, and always as unverified; the token itself never is.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Literal

from diagnose.records import record
from diagnose.wire.strict_json import HostileJson, parse

__all__ = ["LARGEST", "TokenReading", "moment", "read_token"]

LARGEST = 64 * 1024
"""Characters of a token that are looked at; no server takes a header that long."""

_SHOWN = ("iss", "aud", "azp", "client_id", "scope", "scp")
_TIMES = ("exp", "nbf", "iat")
_SHOWN_HEADER = ("alg", "kid", "typ")
_BINDINGS = {"jkt": "a DPoP key", "x5t#S256": "a client certificate"}


@record
class TokenReading:
    """``form`` is opaque for everything that cannot be read here: random, encrypted, damaged or too long."""

    form: Literal["jwt", "opaque"]
    note: str
    header: Mapping[str, Any] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)

    def time(self, name: str) -> float | None:
        """A time claim in seconds since 1970 (RFC 7519 2, NumericDate)."""
        value = self.claims.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        return float(value)

    @property
    def audiences(self) -> tuple[str, ...]:
        value = self.claims.get("aud")
        listed = value if isinstance(value, list) else [value]
        return tuple(item for item in listed if isinstance(item, str))

    @property
    def scopes(self) -> tuple[str, ...] | None:
        """The granted scopes; None where the token does not say (``scope`` RFC 9068, ``scp`` Entra, Okta)."""
        for name in ("scope", "scp"):
            value = self.claims.get(name)
            if isinstance(value, str):
                return tuple(value.split())
            if isinstance(value, list):
                return tuple(item for item in value if isinstance(item, str))
        return None

    @property
    def scope_claim(self) -> str | None:
        """The claim that holds the scopes."""
        return next(
            (name for name in ("scope", "scp") if isinstance(self.claims.get(name), str | list)), None
        )

    @property
    def timeless(self) -> tuple[str, ...]:
        """The time claims that are there and are no number (RFC 7519 2, NumericDate)."""
        return tuple(name for name in _TIMES if name in self.claims and self.time(name) is None)

    @property
    def bound_to(self) -> str | None:
        """What the sender has to prove beside the token (``cnf``: RFC 9449 6.1, RFC 8705 3.1)."""
        confirmation = self.claims.get("cnf")
        if not isinstance(confirmation, Mapping):
            return None
        return next((_BINDINGS[name] for name in _BINDINGS if name in confirmation), None)

    def text(self, *names: str) -> str | None:
        """The first of these claims that is text."""
        return next((self.claims[name] for name in names if isinstance(self.claims.get(name), str)), None)

    def shown(self) -> dict[str, Any] | None:
        """The claims that may be shown."""
        if self.form != "jwt":
            return None
        found: dict[str, Any] = {"verified": False}
        found |= {name: self.header[name] for name in _SHOWN_HEADER if isinstance(self.header.get(name), str)}
        found |= {name: _plain(self.claims[name]) for name in _SHOWN if name in self.claims}
        found |= {name: moment(seconds) for name in _TIMES if (seconds := self.time(name)) is not None}
        return found


def moment(seconds: float) -> str:
    """A NumericDate as people read it."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, OSError, ValueError):
        return f"{seconds:.0f} s after 1970"


def read_token(token: str) -> TokenReading:
    """Read a token as far as it can be read. Nothing is raised, whatever the text is."""
    if len(token) > LARGEST:
        return _opaque(f"longer than {LARGEST} characters, not looked at")
    parts = token.split(".")
    if len(parts) == 5:
        return _opaque("an encrypted JWT (five parts): only its server can read it")
    if len(parts) != 3:
        return _opaque("opaque: only its issuer knows what it says")
    header, claims = _object(parts[0]), _object(parts[1])
    if header is not None and claims is None and str(header.get("cty", "")).upper() == "JWT":
        return _opaque("a JWT inside a JWT (cty JWT): only its server looks into it")
    if header is None or claims is None:
        return _opaque("three parts like a JWT, but they hold no JSON objects")
    return TokenReading(form="jwt", note="a JWT, read without verifying it", header=header, claims=claims)


def _opaque(note: str) -> TokenReading:
    return TokenReading(form="opaque", note=note)


def _object(part: str) -> Mapping[str, Any] | None:
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        value = parse(raw).value
    except (binascii.Error, ValueError, HostileJson):
        return None
    return value if isinstance(value, Mapping) else None


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value[:20] if isinstance(item, str | int | float)]
    return value if isinstance(value, str | int | float | bool) else type(value).__name__
