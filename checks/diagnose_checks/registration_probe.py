"""``--register``: whether a client can register itself, with which redirect URI, and its removal afterwards.

RFC 7591 with a loopback redirect URI and, as the contrast, with an https one. A client that was registered
is deleted again where the answer allows it (RFC 7592), also when the run ends early.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from diagnose.connector.address import origin_of
from diagnose.records import record
from diagnose.wire.http_wire import Answer
from diagnose.wire.strict_json import HostileJson, parse
from diagnose_checks.authorization_request import loopback_forms
from diagnose_checks.client_identity import Identity
from diagnose_checks.deep_ledger import Ledger, Subject
from diagnose_checks.vetted_wires import Unanswered

__all__ = ["Client", "Registered", "RegistrationReply", "probe_registration", "remove_clients"]

_ID, _REMOVAL = "registration", "removal of a registration"
_PUBLIC = "none"
HTTPS_REDIRECT = "https://connector-diagnose.example/callback"
Kind = Literal["registered", "redirect refused", "closed", "failed"]


@dataclass(slots=True, kw_only=True)
class Client:
    """A client that this run registered; ``removed`` is None until its removal was tried."""

    client_id: str
    method: str
    redirect_uri: str
    place: str | None = None
    token: str | None = None
    removed: bool | None = None
    why_left: str = ""


@record
class RegistrationReply:
    """``redirect refused``: the server says so, or refuses this form as a bad request.

    ``error`` is the code of a refusal (RFC 7591 3.2.2).
    """

    kind: Kind
    detail: str
    redirect_uri: str
    error: str | None = None
    exchange: int | None = None
    client: Client | None = None


@record
class Registered:
    """The registration with the redirect URI of this connector's client, and with the other kind."""

    endpoint: str
    own: RegistrationReply
    other: RegistrationReply | None = None

    @property
    def clients(self) -> tuple[Client, ...]:
        replies = (self.own, self.other)
        return tuple(it.client for it in replies if it is not None and it.client is not None)

    @property
    def identity(self) -> Identity | None:
        """The client of this run as the probes use it; one with a secret proves nothing without it."""
        client = self.own.client
        if client is None:
            return None
        return Identity(
            client_id=client.client_id,
            source="registration of this run",
            redirect_uri=client.redirect_uri,
            authenticates=client.method == "none",
        )


async def probe_registration(ledger: Ledger, subject: Subject, redirect_uri: str | None) -> Registered | None:
    """Register with ``redirect_uri`` (None: a loopback one) and with the other kind; None: not sent."""
    endpoint = subject.endpoint("registration_endpoint")
    if endpoint is None:
        ledger.not_sent(_ID, "the metadata names no registration endpoint")
        return None
    first = loopback_forms(redirect_uri)[0]
    second = loopback_forms(None)[0] if first.startswith("https:") else HTTPS_REDIRECT
    own = await _asked(ledger, subject, endpoint, first, _PUBLIC)
    method = _with_secret(subject) if own is not None and own.error == "invalid_client_metadata" else None
    if method is not None:
        own = await _asked(ledger, subject, endpoint, first, method) or own
    if own is None:
        return None
    decides = own.kind in ("registered", "redirect refused")
    other = await _asked(ledger, subject, endpoint, second, method or _PUBLIC) if decides else None
    return Registered(endpoint=endpoint, own=own, other=other)


async def remove_clients(ledger: Ledger, registered: Registered) -> None:
    """Delete what this run registered; what stays behind says why."""
    for client in registered.clients:
        await _remove(ledger, client, registered.endpoint)


async def _asked(
    ledger: Ledger, subject: Subject, endpoint: str, redirect_uri: str, method: str
) -> RegistrationReply | None:
    if not ledger.has_time():
        ledger.not_sent(_ID, "the step's time was over")
        return None
    document = {
        "client_name": "connector-diagnose",
        "redirect_uris": [redirect_uri],
        "grant_types": _grants(subject),
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
    }
    if subject.scopes:
        document["scope"] = " ".join(subject.scopes)
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    answer = await ledger.wires.send("POST", endpoint, headers=headers, body=json.dumps(document).encode())
    reply = _read(ledger, answer, redirect_uri)
    if reply.client is not None:
        client = reply.client
        # Also when the deadline ends the step before the removal: what closes the run tries once more.
        ledger.ctx.closing.push_async_callback(_remove, ledger, client, endpoint)
    ledger.sent(_ID, f"redirect_uris={redirect_uri}", f"{reply.kind}: {reply.detail}", reply.exchange)
    return reply


def _grants(subject: Subject) -> list[str]:
    """What the SDKs' clients ask for: Python SDK 1.x registers nobody who leaves ``refresh_token`` out."""
    listed = subject.server.get("grant_types_supported")
    renews = not isinstance(listed, list) or "refresh_token" in listed
    return ["authorization_code", "refresh_token"] if renews else ["authorization_code"]


def _with_secret(subject: Subject) -> str | None:
    """What a client with a secret may show, where the metadata lists methods and ``none`` is not among them.

    A list without ``none`` proves nothing: the Python SDK's server and FastMCP's register public clients.
    """
    listed = subject.server.get("token_endpoint_auth_methods_supported")
    methods = [it for it in listed if isinstance(it, str)] if isinstance(listed, list) else []
    if _PUBLIC in methods:
        return None
    return next((it for it in ("client_secret_post", "client_secret_basic") if it in methods), None)


def _read(ledger: Ledger, answer: Answer | Unanswered, redirect_uri: str) -> RegistrationReply:
    if isinstance(answer, Unanswered):
        return RegistrationReply(
            kind="failed", detail=answer.detail, redirect_uri=redirect_uri, exchange=answer.exchange
        )
    value = _object(answer)
    client = _client(ledger, value, redirect_uri) if answer.status in (200, 201) else None
    error, described = value.get("error"), value.get("error_description")
    told = ": ".join(part[:200] for part in (error, described) if isinstance(part, str))
    detail = f"HTTP {answer.status}" + (f", {told}" if told else "")
    if client is not None:
        kind: Kind = "registered"
        detail = f"HTTP {answer.status}, client id {client.client_id}"
    elif error == "invalid_redirect_uri" or "redirect" in told.lower():
        kind = "redirect refused"
    elif answer.status >= 500 or answer.status == 429:
        kind = "failed"
    else:
        kind = "closed"
        detail += "" if told else f", {answer.content_type or 'no content type'}"
    return RegistrationReply(
        kind=kind,
        detail=detail,
        redirect_uri=redirect_uri,
        error=error if isinstance(error, str) else None,
        exchange=answer.exchange.id,
        client=client,
    )


def _client(ledger: Ledger, value: Mapping[str, Any], redirect_uri: str) -> Client | None:
    def text(name: str) -> str | None:
        found = value.get(name)
        return found if isinstance(found, str) and 0 < len(found) <= 2048 else None

    client_id = text("client_id")
    if client_id is None:
        return None
    for secret in (text("client_secret"), text("registration_access_token")):
        if secret is not None:
            ledger.ctx.redactor.register(secret)
    # RFC 7591 3.2.1: the server says what it registered, which may differ from what was asked for.
    method = text("token_endpoint_auth_method") or (
        "client_secret_basic" if text("client_secret") else "none"
    )
    return Client(
        client_id=client_id,
        method=method,
        redirect_uri=redirect_uri,
        place=text("registration_client_uri"),
        token=text("registration_access_token"),
    )


async def _remove(ledger: Ledger, client: Client, endpoint: str) -> None:
    if client.removed is not None:
        return
    why = _cannot(client, endpoint)
    if why or client.place is None:
        client.removed, client.why_left = False, why
        ledger.not_sent(_REMOVAL, f"{client.client_id} stays: {client.why_left}")
        return
    headers = {"Accept": "application/json", "Authorization": f"Bearer {client.token}"}
    answer = await ledger.wires.send("DELETE", client.place, headers=headers)
    said = answer.detail if isinstance(answer, Unanswered) else f"HTTP {answer.status}"
    client.removed = isinstance(answer, Answer) and answer.status in (200, 202, 204)
    client.why_left = "" if client.removed else f"its removal was refused ({said})"
    exchange = answer.exchange if isinstance(answer, Unanswered) else answer.exchange.id
    outcome = "removed" if client.removed else "left behind"
    ledger.sent(_REMOVAL, f"client id {client.client_id}", f"{outcome}: {said}", exchange)


def _cannot(client: Client, endpoint: str) -> str:
    """Why a client cannot be removed; its token goes to the origin that gave it and to no other."""
    if client.place is None or client.token is None or not client.token.isascii():
        return "the answer names no registration_client_uri with a token (RFC 7592)"
    if any(ord(char) < 0x21 for char in client.token):
        return "its registration access token is no token"
    try:
        same = origin_of(client.place) == origin_of(endpoint)
    except ValueError:
        same = False
    return "" if same else "its registration_client_uri is on another origin"


def _object(answer: Answer) -> Mapping[str, Any]:
    try:
        value = parse(answer.body).value
    except HostileJson:
        return {}
    return value if isinstance(value, Mapping) else {}
