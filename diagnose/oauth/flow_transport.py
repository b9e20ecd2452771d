"""What the official SDK's login talks to: documents that were judged already, and two endpoints on the wire.

The SDK guesses ``/register`` and ``/token`` on the MCP server's own origin where metadata does not name them,
and follows whatever a document says. Here it finds nothing but what step 5 found, and a request to any other
place ends unsent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal
from urllib.parse import parse_qsl, urljoin

import httpx2

from diagnose.connector.address import origin_of
from diagnose.oauth.vetted import Unreached
from diagnose.records import record
from diagnose.redact import Redactor
from diagnose.wire.recording import RecordingTransport
from diagnose.wire.strict_json import HostileJson, parse

__all__ = ["EndpointAnswer", "FlowTransport", "Judged", "Role"]

Role = Literal["registration", "token"]

_SECRET_FIELDS = ("code", "code_verifier", "client_secret", "client_assertion", "assertion", "refresh_token")
_SECRET_MEMBERS = (
    "access_token",
    "refresh_token",
    "id_token",
    "client_secret",
    "registration_access_token",
)
_RESOURCE = "/.well-known/oauth-protected-resource"
_FOLLOWED = (307, 308)


@record
class Judged:
    """The documents of step 5. ``resource`` is None where the server publishes none (2025-03-26)."""

    endpoint: str
    resource_url: str | None
    resource: Mapping[str, Any] | None
    server: Mapping[str, Any]
    scope: str | None


@record
class EndpointAnswer:
    """What an endpoint of the authorization server answered; ``value`` is its JSON object, empty for none."""

    role: Role
    url: str
    status: int
    headers: Mapping[str, str]
    exchange: int
    value: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = b""


class FlowTransport(httpx2.AsyncBaseTransport):
    """Answers an :class:`httpx2.Auth` of the SDK; ``answers`` keeps what came over the wire."""

    def __init__(
        self,
        judged: Judged,
        roles: Mapping[str, Role],
        wire: RecordingTransport,
        redactor: Redactor,
        seconds: float,
    ) -> None:
        """``roles`` are the URLs that a POST may go to; ``seconds`` bounds each whole answer."""
        self._judged = judged
        self._roles = dict(roles)
        self._wire = wire
        self._redactor = redactor
        self._seconds = seconds
        self.answers: dict[Role, EndpointAnswer] = {}
        self.asking: Role | None = None
        """The endpoint whose answer is waited for."""
        self.asked_scope: str | None = None
        """The scope of the token request; a code's is in the authorization request."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = str(request.url)
        if request.method == "POST":
            return await self._post(request, url)
        if url == self._judged.endpoint:
            return self._door(request)
        if url == self._judged.resource_url or httpx2.URL(url).path.startswith(_RESOURCE):
            found = self._judged.resource
            return httpx2.Response(404) if found is None else httpx2.Response(200, json=dict(found))
        return httpx2.Response(200, json=dict(self._judged.server))

    def _door(self, request: httpx2.Request) -> httpx2.Response:
        """The MCP endpoint as step 4 met it: closed without a token. With one the flow has done its work."""
        if "authorization" in request.headers:
            return httpx2.Response(200)
        named = {"resource_metadata": self._judged.resource_url, "scope": self._judged.scope}
        listed = ", ".join(f'{name}="{value}"' for name, value in named.items() if value)
        return httpx2.Response(401, headers={"WWW-Authenticate": f"Bearer {listed}".rstrip()})

    async def _post(self, request: httpx2.Request, url: str) -> httpx2.Response:
        role = self._roles.get(url)
        if role is None:
            raise Unreached(f"not sent: {url} is no endpoint that the metadata names", refused=True)
        self.asking = role
        await request.aread()
        self._hide_request(request)
        response, body = await self._answered(request)
        self._follow(url, role, response)
        exchange = self._wire.exchanges[-1]
        self.answers[role] = EndpointAnswer(
            role=role,
            url=url,
            status=response.status_code,
            headers=dict(exchange.response_headers),
            exchange=exchange.id,
            value=self._object(body),
            body=body,
        )
        self.asking = None
        return httpx2.Response(response.status_code, headers=response.headers, content=body)

    async def _answered(self, request: httpx2.Request) -> tuple[httpx2.Response, bytes]:
        """The whole answer. Raises Unreached."""
        response: httpx2.Response | None = None
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._wire.handle_async_request(request)
                return response, await response.aread()
        except TimeoutError as problem:
            begun = f"HTTP {response.status_code} and " if response is not None else ""
            raise Unreached(f"{begun}no complete answer within {self._seconds:.0f} s") from problem
        except httpx2.TransportError as problem:
            if response is None:
                raise
            raise Unreached(f"HTTP {response.status_code}, and then: {problem}") from problem

    def _hide_request(self, request: httpx2.Request) -> None:
        form = dict(parse_qsl(request.content.decode("utf-8", "replace")))
        self.asked_scope = form.get("scope", self.asked_scope)
        self._redactor.register(*(form[name] for name in _SECRET_FIELDS if form.get(name)))
        if "authorization" in request.headers:
            self._redactor.register(request.headers["authorization"])

    def _object(self, body: bytes) -> Mapping[str, Any]:
        try:
            value = parse(body).value
        except HostileJson:
            return {}
        if not isinstance(value, Mapping):
            return {}
        hidden = (value.get(name) for name in _SECRET_MEMBERS)
        self._redactor.register(*(text for text in hidden if isinstance(text, str) and text))
        return value

    def _follow(self, url: str, role: Role, response: httpx2.Response) -> None:
        """Allow the place of a redirect that the SDK follows: the same method, within the origin."""
        location = response.headers.get("location")
        if response.status_code not in _FOLLOWED or location is None:
            return
        try:
            target = urljoin(url, location)
            if origin_of(target) == origin_of(url):
                self._roles[target] = role
        except ValueError:
            return

    async def aclose(self) -> None:
        await self._wire.aclose()
