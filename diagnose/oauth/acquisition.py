"""Getting a token as production gets it: the official SDK's providers, with everything they may meet judged.

The SDK builds the requests (PKCE, state, client authentication, RFC 8707) and judges the answers; what it
says about a failure is a sentence that quotes the server, so the reason is taken from the recorded answer.
``mcp`` takes about a second to import and is imported here, in a thread, when a token is to be got.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import httpx2

from diagnose.connector.credential import AuthMethod, GrantType
from diagnose.oauth.callback import Authorization, CallbackListener, Redirect
from diagnose.oauth.flow_transport import EndpointAnswer, FlowTransport, Judged, Role
from diagnose.oauth.record import Registration, StoredLogin
from diagnose.oauth.registered_client import remove_registration
from diagnose.oauth.sdk_providers import Memory, Sdk, load_sdk, provider
from diagnose.oauth.token_request import TokenError, read_token_answer
from diagnose.oauth.vetted import Unreached
from diagnose.records import record
from diagnose.redact import Redactor
from diagnose.wire.recording import RecordingTransport
from diagnose.wire.threads import in_daemon_thread

__all__ = [
    "Acquired",
    "AcquisitionFailed",
    "Flow",
    "FlowClient",
    "Interaction",
    "Person",
    "acquire",
    "presentable",
]

Reason = Literal["no answer", "authorization", "unreached", "refused", "unusable", "sdk"]

_UNSAFE = re.compile(r"[^\x21-\x7e]|[\\\"<>^`{|}]")
_KEPT = "/%:@!$&'()*+,;=~-._?"


class Person(Protocol):
    """Whoever logs in."""

    def registering(self, endpoint: str) -> None:
        """Hear, before it happens, that a client will be registered at ``endpoint``."""

    async def visit(self, url: str) -> None:
        """Be shown the URL at which to log in; returns at once."""

    def over(self) -> None:
        """Hear that the wait has ended, however it did."""


@record
class Interaction:
    """A person, and how long they are waited for. ``waiting`` stops the run's deadlines for that time."""

    person: Person
    redirect: Redirect
    seconds: float
    waiting: Callable[[float], AbstractAsyncContextManager[None]]


@record
class FlowClient:
    """The client and its grant, every reference resolved; ``client_id`` None: one is still to be got."""

    grant: GrantType
    registration: Registration
    client_id: str | None = None
    client_secret: str | None = None
    private_key: str | None = None
    signing_algorithm: str = "RS256"
    method: AuthMethod | None = None
    metadata_url: str | None = None
    assertion: str | None = None


@record
class Flow:
    """One acquisition.

    ``protocol_version`` is what the MCP request said, where it said one; ``seconds`` bounds each answer;
    ``refuse`` says why nobody is sent to a URL.
    """

    judged: Judged
    client: FlowClient
    issuer: str
    protocol_version: str | None
    wire: RecordingTransport
    redactor: Redactor
    clock: Callable[[], datetime]
    seconds: float
    refuse: Callable[[str], str | None]
    interaction: Interaction | None = None


@record
class Acquired:
    """A token; ``answer`` is the token endpoint's, and ``stray`` what else knocked at the callback.

    ``registration`` is what the registration endpoint answered, where this flow registered a client.
    """

    login: StoredLogin
    answer: EndpointAnswer
    asked_scope: str | None
    stray: Mapping[str, int]
    registration: EndpointAnswer | None = None


class AcquisitionFailed(Exception):
    """No token. ``answer`` or ``authorization`` is what said so; ``detail`` is for reasons without either."""

    def __init__(
        self,
        reason: Reason,
        detail: str = "",
        *,
        role: Role | None = None,
        answer: EndpointAnswer | None = None,
        authorization: Authorization | None = None,
        stray: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.detail = detail
        self.role = role
        self.answer = answer
        self.authorization = authorization
        self.stray: Mapping[str, int] = stray or {}


async def acquire(flow: Flow) -> Acquired:
    """Get a token. Raises AcquisitionFailed, and PortUnavailable before anything is sent."""
    sdk = await in_daemon_thread(load_sdk)
    if flow.interaction is None:
        return await _Acquisition(flow=flow, sdk=sdk).run()
    async with CallbackListener(flow.interaction.redirect, flow.redactor) as listener:
        return await _Acquisition(flow=flow, sdk=sdk, listener=listener).run()


def presentable(url: str, endpoint: str) -> str:
    """The authorization URL as it may be printed and opened, put together from its parts. Raises ValueError.

    The SDK appends ``?`` to an endpoint that has a query of its own, which RFC 6749 3.1 allows.
    """
    if "?" in endpoint and url.startswith(f"{endpoint}?"):
        url = f"{endpoint}&{url[len(endpoint) + 1 :]}"
    parts = urlsplit(url)
    if _UNSAFE.search(url) or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the authorization URL is none that a browser should be sent to")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the authorization URL holds a user name or a password")
    path, query = quote(parts.path, safe=_KEPT), quote(parts.query, safe=_KEPT)
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


@record
class _Acquisition:
    flow: Flow
    sdk: Sdk
    listener: CallbackListener | None = None
    memory: Memory = field(default_factory=Memory)

    async def run(self) -> Acquired:
        flow = self.flow
        try:
            metadata = self.sdk.metadata(dict(flow.judged.server))
        except ValueError as problem:
            where = "; ".join(f"/{'/'.join(map(str, place))}" for place in _places(problem))
            detail = f"the official SDK cannot read the authorization server metadata: {where}"
            raise AcquisitionFailed("sdk", detail) from None
        # As the document has it: the SDK's reading writes hostile characters in a harmless way.
        why = flow.refuse(str(flow.judged.server.get("authorization_endpoint")))
        if flow.interaction is not None and why is not None:
            raise AcquisitionFailed("refused", f"nobody is sent there: {why}")
        roles: dict[str, Role] = {str(metadata.token_endpoint): "token"}
        registers = flow.client.registration == "dynamic" and flow.client.client_id is None
        if registers and metadata.registration_endpoint is not None:
            roles[str(metadata.registration_endpoint)] = "registration"
            if flow.interaction is not None:
                flow.interaction.person.registering(str(metadata.registration_endpoint))
        transport = FlowTransport(flow.judged, roles, flow.wire, flow.redactor, flow.seconds)
        try:
            await self._drive(transport, self._auth(str(metadata.authorization_endpoint)))
            return self._acquired(transport, str(metadata.token_endpoint))
        except (AcquisitionFailed, asyncio.CancelledError):
            await remove_registration(flow, transport.answers.get("registration"))
            raise

    def _auth(self, authorization_endpoint: str) -> httpx2.Auth:
        async def visit(url: str) -> None:
            await self._visit(url, authorization_endpoint)

        redirect_uri = self.listener.uri if self.listener is not None else None
        return provider(
            self.sdk, self.flow, self.memory, redirect_uri=redirect_uri, visit=visit, answer=self._answer
        )

    async def _drive(self, transport: FlowTransport, auth: httpx2.Auth) -> None:
        headers = {"MCP-Protocol-Version": self.flow.protocol_version} if self.flow.protocol_version else {}
        with _unheard():
            try:
                async with httpx2.AsyncClient(transport=transport, auth=auth, trust_env=False) as client:
                    await client.get(self.flow.judged.endpoint, headers=headers, timeout=None)
            except AcquisitionFailed:
                raise
            except Unreached as problem:
                raise self._failed(
                    "unreached" if not problem.refused else "refused", str(problem), role=transport.asking
                ) from None
            except (self.sdk.flow_error, ValueError, httpx2.HTTPError) as problem:
                raise self._explained(transport, problem) from None
        if self.memory.tokens is None:
            raise self._failed("sdk", "the official SDK asked for no token")

    def _explained(self, transport: FlowTransport, problem: Exception) -> AcquisitionFailed:
        """What the recorded answers show; the exception's text may quote a token and is the last resort."""
        for role in ("token", "registration"):
            answer = transport.answers.get(role)
            if answer is not None:
                reason: Reason = "unusable" if answer.status in (200, 201) else "refused"
                return self._failed(reason, role=role, answer=answer)
        return self._failed("sdk", f"{type(problem).__name__}: {problem}"[:300])

    def _failed(self, reason: Reason, detail: str = "", **more: Any) -> AcquisitionFailed:
        stray = dict(self.listener.wrong_hits) if self.listener is not None else {}
        return AcquisitionFailed(reason, detail, stray=stray, **more)

    async def _visit(self, url: str, endpoint: str) -> None:
        assert self.listener is not None
        assert self.flow.interaction is not None
        try:
            shown = presentable(url, endpoint)
        except ValueError as problem:
            raise self._failed("refused", str(problem)) from None
        asked = parse_qs(urlsplit(shown).query)
        state = asked["state"][-1]
        self.flow.redactor.register(state)
        self.memory.asked_scope = next(iter(asked.get("scope", ())), None)
        promised = self.flow.judged.server.get("authorization_response_iss_parameter_supported") is True
        self.listener.expect(state=state, issuer=self.flow.issuer, iss_promised=promised)
        await self.flow.interaction.person.visit(shown)

    async def _answer(self) -> Any:
        assert self.listener is not None
        assert self.flow.interaction is not None
        seconds = self.flow.interaction.seconds
        try:
            async with self.flow.interaction.waiting(seconds):
                came = await self.listener.answer()
        except TimeoutError:
            raise self._failed("no answer", f"{seconds:.0f}") from None
        finally:
            self.flow.interaction.person.over()
        if came.kind != "code":
            raise self._failed("authorization", authorization=came)
        state = self.listener.state
        return self.sdk.code_result(code=came.code, state=state, iss=came.iss)

    def _acquired(self, transport: FlowTransport, token_endpoint: str) -> Acquired:
        flow, answer = self.flow, transport.answers["token"]
        # The SDK's reading has no bounds: a lifetime that no calendar holds, a token that no header carries.
        tokens = read_token_answer(answer.status, answer.headers, answer.body)
        if isinstance(tokens, TokenError):
            raise self._failed("unusable", role="token", answer=answer)
        now = flow.clock()
        client = self.memory.client
        revocation = flow.judged.server.get("revocation_endpoint")
        renewable = tokens.refresh_token is not None
        secret = client.client_secret if client is not None else flow.client.client_secret
        method = client.token_endpoint_auth_method if client is not None else flow.client.method
        resource = flow.judged.resource.get("resource") if flow.judged.resource else None
        login = StoredLogin(
            resource_url=flow.judged.endpoint,
            issuer=flow.issuer,
            token_endpoint=token_endpoint,
            revocation_endpoint=revocation if isinstance(revocation, str) else None,
            client_id=client.client_id if client is not None else flow.client.client_id or "",
            # What is not needed again is not kept.
            client_secret=secret if renewable else None,
            client_secret_expires_at=_end_of(client) if renewable else None,
            token_endpoint_auth_method=method or "none",
            registration=flow.client.registration,
            redirect_uri=self.listener.uri if self.listener is not None else None,
            resource=resource if isinstance(resource, str) else self.memory.resource,
            scope=tokens.scope or self.memory.tokens.scope,
            access_token=tokens.access_token,
            token_type=tokens.token_type,
            refresh_token=tokens.refresh_token,
            expires_at=tokens.expires_at(now),
            obtained_at=now,
        )
        flow.redactor.register(*login.secrets())
        asked = self.memory.asked_scope or transport.asked_scope
        stray = dict(self.listener.wrong_hits) if self.listener is not None else {}
        return Acquired(
            login=login,
            answer=answer,
            asked_scope=asked,
            stray=stray,
            registration=transport.answers.get("registration"),
        )


def _end_of(client: Any) -> datetime | None:
    """When the secret of a registered client ends (RFC 7591 3.2.1: 0 means never)."""
    seconds = client.client_secret_expires_at if client is not None else None
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, OSError, ValueError):
        return None


def _places(problem: ValueError) -> list[tuple[Any, ...]]:
    """Where a document does not fit, without its values (pydantic keeps them)."""
    errors = getattr(problem, "errors", None)
    found = errors(include_input=False, include_context=False, include_url=False) if errors else []
    return [tuple(entry["loc"]) for entry in found][:5]


@contextmanager
def _unheard() -> Iterator[None]:
    """Let no log record of the SDK's flow out: it quotes the state, and the answer that holds the token."""
    logger, silent = logging.getLogger("mcp.client.auth"), logging.NullHandler()
    propagated = logger.propagate
    logger.addHandler(silent)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = propagated
        logger.removeHandler(silent)
