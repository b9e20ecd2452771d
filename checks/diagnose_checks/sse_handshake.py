"""The handshake over HTTP+SSE (2024-11-05): is the URL that the stream names usable?"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

from diagnose.connector.address import origin_of
from diagnose.context import Context
from diagnose.step import Evidence, Fault
from diagnose.wire.rpc import RpcReply
from diagnose.wire.sse_channel import SseChannel
from diagnose_checks.contrasts import answered
from diagnose_checks.facts import HttpFacts, InitFacts
from diagnose_checks.legacy_opening import adopt_contrast, agree_legacy, ask_initialize
from diagnose_checks.opening import say_first
from diagnose_checks.rpc_faults import said, symptom

__all__ = ["agree_over_sse", "prefixed_endpoints"]

_MOST_PREFIXES = 3


async def agree_over_sse(ctx: Context, http: HttpFacts, channel: SseChannel) -> InitFacts:
    """Initialize over the event stream. Raises Fault."""
    if not channel.same_origin:
        raise _foreign(channel)
    reply = await ask_initialize(ctx, channel)
    if reply.status in (404, 405):
        await _prove_lost_prefix(ctx, channel, reply)
    return await agree_legacy(ctx, http, channel, reply)


def _foreign(channel: SseChannel) -> Fault:
    try:
        theirs = str(origin_of(channel.endpoint_url or ""))
    except ValueError:
        theirs = "no origin"
    ours = str(origin_of(channel.url))
    evidence = Evidence(
        label="data of the endpoint event",
        expected=f"a URL on {ours}",
        observed=channel.endpoint_event or "",
        where="event: endpoint",
    )
    return Fault("INIT022", evidence, where="event: endpoint", theirs=theirs, ours=ours)


def prefixed_endpoints(stream_url: str, endpoint_url: str) -> Iterator[str]:
    """The endpoint with the first path segments of the stream's URL put back, the longest prefix first."""
    endpoint = urlsplit(endpoint_url)
    folders = [segment for segment in urlsplit(stream_url).path.split("/")[:-1] if segment]
    for count in range(len(folders), 0, -1):
        prefix = "/" + "/".join(folders[:count])
        if not endpoint.path.startswith(f"{prefix}/"):
            yield urlunsplit(endpoint._replace(path=prefix + endpoint.path))


async def _prove_lost_prefix(ctx: Context, channel: SseChannel, reply: RpcReply) -> None:
    named = channel.endpoint_url or ""
    for candidate in list(prefixed_endpoints(channel.url, named))[:_MOST_PREFIXES]:
        channel.endpoint_url = candidate
        contrast = await answered(ctx, say_first(channel, step=ctx.step_id))
        if contrast is None or symptom(contrast) is not None:
            continue
        facts = await adopt_contrast(ctx, channel, contrast)
        right = urlsplit(candidate).path
        raise Fault(
            "INIT021",
            Evidence(
                label="POST to the URL of the endpoint event",
                expected="HTTP 202",
                observed=f"{urlsplit(named).path}: {said(reply)}",
                where="event: endpoint",
                exchange=reply.exchange.id,
            ),
            Evidence(
                label="POST to the same with the prefix put back (the contrast)",
                observed=f"{right}: {said(contrast)}",
                exchange=contrast.exchange.id,
            ),
            facts=facts,
            where="event: endpoint",
            exchange=reply.exchange.id,
            named=urlsplit(named).path,
            right=right,
            prefix=right.removesuffix(urlsplit(named).path),
            status=reply.status,
        )
    channel.endpoint_url = named
