"""``--refresh``: our own stored refresh token is spent, under its lock, with write-back; the run goes on.

A refresh token that is kept by another program never comes here: it has no record in our store.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from diagnose.context import Context
from diagnose.step import Evidence, Fault, Finding
from diagnose.wire.http_wire import Answer
from diagnose.wire.strict_json import HostileJson, parse
from diagnose_checks.facts import HttpFacts
from diagnose_checks.refusal import Refusal
from diagnose_checks.renewal_fate import fate_of_refusal
from diagnose_checks.second_opening import opened_again
from diagnose_checks.token_response import judge_token_response, response_finding
from diagnose_checks.vetted_wires import Unanswered, VettedWires

if TYPE_CHECKING:
    from diagnose.oauth.record import StoredLogin
    from diagnose.oauth.token_request import TokenRequest

__all__ = ["open_with_renewed_token", "renews"]

# The access token ended, or nothing tells why it is refused; any other cause outlives a renewal.
_CURABLE = frozenset(("TOK002", "TOK005", "TOK020", "TOK021"))


def renews(ctx: Context, finding: Finding) -> bool:
    """Whether a renewal was asked for, is ours to make, and could help."""
    ours = ctx.login is not None and ctx.login.refresh_token is not None
    return ctx.options.refresh and ours and finding.code in _CURABLE


async def open_with_renewed_token(
    ctx: Context, http: HttpFacts, wires: VettedWires, refusal: Refusal, finding: Finding
) -> HttpFacts:
    """Renew the stored login, whose token met ``finding``, and say the first message again. Raises Fault."""
    from diagnose.oauth.logins import filled_in
    from diagnose.oauth.renewal import RenewalFailed, RenewalRefused, renewed
    from diagnose.oauth.store import open_store

    assert ctx.login is not None
    before, store, answers = ctx.login, open_store(ctx.environ), list[Answer]()

    async def post(request: TokenRequest) -> tuple[int, Mapping[str, str], bytes]:
        ctx.redactor.register(*request.secrets())
        answer = await wires.send("POST", request.url, headers=request.headers, body=request.body)
        if isinstance(answer, Unanswered):
            raise RenewalFailed(answer.detail)
        answers.append(answer)
        return answer.status, dict(answer.headers), answer.body

    try:
        ctx.login = await renewed(store, before, post=post, now=ctx.clock)
    except RenewalRefused as problem:
        fate = fate_of_refusal(refusal, problem.refusal, before.token_endpoint)
        # Why the access token ended is as sure as it was before; that nothing renews it is certain.
        args: dict[str, Any] = {**fate.args, "proof": finding.args.get("proof", "nothing shows why")}
        raise Fault.of(refusal.finding(fate.code, *fate.evidence, **args)) from problem
    except RenewalFailed as problem:
        raise Fault.of(_unanswered(refusal, before, str(problem), wires)) from problem
    ctx.redactor.register(*ctx.login.secrets())
    ctx.connector = filled_in(ctx.connector, ctx.login, store.place(ctx.login))
    for answer in answers:
        _judge(ctx, answer, ctx.login)
    return await opened_again(ctx, http)


def _judge(ctx: Context, answer: Answer, login: StoredLogin) -> None:
    try:
        body = parse(answer.body).value
    except HostileJson:
        body = None
    # A renewal asks for no scope, and so for the same (RFC 6749 6).
    problems = judge_token_response(answer.status, dict(answer.headers), body, asked_scope=None)
    if problems:
        ctx.add(response_finding(problems, endpoint=login.token_endpoint, exchange=answer.exchange.id))


def _unanswered(refusal: Refusal, login: StoredLogin, why: str, wires: VettedWires) -> Finding:
    evidence = Evidence(
        label="the renewal",
        expected="a new access token, or an error of RFC 6749 5.2 in JSON",
        observed=why,
        where=login.token_endpoint,
        exchange=wires.last_exchange(),
    )
    return refusal.finding("TOK029", evidence, endpoint=login.token_endpoint, why=why)
