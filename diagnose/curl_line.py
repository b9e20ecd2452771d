"""A request as one line of curl that somebody can paste; a secret in it is a variable of the shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["curl_line"]

_CURL_OWN = frozenset({"host", "content-length", "connection", "accept-encoding"})
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")  # nothing in it acts between double quotes
_PLACEHOLDERS: Mapping[str, str] = {"authorization": "$DIAGNOSE_AUTHORIZATION", "cookie": "$DIAGNOSE_COOKIE"}


def curl_line(
    *,
    method: str,
    url: str,
    headers: Iterable[tuple[str, str | None]],
    body: str = "",
    options: Sequence[str] = (),
) -> str:
    """The line; ``options`` are quoted already.

    A header whose value is None is secret: ``$DIAGNOSE_AUTHORIZATION`` stands for the Authorization header,
    ``$DIAGNOSE_COOKIE`` for cookies, ``$DIAGNOSE_SECRET`` for any other.
    """
    words = ["curl", "-sS", "-i"]
    if method != "GET":
        words += ["-X", shlex.quote(method)]
    words += [shlex.quote(url), *options]
    for name, value in headers:
        if name.lower() in _CURL_OWN:
            continue
        if value is not None:
            words += ["-H", shlex.quote(f"{name}: {value}")]
        elif _PLAIN_NAME.fullmatch(name):
            words += ["-H", f'"{name}: {_PLACEHOLDERS.get(name.lower(), "$DIAGNOSE_SECRET")}"']
        else:
            words += ["-H", f"""{shlex.quote(f"{name}: ")}"$DIAGNOSE_SECRET\""""]
    if body:
        # curl would read the file that is named after an @.
        words += ["--data-raw" if body.startswith("@") else "--data", shlex.quote(body)]
    return " ".join(words)
