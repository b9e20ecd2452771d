"""The list of connectors: the edge at which definitions become a document with a schema.

Additive changes only within a major ``schema_version``; consumers ignore fields that they do not know.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from diagnose.model import Problem, Severity

__all__ = [
    "BrokenFile",
    "Diagnosis",
    "Duplicate",
    "Listed",
    "Listing",
    "Place",
    "Twin",
    "json_schema",
]

SCHEMA_VERSION = "1.0"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, defer_build=True)


class Place(_Part):
    """A place in a file; line and column count from 1, the pointer is that of RFC 6901."""

    file: str
    line: int | None = None
    column: int | None = None
    pointer: str = ""


class Twin(_Part):
    """Another definition of the same server, and the settings in which the two differ."""

    client: str
    name: str
    place: Place
    differs: list[str] = []


class Diagnosis(_Part):
    """What ``--deep`` found: the verdict of steps 1 to 9, or why nothing was started or sent."""

    status: Literal["passed", "warned", "failed", "error", "not_run"]
    failed_step: str | None = None
    code: str | None = None
    summary: str
    tools: list[str] = []


class Listed(_Part):
    """One definition. ``usable``: its client can use it; ``applies``: in this folder."""

    name: str
    client: str
    title: str
    scope: Literal["user", "project", "local", "file"]
    place: Place
    folder: str | None = None
    transport: str | None = None
    target: str | None = None
    bridged_url: str | None = None
    enabled: bool = True
    usable: bool
    applies: bool
    overrides: list[Place] = []
    overridden_by: Place | None = None
    same_server: list[Twin] = []
    problems: list[Problem] = []
    diagnosis: Diagnosis | None = None

    @property
    def form(self) -> str:
        """The name as ``diagnose`` takes it whatever other clients have."""
        return f"{self.client}:{self.name}"


class BrokenFile(_Part):
    """A file of which nothing could be read."""

    client: str
    title: str
    place: Place
    problem: Problem


class Duplicate(_Part):
    """A tool that several servers offer; a warning where one client has them both."""

    code: str
    name: str
    severity: Severity
    tool: str
    connectors: list[str]
    client: str | None = None


class Listing(_Part):
    """Every connector of the known files, and of the file that was named."""

    model_config = ConfigDict(
        extra="ignore", hide_input_in_errors=True, populate_by_name=True, defer_build=True
    )

    schema_url: str = Field(default="urn:connector-diagnose:schema:list-v1", alias="$schema")
    schema_version: str = SCHEMA_VERSION
    connectors: list[Listed] = []
    broken_files: list[BrokenFile] = []
    duplicate_tools: list[Duplicate] = []

    def to_json(self) -> str:
        """The document as text; ASCII only, so that no terminal and no log can be fooled by it."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=True)

    @property
    def severities(self) -> frozenset[str]:
        """How bad it is, over all problems, broken files, verdicts and duplicates."""
        found: set[str] = {problem.severity for entry in self.connectors for problem in entry.problems}
        found |= {broken.problem.severity for broken in self.broken_files}
        found |= {duplicate.severity for duplicate in self.duplicate_tools}
        verdicts = {entry.diagnosis.status for entry in self.connectors if entry.diagnosis is not None}
        found |= {"error"} if verdicts & {"failed", "error"} else set()
        found |= {"warning"} if "warned" in verdicts else set()
        return frozenset(found)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the list, as committed in ``schema/list-v1.json``."""
    schema = Listing.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
