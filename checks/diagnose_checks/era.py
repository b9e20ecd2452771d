"""Which era does a server speak? A table over the answer to ``server/discover``.

The rules are those of the specification (2026-07-28, Streamable HTTP, backward compatibility), with what
real servers answer: legacy ones refuse with any status and any code, so only positive evidence makes a
server modern, and never one code alone. ``sdk_would`` is what the official Python SDK 2.3.0 does in its
``auto`` mode (client/_probe.py), because the diagnosis must name the runtime's choice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from diagnose.records import record
from diagnose.wire.rpc import LEGACY_VERSIONS, MODERN_VERSION, RpcReply
from diagnose_checks.discover_result import Discovery, read_discovery
from diagnose_checks.rpc_faults import symptom

__all__ = [
    "ERA_ROWS",
    "HEADER_MISMATCH",
    "MISSING_CAPABILITY",
    "UNSUPPORTED_VERSION",
    "Meaning",
    "Move",
    "Opening",
    "Row",
    "classify_opening",
    "meaning_of",
    "read_opening",
]

HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022

Move = Literal[
    "modern",  # adopt the DiscoverResult
    "retry",  # the server names our version: ask once more
    "initialize",  # not modern, or not provably so: the legacy handshake decides
    "refused",  # neither an era nor a version: the server contradicts itself
    "no-common-version",
    "invalid-discovery",
    "header-mismatch",
    "missing-capability",
]


@record
class Meaning:
    """A JSON-RPC error with the number that 2026-07-28 gives to what it says.

    ``draft`` is the number of an earlier draft that was used instead, if one was.
    """

    code: int | None
    draft: int | None = None
    supported: tuple[str, ...] | None = None
    required: tuple[str, ...] = ()


_MISMATCH_WORDS = re.compile(r"header\s*mismatch|does not match|mismatch(es)? .*(header|body)", re.IGNORECASE)


def meaning_of(error: Mapping[str, Any] | None) -> Meaning:
    """Read an error by its number and its data together.

    The drafts of the revision used -32001, -32003 and -32004, which other servers use for "Session not
    found", rate limits and more: there only the data, or the words, prove what is meant.
    """
    if error is None:
        return Meaning(code=None)
    code, data = error.get("code"), error.get("data")
    fields: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    supported, required = _texts(fields.get("supported")), _names(fields.get("requiredCapabilities"))
    if code == -32004 and supported is not None:
        return Meaning(code=UNSUPPORTED_VERSION, draft=-32004, supported=supported)
    if code == -32003 and required:
        return Meaning(code=MISSING_CAPABILITY, draft=-32003, required=required)
    if code == -32001 and _MISMATCH_WORDS.search(str(error.get("message", ""))):
        return Meaning(code=HEADER_MISMATCH, draft=-32001)
    return Meaning(code=code if isinstance(code, int) else None, supported=supported, required=required)


def _texts(value: Any) -> tuple[str, ...] | None:
    """The texts of a list, so many as any real one has; None for what is no list."""
    return (
        tuple(item[:80] for item in value[:50] if isinstance(item, str)) if isinstance(value, list) else None
    )


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, Mapping):
        return tuple(str(name)[:80] for name in list(value)[:50])
    return _texts(value) or ()


@record
class Opening:
    """The answer to ``server/discover``, read once; ``attempt`` counts from 0."""

    reply: RpcReply
    discovery: Discovery | None
    meaning: Meaning
    attempt: int = 0

    @property
    def code(self) -> int | None:
        return self.meaning.code

    def names(self, *versions: str) -> bool:
        """Whether the error's data.supported has one of these versions."""
        return any(version in (self.meaning.supported or ()) for version in versions)


def read_opening(reply: RpcReply, *, attempt: int = 0) -> Opening:
    """Read the answer to ``server/discover``."""
    usable = symptom(reply) is None and reply.result is not None
    return Opening(
        reply=reply,
        discovery=read_discovery(reply.result) if usable and reply.result is not None else None,
        meaning=meaning_of(reply.error),
        attempt=attempt,
    )


@record
class Row:
    """One row of the classifier: the first whose ``when`` holds decides."""

    when: Callable[[Opening], bool]
    move: Move
    sdk_would: str
    why: str


def _found(opening: Opening) -> Discovery | None:
    return opening.discovery if opening.discovery is not None and opening.discovery.valid else None


ERA_ROWS: tuple[Row, ...] = (
    Row(
        when=lambda o: (found := _found(o)) is not None and MODERN_VERSION in found.versions,
        move="modern",
        sdk_would="modern",
        why="a valid DiscoverResult that lists our version",
    ),
    Row(
        when=lambda o: _found(o) is not None,
        move="initialize",
        sdk_would="legacy",
        why="a DiscoverResult that lists handshake versions only is a legacy advertisement",
    ),
    Row(
        when=lambda o: o.discovery is not None,
        move="invalid-discovery",
        sdk_would="legacy",
        why="a DiscoverResult that does not validate is a defect, not evidence of an older era",
    ),
    Row(
        when=lambda o: o.code == UNSUPPORTED_VERSION and o.names(MODERN_VERSION) and o.attempt == 0,
        move="retry",
        sdk_would="modern",
        why="the server refuses the version and lists it: asked once more",
    ),
    Row(
        when=lambda o: o.code == UNSUPPORTED_VERSION and o.names(*LEGACY_VERSIONS),
        move="initialize",
        sdk_would="legacy",
        why="the server lists handshake versions",
    ),
    Row(
        when=lambda o: o.code == UNSUPPORTED_VERSION and o.names(MODERN_VERSION),
        move="refused",
        sdk_would="fail",
        why="the server refuses, a second time, the very version that it lists",
    ),
    Row(
        when=lambda o: o.code == UNSUPPORTED_VERSION and bool(o.meaning.supported),
        move="no-common-version",
        sdk_would="fail",
        why="the server lists versions, and none is ours",
    ),
    Row(
        when=lambda o: o.code == HEADER_MISMATCH,
        move="header-mismatch",
        sdk_would="legacy",
        why="a modern server that did not get the headers we sent",
    ),
    Row(
        when=lambda o: o.code == MISSING_CAPABILITY,
        move="missing-capability",
        sdk_would="legacy",
        why="a modern server that insists on a capability of the client",
    ),
    Row(
        when=lambda o: True,
        move="initialize",
        sdk_would="legacy",
        why="anything else is no positive evidence of the modern era",
    ),
)


def classify_opening(opening: Opening) -> Row:
    """The first row that applies."""
    return next(row for row in ERA_ROWS if row.when(opening))
