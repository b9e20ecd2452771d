"""How a connector is reached: the fields of an endpoint, and those of a process."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Select

from diagnose.connector import Connector, HttpTransport, StdioTransport
from diagnose.connector.address import secrets_in
from diagnose.redact import Redactor
from diagnose_tui.amending import shown_url, shown_vector
from diagnose_tui.flow import Flow
from diagnose_tui.widgets.fields import Field, Line

__all__ = ["choice", "command_fields", "endpoint_fields"]

_TRANSPORTS = ("auto", "streamable-http", "sse")
_INHERITS = ("safe", "all", "none")


def choice(words: Sequence[str], chosen: str) -> Select[str]:
    """One of a few words of our own."""
    return Select([(Content(word), word) for word in words], value=chosen, allow_blank=False, compact=True)


def endpoint_fields(connector: Connector) -> dict[str, Field]:
    """URL and transport; a URL that holds a key is shown without it, and is typed anew or stays."""
    transport = connector.transport
    assert isinstance(transport, HttpTransport)
    redactor = Redactor()
    redactor.register(*secrets_in(transport.url))
    host = str(connector.origin) if transport.filled else redactor.text(transport.url)
    return {
        "url": Field("URL", Line(shown_url(connector) or "", placeholder=f"unchanged: {host}")),
        "transport": Field("Transport", choice(_TRANSPORTS, transport.type)),
    }


def command_fields(stdio: StdioTransport) -> dict[str, Field]:
    """Command line with the argument vector that it means, directory, and what of the environment it gets."""
    typed, _ = shown_vector(stdio)
    return {
        "command": Field("Command", Line(typed), Flow()),
        "cwd": Field("Directory", Line(stdio.cwd or "", placeholder="the one diagnose runs in")),
        "inherits": Field(
            "Inherits",
            choice(_INHERITS, stdio.inherits),
            hint="safe: PATH, HOME and the like; all or none of this environment.",
        ),
    }
