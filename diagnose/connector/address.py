"""The address of an endpoint, checked before anything is sent, with the correction in the error."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from diagnose.errors import UsageError

__all__ = ["Endpoint", "Origin", "origin_of", "parse_endpoint", "secrets_in"]

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):")
_PORTS = {"http": 80, "https": 443}
# A capability URL carries its key in the path; an identifier in UUID form is not one.
_KEY_SEGMENT = re.compile(r"(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[A-Za-z0-9_~.+=-]{24,}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(r"token|key|secret|auth|passw|sig", re.IGNORECASE)
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
_LOCAL = re.compile(r"^(localhost|127\.|\[::1\]|0\.0\.0\.0)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Scheme, host and port: what a credential is bound to (RFC 6454)."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A usable http(s) URL, and the userinfo that stood in it."""

    url: str
    origin: Origin
    username: str | None = None
    password: str | None = None


def origin_of(url: str) -> Origin:
    """The origin of an absolute http(s) URL. Raises ValueError where it has none."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"no http(s) origin: {url!r}")
    return Origin(scheme=scheme, host=parts.hostname.lower().rstrip("."), port=parts.port or _PORTS[scheme])


def parse_endpoint(text: str, *, where: str | None = None) -> Endpoint:
    """Read the URL of an endpoint. Raises UsageError CFG001 or CFG002 with the corrected text."""
    cleaned = text.strip()
    if not cleaned:
        raise _invalid("the URL is empty", "type it in full, such as https://mcp.example.com/mcp", where)
    if not cleaned.isascii() and not cleaned.isprintable():
        raise _invalid(
            f"the URL {_shown(ascii(cleaned)[1:-1])} has a character that cannot be printed",
            "type the URL anew instead of pasting it",
            where,
        )
    if _BLANK.search(cleaned):
        raise _invalid(
            f"the URL {_shown(cleaned)} has white space or a control character in it",
            f"remove it: {_shown(_BLANK.sub('', cleaned))}",
            where,
        )
    user = parts = _split(cleaned, where)
    parts = parts._replace(netloc=_ascii(parts.netloc.rpartition("@")[2], cleaned, where))
    url = parts._replace(fragment="", path=parts.path or "/").geturl()
    return Endpoint(
        url=quote(url, safe="%/:=&?~#+!$,;'@()*[]|"),
        origin=origin_of(url),
        username=unquote(user.username) if user.username else None,
        password=unquote(user.password) if user.password else None,
    )


def _ascii(netloc: str, url: str, where: str | None) -> str:
    """Host and port, the host as DNS and the Host header carry it (RFC 5891): what httpx2 sends."""
    if netloc.isascii():
        return netloc
    import idna

    host, colon, port = netloc.partition(":")
    try:
        return idna.encode(host.lower()).decode("ascii") + colon + port
    except idna.IDNAError as problem:
        hint = "correct it, or type its xn-- form"
        raise _invalid(
            f"the host of {_shown(url)} is no internationalised name: {problem}", hint, where
        ) from None


def secrets_in(url: str) -> tuple[str, ...]:
    """What of a URL must not be printed: keys in the path, values of parameters named like secrets."""
    parts = urlsplit(url)
    segments = [unquote(segment) for segment in parts.path.split("/")]
    keys = [
        segment for segment in segments if _KEY_SEGMENT.fullmatch(segment) and not _UUID.fullmatch(segment)
    ]
    values = [value for name, value in parse_qsl(parts.query) if _SECRET_PARAMETER.search(name)]
    return (*keys, *values)


def _invalid(what: str, hint: str, where: str | None) -> UsageError:
    return UsageError("CFG001", what, where=where, hint=hint)


def _split(url: str, where: str | None) -> SplitResult:
    match = _SCHEME.match(url)
    scheme = match.group(1).lower() if match else ""
    if "://" not in url and (not match or re.match(r"^[^:/]+:\d+(/|$)", url)):
        guess = ("http" if _LOCAL.match(url) else "https") + "://" + url.lstrip("/")
        raise _invalid(f"the URL {_shown(url)} has no scheme", f"type {_shown(guess)}", where)
    if scheme not in _PORTS:
        raise UsageError(
            "CFG002",
            f"the scheme {_shown(scheme)} of {_shown(url)} is not one that MCP runs over",
            where=where,
            hint=f"type {_shown(_with_known_scheme(url))}",
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as problem:
        hint = "correct host and port; a port is a number up to 65535"
        raise _invalid(f"the URL {_shown(url)} cannot be read: {problem}", hint, where) from None
    if not (parts.hostname or "").rstrip("."):
        raise _invalid(f"the URL {_shown(url)} has no host", f"type {scheme}://HOST/mcp", where)
    if port == 0:
        raise _invalid(
            f"the URL {_shown(url)} names port 0", "type the port that the server listens on", where
        )
    return parts


def _with_known_scheme(url: str) -> str:
    scheme, _, rest = url.partition(":")
    wanted = {"ws": "http", "wss": "https", "htp": "http", "htps": "https", "sse": "https"}
    return f"{wanted.get(scheme.lower(), 'https')}://{rest.lstrip('/')}"


def _shown(text: str) -> str:
    """The text, quoted, without the userinfo it may hold."""
    masked = re.sub(r"(?<=//)[^/@]+@", "[redacted]@", text)
    masked = re.sub(
        r"([?&](?:[^=&]*(?:token|key|secret|auth)[^=&]*)=)[^&#]+", r"\1[redacted]", masked, flags=re.I
    )
    return repr(masked[:200])
