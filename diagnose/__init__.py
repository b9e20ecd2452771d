"""Diagnose MCP connectors: which of eleven steps breaks, why, and who must change what.

Names are loaded when they are used, so that importing this package costs nothing and pulls in neither
mcp nor rich nor textual.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diagnose.api import diagnose, diagnose_sync, start, stream
    from diagnose.connector import (
        ApiKeyCredential,
        BasicCredential,
        BearerCredential,
        Connector,
        HeadersCredential,
        NetworkSettings,
        OAuth2Credential,
        SampleCall,
        Secret,
    )
    from diagnose.errors import ExitCode, UsageError
    from diagnose.model import Report
    from diagnose.options import Options

__all__ = [
    "ApiKeyCredential",
    "BasicCredential",
    "BearerCredential",
    "Connector",
    "ExitCode",
    "HeadersCredential",
    "NetworkSettings",
    "OAuth2Credential",
    "Options",
    "Report",
    "SampleCall",
    "Secret",
    "UsageError",
    "diagnose",
    "diagnose_sync",
    "start",
    "stream",
]

_HOME = {
    "diagnose": "diagnose.api",
    "diagnose_sync": "diagnose.api",
    "start": "diagnose.api",
    "stream": "diagnose.api",
    "ExitCode": "diagnose.errors",
    "UsageError": "diagnose.errors",
    "Report": "diagnose.model",
    "Options": "diagnose.options",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME.get(name, "diagnose.connector")), name)


def __dir__() -> list[str]:
    return list(__all__)
