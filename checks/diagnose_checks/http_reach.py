"""Step 4: is an MCP endpoint behind this URL?

One request on a healthy run: the first message of the era, with the credential, exactly as the runtime sends
it. Only a refusal is followed by more: the older era, the older transport, then the contrast that proves why.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose_checks.cors_exposure import look_at_cors
from diagnose_checks.crash_contrasts import NOTHING_EXPLAINS
from diagnose_checks.endpoint_event import (
    EventStreamOpening,
    older_transport,
    open_stream,
    stream_facts,
    wrong_transport,
)
from diagnose_checks.era import HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION
from diagnose_checks.facts import HttpFacts, TlsFacts
from diagnose_checks.http_outcome import Outcome, status_line
from diagnose_checks.http_probe import Probe
from diagnose_checks.http_refusals import on_timeout
from diagnose_checks.http_verdict import follow, judged
from diagnose_checks.opening import wire_over

__all__ = ["http_reachability"]

_SKEW_S = 60
_CRASHED = frozenset({500, 501})
_MUST_BE_400 = frozenset({HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION})


@step(
    "http_reachability",
    gives=HttpFacts,
    needs=(TlsFacts,),
    codes=("HTTP",),
    on_timeout=on_timeout,
    deadline=10,
)
async def http_reachability(ctx: Context, tls: TlsFacts) -> HttpFacts:
    """Send the first message of the era and see whether something that speaks MCP answers."""
    probe = Probe(ctx=ctx, wire=wire_over(ctx, tls), tls=tls, url=ctx.connector.url)
    if ctx.connector.transport.type == "sse":
        return await _declared_sse(probe)
    probe.first = "initialize" if ctx.connector.era == "legacy" else "server/discover"
    opening = await follow(probe)
    _compare_clocks(ctx, opening)
    if opening.reachable:
        await look_at_cors(probe, opening)
        return _facts(probe, opening)
    tried: list[Evidence] = []
    found = await _older_era(probe, opening, tried) or await older_transport(
        ctx, probe.wire, probe.url, opening, tried
    )
    if found is not None:
        return found
    decided = await judged(probe, opening, *tried)
    if isinstance(decided, Fault):
        raise decided
    return _facts(probe, decided)


async def _older_era(probe: Probe, opening: Outcome, tried: list[Evidence]) -> HttpFacts | None:
    """``initialize``, where ``server/discover`` met what an older server, or a wall before it, says to it."""
    pinned = probe.ctx.connector.era == "modern"
    if opening.method == "initialize" or not (
        opening.plainly_refused or (opening.may_know_initialize and not pinned) or opening.status in _CRASHED
    ):
        return None
    older = await probe.initialize_too()
    tried.append(older.evidence("POST initialize", "an MCP answer, were it a server of an older era"))
    gets_through = older.challenged or (older.reply is not None and older.reply.result is not None)
    if not (older.reachable if opening.plainly_refused else gets_through):
        return None
    if pinned:
        # The runtime would not fall back: step 7 judges the era by the first answer.
        return _facts(probe, opening)
    if not opening.plainly_refused:
        _warn_of_refusal(probe, opening, *tried)
    await look_at_cors(probe, older)
    return _facts(probe, older)


def _warn_of_refusal(probe: Probe, opening: Outcome, *tried: Evidence) -> None:
    """Only the probe is refused: the official client goes on, and one that keeps to the rules stops."""
    server = opening.reply.header("server") if opening.reply is not None else None
    expected = "a JSON-RPC error -32601 with HTTP 404 or 400"
    probe.ctx.warn(
        "HTTP016" if opening.status in _CRASHED else "HTTP042",
        opening.evidence("POST server/discover", expected),
        *tried,
        severity="warning",
        status=status_line(opening.exchange),
        message=opening.method,
        server=server or "an unnamed server",
        proof=NOTHING_EXPLAINS,
    )


async def _declared_sse(probe: Probe) -> HttpFacts:
    """The transport was declared as HTTP+SSE: the GET comes first, and POST is the contrast."""
    probe.first = "GET"
    stream = await _followed_stream(probe)
    _compare_clocks(probe.ctx, stream.outcome)
    if stream.is_endpoint or stream.is_locked:
        return stream_facts(probe.ctx, stream)
    posted = await probe.contrast(method="initialize")
    evidence = posted.evidence("POST initialize", "a refusal, were it HTTP+SSE")
    if posted.reachable:
        raise wrong_transport(
            stream.outcome, evidence, declared="sse", found="Streamable HTTP", word="streamable-http"
        )
    if stream.is_stream:
        raise stream.without_endpoint(evidence)
    decided = await judged(probe, stream.outcome, evidence)
    if isinstance(decided, Fault):
        raise decided
    return stream_facts(probe.ctx, EventStreamOpening(decided, stream.channel))


async def _followed_stream(probe: Probe) -> EventStreamOpening:
    stream = await open_stream(probe.ctx, probe.wire, probe.url)
    if stream.reply is None or not 300 <= stream.reply.http_status < 400:
        return stream
    outcome = await follow(probe)
    if outcome.url == stream.outcome.url:
        return stream
    return await open_stream(probe.ctx, probe.wire, probe.url)


def _facts(probe: Probe, opening: Outcome) -> HttpFacts:
    reply, channel = opening.reply, opening.channel
    assert reply is not None
    assert channel is not None
    if reply.error_code in _MUST_BE_400 and reply.status != 400:
        probe.ctx.warn(
            "HTTP035",
            opening.evidence(expected="HTTP 400"),
            status=status_line(reply.exchange),
            error_code=reply.error_code,
        )
    probe.ctx.transport_name = "streamable-http"
    return HttpFacts(
        transport="streamable-http",
        opened_with=opening.method,
        status=reply.http_status,
        content_type=reply.content_type,
        challenged=opening.challenged or reply.status == 403,
        server=reply.header("server"),
        via=reply.header("via"),
        redirected_to=probe.url if probe.url != probe.ctx.connector.url else None,
        _url=probe.url,
        _http=probe.wire,
        _channel=channel,
        _opening=reply,
        _crash=opening.crash,
    )


def _compare_clocks(ctx: Context, opening: Outcome) -> None:
    """The server's Date against the local clock: tokens and certificates are judged by both."""
    sent = opening.exchange.header("date") if opening.exchange is not None else None
    if not sent:
        return
    try:
        there = parsedate_to_datetime(sent)
    except ValueError:
        return
    here = ctx.clock()
    if there.tzinfo is None:
        return
    skew = (there - here).total_seconds()
    ctx.clock_skew_s = round(skew, 1)
    if abs(skew) > _SKEW_S:
        ctx.warn(
            "ENV002",
            Evidence(
                label="Date header",
                expected=f"within {_SKEW_S} s of {here:%a, %d %b %Y %H:%M:%S} GMT",
                observed=sent,
            ),
            skew=f"{abs(skew):.0f}",
            direction="behind" if skew > 0 else "ahead of",
        )
