"""Where else the endpoint may be: paths worth one unauthenticated request, and addresses that moved."""

from __future__ import annotations

from urllib.parse import urlsplit

from diagnose.records import record

__all__ = ["MAX_SIBLINGS", "Moved", "moved_address", "sibling_paths"]

MAX_SIBLINGS = 4
"""Guesses cost the server something; four find nearly every wrong path of the field."""

_USUAL = ("/mcp", "/sse", "/api/mcp", "/v1/mcp")


@record
class Moved:
    """An address that its vendor switched off, and what replaced it."""

    host: str
    path: str
    url: str
    since: str


_MOVED = (
    Moved(
        host="mcp.atlassian.com",
        path="/v1/sse",
        url="https://mcp.atlassian.com/v1/mcp",
        since="30 June 2026",
    ),
    Moved(host="mcp.linear.app", path="/sse", url="https://mcp.linear.app/mcp", since="8 April 2026"),
)


def sibling_paths(path: str) -> tuple[str, ...]:
    """Up to four other paths, the likeliest first: beside or below the given one, then the usual ones.

    The same path with its final slash toggled comes first, for servers that neither serve nor redirect it.
    """
    bare = path.rstrip("/")
    words = bare.split("/")
    guesses: list[str] = []
    if bare:
        guesses.append(bare if path.endswith("/") else bare + "/")
    if words[-1] == "sse":
        guesses.append("/".join((*words[:-1], "mcp")))
    elif bare and words[-1] != "mcp":
        guesses += [bare + "/mcp", "/mcp"]
    guesses += _USUAL
    if not bare:
        guesses.insert(1, "/mcp/")
    unique = dict.fromkeys(guess for guess in guesses if guess != (path or "/"))
    return tuple(unique)[:MAX_SIBLINGS]


def moved_address(url: str) -> Moved | None:
    """Where a retired address went, if it is a known one."""
    parts = urlsplit(url)
    return next(
        (
            moved
            for moved in _MOVED
            if (parts.hostname or "").lower() == moved.host and parts.path.rstrip("/") == moved.path
        ),
        None,
    )
