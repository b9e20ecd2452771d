"""Text with placeholders in it: each thing has one, given out in the order in which things are met."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from diagnose.display import display
from diagnose_tui.privacy.knowledge import Knowledge, is_address, is_nobodys
from diagnose_tui.privacy.patterns import (
    CONVENTIONAL_PATHS,
    DOCUMENTATION_HOSTS,
    PLACEHOLDER,
    SHORT,
    WELL_KNOWN_PATH,
    Known,
    compiled,
    telling,
)

__all__ = ["Substitution"]

_MOST_FOUND = 200
"""Hosts first met in a text that are looked for elsewhere, too: a hostile body may name thousands."""
_MOST_CHARACTERS = 4_000_000
"""Texts that are kept with their masked form; a live screen shows the same ones many times."""
_URL = re.compile(
    r"(?P<scheme>[^:]+://)(?P<user>[^/@?#]*@)?(?P<host>\[[^\]]*\]|[^/:?#]*)(?P<port>:\d*)?(?P<path>[^?#]*)"
    r"(?:\?(?P<query>[^#]*))?(?:\#(?P<fragment>.*))?",
    re.DOTALL,
)
_OPENED_BY = {")": "(", "]": "[", "}": "{"}


class Substitution:
    """Masks what ``knowledge`` holds and what looks like it; masked once more, a text stays as it is."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._placeholders: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        self._found = 0
        self._version = -1
        self._pattern = compiled(Known())
        self._telling = telling(Known())
        self._texts: dict[str, str] = {}
        self._characters = 0

    def text(self, text: str) -> str:
        """``text`` with everything masked that is known or looks like it."""
        self._keep_up()
        if len(text) < SHORT and not self._telling.search(text):
            return text
        if (kept := self._texts.get(text)) is not None:
            return kept
        masked = self._pattern.sub(self._replaced, text)
        if self._keep_up():  # a host that a URL named may stand before it, too
            masked = self._pattern.sub(self._replaced, text)
        self._characters += len(text)
        if self._characters > _MOST_CHARACTERS:
            self._texts.clear()
            self._characters = len(text)
        self._texts[text] = masked
        return masked

    def name(self, name: str) -> str:
        """A name that stands by itself; masked also where it is an ordinary word."""
        if self._knowledge.is_host(name):
            return self.text(name)
        return self._placeholder("name", str(display(name))) if name else name

    def host(self, host: str) -> str:
        """A host that stands by itself; an address is one, too."""
        bare = host.strip("[]")
        if is_nobodys(bare):
            return host
        if is_address(bare):
            return self._placeholder("ip", bare.lower())
        return self._placeholder("host", bare.lower().rstrip("."))

    def _keep_up(self) -> bool:
        """Make the pattern anew where more is known than it holds."""
        version = self._knowledge.version
        if version == self._version:
            return False
        self._version = version
        self._texts.clear()
        self._characters = 0
        knowledge = self._knowledge
        known = Known(hosts=knowledge.hosts, names=knowledge.names, paths=knowledge.paths)
        self._pattern, self._telling = compiled(known), telling(known)
        return True

    def _replaced(self, match: re.Match[str]) -> str:
        kind, found = str(match.lastgroup), match.group()
        special = self._SPECIAL.get(kind)
        return self._placeholder(kind, found) if special is None else special(self, found)

    def _url(self, url: str) -> str:
        whole, end = _without_trailing(url)
        parts = _URL.fullmatch(whole.replace("\\/", "/"))
        if parts is None:
            return self._placeholder("url", whole) + end
        host = parts["host"]
        if self._is_documentation(host):
            return url
        self._discover(host, parts["path"])
        user = parts["user"] or ""
        if user and user != "[redacted]@":
            user = f"{self._placeholder('name', user[:-1])}@"
        pieces = WELL_KNOWN_PATH.split(parts["path"])
        path = "".join(piece if place % 2 else self._path(piece) for place, piece in enumerate(pieces))
        query = f"?{self._placeholder('query', parts['query'])}" if parts["query"] else ""
        fragment = parts["fragment"] or ""
        if fragment and not fragment.startswith("/"):  # a JSON pointer says where, not who
            fragment = self._placeholder("query", fragment)
        authority = f"{user}{self.host(host)}{parts['port'] or ''}"
        return f"{parts['scheme']}{authority}{path}{query}{'#' * bool(fragment)}{fragment}{end}"

    def _discover(self, host: str, path: str) -> None:
        """A URL that stands in a text alone: what it names may stand elsewhere without it."""
        if self._found < _MOST_FOUND:
            before = self._knowledge.version
            self._knowledge.authority(host, path)
            self._found += self._knowledge.version > before

    def _is_documentation(self, host: str) -> bool:
        return host.lower() in DOCUMENTATION_HOSTS and not self._knowledge.knows_host(host)

    def _dotted(self, host: str) -> str:
        return host if self._is_documentation(host) else self.host(host)

    def _address(self, text: str) -> str:
        # The pattern finds times of day as well.
        return self._dotted(text) if is_address(text) else text

    def _path(self, path: str) -> str:
        if path in CONVENTIONAL_PATHS or PLACEHOLDER.fullmatch(path):
            return path
        return f"/{self._placeholder('path', path)}"

    def _file(self, path: str) -> str:
        whole, end = _without_trailing(unquote(path) if "%2F" in path else path)
        root = "/" if whole.startswith("/") else ""
        return f"{root}{self._placeholder('path', whole)}{end}"

    def _subject(self, text: str) -> str:
        kind, _, value = text.partition("=")
        return f"{kind}={self.name(value)}"

    def _placeholder(self, kind: str, text: str) -> str:
        if PLACEHOLDER.fullmatch(text):
            return text
        made = self._placeholders.get((kind, text))
        if made is None:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            made = self._placeholders[kind, text] = f"{kind}-{number}"
        return made

    _SPECIAL: Mapping[str, Callable[[Substitution, str], str]] = {
        "url": _url,
        "file": _file,
        "path": _file,
        "dn": _subject,
        "ip": _address,
        "known": host,
        "host": _dotted,
    }
    """What is more than a placeholder, by the group of the pattern."""


def _without_trailing(text: str) -> tuple[str, str]:
    """``text`` and the punctuation of the sentence around it."""
    end = len(text)
    while end and text[end - 1] in ".,;:!?…)]}":
        opening = _OPENED_BY.get(text[end - 1])
        if opening is not None and text.count(opening, 0, end) >= text.count(text[end - 1], 0, end):
            break
        end -= 1
    return text[:end], text[end:]
