"""The store of mcp-remote: files named after a hash of what it was started with.

mcp-remote 0.15, ``getServerUrlHash`` and ``getConfigDir``: md5 over the URL and the other settings that make
a login another one. Older versions kept the same files in a folder of their own version number.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from diagnose.oauth.borrowed.found import Found, Nothing, moment_of, read_object, text_of

if TYPE_CHECKING:
    from diagnose.connector import Connector

__all__ = ["find"]

_FOLDER = re.compile(r"mcp-remote-(v?)(\d+(?:\.\d+)*)")
_TOKENS = "_tokens.json"


def find(connector: Connector, where: str | None, environ: Mapping[str, str]) -> Found | Nothing:
    """The login that mcp-remote has for the connector's URL. Raises UsageError CFG032."""
    base = _base(where, environ)
    folders = list(_folders(base))
    for folder in folders:
        for key in _keys(connector, environ):
            found = _read(folder, key)
            if found is not None:
                return found
    others = sum(len(list(folder.glob(f"*{_TOKENS}"))) for folder in folders)
    looked = f"{base} holds {others} logins, none under this URL" if others else f"nothing is in {base}"
    return Nothing(
        looked=looked,
        hint=f"log in with npx mcp-remote {connector.url}, with the URL spelt as it is here; "
        "a login made with --resource or another flag has another key",
    )


def _base(where: str | None, environ: Mapping[str, str]) -> Path:
    if where is not None:
        return Path(where).expanduser()
    named = environ.get("MCP_REMOTE_CONFIG_DIR")
    return Path(named) if named else Path(environ.get("HOME") or Path.home()) / ".mcp-auth"


def _folders(base: Path) -> Iterator[Path]:
    """The folders of all versions, the current layout and then the newest version first."""
    if any(base.glob(f"*{_TOKENS}")):
        yield base
    versions: list[tuple[bool, tuple[int, ...], Path]] = []
    for folder in base.glob("mcp-remote-*"):
        named = _FOLDER.fullmatch(folder.name)
        if named is not None and folder.is_dir():
            numbers = tuple(int(part) for part in named.group(2).split("."))
            versions.append((bool(named.group(1)), numbers, folder))
    yield from (folder for _, _, folder in sorted(versions, reverse=True))


def _keys(connector: Connector, environ: Mapping[str, str]) -> Iterator[str]:
    """The keys of this URL, with and without the headers that the connector sends."""
    urls = [connector.url]
    if urlsplit(connector.url).path == "/":
        urls.append(connector.url.removesuffix("/"))
    headers = connector.plain_headers(environ)
    written = json.dumps(headers, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for url in urls:
        for parts in ([url, written], [url]) if headers else ([url],):
            yield hashlib.md5("|".join(parts).encode(), usedforsecurity=False).hexdigest()


def _read(folder: Path, key: str) -> Found | None:
    path = folder / f"{key}{_TOKENS}"
    tokens = read_object(path)
    if text_of(tokens, "access_token") is None or tokens is None:
        return None
    client = read_object(folder / f"{key}_client_info.json")
    milliseconds = tokens.get("expires_at")
    ends = isinstance(milliseconds, int | float)
    return Found(
        place=f"the store of mcp-remote, {path}",
        tokens=tokens,
        expires_at=moment_of(milliseconds / 1000) if ends and isinstance(milliseconds, int | float) else None,
        issuer=text_of(tokens, "issuer") or text_of(client, "issuer"),
        client_id=text_of(client, "client_id"),
    )
