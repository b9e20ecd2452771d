"""YAML read event by event: values of the core schema, places, and a bound on what aliases expand to.

YAML 1.2 decides what a plain scalar is (``yes`` is a string), because that is what the clients' parsers do.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from diagnose.errors import UsageError

__all__ = ["read"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 100
_LARGEST = 100_000
"""Values after every alias is written out: ten short lines of aliases can mean a billion."""

_Path = tuple[str | int, ...]

_NULL = ("", "~", "null", "Null", "NULL")
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_TABBED = re.compile(r" *\t")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

_MISTAKES = (
    (
        "mapping values are not allowed",
        "quote a value that holds a colon and a space, or mend the indentation",
    ),
    ("undefined alias", "an alias needs its anchor: write &NAME before it"),
    ("special characters|unacceptable", "remove the control character"),
    (
        "expected <block end>|did not find expected",
        "mend the indentation, or close a quote or bracket before it",
    ),
    ("could not find expected ':'|simple key", "write a colon and a space between a name and its value"),
    ("cannot start any token", "quote a value that begins with this character"),
    ("unexpected end of stream|scanning a quoted", "close the quote"),
)


def read(text: str, file: str) -> tuple[Any, dict[_Path, tuple[int, int]]]:
    """The value of a document, and line and column of every path in it. Raises UsageError CFG040."""
    reading = _Reading(file)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            reading.take(event)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        said = " ".join(part for part in (problem.context, problem.problem) if part)
        tabbed = mark is not None and _TABBED.match([*text.split("\n"), ""][mark.line])
        hint = "indent with spaces: YAML takes no tabs" if tabbed else _hint(said)
        raise _broken("the YAML is broken: " + _first_line(said), hint, where) from None
    except yaml.YAMLError as problem:
        said = str(problem)
        raise _broken("the YAML is broken: " + _first_line(said), _hint(said), file) from None
    return reading.value, reading.marks


def _first_line(said: str) -> str:
    return re.sub(r"[^ -~]", "?", said.partition("\n")[0])[:120]


def _hint(said: str) -> str:
    found = (hint for pattern, hint in _MISTAKES if re.search(pattern, said))
    return next(found, "correct the line")


def _broken(what: str, hint: str, where: str) -> UsageError:
    return UsageError("CFG040", what, hint=hint, where=where)


class _Open:
    """A container that is not closed yet."""

    def __init__(self, value: Any, at: _Path, anchor: str | None) -> None:
        self.value = value
        self.at = at
        self.anchor = anchor
        self.key: str | None = None
        self.merged: list[dict[str, Any]] = []
        self.size = 1


class _Reading:
    """What has been read so far; no recursion, so depth costs nothing but a number."""

    def __init__(self, file: str) -> None:
        self.value: Any = None
        self.marks: dict[_Path, tuple[int, int]] = {}
        self._file = file
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._unfinished: set[str] = set()

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._end(event)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self.marks:
            raise self._refused(event, "a file is one document", "remove what follows the line ---")

    def _begin(self, event: Any) -> None:
        is_map = isinstance(event, yaml.MappingStartEvent)
        at = self._place(event)
        if len(self._stack) >= _DEEPEST:
            raise self._refused(event, "the YAML is nested too deeply", "write it flatter")
        if event.anchor:
            self._unfinished.add(event.anchor)
        self._stack.append(_Open({} if is_map else [], at, event.anchor))

    def _end(self, event: Any) -> None:
        done = self._stack.pop()
        if done.merged:
            for given in done.merged:
                done.value.update({name: value for name, value in given.items() if name not in done.value})
        if done.anchor:
            self._unfinished.discard(done.anchor)
            self._anchors[done.anchor] = (done.value, done.size)
        self._put(event, done.value, done.size)

    def _scalar(self, event: Any) -> None:
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            if event.value in top.value:
                raise self._refused(event, "a name stands twice in one mapping", "remove one of the two")
            top.key = event.value
            self.marks[(*top.at, event.value)] = _mark(event)
            if event.anchor:
                self._anchors[event.anchor] = (event.value, 1)
            return
        self._place(event)
        value = _resolved(event.value) if event.implicit[0] and event.tag is None else event.value
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._put(event, value, 1)

    def _alias(self, event: Any) -> None:
        if event.anchor in self._unfinished:
            raise self._refused(event, "a value holds itself through an alias", "write the value out")
        if event.anchor not in self._anchors:
            raise self._refused(event, "an alias has no anchor", "write &NAME before what *NAME stands for")
        self._place(event)
        self._put(event, *self._anchors[event.anchor])

    def _place(self, event: Any) -> _Path:
        """The path of the value that begins here."""
        if not self._stack:
            at: _Path = ()
        else:
            top = self._stack[-1]
            if isinstance(top.value, list):
                at = (*top.at, len(top.value))
            elif top.key is None:
                raise self._refused(event, "a name in a mapping is no text", "write a name and a colon")
            else:
                at = (*top.at, top.key)
        self.marks.setdefault(at, _mark(event))
        return at

    def _put(self, event: Any, value: Any, size: int) -> None:
        if not self._stack:
            self.value = value
            return
        top = self._stack[-1]
        top.size += size
        if top.size > _LARGEST:
            raise self._refused(event, "the aliases expand to too much", "write the values out")
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key == "<<":
            top.merged += [
                part for part in (value if isinstance(value, list) else [value]) if isinstance(part, dict)
            ]
        else:
            top.value[str(top.key)] = value
        top.key = None

    def _refused(self, event: Any, what: str, hint: str) -> UsageError:
        line, column = _mark(event)
        return _broken(f"{what}", hint, f"{self._file}:{line}:{column}")


def _mark(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _resolved(text: str) -> Any:
    """A plain scalar by the core schema (YAML 1.2, 10.3.2)."""
    if text in _NULL:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
