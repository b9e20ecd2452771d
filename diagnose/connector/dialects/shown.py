"""What of an entry may be shown: addresses and command lines without their secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from diagnose.connector.address import secrets_in
from diagnose.connector.defined import Defined
from diagnose.display import display
from diagnose.redact import MASK, Redactor

__all__ = ["command_shown", "dumped", "url_shown"]

_SECRET_WORD = re.compile(r"key|token|secret|passw|auth|credential|header|bearer|cookie|pat$", re.IGNORECASE)
_KEY_LIKE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[\w.+=~-]{20,}")
_ENVIRONMENT = re.compile(r"(-e|--env)")
_DEEPEST = 20
_OPEN = frozenset({"type", "transport", "startup", "version", "source", "registryType", "runtimeHint"})


def url_shown(url: str) -> str:
    """A URL without userinfo, keys in its path, and values of parameters that may be secrets."""
    redactor = Redactor()
    try:
        redactor.register(*secrets_in(url))
    except ValueError:
        return MASK
    return display(redactor.text(re.sub(r"#.*", "", url)), limit=300)


def command_shown(argv: Sequence[str]) -> str:
    """A command line without what follows an option that names a secret, and without what looks like one."""
    redactor = Redactor()
    words: list[str] = []
    hides = False
    for index, word in enumerate(argv):
        before, equals, after = word.partition("=")
        if hides and not word.startswith("${env:"):
            shown = MASK
        elif (
            equals
            and after
            and (_SECRET_WORD.search(before) or (index and _ENVIRONMENT.fullmatch(argv[index - 1])))
        ):
            shown = f"{before}={MASK}"
        elif "://" in word:
            shown = url_shown(word)
        elif index and _KEY_LIKE.fullmatch(word) and not word.startswith("-"):
            shown = MASK
        else:
            shown = redactor.text(word)
        hides = word.startswith("-") and not equals and bool(_SECRET_WORD.search(word))
        words.append(f'"{shown}"' if re.search(r"\s", shown) else shown)
    return display(" ".join(words), limit=300)


def dumped(defined: Defined) -> dict[str, Any]:
    """A definition as JSON: everything that is in it by its place, and no secret.

    Texts that the model has no place for are shown as ``***``, except for a few words that never hold one.
    """
    connector: dict[str, Any] | None = None
    if defined.connector is not None:
        connector = defined.connector.model_dump(mode="json", exclude_defaults=True)
        stdio = defined.connector.stdio
        if stdio is not None:
            connector["transport"] = {"type": "stdio", "command": command_shown(stdio.argv), "cwd": stdio.cwd}
            connector["transport"]["env"] = {name: str(value) for name, value in stdio.env.items()}
        else:
            connector["transport"] = {
                "type": defined.connector.transport.type,
                "url": url_shown(defined.connector.url),
            }
    return {
        "name": str(display(defined.name, limit=200)),
        "client": defined.client,
        "scope": defined.scope,
        "file": defined.origin.file,
        "line": defined.origin.line,
        "pointer": defined.origin.pointer,
        "enabled": defined.enabled,
        "connector": connector,
        "problems": [
            {"code": p.code, "severity": p.severity, "what": p.what, "hint": p.hint, "where": str(p.origin)}
            for p in defined.problems
        ],
        "extra": {
            pointer: _masked(pointer.rpartition("/")[2], value) for pointer, value in defined.extra.items()
        },
    }


def _masked(name: str, value: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        return "***"
    if isinstance(value, Mapping):
        return {
            str(display(str(key), limit=80)): _masked(str(key), item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_masked(name, item, depth + 1) for item in value]
    if isinstance(value, str):
        return str(display(value, limit=80)) if name in _OPEN and not _KEY_LIKE.fullmatch(value) else "***"
    return value
