"""Faults of the proxy, kept apart from faults of the server behind it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus

import h11
import httpcore2

from diagnose.context import Context
from diagnose.step import Evidence, Fault
from diagnose.wire.dial import ProxyAnswer, ProxyRefused, addresses_of, open_tunnel, proxy_authorization
from diagnose.wire.http_wire import ExchangeFailed
from diagnose.wire.proxies import ProxyRoute
from diagnose.wire.resolver import ResolutionFailed
from diagnose.wire.sockets import ConnectFailed, WireStream, connect_first
from diagnose_checks.routes import dialled_host, to_proxy, within

__all__ = ["next_tunnel_refused", "open_through", "proxy_refusal", "proxy_unreachable", "refusal_code"]

_MEANING: Mapping[int, str] = {
    400: "it does not take this request; an address that is no proxy answers so, too",
    401: "it asks for a login of its own",
    403: "its policy forbids this host or port",
    404: "it is a web server, not a proxy",
    405: "it does not do CONNECT: it is a web server, or its policy forbids tunnels",
    407: "it asks for a user name and password",
    429: "it limits how often it may be asked",
    451: "its policy forbids this host",
    501: "it does not do CONNECT",
    502: "it could not reach the server",
    503: "it could not reach the server, or is overloaded",
    504: "the server did not answer it in time",
}
_LARGEST_EXCERPT = 300
_OWN_ERROR = "x-squid-error"


def refusal_code(status: int) -> str:
    """The code of a proxy's answer that is not the server's."""
    if status == 407:
        return "TCP011"
    return "TCP013" if status >= 500 and status != 501 else "TCP012"


def proxy_unreachable(proxy: ProxyRoute, why: str) -> Fault:
    """No connection to the proxy itself."""
    evidence = Evidence(label=f"connection to {proxy} ({proxy.source})", expected="open", observed=why)
    return Fault("TCP010", evidence, proxy=proxy, setting=proxy.source, reason=why)


async def open_through(ctx: Context, stream: WireStream, proxy: ProxyRoute) -> WireStream:
    """The tunnel to the server. Raises Fault, attributed to the proxy."""
    host, port = dialled_host(ctx), ctx.origin.port
    ctx.if_late(lambda: _silent(ctx, proxy))
    try:
        return await open_tunnel(stream, host, port, proxy)
    except ProxyRefused as problem:
        raise _refused(problem) from problem


def _silent(ctx: Context, proxy: ProxyRoute) -> Fault:
    evidence = Evidence(
        label=f"answer of {proxy} to CONNECT {ctx.origin.host}:{ctx.origin.port}",
        expected="200",
        observed="nothing",
    )
    return Fault("TCP016", evidence, proxy=proxy, setting=proxy.source)


def _refused(problem: ProxyRefused) -> Fault:
    answer, proxy, evidence = problem.answer, problem.route, _answer_to_connect(problem)
    if answer is None:
        return Fault("TCP014", evidence, proxy=proxy, setting=proxy.source, reason=str(problem))
    return _answered(proxy, answer.status, answer.reason, answer.header("proxy-authenticate"), evidence)


def _answer_to_connect(problem: ProxyRefused) -> Evidence:
    answer = problem.answer
    label = f"answer of {problem.route} to CONNECT {problem.target}"
    if answer is None:
        return Evidence(label=label, expected="an HTTP answer with status 200", observed=str(problem))
    observed = "\n".join(filter(None, (f"{answer.status} {answer.reason}", answer.body[:_LARGEST_EXCERPT])))
    return Evidence(label=label, expected="200", observed=observed)


def next_tunnel_refused(failure: ExchangeFailed) -> Fault:
    """The proxy let the run's first tunnel through and not a further one; the fault belongs to step tcp."""
    problem = failure.__cause__
    assert isinstance(problem, ProxyRefused), "an exchange of kind proxy failed for its refusal"
    evidence = _answer_to_connect(problem)
    first = Evidence(label="CONNECT for the connection before it, of step tcp", observed="200")
    return Fault(
        "TCP017",
        evidence,
        first,
        step="tcp",
        exchange=failure.exchange.id,
        proxy=problem.route,
        setting=problem.route.source,
        answer=str(problem),
        meaning=_MEANING.get(problem.answer.status, "it refuses") if problem.answer else "no answer in HTTP",
    )


def _answered(
    proxy: ProxyRoute,
    status: int,
    reason: str,
    challenge: str | None,
    *evidence: Evidence,
    step: str | None = None,
) -> Fault:
    sent = "were refused" if proxy.username is not None else "were not sent: the proxy setting holds none"
    return Fault(
        refusal_code(status),
        *evidence,
        step=step,
        proxy=proxy,
        setting=proxy.source,
        status=status,
        reason=reason or _phrase(status),
        meaning=_MEANING.get(status, "it refuses"),
        challenge=challenge or "no Proxy-Authenticate header",
        credentials=sent,
    )


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else ""


async def proxy_refusal(
    ctx: Context, proxy: ProxyRoute | None, status: int, headers: tuple[tuple[str, str], ...]
) -> Fault | None:
    """Whether an answer to a plain http request in absolute form is the proxy's own, and then the fault.

    407 always is (RFC 9110 15.5.8), and so is an answer that Squid marks as its own. For 403 and the gateway
    statuses a contrast decides: the same proxy is asked for a host that cannot exist; an answer of the same
    shape has the same author. The fault belongs to step tcp. None without a proxy, for https (CONNECT was
    judged in step 2), and for the server's answers.
    """
    if proxy is None or ctx.origin.scheme != "http" or status not in (403, 407, 502, 503, 504):
        return None
    found = ProxyAnswer(status=status, reason="", headers=headers)
    evidence = [
        Evidence(label=f"answer to the request through {proxy}", observed=f"{status} {_phrase(status)}")
    ]
    marked = found.header(_OWN_ERROR)
    if marked is not None:
        evidence.append(
            Evidence(label=f"{_OWN_ERROR}, which the proxy puts on its own pages", observed=marked)
        )
    elif status != 407:
        invented = f"connector-diagnose-{secrets.token_hex(4)}.invalid"
        answer = await _asked(ctx, proxy, invented)
        if answer is None or _shape(answer) != _shape(found):
            return None
        evidence.append(
            Evidence(
                label=f"the same request for {invented}, which cannot exist",
                expected="another answer, if the first one came from the server",
                observed=f"{answer.status} {answer.reason}, of the same shape",
            )
        )
    return _answered(proxy, status, "", found.header("proxy-authenticate"), *evidence, step="tcp")


def _shape(answer: ProxyAnswer) -> tuple[int, str | None, str | None]:
    """What two answers of one author have in common, whatever host was asked for."""
    return answer.status, answer.header("server"), answer.header("content-type")


async def _asked(ctx: Context, proxy: ProxyRoute, host: str) -> ProxyAnswer | None:
    """The proxy's answer to a GET for ``host`` in absolute form; no credential of the connector is sent."""
    http = h11.Connection(h11.CLIENT)
    headers = [("Host", host), ("Accept", "*/*"), ("Connection", "close")]
    credentials = proxy_authorization(proxy)
    if credentials is not None:
        headers.append(("Proxy-Authorization", credentials))
    request = h11.Request(method="GET", target=f"http://{host}/", headers=headers)
    try:
        async with within(ctx):
            addresses = await addresses_of(ctx.resolver, proxy.host, proxy.port)
            stream = await connect_first(addresses, log=[])
            try:
                secured = await to_proxy(ctx, stream, proxy)
                await secured.write((http.send(request) or b"") + (http.send(h11.EndOfMessage()) or b""))
                return await _head(http, secured)
            finally:
                await stream.aclose()
    except (
        OSError,
        ConnectFailed,
        ResolutionFailed,
        TimeoutError,
        httpcore2.NetworkError,
        h11.RemoteProtocolError,
    ):
        return None


async def _head(http: h11.Connection, stream: WireStream) -> ProxyAnswer | None:
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await stream.read(65536))
        elif isinstance(event, h11.Response):
            return ProxyAnswer(
                status=event.status_code,
                reason=event.reason.decode("latin-1"),
                headers=tuple(
                    (key.decode("latin-1"), value.decode("latin-1")) for key, value in event.headers
                ),
            )
        elif not isinstance(event, h11.InformationalResponse):
            return None
