"""The connector file: our own JSON form of the connector, with every credential kind.

A document is one connector, or ``{"connectors": [...]}``. The fields are those of
:class:`diagnose.connector.model.Connector`, with ``url`` as its short form; ``source`` is filled in here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from diagnose.connector.address import parse_endpoint
from diagnose.connector.credential import HEADER_NAME
from diagnose.connector.file_faults import explained, refuse
from diagnose.connector.json_document import Place, kind_of, read
from diagnose.connector.model import Connector, NetworkSettings, Source
from diagnose.connector.secret import is_unfilled
from diagnose.display import display
from diagnose.errors import UsageError

__all__ = ["load_file"]

_FORMAT = "connector file"
_SECRETS = ("token", "access_token", "refresh_token", "client_secret", "assertion", "value", "password")
_SENDS_AUTHORIZATION = ("bearer", "basic", "oauth2")
_SHAPE = 'write {"url": "https://mcp.example.com/mcp"}, or {"connectors": [...]} with several of them'


def load_file(path: str | Path) -> tuple[Connector, ...]:
    """The connectors of a file, in its order; paths in it are relative to its folder.

    Raises UsageError: CFG017 for the syntax, CFG018 for a file that cannot be read, CFG019 for a wrong
    field, and the connector's own codes for what stands in a field. No value of a secret is in it.
    """
    path = Path(path)
    document = read(path)
    found: dict[str, tuple[Connector, Place]] = {}
    for place, entry in _entries(document, Place(str(path))):
        made = _connector(entry, place, path.parent)
        if made.name in found:
            other = found[made.name][1].pointer
            raise refuse(
                place,
                f"two connectors are named {made.name[:60]!r}, {other} and {place.pointer}",
                'give each its own "name"',
            )
        found[made.name] = (made, place)
    return tuple(made for made, _ in found.values())


def _entries(document: Any, top: Place) -> Iterator[tuple[Place, Any]]:
    if not isinstance(document, dict):
        raise refuse(top, f"the file holds {kind_of(document)}", _SHAPE)
    if "connectors" not in document:
        yield top, document
        return
    beside = next((name for name in document if name != "connectors"), None)
    if beside is not None:
        raise refuse(top.down(beside), "nothing stands beside connectors", "move it into a connector")
    several, place = document["connectors"], top.down("connectors")
    if not isinstance(several, list):
        hint = 'write a list of connectors, each with its "name"'
        raise refuse(place, f"connectors is {kind_of(several)}", hint)
    if not several:
        raise refuse(place, "the list of connectors is empty", _SHAPE)
    for index, entry in enumerate(several):
        yield place.down(index), entry


def _connector(entry: Any, place: Place, folder: Path) -> Connector:
    if not isinstance(entry, dict):
        raise refuse(place, f"a connector is an object, and this is {kind_of(entry)}", _SHAPE)
    _check_address(entry, place)
    if "source" in entry:
        raise refuse(place.down("source"), "source is filled in from the file itself", "remove it")
    source = Source(format=_FORMAT, file=display(place.file), pointer=display(place.pointer))
    try:
        made = Connector.model_validate({**entry, "source": source})
    except ValidationError as problem:
        raise explained(problem, entry, place) from None
    except UsageError as problem:
        raise UsageError(problem.code, problem.what, hint=problem.hint, where=str(place)) from None
    _check_headers(entry, place)
    _check_secrets(entry, place)
    _check_network(made.network, place.down("network"))
    anchored = {
        "network": _anchored(made.network, folder, ("ca_bundle", "client_certificate", "client_key")),
        "credential": _anchored(made.credential, folder, ("private_key",)),
    }
    # What the entry does not name stays unnamed: a connector without a credential may have a stored login.
    return made.model_copy(
        update={name: part for name, part in anchored.items() if part is not getattr(made, name)}
    )


def _check_address(entry: Mapping[str, Any], place: Place) -> None:
    """One URL, and what stands in it is not dropped without a word. Raises UsageError."""
    if "url" in entry and "transport" in entry:
        hint = 'keep one: "transport": {"type": ..., "url": ...} says both'
        raise refuse(place, "url and transport exclude each other", hint)
    transport = entry.get("transport")
    part, holder = (place, entry) if "url" in entry else (place.down("transport"), transport)
    if not isinstance(holder, dict) or "url" not in holder:
        return
    url, part = holder["url"], part.down("url")
    if not isinstance(url, str):
        raise refuse(part, f"url is {kind_of(url)}", "write it as a string")
    if parse_endpoint(url, where=str(part)).username is None:
        return
    if holder is not entry:
        hint = 'move it to "credential": {"type": "basic", "username": ..., "password": ...}'
        raise refuse(part, "the URL of a transport holds a user name", hint)
    if "credential" in entry:
        hint = "keep one of them"
        raise refuse(part, "the user name in the URL and the credential are two credentials", hint)


def _check_headers(entry: Mapping[str, Any], place: Place) -> None:
    """Header names are names, and Authorization has one author. Raises UsageError CFG004 or CFG019."""
    credential = entry.get("credential", {})
    for names, where in (
        (entry.get("headers", {}), place.down("headers")),
        (credential.get("headers", {}), place.down("credential", "headers")),
    ):
        lowered = [name.lower() for name in names]
        for name in names:
            if not HEADER_NAME.fullmatch(name):
                hint = 'write "Name": "value", without a colon or a space in the name'
                raise UsageError("CFG004", "this is no header name", where=str(where.down(name)), hint=hint)
            if lowered.count(name.lower()) > 1:
                what = f"the header {name} stands there twice"
                raise UsageError("CFG004", what, where=str(where), hint="remove one of the two")
    if credential.get("type") in _SENDS_AUTHORIZATION and any(
        name.lower() == "authorization" for name in entry.get("headers", {})
    ):
        what = "the header Authorization and the credential are two credentials"
        raise refuse(place.down("headers"), what, "keep one of them")


def _check_secrets(entry: Mapping[str, Any], place: Place) -> None:
    """Refuse what somebody forgot to fill in. Raises UsageError CFG016 or CFG019."""
    for where, value in _secrets(entry, place):
        if not value:
            raise refuse(where, "the value is empty", "write it, or a reference such as ${env:NAME}")
        if is_unfilled(value):
            raise UsageError(
                "CFG016",
                "the value is a placeholder that nothing fills in",
                where=str(where),
                hint="write ${env:NAME} and set that variable where this command runs",
            )


def _secrets(entry: Mapping[str, Any], place: Place) -> Iterator[tuple[Place, str]]:
    credential = entry.get("credential", {})
    for name in _SECRETS:
        if isinstance(credential.get(name), str):
            yield place.down("credential", name), credential[name]
    for holder, where in ((entry, place), (credential, place.down("credential"))):
        for name, value in holder.get("headers", {}).items():
            yield where.down("headers", name), value


def _check_network(network: NetworkSettings, place: Place) -> None:
    if network.client_key is not None and network.client_certificate is None:
        hint = 'name it too: "client_certificate": "client.pem"'
        raise refuse(place.down("client_key"), "client_key has no certificate to go with", hint)
    for pin, address in network.resolve.items():
        host, _, port = pin.rpartition(":")
        try:
            ipaddress.ip_address(address)
            usable = bool(host) and not host.startswith("[") and 0 < int(port) < 65536
        except ValueError:
            usable = False
        if not usable:
            hint = 'write it as "HOST:PORT": "IP", such as "mcp.example.com:443": "203.0.113.7"'
            raise refuse(place.down("resolve", pin), "this pins nothing", hint)


def _anchored(part: Any, folder: Path, names: tuple[str, ...]) -> Any:
    """``part`` with its paths relative to the folder of the file."""
    given = {name: path for name in names if (path := getattr(part, name, None)) is not None}
    if not given:
        return part
    return part.model_copy(update={name: folder / path.expanduser() for name, path in given.items()})
