"""The one door: whatever leaves this program passes here first.

Three layers, in this order. By value: every secret the credential model resolved is registered and
replaced wherever it turns up, also in its base64, percent-encoded and JSON-escaped spelling. By name:
header, query and JSON members that hold secrets by convention. By shape: strings that look like a token
although nobody declared them. The mask has a fixed width, because a varying one leaks length.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from diagnose.display import display

__all__ = ["MASK", "Redactor"]

MASK = "[redacted]"

# Below this a value turns up by accident in ordinary text (an "a", a port number).
_SHORTEST = 4
# No pattern by shape matches less; most strings of a report are shorter (an address, a status, a name).
_SHORTEST_SHAPE = 13
_LONGEST_LOOSE = 512  # a pattern of many alternatives takes its time to compile

# The union of what the MCP Inspector and schemathesis mask by name, as substrings of the lower-case name.
_SECRET_NAME = re.compile(
    r"authorization|cookie|token|secret|passw|api[-_]?key|apikey|credential|session[-_]?key|private[-_]?key"
    r"|assertion|x-amz-signature|signature|jwt|session[-_]?id",
    re.IGNORECASE,
)
# Names that match above and hold no secret: without them half of OAuth metadata would be masked.
_PUBLIC_NAME = re.compile(
    r"token_(endpoint|type)|_endpoint|_supported|_uri|token_introspection|expires|max[-_]?tokens|token_count"
    r"|signature_algorithm|cache|progress[-_]?token|estimated|tokens$|www-authenticate|tokentype|_methods?$",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"^(Bearer|Basic|DPoP|Digest|Token|ApiKey|Api-Key|Key)\s+\S", re.IGNORECASE)
# A run that is no JWT is matched as well, and so passed over once instead of from each of its places.
_JWT_OR_RUN = re.compile(r"eyJ[A-Za-z0-9_-]{5,}+(\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?)?")
_SHAPES = re.compile(
    r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant|or)?[-_]?[A-Za-z0-9_-]{16,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bglpat-[A-Za-z0-9_-]{16,}|\bAKIA[0-9A-Z]{16}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
# Not where a challenge goes on with a parameter (name="value"): its URL is evidence and no secret.
_BEARER_IN_TEXT = re.compile(
    r"\b(Bearer|Basic|DPoP)\s+(?![A-Za-z0-9_-]+\s*=\s*[\"'A-Za-z0-9])"
    r"(?=[A-Za-z0-9._~+/-]{8,}=*)(?=\S*[0-9])[A-Za-z0-9._~+/-]+=*"
)
_QUERY_PAIR = re.compile(r"(?<=[?&;])([A-Za-z0-9_.-]+)=([^&#\s\"'<>]+)")
_MARK = re.compile(r"[!-,/:-@\[-^`{-}]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
_USERINFO = re.compile(r"(?<=://)[^/@\s\"'<>]+@")
_JSON_MEMBER = re.compile(r'"((?:[^"\\]|\\.){1,80})"(\s*:\s*)"((?:[^"\\]|\\.)*)"')


def _is_secret_name(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _PUBLIC_NAME.search(name)


class _Known:
    """The values of one run that are secret, in every spelling."""

    def __init__(self) -> None:
        self.values: set[str] = set()
        self.pattern: re.Pattern[str] | None = None

    def add(self, forms: Iterable[str]) -> None:
        self.values.update(form for form in forms if len(form) >= _SHORTEST)
        longest_first = sorted(self.values, key=lambda value: (-len(value), value))
        self.pattern = re.compile("|".join(map(_in_any_escape, longest_first))) if longest_first else None


class Redactor:
    """Holds the secrets of one run and cleans whatever is about to leave it."""

    def __init__(self) -> None:
        self._known = _Known()
        self.count = 0

    def register(self, *secrets: str) -> None:
        """Make ``secrets`` unprintable in every spelling they can take."""
        self._known.add(form for secret in secrets for form in _spellings(secret))

    def register_those_of(self, other: Redactor) -> None:
        """Make unprintable here what is unprintable there."""
        self._known.add(other._known.values)

    def twin(self) -> Redactor:
        """One with the same secrets, also those still to come, and a count of its own."""
        other = Redactor()
        other._known = self._known
        return other

    @property
    def secrets(self) -> int:
        """How many spellings are known; it only grows."""
        return len(self._known.values)

    def text(self, value: str) -> str:
        """``value`` without secrets; characters that act on a terminal are still in it."""
        if self._known.pattern is not None:
            value = self._known.pattern.sub(self._masked, value)
        if "://" in value:
            value = _USERINFO.sub(self._masked_userinfo, value)
        if "=" in value:
            value = _QUERY_PAIR.sub(self._masked_pair, value)
        if '"' in value:
            value = _JSON_MEMBER.sub(self._masked_member, value)
        if len(value) < _SHORTEST_SHAPE:
            return value
        value = _BEARER_IN_TEXT.sub(self._masked_scheme, value)
        value = _JWT_OR_RUN.sub(self._masked_jwt, value)
        return _SHAPES.sub(self._masked, value)

    def header(self, name: str, value: str) -> str:
        """The value of the header ``name``, masked whole where the name says that it is secret."""
        if _is_secret_name(name):
            self.count += 1
            scheme = _SCHEME.match(value)
            return f"{scheme.group(1)} {MASK}" if scheme else MASK
        return self.text(value)

    def headers(self, pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
        """Header pairs as the report keeps them: order and repetition preserved."""
        return [[display(name), display(self.header(name, value))] for name, value in pairs]

    def argv(self, words: Iterable[str]) -> list[str]:
        """An argument vector: what follows a flag whose name says that it is secret is masked whole."""
        shown: list[str] = []
        masks_next = False
        for word in words:
            flag, equals, _ = word.partition("=")
            secret = word.startswith("-") and _is_secret_name(flag)
            if masks_next and not word.startswith("-") and not _looks_like_reference(word):
                self.count += 1
                shown.append(MASK)
            elif secret and equals and not _looks_like_reference(word[len(flag) + 1 :]):
                self.count += 1
                shown.append(f"{flag}={MASK}")
            else:
                shown.append(self.text(word))
            masks_next = secret and not equals
        return shown

    def clean(self, value: Any) -> Any:
        """A JSON-like value, deep-copied: no secret, and no character that acts."""
        if isinstance(value, str):
            return str(display(self.text(value), layout=True))
        if isinstance(value, Mapping):
            return {str(display(str(key))): self._clean_member(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.clean(item) for item in value]
        return value

    def _clean_member(self, key: str, item: Any) -> Any:
        if isinstance(item, str) and _is_secret_name(key) and not _looks_like_reference(item):
            self.count += 1
            return MASK
        return self.clean(item)

    def _masked(self, _: re.Match[str]) -> str:
        self.count += 1
        return MASK

    def _masked_jwt(self, match: re.Match[str]) -> str:
        return self._masked(match) if match.group(1) else match.group()

    def _masked_userinfo(self, _: re.Match[str]) -> str:
        self.count += 1
        return f"{MASK}@"

    def _masked_pair(self, match: re.Match[str]) -> str:
        if not _is_secret_name(match.group(1)) and match.group(1) not in ("code", "key", "sig"):
            return match.group()
        self.count += 1
        return f"{match.group(1)}={MASK}"

    def _masked_member(self, match: re.Match[str]) -> str:
        if not _is_secret_name(match.group(1)) or not match.group(3):
            return match.group()
        self.count += 1
        return f'"{match.group(1)}"{match.group(2)}"{MASK}"'

    def _masked_scheme(self, match: re.Match[str]) -> str:
        self.count += 1
        return f"{match.group(1)} {MASK}"


def _looks_like_reference(value: str) -> bool:
    """A reference to a secret, or a mask: neither holds one."""
    return value.startswith("${env:") or value == MASK


def _in_any_escape(value: str) -> str:
    """A pattern for ``value`` with each mark in it as text, JSON, HTML or a URL may write it.

    A spelling that holds such an escape already stays as it is, and so does what no form escapes.
    """
    if "%" in value or "\\" in value or len(value) > _LONGEST_LOOSE:
        return re.escape(value)
    return "".join(_escapes(mark) if _MARK.match(mark) else re.escape(mark) for mark in value)


def _escapes(mark: str) -> str:
    number = f"{ord(mark):02x}"
    forms = [
        rf"\\?{re.escape(mark)}",
        rf"(?i:%(?:25)?{number}|\\u00{number}|&\#x0*{number};)",
        f"&\\#0*{ord(mark)};",
    ]
    named = _ENTITIES.get(mark)
    return f"(?:{'|'.join([*forms, named] if named else forms)})"


def _password_in(encoded: str) -> str:
    """The password of Basic credentials (RFC 7617 2), or nothing."""
    try:
        return base64.b64decode(encoded).decode("utf-8", "replace").partition(":")[2]
    except ValueError:
        return ""


def _spellings(secret: str) -> Iterable[str]:
    scheme, blank, rest = secret.partition(" ")
    if blank and len(scheme) <= 12 and _SCHEME.match(secret):  # a whole header value: what it carries, too
        yield from _spellings(rest.strip())
        if scheme.lower() == "basic":
            yield from _spellings(_password_in(rest.strip()))
    raw = secret.encode("utf-8", "surrogateescape")
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield base64.b64encode(raw).decode().rstrip("=")
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
    if secret.count(".") == 2:  # a JWT: its payload and signature are secret in any company
        yield from (part for part in secret.split(".")[1:] if len(part) >= 8)
