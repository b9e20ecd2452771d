"""``--runtime``: the official SDK's client repeats the run, and where it disagrees, that is a finding.

The wire's steps say what is right; the SDK says what production will do. It connects, lists and makes the
call that step 10 made, over the connector's own production route. A failure of the SDK where the wire found
nothing is ENV010; a success where the wire found a fault is ENV011.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnose import model
from diagnose.amendment import Amendment
from diagnose.connector.runtime import open_session, production_transport
from diagnose.connector.stdio_runtime import open_process_session
from diagnose.context import Context
from diagnose.step import Evidence, Finding
from diagnose.wire.recorder import Recorded
from diagnose.wire.recording import RecordingTransport
from diagnose.wire.resolver import SystemResolver
from diagnose.wire.trust import TrustStoreUnreadable

if TYPE_CHECKING:
    import mcp

    from diagnose.pipeline import Run

__all__ = ["repeat_with_sdk"]

_CLOSING = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """One thing that the SDK does, the step that owns it, and the steps of the wire that it repeats."""

    step: str
    repeats: tuple[str, ...]
    does: str
    seconds: float


_CONNECT = _Stage(
    step="mcp_initialize",
    repeats=(
        "dns",
        "tcp",
        "tls",
        "http_reachability",
        "auth_discovery",
        "token_validity",
        "mcp_initialize",
    ),
    does="connect",
    seconds=20,
)
_LIST = _Stage(step="list_tools", repeats=("session_open", "list_tools"), does="list the tools", seconds=20)
_CALL = _Stage(step="sample_call", repeats=("sample_call",), does="call the tool", seconds=30)
_CLOSE = _Stage(step="teardown", repeats=(), does="end the session", seconds=_CLOSING)


@dataclass(slots=True, kw_only=True)
class _Outcome:
    """How a stage ended for the SDK; ``said`` is the result in words, or the leaf of what it raised."""

    worked: bool
    said: str
    kind: str = ""
    exchange: Recorded | None = None


@dataclass(slots=True, kw_only=True)
class _Repetition:
    """The SDK's walk while it goes on."""

    ctx: Context
    stages: tuple[_Stage, ...]
    call: tuple[str, Mapping[str, Any]] | None
    transport: RecordingTransport | None
    scope: asyncio.Timeout
    until: float
    stage: _Stage = _CONNECT
    allowed: float = 0.0
    outcomes: dict[_Stage, _Outcome] = field(default_factory=dict)

    def enter(self, stage: _Stage) -> None:
        self.stage = stage
        if self.transport is not None:
            self.transport.step = stage.step
        now = asyncio.get_running_loop().time()
        self.allowed = min(stage.seconds, self.until - now)
        self.scope.reschedule(now + self.allowed)

    def ended(self, said: str) -> None:
        self.outcomes[self.stage] = _Outcome(worked=True, said=said)

    def failed(self, problem: BaseException, said: str | None = None) -> None:
        leaf = _leaf(problem)
        self.outcomes[self.stage] = _Outcome(
            worked=False, said=said or str(leaf) or type(leaf).__name__, kind=type(leaf).__name__
        )
        mine = [
            exchange
            for exchange in (self.transport.exchanges if self.transport is not None else ())
            if exchange.step == self.stage.step and "id" in _message(exchange)
        ]
        refused = [exchange for exchange in mine if (exchange.status or 0) >= 400 or exchange.error]
        # The SDK reports a refusal as -32603 or not at all; the last refused request is what it stumbled on.
        self.outcomes[self.stage].exchange = next(reversed(refused or mine), None)

    async def walk(self) -> None:
        self.enter(_CONNECT)
        async with _session(self.ctx, self.transport) as client:
            self.ended(f"connected with protocol version {client.protocol_version}")
            names: list[str] = []
            if _LIST in self.stages:
                self.enter(_LIST)
                names = await _every_tool(client, self.ctx.options.limits.pages)
                self.ended(f"listed {len(names)} tools")
            if _CALL in self.stages and self.call is not None and self.call[0] in names:
                self.enter(_CALL)
                result = await client.call_tool(self.call[0], dict(self.call[1]))
                self.ended("the call answered with isError" if result.is_error else "the call answered")
            self.enter(_CLOSE)
        self.ended("ended the session")


async def repeat_with_sdk(run: Run, deadline: float) -> Sequence[Amendment]:
    """Let the SDK repeat what the wire did and say, step by step, where the two differ.

    ``deadline`` is the event loop's time at which the run ends. Nothing that the SDK raises gets out.
    """
    ctx = run.ctx
    results = {result.id: result for result in run.results}
    stages = _asked_for(results)
    if not stages:
        return ()
    with _quiet_sdk():
        outcomes = await _outcomes(ctx, stages, deadline)
    return [
        _compared(stage, outcomes[stage], _wire_fault(stage, results))
        for stage in (*stages, _CLOSE)
        if stage in outcomes
    ]


@asynccontextmanager
async def _session(ctx: Context, transport: RecordingTransport | None) -> AsyncIterator[mcp.Client]:
    """The production session; a process's stderr stays away from the terminal."""
    if transport is not None:
        async with open_session(ctx.connector, ctx.environ, transport) as client:
            yield client
        return
    with Path(os.devnull).open("w") as nowhere:  # noqa: ASYNC230  # it does not block
        async with open_process_session(ctx.connector, ctx.environ, nowhere) as client:
            yield client


async def _route(ctx: Context) -> RecordingTransport | None:
    """What records the SDK's requests; a process is spoken to without. Raises TrustStoreUnreadable."""
    if ctx.connector.stdio is not None:
        return None
    resolver = None if isinstance(ctx.resolver, SystemResolver) else ctx.resolver
    route = await production_transport(ctx.connector, ctx.environ, resolver=resolver)
    return RecordingTransport(
        route, ctx.recorder, ctx.redactor, step=_CONNECT.step, body_limit=ctx.options.limits.body
    )


async def _outcomes(ctx: Context, stages: tuple[_Stage, ...], deadline: float) -> dict[_Stage, _Outcome]:
    try:
        transport = await _route(ctx)
    except TrustStoreUnreadable as problem:
        return {_CONNECT: _Outcome(worked=False, said=str(problem), kind=type(problem).__name__)}
    scope = asyncio.timeout(None)
    walk = _Repetition(
        ctx=ctx,
        stages=stages,
        call=_sample(ctx),
        transport=transport,
        scope=scope,
        until=deadline,
    )
    try:
        async with scope:
            await walk.walk()
    except TimeoutError as problem:
        walk.failed(problem, f"no end within {walk.allowed:.1f} s")
    except Exception as problem:  # whatever the SDK raises is what is looked for here
        walk.failed(problem)
    return walk.outcomes


def _asked_for(results: Mapping[str, model.StepResult]) -> tuple[_Stage, ...]:
    """The stages whose step was asked for; a step that another one blocked was asked for too."""
    asked: list[_Stage] = []
    for stage in (_CONNECT, _LIST, _CALL):
        result = results.get(stage.step)
        if result is None or (result.status == "skipped" and result.blocked_by is None):
            break
        asked.append(stage)
    return tuple(asked)


def _wire_fault(stage: _Stage, results: Mapping[str, model.StepResult]) -> tuple[str, model.Finding] | None:
    """The first step of the stage that failed on the wire, and its decisive finding."""
    for step_id in stage.repeats:
        result = results.get(step_id)
        if result is not None and result.status == "failed":
            return step_id, next(item for item in result.findings if item.severity == "error")
    return None


def _compared(stage: _Stage, outcome: _Outcome, fault: tuple[str, model.Finding] | None) -> Amendment:
    said = outcome.said if outcome.worked else f"failed to {stage.does}: {outcome.said}"
    facts = {"runtime": said}
    if stage is _CLOSE or (fault is None) == outcome.worked:
        return Amendment(step=stage.step, facts=facts)
    if fault is None:
        return Amendment(step=stage.step, facts=facts, finding=_runtime_fails(stage, outcome))
    if fault[1].code.startswith("BUG"):
        return Amendment(step=stage.step, facts=facts)
    return Amendment(step=fault[0], facts=facts, finding=_runtime_tolerates(stage, outcome, fault[1]))


def _runtime_fails(stage: _Stage, outcome: _Outcome) -> Finding:
    exchange = outcome.exchange
    answer = _answer(exchange)
    return Finding(
        code="ENV010",
        args={
            "did": stage.does,
            "kind": outcome.kind,
            "error": outcome.said,
            "answer": answer,
            "sdk": f"mcp {version('mcp')}",
        },
        evidence=(
            Evidence(
                label="the official SDK client", expected=f"able to {stage.does}", observed=outcome.said
            ),
            Evidence(
                label="its last request",
                observed=answer,
                exchange=exchange.id if exchange is not None else None,
            ),
        ),
        exchange=exchange.id if exchange is not None else None,
    )


def _runtime_tolerates(stage: _Stage, outcome: _Outcome, fault: model.Finding) -> Finding:
    return Finding(
        code="ENV011",
        args={
            "did": stage.does,
            "code": fault.code,
            "name": fault.name,
            "said": outcome.said,
            "sdk": f"mcp {version('mcp')}",
        },
        evidence=(
            Evidence(label="on the wire", observed=f"{fault.code} {fault.summary}"),
            Evidence(label="the official SDK client", observed=outcome.said),
        ),
    )


def _answer(exchange: Recorded | None) -> str:
    if exchange is None:
        return "its requests are not recorded, or none was sent"
    asked = _message(exchange).get("method") or exchange.method
    if exchange.status is None:
        return f"{asked}: {exchange.error or 'no answer'}"
    ended = f", and then: {exchange.error}" if exchange.error else ""
    return f"{asked}: HTTP {exchange.status} {exchange.reason}".rstrip() + ended


def _sample(ctx: Context) -> tuple[str, Mapping[str, Any]] | None:
    """The tool and the arguments of the call that step 10 made, as it was sent."""
    for exchange in ctx.recorder.of_step(_CALL.step):
        message = _message(exchange)
        params = message.get("params")
        if message.get("method") == "tools/call" and isinstance(params, dict):
            return str(params.get("name")), params.get("arguments") or {}
    return None


def _message(exchange: Recorded) -> dict[str, Any]:
    try:
        message = json.loads(exchange.request_body)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


async def _every_tool(client: mcp.Client, pages: int) -> list[str]:
    """The names on all pages. Raises ValueError for a list that does not end."""
    names: list[str] = []
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(pages):
        page = await client.list_tools(cursor=cursor)
        names += [tool.name for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            return names
        if cursor in seen:
            raise ValueError("the pages of tools/list run in a circle")
        seen.add(cursor)
    raise ValueError(f"tools/list has more than {pages} pages")


def _leaf(problem: BaseException) -> BaseException:
    """The first exception that is no group; anyio wraps what the SDK raises once or twice."""
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem


@contextmanager
def _quiet_sdk() -> Iterator[None]:
    """Keep the SDK's log records, which quote the server, from the terminal; a caller's handlers get them.

    A logger without any handler prints warnings to stderr by itself.
    """
    silent = logging.NullHandler()
    logger = logging.getLogger("mcp")
    logger.addHandler(silent)
    try:
        yield
    finally:
        logger.removeHandler(silent)
