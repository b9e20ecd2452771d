"""What each step learns. Frozen; a field with a leading underscore stays out of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from diagnose.records import record
from diagnose.step import CatalogueFacts, Evidence, Facts
from diagnose.wire.http_wire import HttpWire
from diagnose.wire.proxies import ProxyRoute
from diagnose.wire.recorder import Recorded
from diagnose.wire.resolver import Address
from diagnose.wire.rpc import RpcChannel, RpcReply
from diagnose.wire.sockets import Attempt, WireStream
from diagnose.wire.trust import TrustStore

__all__ = [
    "AuthFacts",
    "CallFacts",
    "ChainCertificate",
    "DnsFacts",
    "HttpFacts",
    "InitFacts",
    "Lost",
    "RefusedTlsFacts",
    "SessionFacts",
    "TcpFacts",
    "TeardownFacts",
    "TlsFacts",
    "TokenFacts",
    "ToolFacts",
    "Trouble",
]

Trouble = Literal[
    "expired",
    "expires-soon",
    "inspected",
    "issuer-missing",
    "not-yet-valid",
    "self-signed",
    "untrusted",
    "wrong-host",
]
"""What makes one certificate of a chain the one to look at."""


@record
class DnsFacts(Facts):
    """Where the host is. Behind a proxy the addresses are the proxy's."""

    host: str
    addresses: tuple[str, ...]
    source: str
    via_proxy: str | None = None
    _addresses: tuple[Address, ...] = ()
    _proxy: ProxyRoute | None = None


@record
class TcpFacts(Facts):
    """The open connection, still in plain text (through a proxy: the tunnel)."""

    peer: str
    attempts: tuple[Attempt, ...]
    via_proxy: str | None = None
    tunnelled: bool | None = None
    _stream: WireStream
    _proxy: ProxyRoute | None = None


@record
class ChainCertificate:
    """One certificate as it was sent. ``key`` and ``signed_with`` are read of a refused chain alone.

    ``more_names`` counts those that are left out of ``names``.
    """

    subject: str | None
    issuer: str | None
    names: tuple[str, ...] | None = None
    more_names: int | None = None
    not_before: str | None = None
    not_after: str | None = None
    days_left: int | None = None
    fingerprint_sha256: str
    key: str | None = None
    signed_with: str | None = None
    trouble: Trouble | None = None


@record
class RefusedTlsFacts(Facts):
    """What was presented where the handshake failed over it, for the report alone."""

    subject: str | None
    issuer: str | None
    names: tuple[str, ...] | None
    not_before: str | None
    not_after: str | None
    days_left: int | None
    fingerprint_sha256: str
    trust_store: str
    chain: tuple[ChainCertificate, ...]


@record
class TlsFacts(Facts):
    """The connection as HTTP takes it over, secured where the URL says https.

    ``chain`` are the certificates that were sent, leaf first: those that the server chose, not those that the
    verification went over.
    """

    version: str | None = None
    cipher: str | None = None
    alpn: str | None = None
    subject: str | None = None
    issuer: str | None = None
    names: tuple[str, ...] | None = None
    not_before: str | None = None
    not_after: str | None = None
    days_left: int | None = None
    fingerprint_sha256: str | None = None
    trust_store: str | None = None
    client_certificate_requested: bool | None = None
    chain: tuple[ChainCertificate, ...] | None = None
    _stream: WireStream
    _proxy: ProxyRoute | None = None
    _store: TrustStore | None = None


@record
class Crash:
    """The server failed over a credential, which step 6 says: ``proof`` is what the contrasts showed."""

    status: str
    proof: str
    server: str
    evidence: tuple[Evidence, ...]
    where: str
    exchange: int


@record
class HttpFacts(Facts):
    """An endpoint answered. ``_opening`` is the reply to the first message: discover or initialize.

    ``opened_with`` is ``server/discover``, ``initialize`` or ``GET`` (HTTP+SSE). The first request carries
    the credential, exactly as the runtime's does. ``challenged`` says that it was answered with 401, or
    with 403 and a Bearer challenge, or with a 403 that a request without the credential does not get.
    Where ``_crash`` is set, the first request failed over its credential, and ``_opening`` is the answer
    to the same request without it.
    """

    transport: Literal["streamable-http", "sse"]
    opened_with: str
    status: int
    content_type: str
    challenged: bool
    server: str | None = None
    via: str | None = None
    redirected_to: str | None = None
    _url: str
    _http: HttpWire
    _channel: RpcChannel
    _opening: RpcReply
    _crash: Crash | None = None


@record
class AuthFacts(Facts):
    """How a client finds out how to log in, and what it would find.

    ``required`` is None where it cannot be told (a credential was accepted). ``candidates`` lists every URL
    tried with its status. ``registration`` says of each route to a client id whether it is open.
    ``identity_provider`` is the product whose document ``metadata_url`` seems to be. ``probes`` lists what
    --deep and --register sent, each with its outcome.
    """

    required: bool | None
    scheme: str | None = None
    challenge: Mapping[str, str] | None = None
    resource_metadata_url: str | None = None
    resource: str | None = None
    authorization_servers: tuple[str, ...] | None = None
    issuer: str | None = None
    metadata_url: str | None = None
    scopes: tuple[str, ...] | None = None
    registration: Mapping[str, bool] | None = None
    can_connect: tuple[str, ...] | None = None
    cannot_connect: tuple[str, ...] | None = None
    identity_provider: str | None = None
    pkce: tuple[str, ...] | None = None
    candidates: tuple[Mapping[str, Any], ...] | None = None
    probes: tuple[Mapping[str, Any], ...] | None = None
    _resource_metadata: Mapping[str, Any] | None = None
    _server_metadata: Mapping[str, Any] | None = None


@record
class TokenFacts(Facts):
    """The credential opened the door, or none was needed.

    ``acquired`` says how step 6 itself got the token, ``renewed`` that it spent a stored refresh token
    for it; ``_opened`` is the endpoint as it answered the first message with it. ``enforced`` is what became
    of a made-up credential.
    """

    needed: bool
    credential: Mapping[str, Any] | None = None
    accepted: bool | None = None
    renewed: bool | None = None
    enforced: str | None = None
    form: str | None = None
    claims: Mapping[str, Any] | None = None
    scopes_granted: tuple[str, ...] | None = None
    scopes_asked: tuple[str, ...] | None = None
    renews_itself: bool | None = None
    expires_in_s: int | None = None
    acquired: Mapping[str, Any] | None = None
    _opened: HttpFacts | None = None


@record
class InitFacts(Facts):
    """Both speak MCP. ``_channel`` is ready for the next request, session id and version set.

    ``_announced`` are the answers to ``notifications/initialized``: one, or more where it was refused and
    repeated. ``_session_id`` is the id as the server sent it, valid or not; ``_opened`` the reply that
    opened the connection.
    """

    era: Literal["legacy", "modern"]
    protocol_version: str
    server_name: str | None = None
    server_version: str | None = None
    server_title: str | None = None
    sdk: str | None = None
    instructions: str | None = None
    capabilities: Mapping[str, Any]
    supported_versions: tuple[str, ...] | None = None
    sdk_would: str | None = None
    offered_version: str | None = None
    initialized_status: int | None = None
    _channel: RpcChannel
    _session_id: str | None = None
    _announced: tuple[RpcReply, ...] = ()
    _opened: RpcReply | None = None


@record
class Lost:
    """An answer that began and never became whole: ``kind`` is ``no-answer`` or a FailureKind of the wire."""

    kind: str
    detail: str
    exchange: Recorded


@record
class SessionFacts(Facts):
    """The second request was answered. It is the first page of tools/list where tools are offered.

    ``_lost`` is set, and ``_first_page`` None, where the session was honoured and the answer itself never
    became whole: step 9 judges it. ``second_request`` is ``none`` where nothing is offered to ask for.
    """

    session: Literal["session id", "stateless", "event stream", "process"]
    session_id_length: int | None = None
    second_request: str
    repeated: Mapping[str, int] | None = None
    _channel: RpcChannel
    _first_page: RpcReply | None
    _lost: Lost | None = None


@record
class ToolFacts(CatalogueFacts):
    """The catalogue. ``_tools`` are the raw tools of all pages, in order; ``names`` the first of their names.

    ``_flawed`` are the indexes of tools that step 10 must not choose by itself. ``complete`` is False where
    the reading ended before the list did. ``names_beyond_model_apis`` counts names that are good MCP and
    still outside ``^[a-zA-Z0-9_-]{1,64}$``. ``definitions_sha256`` is the same for the same tools in any
    order: a report keeps a part of a long list, and a later run must still see that one of them changed.
    """

    tools: int
    pages: int
    page_sizes: tuple[int, ...]
    names: tuple[str, ...]
    complete: bool = True
    offered: bool = True
    read_only: int | None = None
    with_output_schema: int | None = None
    names_beyond_model_apis: int | None = None
    definitions_sha256: str | None = None
    prompts: int | None = None
    resources: int | None = None
    _tools: tuple[Any, ...]
    _flawed: frozenset[int] = frozenset()


@record
class CallFacts(Facts):
    """A tool answered, or dispatch was proven with a name that cannot exist.

    ``refused`` says of each tool that was not chosen why. ``structured_content`` says how the result
    compares with the tool's output schema.
    """

    tool: str | None = None
    how_chosen: str | None = None
    arguments: Mapping[str, Any] | None = None
    is_error: bool | None = None
    content_types: tuple[str, ...] | None = None
    structured_content: str | None = None
    result_bytes: int | None = None
    estimated_tokens: int | None = None
    first_byte_ms: float | None = None
    total_ms: float | None = None
    refused: Mapping[str, str] | None = None
    note: str | None = None


@record
class TeardownFacts(Facts):
    """How the connection was let go."""

    how: str
    status: int | None = None
    note: str | None = None
