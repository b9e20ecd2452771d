"""Texts of an entry as this client would fill them in: templates for later, or plain text now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from diagnose.connector.dialects.documents import Path_
from diagnose.connector.dialects.entry import Entry, Slot
from diagnose.connector.dialects.interpolation import Filled, fill
from diagnose.connector.json_document import kind_of
from diagnose.connector.secret import Secret
from diagnose.errors import UsageError
from diagnose.redact import Redactor

__all__ = ["is_token", "plain", "secret", "template", "texts_by_name", "variables_in"]

_STAND_IN = re.compile(
    r"(?:bearer\s+|token\s+)?(?:<[^<>]{1,60}>|\[[A-Z_ -]{3,60}\]|x{6,}|\.{3,}"
    r"|(?:your|my|insert|replace)[-_ ].{0,40}(?:key|token|secret|here)[\w-]*)",
    re.IGNORECASE,
)
"""Text that an example wrote where a secret belongs."""


def template(
    entry: Entry, text: str, at: Path_, label: str, *, sent: bool, filled_later: bool = False
) -> str:
    """``text`` as a template of ours; what is wrong with its references is noted.

    ``sent`` says that the text goes to a server as it is: a placeholder left in it cannot work there.
    ``filled_later`` says that the program it is passed to fills in what is left.
    """
    filled = _filled(entry, text)
    _note_references(entry, filled, at)
    if filled.left and not entry.row.guessed and not filled_later:
        spelling = next((word for word in entry.row.syntax if "X" in word), None)
        hint = f"{entry.row.title} fills in {spelling}" if spelling else "write the value itself"
        entry.note(
            "CFG016",
            "error" if sent and entry.row.syntax_known else "warning",
            f"{label} holds {_named(filled.left[0])}, which {entry.row.title} {_does_not(entry)} fill in",
            f"{hint}; the placeholder is passed on as it stands",
            at,
        )
    elif sent and _STAND_IN.fullmatch(text.strip()):
        entry.note(
            "CFG016", "error", f"{label} is the placeholder of an example", "write the value itself", at
        )
    return filled.template


def secret(entry: Entry, text: str, at: Path_, label: str, *, sent: bool) -> Secret:
    """The same as a Secret."""
    return Secret(template(entry, text, at, label, sent=sent))


def plain(entry: Entry, text: str, at: Path_, label: str) -> str | None:
    """``text`` with its references filled in now, or None where one is not set (noted as an error)."""
    made = Secret(template(entry, text, at, label, sent=True))
    if any(is_token(name) for name in made.references):
        return None
    try:
        return made.resolve(entry.here.environ, where=str(entry.origin(at)))
    except UsageError as problem:
        entry.note(problem.code, "error", f"{label}: {problem.what}", problem.hint, at)
        return None


def variables_in(entry: Entry, text: str) -> tuple[str, ...]:
    """The variables of the environment that the client fills into ``text``."""
    return tuple(dict.fromkeys(reference.variable for reference in _filled(entry, text).references))


def texts_by_name(entry: Entry, slot: Slot, *, numbers: bool) -> dict[str, tuple[str, Path_]]:
    """A mapping of texts; ``null`` is left out, and anything else that is no text is a problem."""
    if slot.value is None:
        return {}
    if not isinstance(slot.value, Mapping):
        entry.wrong_kind(slot, 'names and values: {"NAME": "VALUE"}')
        return {}
    found: dict[str, tuple[str, Path_]] = {}
    for name, value in slot.value.items():
        at = (*slot.at, name)
        if value is None and numbers:
            continue
        if isinstance(value, str):
            found[name] = (value, at)
        elif isinstance(value, bool | int | float):
            found[name] = (str(value).lower() if isinstance(value, bool) else str(value), at)
            if not numbers:
                entry.note(
                    "CFG019", "warning", f"the value is {kind_of(value)}", "write it in double quotes", at
                )
        else:
            entry.note("CFG019", "error", f"the value is {kind_of(value)}", "write a string", at)
    return found


def _filled(entry: Entry, text: str) -> Filled:
    here = entry.here
    syntax = tuple(word for word in entry.row.syntax if word != "%X%" or here.platform == "win32")
    folder = entry.folder or here.cwd
    folders = {
        "workspaceFolder": folder,
        "workspaceRoot": folder,
        "userHome": here.home,
        "workspaceFolderBasename": PurePath(folder).name,
        "pathSeparator": "\\" if here.platform == "win32" else "/",
        "/": "\\" if here.platform == "win32" else "/",
    }
    return fill(text, syntax, folders)


def _note_references(entry: Entry, filled: Filled, at: Path_) -> None:
    title = entry.row.title
    for reference in filled.references:
        if is_token(reference.variable):
            what = "this is the value, and the reference takes the name of a variable"
            hint = "export the value as a variable and write the name of that"
            entry.note("CFG009", "error", what, hint, at)
            continue
        if reference.default is not None or entry.here.environ.get(reference.variable):
            continue
        if not reference.kept:
            state = "is empty" if reference.variable in entry.here.environ else "is not set"
            entry.note(
                "CFG003",
                "warning",
                f"the environment variable {reference.variable[:80]} {state} here",
                _UNSET[entry.row.unset].format(title=title, name=reference.variable[:80]),
                at,
            )
        elif reference.written.startswith("${input:") and not _has_input(entry, reference.written[8:-1]):
            entry.note(
                "CFG057",
                "error",
                f"there is no input {reference.written[8:-1][:60]!r} in this file",
                'define it: "inputs": [{"type": "promptString", "id": ..., "password": true}]',
                at,
            )
        else:
            entry.note(
                "CFG058",
                "info",
                f"{title} keeps the value of {reference.written[:80]} where only it can read it",
                f"to diagnose with it, set {reference.variable[:80]} where this command runs",
                at,
            )


_UNSET: Mapping[str, str] = {
    "literal": "set it where {title} is started: export {name}=...; it passes the reference on as it stands",
    "empty": "set it where {title} is started: export {name}=...; it passes an empty text on",
    "refused": "set it where {title} is started: export {name}=...; it does not use the entry without it",
}


def _does_not(entry: Entry) -> str:
    return "does not" if entry.row.syntax_known else "is not known to"


def is_token(name: str) -> bool:
    """Whether a token stands where a name belongs, so that the name is not repeated."""
    name = name[:300]
    return bool(re.search(r"(?=\S*[0-9])(?=\S*[a-z])[\w.+=~-]{20,}", name)) or Redactor().text(name) != name


def _has_input(entry: Entry, name: str) -> bool:
    document: Any = entry.document.value
    inputs = document.get("inputs") if isinstance(document, dict) else None
    if not isinstance(inputs, list):
        return False
    return any(isinstance(known, dict) and known.get("id") == name for known in inputs)


def _named(placeholder: str) -> str:
    """A placeholder as it may be quoted: its name, and no default or token that somebody wrote into it."""
    if is_token(placeholder):
        return "a placeholder"
    return re.sub(r"(:-|:)[^}]*", r"\1...", placeholder)[:60] if ":-" in placeholder else placeholder[:60]
