"""What came back for a tools/call: the code of each failure at this step, and what deserves a word."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal

from diagnose.context import Context
from diagnose.step import Evidence, Fault
from diagnose.wire.event_stream import EventStream, EventTooLarge
from diagnose.wire.recorder import Recorded
from diagnose.wire.rpc import RpcReply
from diagnose.wire.strict_json import HostileJson, parse
from diagnose_checks.call_result import ResultFlaw, judge_result, texts
from diagnose_checks.challenge import parse_challenges
from diagnose_checks.facts import CallFacts
from diagnose_checks.rpc_faults import Codes, judge_reply, seen
from diagnose_checks.sample_plan import Plan
from diagnose_checks.schema_match import Undecided, first_mismatch

__all__ = ["CALL_CODES", "judge_call", "judge_probe", "waits_for_client"]

CALL_CODES: Codes = {
    "http-error": "CALL016",
    "jsonrpc-error": "CALL001",
    "result-shape": "CALL002",
    "not-json": "CALL018",
    "not-jsonrpc": "CALL018",
    "content-type": "CALL018",
    "id-mismatch": "CALL018",
    "encoding": "CALL018",
    "accepted": "CALL011",
    "stream-ended": "CALL009",
    "event-flood": "CALL009",
    "connection-lost": "CALL009",
}
"""What each symptom of a tools/call answer means at this step."""

Era = Literal["legacy", "modern"]
_METHOD_NOT_FOUND = -32601
_HEADER_MISMATCH = -32020
_URL_ELICITATION = -32042  # 2025-11-25, elicitation
_WANTS_A_CAPABILITY = (-32021, _URL_ELICITATION)  # -32021: 2026-07-28, base protocol
_SHOWN = 300
# How a tool says that what it calls itself is not there; in lower case.
_UPSTREAM = (
    "all connection attempts failed",
    "connection refused",
    "connect timeout",
    "connecttimeout",
    "connection reset by peer",
    "connection timed out",
    "could not connect to",
    "could not resolve host",
    "dial tcp",
    "econnrefused",
    "econnreset",
    "ehostunreach",
    "enotfound",
    "etimedout",
    "failed to establish a new connection",
    "fetch failed",
    "getaddrinfo",
    "max retries exceeded with url",
    "name or service not known",
    "network is unreachable",
    "no route to host",
    "socket hang up",
    "temporary failure in name resolution",
    "upstream connect error",
)


def waits_for_client(exchange: Recorded) -> bool:
    """Did an answer that never ended hold a request of the server's, which it may be waiting for?"""
    return bool(_client_requests(exchange))


def _client_requests(exchange: Recorded) -> tuple[str, ...]:
    asked: list[str] = []
    try:
        for text in _messages(exchange):
            message = parse(text).value
            if isinstance(message, Mapping) and "id" in message and isinstance(message.get("method"), str):
                asked.append(message["method"])
    except (HostileJson, EventTooLarge):
        pass  # what was read before it counts
    return tuple(asked)


def _messages(exchange: Recorded) -> Iterator[bytes]:
    if exchange.process is not None:
        yield from bytes(exchange.body).splitlines()
        return
    for event in EventStream(limit=len(exchange.body) + 1).feed(bytes(exchange.body)):
        yield event.data.encode()


def judge_call(
    ctx: Context, reply: RpcReply, plan: Plan, facts: CallFacts, era: Era
) -> Mapping[str, Any] | None:
    """The result of a tool that exists, shape and blocks proven; None where it was refused with a warning."""
    _refuse_unauthorized(reply, plan, facts)
    asked = _warn_requests(ctx, reply, plan)
    # What fails after such a request fails for want of its answer, which the warning says already.
    if (asked and reply.error is not None) or _refused_softly(ctx, reply, plan):
        return None
    result = judge_reply(
        reply, CALL_CODES, *_misfit(plan), facts=facts, confidence=_blame(plan), tool=plan.name
    )
    if era == "modern" and result.get("resultType") not in (None, "complete"):
        _unfinished(ctx, reply, plan, result, facts)
        return None
    _refuse_flawed(result, reply, plan, facts, era)
    if result.get("isError", False) and not asked:
        _warn_error(ctx, reply, plan, texts(result) or json.dumps(result.get("content"))[:_SHOWN])
    return result


def judge_probe(ctx: Context, reply: RpcReply, plan: Plan, facts: CallFacts, era: Era) -> str:
    """In words what the answer to a name that cannot exist proves."""
    _refuse_unauthorized(reply, plan, facts)
    _refuse_by_code(reply, plan, facts)
    if reply.error is not None:
        named = _speaks_of(reply, plan.name)
        rest = "naming it" if named else "without naming it, so that dispatch is likely and not proven"
        return (
            f"no tool was called; {plan.name} does not exist and was refused with {reply.error_code}, {rest}"
        )
    result = judge_reply(reply, CALL_CODES, facts=facts, tool=plan.name)
    _refuse_flawed(result, reply, plan, facts, era)
    if result.get("isError", False):
        return f"no tool was called; {plan.name} does not exist and its result says isError"
    evidence = seen(
        "tools/call of a name that is in no list",
        reply,
        "a JSON-RPC error -32602, or a result with isError: true",
    )
    ctx.warn("CALL014", evidence, exchange=reply.exchange.id, tool=plan.name)
    return f"a call to {plan.name}, which does not exist, succeeded"


def _refuse_unauthorized(reply: RpcReply, plan: Plan, facts: CallFacts) -> None:
    """401, and 403 with insufficient_scope, for this call alone: every request before was let through."""
    if reply.status not in (401, 403):
        return
    values = [value for name, value in reply.exchange.response_headers if name.lower() == "www-authenticate"]
    challenges = parse_challenges(values)
    scopes = challenges.parameter("scope") or "not named"
    evidence = Evidence(
        label=f"answer to tools/call of {plan.name[:80]}",
        expected="HTTP 200, as for every request before",
        observed=f"HTTP {reply.status}, WWW-Authenticate: {'; '.join(values)[:_SHOWN] or 'absent'}",
        exchange=reply.exchange.id,
    )
    args: dict[str, Any] = {"tool": plan.name, "scopes": scopes, "status": reply.status}
    if challenges.parameter("error") == "insufficient_scope":
        raise Fault("CALL010", evidence, facts=facts, exchange=reply.exchange.id, **args)
    if reply.status == 401:
        raise Fault("CALL021", evidence, facts=facts, exchange=reply.exchange.id, **args)


def _refused_softly(ctx: Context, reply: RpcReply, plan: Plan) -> bool:
    """JSON-RPC errors that say something about the tool's surroundings and not about its protocol."""
    _refuse_by_code(reply, plan, None)
    if reply.error_code in _WANTS_A_CAPABILITY:
        _warn_capability(ctx, reply, plan, _required(reply))
        return True
    if reply.error is not None and _unreachable(reply.error_message):
        _warn_error(ctx, reply, plan, reply.error_message)
        return True
    return False


def _required(reply: RpcReply) -> str:
    """The capabilities that an error names, as far as it does."""
    if reply.error_code == _URL_ELICITATION:
        return "elicitation (opening a URL)"
    data = (reply.error or {}).get("data")
    names = data.get("requiredCapabilities") if isinstance(data, Mapping) else None
    if not isinstance(names, Mapping | list) or not names:
        return "a capability that its error does not name"
    return ", ".join(map(str, names))[:_SHOWN]


def _refuse_by_code(reply: RpcReply, plan: Plan, facts: CallFacts | None) -> None:
    """Errors whose code says more than that the call failed."""
    if reply.error_code == _HEADER_MISMATCH:
        code, expected = "CALL020", "headers that arrive as they were sent"
    elif reply.error_code == _METHOD_NOT_FOUND and not _speaks_of(reply, plan.name):
        code, expected = "CALL017", "an answer of the tool, or of the dispatcher about it"
    else:
        return
    evidence = seen(f"answer to tools/call of {plan.name[:80]}", reply, expected)
    raise Fault(
        code,
        evidence,
        facts=facts,
        confidence="likely" if plan.is_probe and code == "CALL017" else None,
        exchange=reply.exchange.id,
        tool=plan.name,
        error_message=reply.error_message,
    )


def _speaks_of(reply: RpcReply, name: str) -> bool:
    """Does an error speak of the tool, and not of the method tools/call?"""
    text = json.dumps(reply.error, ensure_ascii=False)
    return name in text or "tool" in text.lower().replace("tools/call", "")


def _warn_requests(ctx: Context, reply: RpcReply, plan: Plan) -> bool:
    # A ping asks for no capability (2025-11-25, utilities); it is the one request a client must expect.
    asked = [str(request["method"]) for request in reply.server_requests if request["method"] != "ping"]
    if asked:
        _warn_capability(ctx, reply, plan, ", ".join(dict.fromkeys(asked))[:_SHOWN])
    return bool(asked)


def _warn_capability(ctx: Context, reply: RpcReply, plan: Plan, wanted: str) -> None:
    evidence = Evidence(
        label=f"answer to tools/call of {plan.name[:80]}",
        expected="nothing that needs a client capability: none was declared",
        observed=wanted,
        exchange=reply.exchange.id,
    )
    ctx.warn("CALL013", evidence, exchange=reply.exchange.id, tool=plan.name, wanted=wanted)


def _unfinished(
    ctx: Context, reply: RpcReply, plan: Plan, result: Mapping[str, Any], facts: CallFacts
) -> None:
    """A result that is no result yet: input_required (MRTR), a task, or a type that nobody defined."""
    kind = result["resultType"]
    asked = result.get("inputRequests")
    methods = [str(request.get("method")) for request in _values(asked) if isinstance(request, Mapping)]
    if kind == "input_required" and methods:
        _warn_capability(ctx, reply, plan, ", ".join(dict.fromkeys(methods))[:_SHOWN])
        return
    if kind == "input_required" and isinstance(result.get("requestState"), str):
        _warn_capability(ctx, reply, plan, "a second call with requestState")
        return
    flaw = ResultFlaw(
        code="CALL015" if kind == "task" else "CALL002",
        pointer="/result/inputRequests" if kind == "input_required" else "/result/resultType",
        expected="inputRequests or requestState" if kind == "input_required" else '"complete"',
        observed="neither" if kind == "input_required" else json.dumps(kind)[:_SHOWN],
    )
    raise _flawed((flaw,), reply, plan, facts)


def _values(asked: Any) -> tuple[Any, ...]:
    if isinstance(asked, Mapping):
        return tuple(asked.values())
    return tuple(asked) if isinstance(asked, list) else ()


def _refuse_flawed(
    result: Mapping[str, Any], reply: RpcReply, plan: Plan, facts: CallFacts, era: Era
) -> None:
    flaws = tuple(islice(judge_result(result, era), 5))
    if flaws:
        raise _flawed(flaws, reply, plan, facts)


def _flawed(flaws: tuple[ResultFlaw, ...], reply: RpcReply, plan: Plan, facts: CallFacts) -> Fault:
    first = flaws[0]
    evidence = tuple(
        Evidence(
            label=f"result of {plan.name[:80]}",
            expected=flaw.expected,
            observed=flaw.observed,
            where=flaw.pointer,
            exchange=reply.exchange.id,
        )
        for flaw in flaws
    )
    return Fault(
        first.code,
        *evidence,
        facts=facts,
        where=first.pointer,
        exchange=reply.exchange.id,
        tool=plan.name,
        pointer=first.pointer,
        expected=first.expected,
        observed=first.observed,
        detail=f"{first.pointer} is {first.observed}, expected {first.expected}",
    )


def _unreachable(text: str) -> str | None:
    folded = text.lower()
    return next((words for words in _UPSTREAM if words in folded), None)


def _warn_error(ctx: Context, reply: RpcReply, plan: Plan, text: str) -> None:
    said_upstream = _unreachable(text)
    evidence = Evidence(
        label=f"what {plan.name[:80]} says",
        expected="a result without isError",
        observed=text[:2000],
        exchange=reply.exchange.id,
    )
    args: dict[str, Any] = {"tool": plan.name, "text": " ".join(text.split())[:_SHOWN]}
    if said_upstream is not None:
        ctx.warn("CALL007", evidence, exchange=reply.exchange.id, sign=said_upstream, **args)
        return
    misfit = _misfit(plan)
    actor = "user" if misfit and plan.by_user else None
    ctx.warn("CALL006", evidence, *misfit, actor=actor, exchange=reply.exchange.id, **args)


def _misfit(plan: Plan) -> tuple[Evidence, ...]:
    """The user's own arguments where they do not fit the tool: then the refusal is no fault of the server."""
    if plan.tool is None or not plan.by_user:
        return ()
    try:
        mismatch = first_mismatch(plan.tool.get("inputSchema"), dict(plan.arguments))
    except Undecided:
        return ()
    if mismatch is None:
        return ()
    where = f"/params/arguments{mismatch.pointer}"
    return (
        Evidence(
            label="the arguments that were given",
            expected=mismatch.expected,
            observed=mismatch.observed,
            where=where,
        ),
    )


def _blame(plan: Plan) -> str | None:
    return "possible" if _misfit(plan) else None
