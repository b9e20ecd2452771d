"""Does the server look at the credential at all? Asked with ``--deep`` alone, of the connector's own origin.

Two contrasts to the first message: without the credential, and with a made-up one of the same form. Only
where the first is refused and the second is let in is it proven that anybody gets in who says anything.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import string
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from diagnose.connector.credential import Applied
from diagnose.context import Context
from diagnose.records import record
from diagnose.step import Evidence
from diagnose.wire.http_wire import ExchangeFailed, HttpWire
from diagnose.wire.rpc import StreamableChannel
from diagnose_checks.facts import HttpFacts, TokenFacts
from diagnose_checks.opening import say_first
from diagnose_checks.presented import Presented

__all__ = ["look_at_enforcement", "made_up"]

_LONGEST = 5.0
_MARGIN = 0.25
_FEWEST = 12
"""A made-up value with fewer free characters than this could be a real one."""


@record
class _Attempt:
    """How the first message was answered; ``let_in`` is None where nothing usable came back."""

    let_in: bool | None
    words: str
    exchange: int | None = None


async def look_at_enforcement(
    ctx: Context, http: HttpFacts, shown: Presented, facts: TokenFacts
) -> TokenFacts:
    """The facts with ``enforced``, and a warning where a made-up credential opens the door."""
    channel = http._channel
    if not (ctx.options.deep and facts.accepted and shown.token and isinstance(channel, StreamableChannel)):
        return facts
    without = await _attempt(ctx, http, channel, shown, None)
    if without.let_in is not False:
        words = "no credential is needed for the first message" if without.let_in else "could not be asked"
        return replace(facts, enforced=words)
    invented = made_up(shown, ctx.random)
    ctx.redactor.register(invented)
    with_it = await _attempt(ctx, http, channel, shown, invented)
    if not with_it.let_in:
        asked = with_it.let_in is False
        return replace(facts, enforced="a made-up credential is refused" if asked else "could not be asked")
    ctx.warn(
        "TOK022",
        Evidence(
            label="without the credential",
            expected="refused",
            observed=without.words,
            exchange=without.exchange,
        ),
        Evidence(
            label=f"with a made-up value in {shown.place}",
            expected="HTTP 401",
            observed=with_it.words,
            exchange=with_it.exchange,
        ),
        exchange=with_it.exchange,
        place=shown.place,
        refused=without.words,
        form=facts.form or "a value that only its issuer can read",
    )
    return replace(facts, enforced="a made-up credential is let in")


async def _attempt(
    ctx: Context, http: HttpFacts, channel: StreamableChannel, shown: Presented, token: str | None
) -> _Attempt:
    wire = HttpWire(
        http._http.transport,
        ctx.recorder,
        authorize=lambda url: _with(ctx.connector.authorize(url, ctx.environ), shown, token),
        user_agent=http._http.user_agent,
        body_limit=http._http.body_limit,
    )
    other = replace(channel, http=wire, url=_in_url(channel.url, shown, token), session_id=None)
    number = ctx.recorder.next_id
    try:
        async with asyncio.timeout(max(min(_LONGEST, ctx.time_left() - _MARGIN), 0.05)):
            reply = await say_first(other, step=ctx.step_id)
            other.session_id = reply.header("mcp-session-id")
            if other.session_id is not None and reply.http_status < 300:
                await other.end_session(step=ctx.step_id)
    except (ExchangeFailed, TimeoutError):
        exchange = number if ctx.recorder.next_id > number else None
        return _Attempt(let_in=None, words="no answer", exchange=exchange)
    let_in = reply.result is not None if reply.http_status < 300 else False
    if reply.http_status >= 500 or reply.http_status in (404, 429):
        return _Attempt(let_in=None, words=f"HTTP {reply.http_status}", exchange=reply.exchange.id)
    return _Attempt(let_in=let_in, words=f"HTTP {reply.status}", exchange=reply.exchange.id)


def _with(applied: Applied, shown: Presented, token: str | None) -> Applied:
    """What is added to the request, with the credential left out or replaced."""
    name = (shown.name or "").lower()
    headers = {key: value for key, value in applied.headers.items() if key.lower() != name}
    query = {key: value for key, value in applied.query.items() if key != shown.name}
    if token is None or shown.name is None:
        return Applied(headers=headers, query=query)
    if shown.kind != "query":
        headers[shown.name] = f"{shown.scheme} {token}" if shown.scheme is not None else token
    elif shown.name in applied.query:
        query[shown.name] = token
    return Applied(headers=headers, query=query, token=token)


def _in_url(url: str, shown: Presented, token: str | None) -> str:
    """The URL with the value of a credential that stands in it left out or replaced."""
    parts = urlsplit(url)
    if shown.kind != "query" or not parts.query:
        return url
    pairs: list[tuple[str, str]] = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name != shown.name:
            pairs.append((name, value))
        elif token is not None:
            pairs.append((name, token))
    return urlunsplit(parts._replace(query=urlencode(pairs)))


def made_up(shown: Presented, random: Random) -> str:
    """A value of the same form that nobody issued.

    Of a JWT only the signature is another: one that reads claims unverified is found as well.
    """
    token = shown.token or ""
    if shown.kind == "basic":
        return _other_password(token, random)
    head, dot, signature = token.rpartition(".")
    if token.count(".") == 2 and len(signature) >= _FEWEST:
        # Whole bytes: strict readers refuse base64 whose last character has bits left over.
        other = random.randbytes(len(signature) * 3 // 4)
        return head + dot + base64.urlsafe_b64encode(other).decode().rstrip("=")
    mark = max(token[:10].rfind(separator) for separator in "-_.") + 1  # "sk-", "ghp_": part of the form
    return token[:mark] + _scrambled(token[mark:], random)


def _other_password(coded: str, random: Random) -> str:
    try:
        user, colon, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return _scrambled(coded, random)
    return base64.b64encode(f"{user}{colon}{_scrambled(password, random)}".encode()).decode()


_CLASSES: Mapping[str, str] = {
    character: group
    for group in (string.ascii_lowercase, string.ascii_uppercase, string.digits)
    for character in group
}


def _scrambled(text: str, random: Random) -> str:
    """Every letter and digit replaced by another of its class, at least twelve of them."""
    changed = "".join(random.choice(_CLASSES[one]) if one in _CLASSES else one for one in text)
    free = sum(one in _CLASSES for one in text)
    return changed + "".join(random.choice(string.ascii_lowercase) for _ in range(max(_FEWEST - free, 0)))
