"""Secrets as references: a configuration says where a secret is, not what it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from diagnose.errors import UsageError

__all__ = ["PLACES", "Secret", "holds_secret", "is_unfilled", "spelt_secrets"]

PLACES = frozenset({"HOME", "PATH", "PWD", "TMPDIR", "USER", "USERPROFILE", "APPDATA", "LOCALAPPDATA"})
"""Variables that say where something is: their values are no secrets and must stay readable."""

# A default is for a variable that is unset or empty; the other form is a dollar that begins no reference.
_REFERENCE = re.compile(r"\$\{(?:text:(\$)|env:([^}]{0,200}?)(?::-([^}]{0,2000}))?)\}")
_TAKEN_FOR_ONE = re.compile(r"\$(?=\{(?:env:|text:\$\}))")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What other programs fill in and this one does not: it would be sent as it stands (the server says 401).
_UNFILLED = re.compile(
    r"\$\{(?!env:)[^}]*\}|\{\{[^}]*\}\}|%[A-Z_]{2,}%|(?:^|\s)(?:\$[A-Z_]{2,}|<[A-Za-z_ -]+>)$"
)


def is_unfilled(value: str) -> bool:
    """Whether a value still holds a placeholder in the spelling of another program."""
    return bool(_UNFILLED.search(value))


_SECRET_FLAG = re.compile(r"--?[\w-]*(?:token|secret|passw|api-?_?key|credential|auth)[\w-]*", re.IGNORECASE)

_PAIR = {"--header": ":", "-H": ":", "-e": "=", "--env": "="}


def spelt_secrets(args: Sequence[str]) -> tuple[str, ...]:
    """Values in an argument vector that stand after a flag such as ``--api-key``, or behind its ``=``.

    Also the value of a header after ``--header``, and that of a variable after ``-e`` whose name says so.
    """
    found: list[str] = []
    for place, word in enumerate(args):
        flag, equals, value = word.partition("=")
        pair = _PAIR.get(args[place - 1]) if place else None
        if pair is not None:
            name, between, value = word.partition(pair)
            if between and value.strip() and (pair == ":" or _SECRET_FLAG.fullmatch(f"-{name}")):
                found += [] if _REFERENCE.search(value) else [value.strip()]
            continue
        if not _SECRET_FLAG.fullmatch(flag):
            continue
        if not equals and place + 1 < len(args) and not args[place + 1].startswith("-"):
            value = args[place + 1]
        if value and not _REFERENCE.search(value):
            found.append(value)
    return tuple(found)


_MARKED = ("authorization", "cookie", "key", "token", "secret", "password", "credential", "session")


def holds_secret(name: str, value: Secret) -> bool:
    """Whether a header or a variable is a secret: it says so, or its value was not written in the open."""
    return bool(set(value.references) - PLACES) or any(word in name.lower() for word in _MARKED)


class Secret:
    """A literal, or a template with references such as ``Bearer ${env:TOKEN}`` or ``${env:REGION:-eu}``.

    ``${text:$}`` stands for a dollar: ``${text:$}{env:NAME}`` is the text ``${env:NAME}``.
    It prints as its references or as ``***`` and never as its value; only :meth:`resolve` gives that.
    """

    __slots__ = ("_fixed", "_template")

    def __init__(self, template: str) -> None:
        self._template = template
        self._fixed = False

    @classmethod
    def literal(cls, value: str) -> Secret:
        """A value that somebody else wrote: no reference in it is ever followed.

        A token of a hostile server that reads ``${env:HOME}`` would otherwise send that variable there.
        """
        made = cls(value)
        made._fixed = True
        return made

    @property
    def references(self) -> tuple[str, ...]:
        """The names of the environment variables that the template refers to."""
        if self._fixed:
            return ()
        return tuple(match.group(2) for match in _REFERENCE.finditer(self._template) if not match.group(1))

    @classmethod
    def escaped(cls, text: str) -> str:
        """``text`` as a part of a template that means just this text."""
        return _TAKEN_FOR_ONE.sub("${text:$}", text)

    def without(self, start: re.Pattern[str]) -> Secret | None:
        """The rest after what ``start`` matches at the beginning, or None where it does not match."""
        match = start.match(self._template)
        if match is None:
            return None
        rest = Secret(self._template[match.end() :])
        rest._fixed = self._fixed
        return rest

    def resolve(self, environ: Mapping[str, str], *, where: str) -> str:
        """The value. Raises UsageError CFG003 where a variable is unset or empty, CFG009 for a bad name."""

        def value(match: re.Match[str]) -> str:
            dollar, name, default = match.groups()
            if dollar:
                return str(dollar)
            if not _NAME.fullmatch(name):
                raise UsageError(
                    "CFG009",
                    f"the reference ${{env:{name}}} holds no variable name",
                    where=where,
                    hint="write it as ${env:NAME} with letters, digits and underscores",
                )
            if not environ.get(name):
                if default is not None:
                    return str(default)
                state = "is empty" if name in environ else "is not set"
                raise UsageError(
                    "CFG003",
                    f"the environment variable {name} {state}",
                    where=where,
                    hint=f"set it where this command runs: export {name}=...",
                )
            return environ[name]

        return self._template if self._fixed else _REFERENCE.sub(value, self._template)

    def __str__(self) -> str:
        # Only a template that is nothing but a reference and a scheme word may be shown as it is.
        def shown(match: re.Match[str]) -> str:
            return match.group() if match.group(3) is None else f"${{env:{match.group(2)}:-***}}"

        bare = _REFERENCE.sub("", self._template).strip()
        if not self.references or bare not in ("", "Bearer", "Basic", "Token"):
            return "***"
        return _REFERENCE.sub(shown, self._template)

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._template == self._template and other._fixed == self._fixed

    def __hash__(self) -> int:
        return hash(self._template)

    def __bool__(self) -> bool:
        return bool(self._template)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from_text = core_schema.no_info_after_validator_function(cls, core_schema.str_schema())
        return core_schema.json_or_python_schema(
            json_schema=from_text,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), from_text]),
            serialization=core_schema.plain_serializer_function_ser_schema(
                str, return_schema=core_schema.str_schema()
            ),
        )
