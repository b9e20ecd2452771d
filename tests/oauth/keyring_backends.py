"""Backends of the package ``keyring`` that are real to it, and keep what they are given in a file."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from keyring.backend import KeyringBackend

__all__ = ["BrokenKeyring", "FileKeyring", "ForgetfulKeyring", "HangingKeyring"]


class FileKeyring(KeyringBackend):
    """Keeps its entries in the file that TEST_KEYRING names."""

    priority = 5
    name = "a file of the tests"

    def _entries(self) -> dict[str, str]:
        path = Path(os.environ["TEST_KEYRING"])
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        assert isinstance(found, dict)
        return found

    def _keep(self, entries: dict[str, str]) -> None:
        Path(os.environ["TEST_KEYRING"]).write_text(json.dumps(entries), encoding="utf-8")

    def get_password(self, service: str, username: str) -> str | None:
        return self._entries().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._keep({**self._entries(), f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        self._keep({name: text for name, text in self._entries().items() if name != f"{service}/{username}"})


class BrokenKeyring(FileKeyring):
    """Fails, and quotes what it was given."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(f"cannot keep {password}")


class ForgetfulKeyring(FileKeyring):
    """Takes what it is given and keeps nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        return


class HangingKeyring(FileKeyring):
    """Never answers a question, as a keyring whose password nobody is there to type."""

    def get_password(self, service: str, username: str) -> str | None:
        threading.Event().wait()
        return None
