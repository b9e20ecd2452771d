"""The report: the edge at which facts become a document with a schema.

Additive changes only within a major ``schema_version``; consumers ignore fields that they do not know.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "SCHEMA_VERSION",
    "Actor",
    "Confidence",
    "ConnectorSummary",
    "Environment",
    "Evidence",
    "Exchange",
    "FailedStep",
    "Finding",
    "Problem",
    "Report",
    "Run",
    "Severity",
    "Side",
    "StepResult",
    "StepStatus",
    "Tool",
    "Verdict",
    "json_schema",
]

SCHEMA_VERSION = "1.0"

StepStatus = Literal["passed", "warned", "failed", "skipped", "not_applicable"]
VerdictStatus = Literal["passed", "warned", "failed", "error"]
Severity = Literal["error", "warning", "info"]
Side = Literal["local", "network", "remote", "credential"]
Actor = Literal["user", "server_operator", "server_author", "idp_admin", "network_admin", "client_vendor"]
Confidence = Literal["certain", "likely", "possible"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, defer_build=True)


class Evidence(_Part):
    """One thing that was looked at: what should have been there and what was."""

    label: str
    expected: str | None = None
    observed: str | None = None
    where: str | None = None
    exchange: int | None = None


class Finding(_Part):
    """A coded observation of a step."""

    code: str = Field(pattern=r"^[A-Z]{2,5}[0-9]{3}$")
    name: str
    severity: Severity
    side: Side
    actor: Actor
    confidence: Confidence
    summary: str
    cause: str
    fix: str
    evidence: list[Evidence] = []
    where: str | None = None
    rule: str | None = None
    reproduce: str | None = None
    ruled_out: list[str] = []
    forward: str | None = None


class StepResult(_Part):
    """One of the eleven."""

    number: int = Field(ge=1, le=11)
    id: str
    title: str
    status: StepStatus
    blocked_by: str | None = None
    started_ms: float | None = None
    duration_ms: float | None = None
    facts: dict[str, Any] = {}
    findings: list[Finding] = []
    exchanges: list[int] = []


class Exchange(_Part):
    """One recorded request and what came back; headers as pairs, because order and repetition matter."""

    id: int
    step: str
    request: dict[str, Any]
    response: dict[str, Any] | None = None
    started_ms: float | None = None
    timings_ms: dict[str, float] = {}
    truncated: bool = False


class Tool(_Part):
    name: str
    version: str


class Run(_Part):
    id: str
    started_at: str
    duration_ms: float


class Problem(_Part):
    """What is wrong with a definition in some client's file; ``error``: that client cannot use it."""

    code: str = Field(pattern=r"^[A-Z]{2,5}[0-9]{3}$")
    name: str
    severity: Severity
    what: str
    hint: str
    where: str | None = None


class ConnectorSummary(_Part):
    name: str
    transport: str
    url: str | None = None
    command: list[str] | None = None
    source: str | None = None
    problems: list[Problem] = []


class FailedStep(_Part):
    number: int
    id: str


class Verdict(_Part):
    """The answer to the one question: the first step that failed, and its decisive finding."""

    status: VerdictStatus
    failed_step: FailedStep | None = None
    code: str | None = None
    name: str | None = None
    summary: str
    cause: str | None = None
    fix: str | None = None
    actor: Actor | None = None
    confidence: Confidence | None = None


class Environment(_Part):
    python: str
    openssl: str
    platform: str
    mcp: str | None = None
    httpx2: str | None = None
    proxies: dict[str, str] = {}
    trust_store: str | None = None
    clock_skew_s: float | None = None


class Report(_Part):
    """A whole diagnosis."""

    model_config = ConfigDict(
        extra="ignore", hide_input_in_errors=True, populate_by_name=True, defer_build=True
    )

    schema_url: str = Field(default="urn:connector-diagnose:schema:report-v1", alias="$schema")
    schema_version: str = SCHEMA_VERSION
    tool: Tool
    run: Run
    connector: ConnectorSummary
    verdict: Verdict
    steps: list[StepResult] = Field(min_length=11, max_length=11)
    exchanges: list[Exchange] = []
    environment: Environment
    redactions: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The document as plain values, in the order that the schema lists."""
        return self.model_dump(mode="json", by_alias=True)

    def to_json(self, *, indent: int | None = 2) -> str:
        """The document as text; ASCII only, so that no terminal and no log can be fooled by it."""
        import json

        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=True)

    def step(self, step_id: str) -> StepResult:
        """The result of one step. Raises KeyError for an unknown id."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    @property
    def ok(self) -> bool:
        """Whether the connector works: every step passed, warnings allowed."""
        return self.verdict.status in ("passed", "warned")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the report, as committed in ``schema/report-v1.json``."""
    schema = Report.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
