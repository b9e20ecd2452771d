"""Renewal of a stored login: one process spends the refresh token, the others take what it got.

Refresh tokens of public clients are used once (RFC 9700 4.14.2): two processes that spend the same one look
like a theft, and the server ends the login. So the record is read again under the lock, and what the server
gave is written before anybody else may look.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from diagnose.display import display
from diagnose.oauth.token_request import (
    ClientUnusable,
    TokenAnswer,
    TokenClient,
    TokenError,
    TokenRequest,
    read_token_answer,
    token_request,
)
from diagnose.redact import Redactor
from diagnose.wire.threads import in_daemon_thread

if TYPE_CHECKING:
    from diagnose.oauth.record import RefreshRefusal, StoredLogin
    from diagnose.oauth.store import LoginStore

__all__ = [
    "MARGIN",
    "POST_SECONDS",
    "Post",
    "RenewalFailed",
    "RenewalRefused",
    "client_of",
    "ends_soon",
    "renewed",
]

_T = TypeVar("_T")

MARGIN = timedelta(seconds=60)
"""A token that ends within this time is renewed before it is used."""

POST_SECONDS = 10.0
"""How long the answer of the token endpoint is waited for, also by a caller that was cancelled meanwhile."""

Post = Callable[[TokenRequest], Awaitable[tuple[int, Mapping[str, str], bytes]]]
"""Sends a request: status, headers, body. Raises RenewalFailed or OSError where there was no answer."""

_RACED = re.compile(r"re-?us|rotat|replay|already (been )?(used|redeemed|consumed|spent|exchanged)", re.I)


class RenewalRefused(Exception):
    """The authorization server does not take the refresh token; ``login`` is the record that says so."""

    def __init__(self, login: StoredLogin, refusal: RefreshRefusal) -> None:
        said = f": {refusal.description}" if refusal.description else ""
        super().__init__(f"{login.issuer} refuses to renew the login ({refusal.error}{said})")
        self.login = login
        self.refusal = refusal


class RenewalFailed(Exception):
    """There was no answer that decides anything; the stored login is as it was."""


def client_of(
    login: StoredLogin, *, private_key: str | None = None, signing_algorithm: str = "RS256"
) -> TokenClient:
    """The client of ``login``; a private key is never stored, so it comes from the connector."""
    return TokenClient(
        client_id=login.client_id,
        client_secret=login.client_secret,
        private_key=private_key,
        signing_algorithm=signing_algorithm,
        method=login.token_endpoint_auth_method,
        issuer=login.issuer,
    )


async def renewed(
    store: LoginStore,
    login: StoredLogin,
    *,
    post: Post,
    now: Callable[[], datetime],
    client: TokenClient | None = None,
) -> StoredLogin:
    """``login`` with a new access token, stored before it is given.

    Where another process has renewed it meanwhile, that is taken and nothing is spent. ``client`` replaces
    the recorded one. Raises RenewalRefused, RenewalFailed, and UsageError of the store.
    """
    async with store.locked_async(login.resource_url):
        kept = await in_daemon_thread(lambda: store.find(login.resource_url, login.issuer))
        if kept is None:
            raise RenewalFailed("the login is not stored any more")
        if _moved_on(login, kept) and not ends_soon(kept, now()):
            return kept
        if kept.refresh_token is None:
            raise RenewalFailed("the login has no refresh token")
        # A store that cannot be written must show before the token is spent, not after.
        await in_daemon_thread(lambda: store.rewrite(kept))
        return await _undisturbed(_exchanged(store, kept, post, now, client or client_of(kept)))


async def _exchanged(
    store: LoginStore, kept: StoredLogin, post: Post, now: Callable[[], datetime], client: TokenClient
) -> StoredLogin:
    answer, hide = await _asked(kept, post, client)
    if isinstance(answer, TokenAnswer):
        return await in_daemon_thread(lambda: _stored(store, kept, answer, now()))
    if answer.refused:
        return await in_daemon_thread(lambda: _refused(store, kept, answer, now(), hide))
    raise RenewalFailed(f"{kept.token_endpoint} gave no token: {display(hide.text(answer.detail))}")


async def _undisturbed(work: Coroutine[Any, Any, _T]) -> _T:
    """The result of ``work``, which ends before a cancellation of the caller does.

    Once it is sent the old refresh token is worth nothing, so neither a deadline nor Ctrl-C may come between
    its answer and the disk. ``work`` has a deadline of its own.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):  # against scopes, which cancel again and again
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as problem:
                cancelled = problem
    if cancelled is None:
        return task.result()
    task.cancelled() or task.exception()  # asked for, so that nobody logs it as lost
    raise cancelled


def ends_soon(login: StoredLogin, now: datetime) -> bool:
    """Whether the access token has ended or is about to; one without an end has not."""
    return login.expires_at is not None and login.expires_at - now < MARGIN


def _moved_on(ours: StoredLogin, kept: StoredLogin) -> bool:
    return (ours.access_token, ours.refresh_token) != (kept.access_token, kept.refresh_token)


async def _asked(
    kept: StoredLogin, post: Post, client: TokenClient
) -> tuple[TokenAnswer | TokenError, Redactor]:
    """What the recorded token endpoint says, and what hides the secrets that its texts may quote."""
    grant = {
        "grant_type": "refresh_token",
        "refresh_token": kept.refresh_token or "",
        "resource": kept.resource or "",  # RFC 8707 2.2: the audience is asked for each time
    }
    hide = Redactor()
    try:
        # The recorded endpoint, never a guessed one: a refresh token is a secret of that server.
        request = token_request(kept.token_endpoint, grant=grant, client=client)
        hide.register(*kept.secrets(), *request.secrets())
        with anyio.fail_after(POST_SECONDS + 1.0):  # a bound for a ``post`` that has none
            status, headers, body = await post(request)
    except ClientUnusable as problem:
        raise RenewalFailed(str(problem)) from problem
    except TimeoutError as problem:
        raise RenewalFailed(f"no answer from {kept.token_endpoint} within {POST_SECONDS:.0f} s") from problem
    except OSError as problem:
        raise RenewalFailed(f"no answer from {kept.token_endpoint} ({type(problem).__name__})") from problem
    return read_token_answer(status, headers, body), hide


def _with(login: StoredLogin, answer: TokenAnswer, now: datetime) -> StoredLogin:
    changes = {
        "access_token": answer.access_token,
        "token_type": answer.token_type,
        # RFC 6749 6: a refresh token that is not replaced stays good, a scope that is not named is unchanged.
        "refresh_token": answer.refresh_token or login.refresh_token,
        "scope": answer.scope or login.scope,
        "expires_at": answer.expires_at(now),
        "renewed_at": now,
        "refusal": None,
    }
    return login.model_copy(update=changes)


def _stored(store: LoginStore, before: StoredLogin, answer: TokenAnswer, now: datetime) -> StoredLogin:
    """Write what was got, unless somebody without the lock has logged in or out since ``before`` was read."""
    after = _with(before, answer, now)
    current = store.find(before.resource_url, before.issuer)
    if current is not None and not _moved_on(before, current):
        store.rewrite(after)
    return after


def _refused(
    store: LoginStore, kept: StoredLogin, answer: TokenError, now: datetime, hide: Redactor
) -> StoredLogin:
    """Record the refusal and raise it; a login that somebody stored meanwhile is taken instead."""
    from diagnose.oauth.record import RefreshRefusal

    current = store.find(kept.resource_url, kept.issuer)
    moved = current is not None and _moved_on(kept, current)
    if current is not None and moved and not ends_soon(current, now):
        return current
    said = display(hide.text(answer.description)) if answer.description else None
    refusal = RefreshRefusal(
        at=now,
        error=str(display(hide.text(answer.error or ""))),
        description=said,
        raced=moved or _RACED.search(f"{answer.error} {answer.description or ''}") is not None,
    )
    after = (current or kept).model_copy(update={"refusal": refusal})
    if current is not None:
        store.rewrite(after)
    raise RenewalRefused(after, refusal)
