"""Logins for tests: records with canary secrets, and the stores that they are put into."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from diagnose.oauth.record import StoredLogin
from diagnose.oauth.store import LoginStore, open_store

__all__ = ["ACCESS", "REFRESH", "SECRET", "URL", "environment_of", "login", "store_in"]

URL = "https://mcp.example.com/mcp"
ACCESS = "canary-access-4be1f07a"
REFRESH = "canary-refresh-91c3d2e8"
SECRET = "canary-secret-0a77c5b3"


def login(**settings: Any) -> StoredLogin:
    """A login that ended an hour ago and has everything that a login can have."""
    now = datetime.now(UTC)
    given: dict[str, Any] = {
        "resource_url": URL,
        "issuer": "https://auth.example.com",
        "token_endpoint": "https://auth.example.com/token",
        "client_id": "lab-client",
        "client_secret": SECRET,
        "token_endpoint_auth_method": "client_secret_basic",
        "access_token": ACCESS,
        "refresh_token": REFRESH,
        "expires_at": now - timedelta(hours=1),
        "obtained_at": now - timedelta(hours=2),
    }
    return StoredLogin(**{**given, **settings})


def environment_of(folder: Path, **more: str) -> Mapping[str, str]:
    """An environment whose state is in ``folder`` and which leaves the keyring alone."""
    return {"DIAGNOSE_STATE_DIR": str(folder), "DIAGNOSE_KEYRING": "off", **more}


def store_in(folder: Path) -> LoginStore:
    return open_store(environment_of(folder))
