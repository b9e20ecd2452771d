"""From the text of the options form to a connector and options: nothing is sent, everything is checked.

What the form does not show (a secret) and nobody typed anew stays as it is, unless the connector now goes to
another origin: a credential belongs to its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from diagnose.connector import Connector, HttpTransport, NoCredential, Secret
from diagnose.connector.address import parse_endpoint, secrets_in
from diagnose.connector.secret import holds_secret, spelt_secrets
from diagnose.display import display
from diagnose.errors import UsageError
from diagnose.options import Options
from diagnose.redact import Redactor
from diagnose_tui.command_line import as_line, words_of
from diagnose_tui.entries import Edited
from diagnose_tui.schema_form import json_object
from diagnose_tui.typed_values import credential_of, header_name, typed_secret

if TYPE_CHECKING:
    from diagnose.connector import StdioTransport

__all__ = [
    "Draft",
    "Pair",
    "Refused",
    "amended",
    "left_behind",
    "moves",
    "pairs_of",
    "shown_proxy",
    "shown_url",
    "shown_vector",
]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SENDS_AUTHORIZATION = ("bearer", "basic", "oauth2")
_PROXY_WORDS: Mapping[str, str | None] = {"environment": None, "direct": ""}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A name and what was typed as its value; ``old`` is the value it had, shown as ``shown``.

    ``left``: that value stayed with its origin, and nothing typed means nothing sent.
    """

    name: str
    typed: str = field(default="", repr=False)
    old: Secret | None = None
    shown: str = ""
    left: bool = False

    @property
    def unchanged(self) -> bool:
        return self.old is not None and self.typed == self.shown


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The form as it stands. ``pairs`` are the headers, or the variables of a process.

    ``kind`` is that of the credential, ``kept`` for the one there is; ``proof`` is what was typed for it.
    """

    url: str = ""
    transport: Any = "auto"
    command: str = ""
    cwd: str = ""
    inherits: Any = "safe"
    era: Any = "auto"
    pairs: tuple[Pair, ...] = ()
    kind: str = "kept"
    proof: Mapping[str, str] = field(default_factory=dict, repr=False)
    sample: Any = "auto"
    tool: str = ""
    arguments: str = ""
    timeout: str = ""
    proxy: str = "environment"
    ca_bundle: str = ""


class Refused(Exception):
    """What cannot be used, by the field of the form."""

    def __init__(self, problems: Mapping[str, UsageError]) -> None:
        super().__init__(", ".join(problems))
        self.problems = dict(problems)


class _Refusals(dict[str, UsageError]):
    @contextmanager
    def beside(self, place: str) -> Iterator[None]:
        try:
            yield
        except UsageError as problem:
            self[place] = problem


def amended(connector: Connector, options: Options, draft: Draft, *, environ: Mapping[str, str]) -> Edited:
    """The connector and the options as ``draft`` has them. Raises Refused.

    ``environ`` says whether a variable that was typed is there. Reads the attributes of the named files: call
    it in a thread.
    """
    refusals = _Refusals()
    part = _process if connector.stdio is not None else _endpoint
    changes = part(connector, draft, environ, refusals)
    if draft.era != connector.era:
        changes["era"] = draft.era
    wanted = _options(connector, options, draft, refusals)
    made = connector
    if not refusals and changes:
        kept = {name: getattr(connector, name) for name in connector.model_fields_set}
        with refusals.beside("pairs"):
            made = Connector(**{**kept, **changes})
    if refusals:
        raise Refused(refusals)
    return Edited(connector=made, options=wanted)


# What is shown


def shown_url(connector: Connector) -> str | None:
    """The URL, or None where it holds what must not be shown."""
    transport = connector.transport
    assert isinstance(transport, HttpTransport)
    return None if transport.filled or secrets_in(transport.url) else transport.url


def shown_proxy(connector: Connector) -> str | None:
    """The proxy in the words of the form, or None where it holds a password."""
    proxy = connector.network.proxy
    word = next((word for word, meant in _PROXY_WORDS.items() if meant == proxy), None)
    return word or (None if "@" in str(proxy) else proxy)


def pairs_of(values: Mapping[str, Secret]) -> tuple[Pair, ...]:
    """Headers or variables as rows; the value of a secret is not in ``shown``."""
    found = []
    for name, value in values.items():
        shown = str(display(_in_the_open(name, value)))
        found.append(Pair(name=name, typed=shown, old=value, shown=shown))
    return tuple(found)


def _in_the_open(name: str, value: Secret) -> str:
    if value.references:
        shown = str(value)
        return "" if "***" in shown else shown
    return "" if holds_secret(name, value) else value.resolve({}, where=name)


def shown_vector(stdio: StdioTransport) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The command as a line, and which of its words stand for one that is hidden."""
    redactor = Redactor()
    redactor.register(*spelt_secrets(stdio.args))
    shown = [str(display(word)) for word in redactor.argv(stdio.argv)]
    hidden = tuple((said, word) for said, word in zip(shown, stdio.argv, strict=True) if said != word)
    return as_line(shown), hidden


def moves(connector: Connector, url: str) -> bool:
    """Whether ``url`` has another origin than the connector; text that is no URL moves nothing."""
    try:
        return bool(url.strip()) and parse_endpoint(url).origin != connector.origin
    except UsageError:
        return False


def left_behind(connector: Connector) -> tuple[str, ...]:
    """What of a connector belongs to its origin and goes to no other."""
    found = [] if connector.credential.type == "none" else [f"the {connector.credential.type} credential"]
    found += [f"the header {display(name)}" for name in connector.secret_headers]
    if connector.network.client_certificate is not None:
        found.append("the client certificate")
    return tuple(found)


# Over HTTP


def _endpoint(
    connector: Connector, draft: Draft, environ: Mapping[str, str], refusals: _Refusals
) -> dict[str, Any]:
    transport = connector.transport
    assert isinstance(transport, HttpTransport)
    changes: dict[str, Any] = {}
    url = transport.url
    with refusals.beside("url"):
        if draft.url and draft.url != shown_url(connector):
            endpoint = parse_endpoint(draft.url)
            if endpoint.username is not None:
                what = "the URL holds a user name"
                raise UsageError("CFG006", what, hint="leave it out, and give it under Credential as Basic")
            url = endpoint.url
    moved = moves(connector, url)
    if url != transport.url or draft.transport != transport.type:
        filled = () if moved else transport.filled
        changes["transport"] = HttpTransport(type=draft.transport, url=url, filled=filled)
    if moved and connector.name == str(connector.origin).partition("://")[2]:
        changes["name"] = str(parse_endpoint(url).origin).partition("://")[2]
    headers = _pairs(draft, environ, refusals, headers=True, moved=moved)
    if dict(connector.headers) != headers:
        changes["headers"] = headers
    with refusals.beside("credential"):
        credential = _credential(connector, draft, environ, moved=moved)
        if credential is not connector.credential:
            changes["credential"] = credential
        _check_one_author(credential.type, headers)
    _network(connector, draft, changes, refusals, moved=moved)
    return changes


def _credential(connector: Connector, draft: Draft, environ: Mapping[str, str], *, moved: bool) -> Any:
    old = connector.credential
    if draft.kind == "kept" and not moved:
        return old
    if draft.kind in ("kept", "none"):  # what belongs to the old origin stays there
        return old if old.type == "none" else NoCredential()
    return credential_of(draft.kind, draft.proof, None if moved else old, environ)


def _check_one_author(kind: str, headers: Mapping[str, Secret]) -> None:
    if kind in _SENDS_AUTHORIZATION and any(name.lower() == "authorization" for name in headers):
        what = "the header Authorization and the credential are two credentials"
        raise UsageError("CFG019", what, hint="keep one of them")


def _network(
    connector: Connector, draft: Draft, changes: dict[str, Any], refusals: _Refusals, *, moved: bool
) -> None:
    from diagnose.cli_target import readable
    from diagnose.wire.proxies import effective_proxy

    network = connector.network
    update: dict[str, Any] = {}
    if moved and network.client_certificate is not None:
        update |= {"client_certificate": None, "client_key": None}
    with refusals.beside("proxy"):
        if draft.proxy.strip() and draft.proxy != shown_proxy(connector):
            update["proxy"] = _PROXY_WORDS.get(draft.proxy.strip(), draft.proxy.strip())
            effective_proxy(connector.origin, network.model_copy(update=update), {})
    with refusals.beside("ca_bundle"):
        old = str(display(str(network.ca_bundle or "")))
        if draft.ca_bundle.strip() != old:
            typed = os.path.expanduser(draft.ca_bundle.strip())  # noqa: PTH111  # "" is no path
            update["ca_bundle"] = readable(typed or None, "CA bundle")
    if update:
        changes["network"] = network.model_copy(update=update)


# A process


def _process(
    connector: Connector, draft: Draft, environ: Mapping[str, str], refusals: _Refusals
) -> dict[str, Any]:
    stdio = connector.stdio
    assert stdio is not None
    update: dict[str, Any] = {}
    with refusals.beside("command"):
        line, hidden = shown_vector(stdio)
        if draft.command != line:
            command, *args = _restored(words_of(draft.command), hidden)
            update |= {"command": command, "args": tuple(args)}
    variables = _pairs(draft, environ, refusals, headers=False)
    if dict(stdio.env) != variables:
        update["env"] = variables
    if draft.cwd.strip() != str(display(stdio.cwd or "")):
        # Path drops a last slash.
        update["cwd"] = os.path.expanduser(draft.cwd.strip()) or None  # noqa: PTH111
    if draft.inherits != stdio.inherits:
        update["inherits"] = draft.inherits
    return {"transport": stdio.model_copy(update=update)} if update else {}


def _restored(words: tuple[str, ...], hidden: tuple[tuple[str, str], ...]) -> list[str]:
    """The words with the hidden ones in their places again. Raises UsageError CFG006."""
    left, found = list(hidden), []
    for word in words:
        match = next((pair for pair in left if pair[0] == word), None)
        if match is not None:
            left.remove(match)
        elif any(said == word for said, _ in hidden) or "[redacted]" in word:
            what = "a word that stands for a hidden value was written twice or changed"
            raise UsageError("CFG006", what, hint="write the value itself, or ${env:NAME}")
        found.append(word if match is None else match[1])
    if any("\0" in word for word in found) or not found[0].strip():
        what = "the command is empty or holds a NUL character"
        raise UsageError("CFG006", what, hint="type a command that there is")
    return found


# Both


def _pairs(
    draft: Draft,
    environ: Mapping[str, str],
    refusals: _Refusals,
    *,
    headers: bool,
    moved: bool = False,
) -> dict[str, Secret]:
    found: dict[str, Secret] = {}
    for number, pair in enumerate(draft.pairs):
        if (pair.left or not pair.name.strip()) and (pair.unchanged or not pair.typed):
            continue
        with refusals.beside(f"pair{number}"):
            name = pair.name.strip()
            _check_name(name, found, headers=headers)
            if not pair.unchanged:
                found[name] = typed_secret(pair.typed, environ, name=name, header=headers)
            elif pair.old is not None and not (moved and holds_secret(name, pair.old)):
                found[name] = pair.old
    return found


def _check_name(name: str, taken: Mapping[str, Secret], *, headers: bool) -> None:
    if headers:
        header_name(name)
    elif not _VARIABLE.fullmatch(name):
        hint = "write letters, digits and underscores, such as API_KEY"
        raise UsageError("CFG009", "this is no variable name", hint=hint)
    same = [one for one in taken if one == name or (headers and one.lower() == name.lower())]
    if same:
        noun, code = ("header", "CFG004") if headers else ("variable", "CFG006")
        raise UsageError(code, f"the {noun} {name} is given twice", hint="clear one of the two names")


def _options(connector: Connector, options: Options, draft: Draft, refusals: _Refusals) -> Options:
    from diagnose.cli_words import Seconds

    timeout, arguments = options.timeout, dict(options.arguments)
    with refusals.beside("timeout"):
        timeout = Seconds().convert(draft.timeout.strip(), None, None)
    old = options.tool or ""
    tool = old if draft.tool == str(display(old)) else draft.tool.strip()
    with refusals.beside("tool"):
        if tool and draft.sample == "never":
            what = "a tool is named, and nothing is to be called"
            raise UsageError("CFG006", what, hint="choose auto, or clear the tool")
    with refusals.beside("arguments"):
        arguments = json_object(draft.arguments) if draft.arguments.strip() else {}
        if arguments and not tool:
            what = "there are arguments and no tool to give them to"
            raise UsageError("CFG006", what, hint="name the tool, or clear the arguments")
    return replace(options, timeout=timeout, sample=draft.sample, tool=tool or None, arguments=arguments)
