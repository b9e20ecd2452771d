"""The eleven checks, in their order. A literal tuple: adding a step is a decision, not a side effect."""

from __future__ import annotations

from diagnose.step import Step
from diagnose_checks.auth_discovery import auth_discovery
from diagnose_checks.dns_lookup import dns_lookup
from diagnose_checks.http_reach import http_reachability
from diagnose_checks.list_tools import list_tools
from diagnose_checks.mcp_initialize import mcp_initialize
from diagnose_checks.sample_call import sample_call
from diagnose_checks.session_open import session_open
from diagnose_checks.tcp_connect import tcp_connect
from diagnose_checks.teardown import teardown
from diagnose_checks.tls_handshake import tls_handshake
from diagnose_checks.token_validity import token_validity

__all__ = ["STEPS"]

STEPS: tuple[Step, ...] = (
    dns_lookup,
    tcp_connect,
    tls_handshake,
    http_reachability,
    auth_discovery,
    token_validity,
    mcp_initialize,
    session_open,
    list_tools,
    sample_call,
    teardown,
)
