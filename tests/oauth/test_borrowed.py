"""Logins of other programs: found by their own key, read and left as they are."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from diagnose import Connector
from diagnose.connector import OAuth2Credential, Secret
from diagnose.errors import UsageError
from diagnose.oauth.borrowed import borrow

URL = "https://mcp.example.com/mcp"
CANARY = "canary-4f1d9c7e2b60"
TOKENS = {
    "access_token": CANARY,
    "token_type": "bearer",
    "refresh_token": f"{CANARY}-refresh",
    "expires_in": 3600,
    "scope": "mcp:tools",
}


def connector(url: str = URL, **more: Any) -> Connector:
    return Connector(url=url, **more)


def token(credential: OAuth2Credential) -> str:
    return credential.apply({}).headers["Authorization"]


def mcp_remote(folder: Path, *parts: str, version: str = "mcp-remote-v1", **more: object) -> Path:
    """Files as mcp-remote writes them for the settings ``parts``."""
    key = hashlib.md5("|".join(parts).encode(), usedforsecurity=False).hexdigest()
    home = folder / version
    home.mkdir(parents=True, exist_ok=True)
    (home / f"{key}_tokens.json").write_text(json.dumps({**TOKENS, **more}), encoding="utf-8")
    (home / f"{key}_client_info.json").write_text(
        json.dumps({"client_id": "client-of-mcp-remote", "issuer": "https://auth.example.com"}),
        encoding="utf-8",
    )
    return home / f"{key}_tokens.json"


def test_mcp_remote_s_login_is_found_by_its_own_key(tmp_path: Path) -> None:
    path = mcp_remote(tmp_path, URL, expires_at=1_900_000_000_000)
    found = borrow(f"mcp-remote:{tmp_path}", connector(), {})
    assert f"Bearer {CANARY}" == token(found)
    assert datetime.fromtimestamp(1_900_000_000, UTC) == found.expires_at
    assert ("client-of-mcp-remote", "https://auth.example.com") == (found.client_id, found.issuer)
    assert f"the store of mcp-remote, {path}" == found.describe()["source"]
    assert found.describe()["has_refresh_token"] is True


def test_mcp_remote_s_folder_is_taken_from_its_own_variable(tmp_path: Path) -> None:
    mcp_remote(tmp_path, URL)
    assert f"Bearer {CANARY}" == token(
        borrow("mcp-remote", connector(), {"MCP_REMOTE_CONFIG_DIR": str(tmp_path)})
    )


def test_mcp_remote_s_folder_is_in_the_home_directory(tmp_path: Path) -> None:
    mcp_remote(tmp_path / ".mcp-auth", URL)
    assert f"Bearer {CANARY}" == token(borrow("mcp-remote", connector(), {"HOME": str(tmp_path)}))


def test_headers_are_a_part_of_mcp_remote_s_key(tmp_path: Path) -> None:
    mcp_remote(tmp_path, URL, '{"X-Team":"a","x-zone":"b"}')
    headers = {"x-zone": Secret("b"), "X-Team": Secret("a")}
    assert f"Bearer {CANARY}" == token(borrow(f"mcp-remote:{tmp_path}", connector(headers=headers), {}))


def test_the_newest_of_mcp_remote_s_layouts_counts(tmp_path: Path) -> None:
    mcp_remote(tmp_path, URL, version="mcp-remote-0.1.9", access_token="older")
    mcp_remote(tmp_path, URL, version="mcp-remote-0.1.38", access_token="newer")
    assert "Bearer newer" == token(borrow(f"mcp-remote:{tmp_path}", connector(), {}))
    mcp_remote(tmp_path, URL, access_token="newest")
    assert "Bearer newest" == token(borrow(f"mcp-remote:{tmp_path}", connector(), {}))


def test_a_login_for_another_url_is_never_taken(tmp_path: Path) -> None:
    mcp_remote(tmp_path, "https://other.example.com/mcp")
    with pytest.raises(UsageError) as refused:
        borrow(f"mcp-remote:{tmp_path}", connector(), {})
    assert "CFG031" == refused.value.code
    assert "holds 1 logins, none under this URL" in refused.value.what


def test_reading_leaves_a_store_as_it_is(tmp_path: Path) -> None:
    path = mcp_remote(tmp_path, URL)
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.rglob("*.json")}
    borrow(f"mcp-remote:{tmp_path}", connector(), {})
    after = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.rglob("*.json")}
    assert path in before
    assert before == after


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_text(f'{{"access_token": "{CANARY}'), "it holds no JSON"),
        (lambda path: path.write_text(f'["{CANARY}"]'), "it holds no JSON object"),
        (lambda path: path.write_bytes(b" " * (1024 * 1024 + 1)), "larger than 1024 KiB"),
        (lambda path: (path.unlink(), path.mkdir()), "no regular file"),
    ],
)
def test_a_spoilt_store_is_one_sentence_without_a_value(
    tmp_path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    spoil(mcp_remote(tmp_path, URL))
    with pytest.raises(UsageError) as refused:
        borrow(f"mcp-remote:{tmp_path}", connector(), {})
    assert "CFG032" == refused.value.code
    assert says in refused.value.what
    assert CANARY not in str(refused.value)


def test_an_unknown_store_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as refused:
        borrow("keychain", connector(), {})
    assert "CFG030" == refused.value.code
    assert "mcp-remote, fastmcp, vibe" in (refused.value.hint or "")


def write_with_fastmcp(folder: Path, key: str | None = None) -> None:
    """What FastMCP itself writes after a login, through its own storage adapter."""
    from cryptography.fernet import Fernet
    from fastmcp.client.auth.oauth import TokenStorageAdapter
    from key_value.aio.stores.filetree import (
        FileTreeStore,
        FileTreeV1CollectionSanitizationStrategy,
        FileTreeV1KeySanitizationStrategy,
    )
    from key_value.aio.wrappers.encryption import FernetEncryptionWrapper
    from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

    folder.mkdir(parents=True, exist_ok=True)
    store: Any = FileTreeStore(
        data_directory=folder,
        key_sanitization_strategy=FileTreeV1KeySanitizationStrategy(folder),
        collection_sanitization_strategy=FileTreeV1CollectionSanitizationStrategy(folder),
    )
    if key is not None:
        store = FernetEncryptionWrapper(key_value=store, fernet=Fernet(key.encode()))
    adapter = TokenStorageAdapter(store, server_url=URL)

    async def write() -> None:
        await adapter.set_tokens(OAuthToken.model_validate(TOKENS))
        client: Any = {"client_id": "client-of-fastmcp", "redirect_uris": ["http://localhost:1/callback"]}
        await adapter.set_client_info(OAuthClientInformationFull.model_validate(client))

    asyncio.run(write())


def test_what_fastmcp_wrote_is_read(tmp_path: Path) -> None:
    write_with_fastmcp(tmp_path)
    found = borrow(f"fastmcp:{tmp_path}", connector(), {})
    assert (f"Bearer {CANARY}", "client-of-fastmcp") == (token(found), found.client_id)
    assert found.expires_at is not None
    assert 3500 < (found.expires_at - datetime.now(UTC)).total_seconds() <= 3600


def test_fastmcp_s_encrypted_store_opens_with_its_key_alone(tmp_path: Path) -> None:
    from cryptography.fernet import Fernet

    key = Fernet.generate_key().decode()
    environ = {"FASTMCP_OAUTH_ENCRYPTION_KEY": key, "FASTMCP_HOME": str(tmp_path)}
    folder = tmp_path / "cli-oauth" / hashlib.sha256(key.encode()).hexdigest()[:12]
    write_with_fastmcp(folder, key)
    assert f"Bearer {CANARY}" == token(borrow("fastmcp", connector(), environ))
    for other in ("", Fernet.generate_key().decode(), "no-key"):
        with pytest.raises(UsageError) as refused:
            borrow(f"fastmcp:{folder}", connector(), {"FASTMCP_OAUTH_ENCRYPTION_KEY": other})
        assert "CFG032" == refused.value.code


def test_fastmcp_without_a_key_keeps_nothing_to_borrow() -> None:
    with pytest.raises(UsageError) as refused:
        borrow("fastmcp", connector(), {})
    assert "CFG031" == refused.value.code
    assert "FASTMCP_OAUTH_ENCRYPTION_KEY" in refused.value.what


KEYRING = """
import json, sys
from keyring.backend import KeyringBackend

class Backend(KeyringBackend):
    priority = 1
    kept = json.load(open(sys.argv[0] + ".kept"))

    def get_password(self, service, username):
        return self.kept.get(f"{service}|{username}")

    def set_password(self, service, username, password):
        raise AssertionError("a borrowed store is written to")

    def delete_password(self, service, username):
        raise AssertionError("a borrowed store is written to")

import keyring
keyring.set_keyring(Backend())
from diagnose import Connector
from diagnose.oauth.borrowed import borrow
found = borrow("vibe:docs", Connector(url="https://mcp.example.com/mcp"), {})
sent = found.apply({}).headers["Authorization"]
print(found.client_id, found.expires_at.isoformat(), sent == "Bearer vibe-token")
"""


def test_vibe_s_login_is_read_from_the_keyring(tmp_path: Path) -> None:
    pytest.importorskip("keyring")
    program = tmp_path / "program.py"
    program.write_text(KEYRING, encoding="utf-8")
    tokens = {"access_token": "vibe-token", "token_type": "Bearer", "expires_at": 1900000000.0}
    kept = {
        "ai.mistral.vibe|mcp-oauth:docs:tokens": json.dumps(tokens),
        "ai.mistral.vibe|mcp-oauth:docs:client_info": json.dumps({"client_id": "client-of-vibe"}),
    }
    Path(f"{program}.kept").write_text(json.dumps(kept), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert "client-of-vibe 2030-03-17T17:46:40+00:00 True" == done.stdout.strip(), done.stderr
