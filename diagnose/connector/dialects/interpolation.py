"""References in the spelling of each client, as templates of our own.

What a client fills in becomes ``${env:NAME}``. What it does not fill in stays text, also where it looks like
our own reference: the client sends it as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Literal

from diagnose.connector.secret import Secret
from diagnose.records import record

__all__ = ["SYNTAX", "Filled", "Reference", "fill", "left_over"]

_Kind = Literal["variable", "kept", "folder"]

_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,200}"

SYNTAX: Mapping[str, tuple[str, _Kind, str]] = {
    "${env:X}": (rf"\$\{{env:(?P<name>{_NAME})\}}", "variable", ""),
    "${X:-default}": (rf"\$\{{(?P<name>{_NAME})(?::-(?P<default>[^}}]{{0,2000}}))?\}}", "variable", ""),
    "${X}": (rf"\$\{{(?P<name>{_NAME})\}}", "variable", ""),
    "$X": (rf"\$(?P<name>{_NAME})", "variable", ""),
    "%X%": (rf"%(?P<name>{_NAME})%", "variable", ""),
    "{env:X}": (rf"\{{env:(?P<name>{_NAME})\}}", "variable", ""),
    "${{ secrets.X }}": (rf"\$\{{\{{\s*secrets\.(?P<name>{_NAME})\s*\}}\}}", "variable", ""),
    "${{ inputs.X }}": (r"\$\{\{\s*inputs\.(?P<name>[^}\s]{1,200})\s*\}\}", "kept", "INPUT_"),
    "${input:X}": (r"\$\{input:(?P<name>[^}]{1,200})\}", "kept", "INPUT_"),
    "{file:X}": (r"\{file:(?P<name>[^}]{1,200})\}", "kept", "FILE_"),
    "${file:X}": (r"\$\{file:(?P<name>[^}]{1,200})\}", "kept", "FILE_"),
    "{{X}}": (r"\{\{\s*(?P<name>[A-Za-z0-9_]+)\s*\}\}", "kept", ""),
    "{x}": (r"(?<![${])\{(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)\}(?!\})", "kept", ""),
    "${workspaceFolder}": (r"\$\{(?P<name>workspaceFolder|workspaceRoot)\}", "folder", ""),
    "${userHome}": (r"\$\{(?P<name>userHome)\}", "folder", ""),
    "${workspaceFolderBasename}": (r"\$\{(?P<name>workspaceFolderBasename)\}", "folder", ""),
    "${pathSeparator}": (r"\$\{(?P<name>pathSeparator|/)\}", "folder", ""),
}
"""A spelling, what it is, and the prefix of the variable that stands for a value that only the client has."""

_PLACEHOLDER = re.compile(
    r"\$\{\{[^}]{0,200}\}\}|\$\{[^}]{0,200}\}|\{\{[^}]{0,200}\}\}|\{(?:env|file):[^}]{0,200}\}"
    r"|%[A-Za-z_][A-Za-z0-9_]{0,80}%(?![0-9A-Fa-f])"
)
_LAST_WORD = re.compile(r"(?:^|\s)(\$[A-Za-z_][A-Za-z0-9_]*|<[A-Za-z][A-Za-z0-9_ -]{0,60}>)$")


@record
class Reference:
    """One value that a client fills in: ``variable`` is what stands for it here."""

    written: str
    variable: str
    default: str | None
    kept: bool


@record
class Filled:
    """A text as a template of ours, and what it refers to."""

    template: str
    references: tuple[Reference, ...]
    left: tuple[str, ...]
    """Placeholders that this client does not fill in."""


def fill(text: str, syntax: tuple[str, ...], folders: Mapping[str, str]) -> Filled:
    """Translate ``text``; ``folders`` has the values that are no secrets, by the name in the placeholder."""
    parts: list[str] = []
    references: list[Reference] = []
    rest: list[str] = []
    end = 0
    for start, found, name, default, kind, prefix in _found(text, syntax):
        between = text[end:start]
        parts.append(Secret.escaped(between))
        rest.append(between)
        end = start + len(found)
        if kind == "folder":
            parts.append(folders.get(name, found))
            rest.append("x")
            continue
        variable = name if kind == "variable" else prefix + _as_variable(name)
        references.append(Reference(written=found, variable=variable, default=default, kept=kind == "kept"))
        parts.append(f"${{env:{variable}}}" if default is None else f"${{env:{variable}:-{default}}}")
        rest.append("x")
    parts.append(Secret.escaped(text[end:]))
    rest.append(text[end:])
    return Filled(template="".join(parts), references=tuple(references), left=left_over("".join(rest)))


def left_over(text: str) -> tuple[str, ...]:
    """What in ``text`` looks like a placeholder."""
    last = _LAST_WORD.search(text)
    return (*_PLACEHOLDER.findall(text), *([last.group(1)] if last else []))


def _found(text: str, syntax: tuple[str, ...]) -> Iterator[tuple[int, str, str, str | None, _Kind, str]]:
    """Place, text, name, default, kind and prefix of every match; the first spelling that fits has it."""
    for match in _pattern(syntax).finditer(text) if syntax else ():
        index = int(str(match.lastgroup)[1:])
        _, kind, prefix = SYNTAX[syntax[index]]
        groups = match.groupdict()
        yield (
            match.start(),
            match.group(),
            groups[f"name{index}"],
            groups.get(f"default{index}"),
            kind,
            prefix,
        )


@cache
def _pattern(syntax: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for all spellings of a client, so that a text is walked once."""
    parts = []
    for index, spelling in enumerate(syntax):
        numbered = re.sub(r"\(\?P<(name|default)>", rf"(?P<\g<1>{index}>", SYNTAX[spelling][0])
        parts.append(f"(?P<s{index}>{numbered})")
    return re.compile("|".join(parts))


def _as_variable(name: str) -> str:
    made = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").upper() or "VALUE"
    return made if not made[0].isdigit() else f"_{made}"
