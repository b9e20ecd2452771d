"""Connector, Credential, Secret: the model that production and diagnosis share."""

from __future__ import annotations

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

__all__ = [
    "ApiKeyCredential",
    "BasicCredential",
    "BearerCredential",
    "Connector",
    "Credential",
    "HeadersCredential",
    "HttpTransport",
    "NetworkSettings",
    "NoCredential",
    "OAuth2Credential",
    "SampleCall",
    "Secret",
    "Source",
    "StdioTransport",
    "ToolPolicy",
]
