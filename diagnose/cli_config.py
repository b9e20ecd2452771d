"""``--config``: which connector of the file is meant, and what the command line changes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from diagnose.cli_target import Asked, NoConnector, readable, typed_connector
from diagnose.cli_words import nearest, refuse
from diagnose.errors import UsageError

if TYPE_CHECKING:
    from diagnose.connector import Connector, NetworkSettings

__all__ = ["configured"]

_FILES = ("ca_bundle", "client_certificate", "client_key")
_SHOWN_NAMES = 20


def configured(target: str, file: str, asked: Asked) -> Connector:
    """The connector of ``file`` that ``target`` names, as the options amend it.

    Raises UsageError, and NoConnector where none is meant.
    """
    from diagnose.connector.file import load_file

    base, url = _chosen(target, file, load_file(file))
    found = _amended(base, typed_connector(url, asked), asked)
    _check(found, base)
    return found


def _chosen(target: str, file: str, known: tuple[Connector, ...]) -> tuple[Connector, str]:
    """The connector that is meant, and the URL as it was typed or as the file has it."""
    from diagnose.connector.address import parse_endpoint

    named = next((entry for entry in known if entry.name == target), None)
    if named is not None:
        return named, named.url
    if "://" not in target:
        raise _nothing(f"no connector is named {target[:80]!r}", target, file, known)
    meant = _address(parse_endpoint(target).url)
    matching = [entry for entry in known if _address(entry.url) == meant]
    if not matching:
        raise _nothing("no connector has this URL", target, file, known)
    if len(matching) > 1:
        names = ", ".join(entry.name for entry in matching[:_SHOWN_NAMES])
        raise refuse(f"{len(matching)} connectors have this URL", f"name one of {names}", where=file)
    return matching[0], target


def _address(url: str) -> tuple[Any, str, str]:
    """What makes two spellings one URL: case of the host and a default port do not count (RFC 9110 4.2.3)."""
    from diagnose.connector.address import origin_of

    parts = urlsplit(url)
    return origin_of(url), parts.path, parts.query


def _nothing(what: str, target: str, file: str, known: tuple[Connector, ...]) -> NoConnector:
    names = [entry.name for entry in known]
    close = nearest(target, names) if "://" not in target else None
    meant = f"did you mean {close}? " if close else ""
    rest = ", ..." if len(names) > _SHOWN_NAMES else ""
    hint = f"{meant}the file has {', '.join(names[:_SHOWN_NAMES])}{rest}"
    return NoConnector("CFG011", what, where=file, hint=hint)


def _amended(base: Connector, typed: Connector, asked: Asked) -> Connector:
    replaces = typed.credential.type != "none"
    over = {name.lower() for name in typed.headers} | ({"authorization"} if replaces else set())
    kept = {name: value for name, value in base.headers.items() if name.lower() not in over}
    changes: dict[str, Any] = {
        "headers": {**kept, **typed.headers},
        "network": _merged(base.network, typed.network),
    }
    credential = typed.credential if replaces else _without(base.credential, over)
    if credential is not base.credential:  # a file that names no credential has still named none
        changes["credential"] = credential
    if asked.era is not None:
        changes["era"] = asked.era
    if asked.transport is not None:
        changes["transport"] = base.transport.model_copy(update={"type": asked.transport})
    return base.model_copy(update=changes)


def _without(credential: Any, over: set[str]) -> Any:
    """The file's credential as far as ``--header`` does not send the same header itself."""
    from diagnose.connector import ApiKeyCredential, HeadersCredential, NoCredential

    if isinstance(credential, ApiKeyCredential) and credential.location == "header":
        return NoCredential() if credential.name.lower() in over else credential
    if isinstance(credential, HeadersCredential):
        kept = {name: value for name, value in credential.headers.items() if name.lower() not in over}
        return HeadersCredential(headers=kept) if kept else NoCredential()
    return credential


def _merged(base: NetworkSettings, typed: NetworkSettings) -> NetworkSettings:
    changes = {
        name: value
        for name in ("ca_bundle", "client_certificate", "client_key", "proxy", "resolver")
        if (value := getattr(typed, name)) is not None
    }
    if "client_certificate" in changes:  # a key belongs to its certificate
        changes.setdefault("client_key", None)
    return base.model_copy(update={**changes, "resolve": {**base.resolve, **typed.resolve}})


def _check(found: Connector, base: Connector) -> None:
    """What a route needs of this machine, named by its place in the file. Raises UsageError."""
    from diagnose.context import split_resolver

    network, place = found.network, f"{base.source.file} {base.source.pointer}/network"
    if network.client_key is not None and network.client_certificate is None:
        raise refuse("--client-key has no certificate to go with", "name it too: --client-cert PEM")
    for name in _FILES:
        path = getattr(network, name)
        if path is not None and path == getattr(base.network, name):
            readable(str(path), f"{place}/{name}")
    if network.resolver is None:
        return
    try:
        split_resolver(network.resolver)
    except UsageError as problem:
        raise UsageError(problem.code, problem.what, hint=problem.hint, where=f"{place}/resolver") from None
