"""Connector, Credential, Secret: the model that production and diagnosis share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diagnose.connector.credential import (
    ApiKeyCredential,
    BasicCredential,
    BearerCredential,
    Credential,
    HeadersCredential,
    NoCredential,
    OAuth2Credential,
)
from diagnose.connector.model import (
    Connector,
    HttpTransport,
    NetworkSettings,
    SampleCall,
    Source,
    StdioTransport,
    ToolPolicy,
)
from diagnose.connector.secret import Secret

if TYPE_CHECKING:
    from diagnose.connector.defined import Defined, Origin, Problem, Twin
    from diagnose.connector.dialects.loading import discover, load

__all__ = [
    "ApiKeyCredential",
    "BasicCredential",
    "BearerCredential",
    "Connector",
    "Credential",
    "Defined",
    "HeadersCredential",
    "HttpTransport",
    "NetworkSettings",
    "NoCredential",
    "OAuth2Credential",
    "Origin",
    "Problem",
    "SampleCall",
    "Secret",
    "Source",
    "StdioTransport",
    "ToolPolicy",
    "Twin",
    "discover",
    "load",
]

_ON_DEMAND = {
    "Defined": "diagnose.connector.defined",
    "Origin": "diagnose.connector.defined",
    "Problem": "diagnose.connector.defined",
    "Twin": "diagnose.connector.defined",
    "discover": "diagnose.connector.dialects.loading",
    "load": "diagnose.connector.dialects.loading",
}
"""Names of modules that a run on a URL does not need."""


def __getattr__(name: str) -> Any:
    if name not in _ON_DEMAND:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_ON_DEMAND[name]), name)
