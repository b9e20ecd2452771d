"""Logins that other programs keep, borrowed for one run: read, never renewed, never copied.

A refresh token of another program is not ours to spend: rotation would log that program out. What a store
holds is found by that program's own key, so that a login for another server is never taken by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from diagnose.connector.credential import OAuth2Credential
from diagnose.errors import UsageError
from diagnose.oauth.borrowed import fastmcp, mcp_remote, vibe
from diagnose.oauth.borrowed.found import Found, Nothing

if TYPE_CHECKING:
    from diagnose.connector import Connector

__all__ = ["STORES", "borrow"]

_Finder = Callable[["Connector", "str | None", Mapping[str, str]], Found | Nothing]

STORES: Mapping[str, _Finder] = {
    "mcp-remote": mcp_remote.find,
    "fastmcp": fastmcp.find,
    "vibe": vibe.find,
}
"""Each program whose store is read, with the function that finds a connector's login in it."""


def borrow(source: str, connector: Connector, environ: Mapping[str, str]) -> OAuth2Credential:
    """The credential that another program keeps for ``connector``.

    ``source`` is ``NAME`` or ``NAME:WHERE``. Raises UsageError: CFG030 for an unknown name, CFG031 where that
    program has no login for this connector, CFG032 where its store cannot be read.
    """
    name, _, where = source.partition(":")
    if name not in STORES:
        raise UsageError(
            "CFG030",
            f"no credential store is named {name[:40]!r}",
            where="--credentials-from",
            hint=f"name one of {', '.join(STORES)}; a place may follow, such as mcp-remote:DIRECTORY",
        )
    found = STORES[name](connector, where or None, environ)
    if isinstance(found, Nothing):
        raise UsageError(
            "CFG031",
            f"{name} keeps no login for {connector.url}: {found.looked}",
            where="--credentials-from",
            hint=found.hint,
        )
    return found.credential()
