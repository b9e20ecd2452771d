"""``--deep``: a token request with a made-up code. A refused grant is the healthy answer.

It tells a refused client from a refused grant, a resource that nobody registered, an endpoint that is no
token endpoint, and one that cannot be reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlencode

from diagnose.connector import OAuth2Credential
from diagnose.connector.credential import AuthMethod
from diagnose.oauth.token_request import ClientUnusable, TokenClient, TokenRequest, token_request
from diagnose.records import record
from diagnose.wire.http_wire import Answer
from diagnose.wire.strict_json import HostileJson, parse
from diagnose_checks.authorization_request import loopback_forms, made_up
from diagnose_checks.client_identity import Identity
from diagnose_checks.deep_ledger import Ledger, Subject
from diagnose_checks.discovery_urls import canonical
from diagnose_checks.vetted_wires import Unanswered

__all__ = ["TokenAsked", "TokenReply", "probe_token"]

_ID = "token request"
Kind = Literal["error", "token", "not JSON", "server error", "unreachable", "not told"]


@record
class TokenReply:
    """``error`` is an OAuth error code in JSON: the endpoint works. ``method`` shows the client."""

    kind: Kind
    detail: str
    error: str | None = None
    description: str = ""
    status: int | None = None
    exchange: int | None = None
    method: AuthMethod = "none"


@record
class TokenAsked:
    """The token request that a client would send, and the same without ``resource``."""

    endpoint: str
    first: TokenReply
    resource_left_out: TokenReply | None = None


async def probe_token(ledger: Ledger, subject: Subject, identity: Identity | None) -> TokenAsked | None:
    """Ask for a token with a made-up code; None where nothing was sent."""
    endpoint = subject.endpoint("token_endpoint")
    if endpoint is None:
        ledger.not_sent(_ID, "the metadata names no token endpoint")
        return None
    first = await _send(ledger, subject, identity, endpoint, resource=subject.resource)
    if first is None:
        return None
    without = None
    if first.error == "invalid_target" and subject.resource is not None:
        without = await _send(ledger, subject, identity, endpoint, resource=None)
    return TokenAsked(endpoint=endpoint, first=first, resource_left_out=without)


async def _send(
    ledger: Ledger, subject: Subject, identity: Identity | None, endpoint: str, *, resource: str | None
) -> TokenReply | None:
    if not ledger.has_time():
        ledger.not_sent(_ID, "the step's time was over")
        return None
    random = ledger.ctx.random
    grant = {"grant_type": "authorization_code", "code": made_up(random), "code_verifier": made_up(random)}
    grant["redirect_uri"] = loopback_forms(identity.redirect_uri if identity else None)[0]
    if resource is not None:
        grant["resource"] = resource
    try:
        client = _client(ledger, subject, identity)
        request = token_request(endpoint, grant=grant, client=client, now=ledger.ctx.clock())
    except (ClientUnusable, OSError, ValueError) as problem:
        ledger.not_sent(_ID, f"the client cannot show itself: {problem}")
        return None
    ledger.ctx.redactor.register(*_proof(request))
    form = {name: value for name, value in request.form.items() if value}  # a client id that is not there
    body = urlencode(form).encode()
    answer = await ledger.wires.send("POST", endpoint, headers=request.headers, body=body)
    reply = _read(ledger, answer, method=client.method)
    words = [f"client authentication {client.method}"] if identity is not None else ["without a client id"]
    words += ["without resource"] if resource is None and subject.resource is not None else []
    ledger.sent(_ID, ", ".join(words), f"{reply.kind}: {reply.detail}", reply.exchange)
    return reply


def _client(ledger: Ledger, subject: Subject, identity: Identity | None) -> TokenClient:
    """The client as it shows itself: with what the connector configures for this issuer, and nothing else."""
    if identity is None:
        return TokenClient(client_id="")
    credential = ledger.ctx.connector.credential
    if not isinstance(credential, OAuth2Credential) or credential.client_id != identity.client_id:
        return TokenClient(client_id=identity.client_id)
    if credential.issuer is None or canonical(credential.issuer) != canonical(subject.issuer):
        return TokenClient(client_id=identity.client_id)
    key, secret = credential.private_key, credential.client_secret
    method = credential.token_endpoint_auth_method or _usual(subject, key=bool(key), secret=bool(secret))
    return TokenClient(
        client_id=identity.client_id,
        client_secret=secret.resolve(ledger.ctx.environ, where="client secret") if secret else None,
        private_key=key.read_text(encoding="utf-8") if key else None,
        signing_algorithm=credential.signing_algorithm,
        method=method,
        issuer=subject.issuer,
    )


def _usual(subject: Subject, *, key: bool, secret: bool) -> AuthMethod:
    listed = subject.server.get("token_endpoint_auth_methods_supported")
    if key:
        return "private_key_jwt"
    if not secret:
        return "none"
    post_only = isinstance(listed, list) and "client_secret_basic" not in listed
    return "client_secret_post" if post_only else "client_secret_basic"  # RFC 8414 2: the default


def _proof(request: TokenRequest) -> tuple[str, ...]:
    """What shows the client; the code and the verifier are made up and may be seen."""
    named = (request.form.get(name, "") for name in ("client_secret", "client_assertion"))
    return tuple(value for value in (*named, request.headers.get("Authorization", "")) if value)


def _read(ledger: Ledger, answer: Answer | Unanswered, *, method: AuthMethod) -> TokenReply:
    if isinstance(answer, Unanswered):
        kind: Kind = "not told" if answer.kind == "refused" else "unreachable"
        return TokenReply(kind=kind, detail=answer.detail, status=answer.status, exchange=answer.exchange)
    said = f"HTTP {answer.status}"
    made: dict[str, Any] = {
        "status": answer.status,
        "exchange": answer.exchange.id,
        "method": method,
    }
    value = _object(answer)
    if value is None:
        kind = "server error" if answer.status >= 500 else "not told" if answer.status == 429 else "not JSON"
        shown = " ".join(answer.text.split())[:80]
        where = f" to {answer.header('location')}"[:200] if answer.header("location") else ""
        what = f"{answer.content_type or 'no content type'}, {shown!r}" if shown else "an empty body"
        return TokenReply(kind=kind, detail=f"{said}{where}, {what}", **made)
    token = value.get("access_token")
    if isinstance(token, str) and token:
        ledger.ctx.redactor.register(token)
        return TokenReply(kind="token", detail=f"{said}, an access token for a made-up code", **made)
    error, described = value.get("error"), value.get("error_description")
    error = error[:100] if isinstance(error, str) else None
    described = described[:300] if isinstance(described, str) else ""
    if answer.status >= 500:
        return TokenReply(kind="server error", detail=f"{said}, {error or 'JSON'}", **made)
    detail = ": ".join(part for part in (f"{said}, {error or 'JSON without error'}", described) if part)
    return TokenReply(kind="error", detail=detail, error=error, description=described, **made)


def _object(answer: Answer) -> Mapping[str, Any] | None:
    try:
        value = parse(answer.body).value
    except HostileJson:
        return None
    return value if isinstance(value, Mapping) else None
