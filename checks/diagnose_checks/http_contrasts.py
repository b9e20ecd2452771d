"""The contrasts of step 4: the same request with one thing changed, sent only after a refusal.

Each takes the probe and the refused outcome and gives the fault that the pair proves, or another outcome with
which the run goes on because the runtime's own request passes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from diagnose.step import Evidence, Fault
from diagnose_checks.crash_contrasts import server_error
from diagnose_checks.forbidden_words import forbidden_reading
from diagnose_checks.http_faults import fault_of, gateway_words
from diagnose_checks.http_outcome import Outcome
from diagnose_checks.http_probe import Probe
from diagnose_checks.http_refusals import NETWORK_LOGIN, challenge_page, looks_like_login, page_title
from diagnose_checks.opening import runtime_user_agent
from diagnose_checks.sibling_paths import moved_address, sibling_paths

__all__ = ["CONTRASTS", "Contrast"]

Contrast = Callable[[Probe, Outcome], Awaitable["Fault | Outcome"]]

_CHALLENGE = "www-authenticate"
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def _sent(outcome: Outcome, name: str) -> str | None:
    exchange = outcome.exchange
    pairs = exchange.request_headers if exchange is not None else ()
    return next((value for key, value in pairs if key.lower() == name.lower()), None)


def _differs(one: Outcome, other: Outcome) -> bool:
    """Whether the changed request got past what refused the first one."""
    return other.reply is not None and other.status != one.status


async def host_guard(probe: Probe, refused: Outcome) -> Fault | Outcome:
    """421: a Host guard accepts ``localhost``, whatever name the connector uses."""
    tried: list[Evidence] = []
    proven = await _called_localhost(probe, refused, tried)
    if proven is not None:
        return proven
    proof = f"{tried[-1].label} gives {tried[-1].observed}, so the list may hold another name"
    return _guarded(probe, refused, tried, proof, confidence="likely")


async def _called_localhost(probe: Probe, refused: Outcome, tried: list[Evidence]) -> Fault | None:
    """A Host guard, proven: under the name ``localhost`` the same request is answered as MCP."""
    local = f"localhost:{probe.ctx.origin.port}"
    if _sent(refused, "host") == local:
        return None
    other = await probe.contrast(headers={"Host": local})
    label = f"the same with Host: {local}"
    tried.append(other.evidence(label, "the same refusal, were it not the Host guard"))
    if not other.reachable:
        return None
    return _guarded(probe, refused, tried, f"{label} gets past it: both halves are in the evidence")


def _guarded(
    probe: Probe, refused: Outcome, tried: list[Evidence], proof: str, *, confidence: str | None = None
) -> Fault:
    host = _sent(refused, "host") or probe.ctx.origin.host
    shown = proof[:1].upper() + proof[1:]
    return fault_of("HTTP009", refused, *tried, confidence=confidence, sent_host=host, proof=shown)


async def forbidden(probe: Probe, refused: Outcome) -> Fault | Outcome:
    """403 without a Bearer challenge: Origin, credential, User-Agent, Host, or what the body says.

    The TypeScript SDK and development servers say 403 where the Python SDK's Host guard says 421.
    """
    tried: list[Evidence] = []
    for attempt in (_without_origin, _without_credential, _other_agent, _called_localhost):
        decided = await attempt(probe, refused, tried)
        if decided is not None:
            return decided
    reading = forbidden_reading(refused.reply.text if refused.reply is not None else "")
    return fault_of(
        "HTTP011",
        refused,
        *tried,
        actor=reading.actor,
        tried=", ".join(item.label for item in tried),
        meaning=reading.meaning,
        advice=reading.advice.replace("{server}", gateway_words(refused)),
    )


async def _without_origin(probe: Probe, refused: Outcome, tried: list[Evidence]) -> Fault | Outcome | None:
    origin = _sent(refused, "origin")
    if origin is None:
        return None
    other = await probe.contrast(without=("Origin",))
    tried.append(other.evidence("the same without Origin", "403 again, were it not the Origin header"))
    if not _differs(refused, other):
        return None
    return fault_of("HTTP010", refused, *tried, sent_origin=origin, without=other.summary)


async def _without_credential(probe: Probe, refused: Outcome, tried: list[Evidence]) -> Outcome | None:
    """A server that asks strangers to log in, or lets them in, and forbids this caller judges the credential.

    That is a matter of step 6, so the run goes on with the refusal.
    """
    if not probe.ctx.connector.authorize(probe.url, probe.ctx.environ).secrets():
        return None
    other = await probe.contrast(credential=False)
    tried.append(other.evidence("the same without the credential", "403 again, were it not the credential"))
    return refused if other.reachable else None


async def _other_agent(probe: Probe, refused: Outcome, tried: list[Evidence]) -> Fault | Outcome | None:
    own = _sent(refused, "user-agent") or ""
    for agent, words in (
        (runtime_user_agent(), "the runtime's own User-Agent"),
        (_BROWSER, "a browser's User-Agent"),
    ):
        other = await probe.contrast(headers={"User-Agent": agent})
        tried.append(other.evidence(f"the same with {words}", "403 again, were it not the User-Agent"))
        if not other.reachable:
            continue
        if agent == _BROWSER:
            return fault_of("HTTP013", refused, *tried, banned=own, accepted=agent)
        # The runtime gets in: only our own name is banned, so the run goes on under the runtime's.
        probe.wire.user_agent = agent
        probe.ctx.warn(
            "HTTP013",
            refused.evidence("POST with our own User-Agent"),
            *tried,
            severity="warning",
            banned=own,
            accepted=agent,
            status=str(refused.status),
            server="",
        )
        return other
    return None


async def agent_ban(probe: Probe, refused: Outcome) -> Fault | Outcome:
    """The edge names the ban itself (error 1010); the contrast shows who gets in."""
    tried: list[Evidence] = []
    decided = await _other_agent(probe, refused, tried)
    own = _sent(refused, "user-agent") or ""
    return decided or fault_of("HTTP013", refused, *tried, banned=own, accepted="none that was tried")


async def bot_challenge(probe: Probe, refused: Outcome) -> Fault | Outcome:
    """The mark on the answer is the proof."""
    assert refused.reply is not None
    mark = challenge_page(refused.reply) or "a challenge page"
    return fault_of("HTTP012", refused, Evidence(label="mark of a bot challenge", observed=mark), mark=mark)


async def accept(probe: Probe, refused: Outcome) -> Fault | Outcome:
    """406 although both media types were offered: which Accept does pass, if any?"""
    tried: list[Evidence] = []
    changed: list[str] = []
    for value in ("application/json", "*/*"):
        other = await probe.contrast(headers={"Accept": value})
        tried.append(
            other.evidence(f"the same with Accept: {value}", "406 again, were it not the Accept header")
        )
        if other.reachable:
            return fault_of("HTTP014", refused, *tried, accepted=f"Accept: {value} passes")
        if _differs(refused, other):
            changed.append(f"with Accept: {value} it is {other.summary}")
    accepted = "; ".join(("None of three Accept values passes", *changed))
    return fault_of("HTTP014", refused, *tried, confidence="likely", accepted=accepted)


async def media_type(probe: Probe, refused: Outcome) -> Fault | Outcome:
    """415 although JSON was sent: does a charset parameter change it?"""
    spelled = "application/json; charset=utf-8"
    other = await probe.contrast(headers={"Content-Type": spelled})
    evidence = other.evidence(
        f"the same with Content-Type: {spelled}", "415 again, were it the media type itself"
    )
    if other.reachable:
        became = "passes"
    else:
        became = f"gives {other.summary}" if _differs(refused, other) else "is refused as well"
    return fault_of("HTTP021", refused, evidence, accepted=f"Content-Type: {spelled} {became}")


async def rate_limit(probe: Probe, refused: Outcome) -> Fault | Outcome:
    """429 is never tried again; how many requests came before it is what counts."""
    after = refused.reply.header("retry-after") if refused.reply is not None else None
    sent = len(probe.ctx.recorder.exchanges)
    wait = f"Retry-After: {after}" if after else "no Retry-After"
    return fault_of(
        "HTTP015", refused, Evidence(label="Retry-After", observed=after or "absent"), sent=sent, wait=wait
    )


async def too_large(probe: Probe, refused: Outcome) -> Fault | Outcome:
    """413: the size that was refused."""
    size = len(refused.exchange.request_body) if refused.exchange is not None else 0
    return fault_of("HTTP037", refused, size=size)


async def wrong_path(probe: Probe, refused: Outcome) -> Fault | Outcome:
    """404: four other paths, without any credential; one that answers as MCP does is the address."""
    moved = moved_address(refused.url)
    if moved is not None:
        return fault_of("HTTP023", refused, found=moved.url, since=f"switched off on {moved.since}")
    tried: list[Evidence] = []
    path = urlsplit(refused.url).path
    for guess in sibling_paths(path):
        url = probe.sibling(guess)
        other = await probe.contrast(url=url, credential=False)
        tried.append(other.evidence(f"POST {guess} without credential", "404 again, were nothing there"))
        certain = _is_endpoint(other)
        if not certain and other.status not in (401, 405, 406):
            continue
        if path.rstrip("/").endswith("/sse") and certain:
            gone = "nothing is there any more"
            return fault_of("HTTP023", refused, *tried, confidence="likely", found=url, since=gone)
        return fault_of(
            "HTTP001",
            refused,
            *tried,
            confidence="certain" if certain else "likely",
            found=f"{url} {'answers as MCP does' if certain else 'takes the request differently'}",
            advice=f"Set the URL of the connector to {url}",
        )
    names = ", ".join(sibling_paths(path))
    advice = "Ask the operator for the exact MCP URL, with path and slash"
    return fault_of("HTTP001", refused, *tried, found=f"none of {names} answers as MCP does", advice=advice)


def _is_endpoint(other: Outcome) -> bool:
    """JSON-RPC, an event stream, or a challenge that leads to protected resource metadata."""
    if other.reply is None:
        return False
    challenges = (
        value for name, value in other.reply.exchange.response_headers if name.lower() == _CHALLENGE
    )
    named = any("resource_metadata" in value for value in challenges)
    return other.speaks_mcp or other.reply.message is not None or (other.challenged and named)


async def gone(probe: Probe, refused: Outcome) -> Fault | Outcome:
    """410, and the replacement where it is known or answers beside it."""
    moved = moved_address(refused.url)
    if moved is not None:
        return fault_of("HTTP023", refused, found=moved.url, since=f"switched off on {moved.since}")
    url = probe.sibling("/mcp")
    other = await probe.contrast(url=url, credential=False)
    evidence = other.evidence("POST /mcp without credential")
    found = url if other.reachable else "an address that only the operator can name"
    return fault_of(
        "HTTP023", refused, evidence, found=found, since="the server says that it is gone for good"
    )


async def web_page(probe: Probe, refused: Outcome) -> Fault | Outcome:
    """200 with HTML: a login page shows its form; a catch-all answers any path the same."""
    assert refused.reply is not None
    text = refused.reply.text
    sign = looks_like_login(text)
    title = page_title(text) or "no title"
    if sign is not None:
        certain = "certain" if "password" in sign else "likely"
        evidence = Evidence(label="a login page shows itself by", observed=sign)
        return fault_of("HTTP019", refused, evidence, confidence=certain, sign=sign, title=title)
    path = f"/diagnose-{probe.ctx.random.getrandbits(32):08x}"
    other = await probe.contrast(url=probe.sibling(path), credential=False)
    same = other.reply is not None and other.status == refused.status and other.reply.text == text
    evidence = other.evidence(
        f"the same to {path}, which cannot exist", "another answer, were a program behind the path"
    )
    confidence = "certain" if same else "likely"
    random_path = "a random path gives the very same page" if same else "a random path gives another answer"
    return fault_of("HTTP018", refused, evidence, confidence=confidence, title=title, random_path=random_path)


async def login_page(probe: Probe, refused: Outcome) -> Fault | Outcome:
    """A login page under a status that says so: 403 of an access proxy, 511 of the network itself."""
    assert refused.reply is not None
    text = refused.reply.text
    by_network = refused.status == NETWORK_LOGIN
    sign = (
        "the status 511, which only the gateway of a network sends (RFC 6585 6): no request leaves it yet"
        if by_network
        else looks_like_login(text) or "its words"
    )
    evidence = Evidence(label="a login page shows itself by", observed=sign)
    title = page_title(text) or "no title"
    return fault_of(
        "HTTP019", refused, evidence, actor="user" if by_network else None, sign=sign, title=title
    )


async def content_type(probe: Probe, refused: Outcome) -> Fault | Outcome:
    """A success in another media type; a JSON-RPC body under a wrong name is said to be one."""
    assert refused.reply is not None
    kind = refused.reply.content_type or "no Content-Type"
    inside = (
        "the body is JSON-RPC all the same"
        if '"jsonrpc"' in refused.reply.text
        else "the body is no JSON-RPC"
    )
    return fault_of("HTTP020", refused, content_type=kind, inside=inside)


CONTRASTS: Mapping[str, Contrast] = {
    "HTTP001": wrong_path,
    "HTTP009": host_guard,
    "HTTP011": forbidden,
    "HTTP012": bot_challenge,
    "HTTP013": agent_ban,
    "HTTP014": accept,
    "HTTP015": rate_limit,
    "HTTP016": server_error,
    "HTTP018": web_page,
    "HTTP019": login_page,
    "HTTP020": content_type,
    "HTTP021": media_type,
    "HTTP023": gone,
    "HTTP037": too_large,
}
"""A code without a row here is proven by the answer itself."""
