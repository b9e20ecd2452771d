"""What the caller asks of a run, beside the connector itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Limits", "Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Byte and count limits on what a server may send. All bytes are counted after decoding."""

    body: int = 8 * 1024 * 1024
    metadata: int = 256 * 1024
    error_body: int = 64 * 1024
    event_sdk: int = 1024 * 1024
    """Above this the official Python SDK refuses an event; a finding, not our limit."""
    pages: int = 50
    tools: int = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The run's settings. Times are in seconds.

    ``timeout`` bounds the whole run, ``step_timeout`` each step (None: the step's own deadline).
    """

    timeout: float = 60.0
    step_timeout: float | None = None
    until: str | None = None
    only: str | None = None
    sample: Literal["auto", "never"] = "auto"
    tool: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    confirmed_tools: frozenset[str] = frozenset()
    deep: bool = False
    stored_login: bool = True
    """Use the stored login where the credential says that there is one."""
    login: bool = False
    """Let somebody log in where step 6 lacks a token."""
    login_timeout: float = 300.0
    """How long that somebody is waited for; no other deadline runs meanwhile."""
    login_port: int | None = None
    """The port of the loopback callback; None takes that of the redirect URI, or a free one."""
    refresh: bool = False
    """Spend a stored refresh token, under its lock and with write-back, where the access token ended."""
    register: bool = False
    """Register a client (RFC 7591) with each form of redirect URI, and remove it again."""
    runtime: bool = False
    allow_stdio: bool = True
    """Whether a process may be started. An object made in code is meant; what a file brought is asked for."""
    limits: Limits = Limits()
