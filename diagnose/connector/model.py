"""The connector: one object that opens the production session and feeds the diagnosis.

Pydantic only; importing it pulls in neither mcp nor httpx2. The words are those of the field: RFC 6749
for credentials, ``server.json`` of the MCP registry for transports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from diagnose.connector.address import Origin, origin_of, parse_endpoint, secrets_in
from diagnose.connector.credential import Applied, BasicCredential, Credential, NoCredential, header_safe
from diagnose.connector.launch import process_secrets
from diagnose.connector.secret import Secret, holds_secret
from diagnose.errors import UsageError
from diagnose.redact import Redactor

if TYPE_CHECKING:
    import mcp

__all__ = [
    "Connector",
    "HttpTransport",
    "NetworkSettings",
    "SampleCall",
    "Source",
    "StdioTransport",
    "ToolPolicy",
]

_RESERVED = frozenset({"host", "content-length", "transfer-encoding", "connection"})


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


class HttpTransport(_Part):
    """An endpoint over HTTP.

    ``streamable-http`` and ``sse`` (HTTP+SSE, 2024-11-05) are what a configuration declares; ``auto`` is an
    address that nobody declared a transport for, and takes whichever of the two answers.
    """

    type: Literal["auto", "streamable-http", "sse"] = "auto"
    url: str
    filled: tuple[str, ...] = ()
    """The variables whose values a client's file filled into the URL; what is no host of it is a secret."""

    @field_validator("url")
    @classmethod
    def _usable(cls, value: str) -> str:
        return parse_endpoint(value).url

    @property
    def origin(self) -> Origin:
        return origin_of(self.url)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        shown = Redactor()
        shown.register(*secrets_in(self.url))
        yield "type", self.type
        yield "url", shown.text(self.url)


class StdioTransport(_Part):
    """A process of this machine that speaks MCP over its standard streams.

    ``command`` and ``args`` are an argument vector and never a shell's line; references in ``args``, ``env``
    and ``cwd`` are filled in when the process is started. ``inherits`` says what of the environment it gets
    beside ``env``: ``safe`` is the short list that the official SDKs pass on, ``all`` everything, ``none``
    makes ``env`` the whole environment, as some clients do.
    """

    type: Literal["stdio"] = "stdio"
    command: str = Field(min_length=1)
    args: tuple[str, ...] = Field(default=(), repr=False)  # people write keys into them
    env: Mapping[str, Secret] = {}
    cwd: str | None = None
    inherits: Literal["safe", "all", "none"] = "safe"

    @property
    def argv(self) -> tuple[str, ...]:
        """The argument vector as it is written, references not filled in."""
        return (self.command, *self.args)


class ToolPolicy(_Part):
    """Which tools the runtime offers; the sample call never leaves it."""

    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    requires_confirmation: tuple[str, ...] = ()

    def allows(self, name: str) -> bool:
        return name not in self.exclude and (self.include is None or name in self.include)


class NetworkSettings(_Part):
    """How the runtime reaches the endpoint; what is unset is taken from the environment as httpx2 does."""

    ca_bundle: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    proxy: str | None = None
    trust_env: bool = True
    resolver: str | None = None
    resolve: Mapping[str, str] = {}


class SampleCall(_Part):
    """The tool and the arguments with which step 10 may call it."""

    tool: str
    arguments: Mapping[str, Any] = {}


class Source(_Part):
    """Where this connector was defined, for messages that say where to fix it."""

    format: str = "command line"
    file: str | None = None
    line: int | None = None
    pointer: str | None = None
    discovered: bool = False
    """Whether the file was looked up in a known place, and nobody named it: what it starts is asked for."""

    def __str__(self) -> str:
        if self.file is None:
            return self.format
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place} {self.pointer}" if self.pointer else place


def _carrier(transport: Any) -> str:
    given = transport if isinstance(transport, Mapping) else {"type": getattr(transport, "type", None)}
    return "stdio" if given.get("type") == "stdio" else "http"


class Connector(_Part):
    """A named way to reach one MCP server: transport, headers, credential, tool policy, network.

    ``Connector(url="https://mcp.example.com/mcp")`` is enough; userinfo in the URL becomes a Basic
    credential, as the runtime would send it.
    """

    name: str = Field(min_length=1)
    transport: Annotated[
        Annotated[HttpTransport, Tag("http")] | Annotated[StdioTransport, Tag("stdio")],
        Discriminator(_carrier),
    ]
    headers: Mapping[str, Secret] = {}
    credential: Credential = NoCredential()
    tools: ToolPolicy = ToolPolicy()
    network: NetworkSettings = NetworkSettings()
    era: Literal["auto", "legacy", "modern"] = "auto"
    sample: SampleCall | None = None
    source: Source = Source()

    @model_validator(mode="before")
    @classmethod
    def _from_url(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or "url" not in values:
            return values
        given = dict(values)
        endpoint = parse_endpoint(str(given.pop("url")))
        given.setdefault("transport", {"url": endpoint.url})
        given.setdefault("name", str(endpoint.origin).partition("://")[2])
        if endpoint.username is not None and "credential" not in given:
            given["credential"] = BasicCredential(
                username=endpoint.username, password=Secret(endpoint.password or "")
            )
        return given

    if TYPE_CHECKING:  # the short form that `_from_url` accepts, for type checkers

        def __init__(
            self,
            *,
            url: str = ...,
            name: str = ...,
            transport: HttpTransport | StdioTransport = ...,
            headers: Mapping[str, Secret | str] = ...,
            credential: Any = ...,
            tools: ToolPolicy = ...,
            network: NetworkSettings = ...,
            era: Literal["auto", "legacy", "modern"] = ...,
            sample: SampleCall | None = ...,
            source: Source = ...,
        ) -> None: ...

    @field_validator("headers")
    @classmethod
    def _no_reserved_header(cls, value: Mapping[str, Secret]) -> Mapping[str, Secret]:
        for name in value:
            if name.lower() in _RESERVED:
                raise UsageError(
                    "CFG004",
                    f"the header {name} is set by HTTP itself",
                    hint="leave it out; --resolve HOST:PORT:IP sends a host's requests to another address",
                )
        return value

    @property
    def stdio(self) -> StdioTransport | None:
        """The process that serves it, or None where it is reached over HTTP."""
        return self.transport if isinstance(self.transport, StdioTransport) else None

    @property
    def needs_consent(self) -> bool:
        """Whether it starts a command of a file that nobody named."""
        return self.stdio is not None and self.source.discovered

    @property
    def url(self) -> str:
        """The URL of the endpoint. Raises TypeError for a process, which has none."""
        return self._http.url

    @property
    def origin(self) -> Origin:
        """The origin of the endpoint. Raises TypeError for a process, which has none."""
        return self._http.origin

    @property
    def _http(self) -> HttpTransport:
        if isinstance(self.transport, StdioTransport):
            raise TypeError(f"the connector {self.name} starts a process and has no URL")
        return self.transport

    def plain_headers(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The connector's own headers, resolved. Raises UsageError."""
        return {
            name: header_safe(value.resolve(environ, where=f"header {name}"), f"header {name}")
            for name, value in self.headers.items()
        }

    def authorize(self, url: str, environ: Mapping[str, str]) -> Applied:
        """What the credential and the headers add to a request to ``url``: nothing for a foreign origin.

        This is the only function that lets a credential out. Raises UsageError for an unset reference.
        """
        if self.stdio is not None or origin_of(url) != self.origin:
            return Applied()
        applied = self.credential.apply(environ)
        headers = {**self.plain_headers(environ), **applied.headers}
        return Applied(headers=headers, query=applied.query, token=applied.token)

    def secrets(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """Every resolved value that must not be printed. Raises UsageError."""
        if self.stdio is not None:
            return process_secrets(self.stdio, environ)
        applied = self.credential.apply(environ)
        return (
            *secrets_in(self.url),
            *_filled_in(self._http, environ),
            *applied.secrets(),
            *(
                value
                for name, value in self.plain_headers(environ).items()
                if holds_secret(name, self.headers[name])
            ),
            *self.credential.kept_secrets(environ),
        )

    @property
    def sent_variables(self) -> tuple[str, ...]:
        """The names of the environment variables whose values go to the endpoint."""
        if isinstance(self.transport, StdioTransport):
            return ()
        kept = [value for _, value in self.credential]
        several = [value for entry in kept if isinstance(entry, Mapping) for value in entry.values()]
        values = [*self.headers.values(), *kept, *several]
        names = [name for value in values if isinstance(value, Secret) for name in value.references]
        return tuple(dict.fromkeys((*self.transport.filled, *names)))

    @property
    def secret_headers(self) -> tuple[str, ...]:
        """The names of the connector's own headers that hold a secret."""
        return tuple(name for name, value in self.headers.items() if holds_secret(name, value))

    def connect(self) -> AbstractAsyncContextManager[mcp.Client]:
        """Open the production session with the official SDK: same URL, headers, trust, proxy, credential; or
        the same command, environment and directory.

        A stored login is used, and renewed where it ends. Imports ``mcp``, which costs about a second.
        Raises UsageError for an unset reference, and CFG022 where a login is needed and none is stored.
        """
        if self.stdio is not None:
            from diagnose.connector.stdio_runtime import open_process_session

            return open_process_session(self)
        from diagnose.connector.runtime import open_session

        return open_session(self)


def _filled_in(transport: HttpTransport, environ: Mapping[str, str]) -> Iterator[str]:
    host = transport.url.partition("://")[2].partition("/")[0]
    for name in transport.filled:
        value = environ.get(name, "")
        if value and (value not in host or holds_secret(name, Secret(""))):
            yield value
