"""What the mask knows: the hosts, names and paths that reports, entries and exchanges are about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from diagnose.display import display
from diagnose.model import Exchange, Report, StepResult
from diagnose_tui.entries import Entry
from diagnose_tui.privacy.patterns import (
    CONVENTIONAL_PATHS,
    DISTINGUISHED_NAME,
    ORDINARY_WORDS,
    PLACEHOLDER,
    WELL_KNOWN_PATH,
)
from diagnose_tui.view import View

__all__ = ["Knowledge", "is_address", "is_nobodys"]

_SHORTEST = 3
_KEPT = 4000
_HOST_PORT = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d+)?")
_LINE = re.compile(r":\d+(?: .*)?$")


class Knowledge:
    """Grows; ``version`` tells when."""

    def __init__(self) -> None:
        self.hosts: set[str] = set()
        self.names: set[str] = set()
        self.paths: set[str] = set()
        self._read: dict[int, object] = {}

    @property
    def version(self) -> int:
        return len(self.hosts) + len(self.names) + len(self.paths)

    def entries(self, entries: Iterable[Entry]) -> None:
        """Read the list of connectors."""
        for entry in entries:
            self._target(entry.target)
            self.path(_LINE.sub("", entry.place))
            self.name(entry.name)
            self.name(entry.client)
            if entry.report is not None:
                self.report(entry.report)

    def report(self, report: Report) -> None:
        """Read a finished run."""
        if self._already(report):
            return
        connector = report.connector
        self._target(connector.url or "")
        for word in connector.command or ():
            self._word(word)
        self.path(_LINE.sub("", connector.source or ""))
        self.name(connector.name)
        self._steps(report.steps)
        self._exchanges(report.exchanges)

    def view(self, view: View) -> None:
        """Read a run that may still go on."""
        self._target(view.target)
        self.name(view.name)
        self._steps(view.steps)
        self._exchanges(view.exchanges)
        if view.report is not None:
            self.report(view.report)

    def is_host(self, name: str) -> bool:
        """Whether a connector's name is its host, as it is for a URL that somebody typed."""
        found = _HOST_PORT.fullmatch(name)
        return found is not None and (is_nobodys(found["host"]) or self.knows_host(found["host"]))

    def knows_host(self, host: str) -> bool:
        return host.strip("[]").lower().rstrip(".") in self.hosts or bool(PLACEHOLDER.fullmatch(host))

    def host(self, host: object) -> None:
        """Remember a host, and the form in which DNS has it."""
        if not isinstance(host, str) or is_nobodys(host) or host.lower() in ORDINARY_WORDS:
            return
        bare = host.strip("[]").lower().rstrip(".")
        _add(self.hosts, bare)
        try:
            _add(self.hosts, bare.encode("idna").decode("ascii"))
        except UnicodeError:  # not a name that DNS could hold; as a text it is known
            return

    def name(self, name: object) -> None:
        """Remember a name, unless it is a word of every report or a host."""
        if isinstance(name, str) and name.lower() not in ORDINARY_WORDS and not self.is_host(name):
            _add(self.names, str(display(name)))

    def path(self, path: str) -> None:
        """Remember a path, of a file or of a URL."""
        if path not in CONVENTIONAL_PATHS and re.search(r"[/\\]", path):
            _add(self.paths, path)

    def url(self, url: str) -> None:
        """Remember what a URL names; text that is none is left to the general patterns."""
        try:
            parts = urlsplit(url)
            self.authority(parts.hostname or "", parts.path)
        except ValueError:
            return

    def authority(self, host: str, path: str) -> None:
        """Remember a host and a path on it, except for what a specification put there."""
        self.host(host)
        for piece in WELL_KNOWN_PATH.split(path)[::2]:
            self.path(piece)

    def _target(self, target: str) -> None:
        for word in [target] if "://" in target else target.split(" "):
            self._word(word)

    def _word(self, word: str) -> None:
        """One word of a command line."""
        if "://" in word:
            self.url(word)
        elif word.startswith("@"):  # a package of an organisation
            self.name(word)
        else:
            self.path(word.partition("=")[2] if word.startswith("-") else word)

    def _steps(self, steps: Iterable[StepResult]) -> None:
        for step in steps:
            if self._already(step):
                continue
            facts = step.facts
            self.host(facts.get("host"))
            self.name(facts.get("server_name"))
            self.name(facts.get("server_title"))
            if step.id == "tls":
                for certificate in (facts, *_listed(facts.get("chain"))):
                    self._certificate(certificate)
            for finding in step.findings:
                for evidence in finding.evidence:
                    self._subjects(f"{evidence.expected or ''}\n{evidence.observed or ''}")

    def _certificate(self, certificate: object) -> None:
        if not isinstance(certificate, Mapping):
            return
        for host in _listed(certificate.get("names")):
            self.host(str(host).removeprefix("*."))
        for key in ("subject", "issuer"):
            text = str(certificate.get(key) or "")
            self._subjects(text)
            if "=" not in text:
                self.name(text)

    def _subjects(self, text: str) -> None:
        for part in DISTINGUISHED_NAME.findall(text):
            self.name(part)

    def _exchanges(self, exchanges: Iterable[Exchange]) -> None:
        for exchange in exchanges:
            if self._already(exchange):
                continue
            self.url(str(exchange.request.get("url") or ""))
            for pair in _listed((exchange.response or {}).get("headers")):
                if len(pair) == 2 and str(pair[0]).lower() in ("location", "content-location"):
                    self.url(str(pair[1]))
                    if "://" not in str(pair[1]):  # a relative one, with its query
                        self.path(str(pair[1]))

    def _already(self, thing: object) -> bool:
        if self._read.get(id(thing)) is thing:
            return True
        if len(self._read) > _KEPT:
            self._read.clear()
        self._read[id(thing)] = thing
        return False


def _add(known: set[str], text: str) -> None:
    if len(text) >= _SHORTEST and not PLACEHOLDER.fullmatch(text):
        known.add(text)


def _listed(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def is_address(text: str) -> bool:
    """Whether ``text`` is an IP address, with or without a zone."""
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def is_nobodys(host: str) -> bool:
    """Whether a host says nothing of whose it is: this machine itself, under any of its names."""
    bare = host.strip("[]").lower().rstrip(".")
    if not bare or bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        address = ip_address(bare)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
