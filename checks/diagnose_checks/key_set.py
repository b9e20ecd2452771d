"""Is a JWT signed by a key that its issuer publishes? Verified locally, with published keys alone.

The algorithm must belong to the type of the key: never ``none``, and never HS*, for which a public key would
be a secret (RFC 8725 3.1). Nothing is raised for what a key set or a token holds.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from diagnose.records import record
from diagnose_checks.claims import TokenReading
from diagnose_checks.difference import clipped

__all__ = ["KeyProof", "prove_key"]

Outcome = Literal["verified", "unknown key", "wrong signature", "unusable"]

_MOST_KEYS = 100
_LONGEST_MEMBER = 1400
"""Characters of a key's number: 8192 bits in base64url; a longer one is made to keep a reader busy."""

_PUBLIC: Mapping[str, tuple[str, ...]] = {
    "RSA": ("n", "e"),
    "EC": ("crv", "x", "y"),
    "OKP": ("crv", "x"),
}
"""The public members of each type (RFC 7518 6, RFC 8037 2); the private ones are never looked at."""

_ALGORITHMS: Mapping[tuple[str, str | None], frozenset[str]] = {
    ("RSA", None): frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
    ("EC", "P-256"): frozenset(("ES256",)),
    ("EC", "P-384"): frozenset(("ES384",)),
    ("EC", "P-521"): frozenset(("ES512",)),
    ("EC", "secp256k1"): frozenset(("ES256K",)),
    ("OKP", "Ed25519"): frozenset(("EdDSA",)),
    ("OKP", "Ed448"): frozenset(("EdDSA",)),
}
"""What a key of this type and curve may be used for (RFC 7518 3.1, RFC 8037 3.1)."""


@record
class KeyProof:
    """``words`` say what was compared; ``key`` is the id of the key that decided."""

    outcome: Outcome
    words: str
    key: str | None = None
    published: tuple[str, ...] = ()


def prove_key(token: str, reading: TokenReading, key_set: Mapping[str, Any]) -> KeyProof:
    """Hold the signature of ``token`` against the keys of ``key_set`` (RFC 7517 5)."""
    keys = _keys(key_set)
    published = tuple(clipped(key["kid"]) for key in keys if isinstance(key.get("kid"), str))
    named = reading.header.get("kid")
    wanted = named if isinstance(named, str) else None
    shown = clipped(wanted) if wanted is not None else None
    algorithm = reading.header.get("alg")
    if not isinstance(algorithm, str) or not any(algorithm in usable for usable in _ALGORITHMS.values()):
        words = f"alg {clipped(str(algorithm))} is none that a published key verifies"
        return KeyProof(outcome="unusable", words=words, key=shown, published=published)
    if "crit" in reading.header:
        words = "its header has extensions that must be understood (crit)"
        return KeyProof(outcome="unusable", words=words, key=shown, published=published)
    candidates = [key for key in keys if wanted is None or key.get("kid") == wanted]
    if not candidates:
        words = f"the key {shown} is not among them" if shown is not None else "there is no key in it"
        return KeyProof(outcome="unknown key", words=words, key=shown, published=published)
    return _tried(token, algorithm, candidates, shown, published)


def _tried(
    token: str,
    algorithm: str,
    candidates: list[Mapping[str, Any]],
    shown: str | None,
    published: tuple[str, ...],
) -> KeyProof:
    fates = [_verifies(token, algorithm, key) for key in candidates]
    if True in fates:
        found = candidates[fates.index(True)].get("kid")
        key = clipped(found) if isinstance(found, str) else "without an id"
        words = f"the signature verifies with the key {key} ({algorithm})"
        return KeyProof(outcome="verified", words=words, key=key, published=published)
    if False not in fates:
        words = f"no key {shown or ''} in it can be used for {algorithm}".replace("  ", " ")
        return KeyProof(outcome="unusable", words=words, key=shown, published=published)
    under = f"the key {shown}" if shown is not None else "any of its keys"
    words = f"the signature does not verify with {under}"
    return KeyProof(outcome="wrong signature", words=words, key=shown, published=published)


def _keys(key_set: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = key_set.get("keys")
    return (
        [key for key in listed[:_MOST_KEYS] if isinstance(key, Mapping)] if isinstance(listed, list) else []
    )


def _verifies(token: str, algorithm: str, key: Mapping[str, Any]) -> bool | None:
    """Whether the signature is this key's; None where the key is none for this algorithm."""
    public = _public(algorithm, key)
    if public is None:
        return None
    import jwt.algorithms
    from cryptography.exceptions import UnsupportedAlgorithm

    signed, _, signature = token.rpartition(".")
    try:
        method = jwt.algorithms.get_default_algorithms()[algorithm]
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        return method.verify(signed.encode("ascii"), method.from_jwk(public), raw)
    except (binascii.Error, UnicodeEncodeError):
        return False
    except (jwt.PyJWTError, UnsupportedAlgorithm, KeyError, ValueError, TypeError, OverflowError):
        return None


def _public(algorithm: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
    kind, curve = key.get("kty"), key.get("crv")
    if not isinstance(kind, str) or kind not in _PUBLIC or not isinstance(curve, str | None):
        return None
    if algorithm not in _ALGORITHMS.get((kind, None if kind == "RSA" else curve), frozenset()):
        return None
    if key.get("use", "sig") != "sig" or key.get("alg", algorithm) != algorithm:
        return None
    members = {name: key.get(name) for name in _PUBLIC[kind]}
    if not _all_short(members.values()) or (kind == "RSA" and len(str(members["e"])) > 11):
        return None
    return {"kty": kind, **members}


def _all_short(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) and len(value) <= _LONGEST_MEMBER for value in values)
