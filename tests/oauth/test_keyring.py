"""Logins in the system's keyring: every case in a process of its own, with a real backend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from oauth.keyring_backends import HangingKeyring
from oauth.logins import ACCESS, REFRESH, SECRET, URL

from diagnose.oauth.login_keyring import KeyringUnavailable, LoginKeyring

PROGRAM = """
import os, sys
from diagnose.errors import UsageError
from diagnose.oauth.store import open_store
from oauth.logins import URL, login
store = open_store(os.environ)
try:
    print(eval(sys.argv[1]))
except UsageError as refusal:
    print(refusal)
print("keyring" in sys.modules)
"""


class Machine:
    """A machine with a keyring: a state folder and the environment that names the backend."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backend = "FileKeyring"

    def does(self, expression: str, **env: str) -> tuple[str, bool]:
        """What the expression gives in a process of its own, and whether that imported ``keyring``."""
        environ = {
            **os.environ,
            "DIAGNOSE_STATE_DIR": str(self.folder),
            "TEST_KEYRING": str(self.folder / "keyring.json"),
            "PYTHON_KEYRING_BACKEND": f"oauth.keyring_backends.{self.backend}",
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "DIAGNOSE_KEYRING": "auto",
            **env,
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, expression],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        *said, imported = done.stdout.splitlines()
        return "\n".join(said), imported == "True"

    def files(self) -> str:
        return "".join(path.read_text(encoding="utf-8") for path in self.folder.glob("logins/*.json"))

    def entries(self) -> list[str]:
        path = self.folder / "keyring.json"
        return list(json.loads(path.read_text(encoding="utf-8")).values()) if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


TOKENS = "(lambda kept: (kept.access_token, kept.refresh_token, kept.client_secret))(store.find(URL))"


def test_the_secrets_are_in_the_keyring_and_the_file_has_none(machine: Machine) -> None:
    assert "the system's keyring (a file of the tests)" == machine.does("store.put(login())")[0]
    assert str((ACCESS, REFRESH, SECRET)) == machine.does(TOKENS)[0]
    assert "canary" not in machine.files()
    assert URL in machine.files()
    assert "the system's keyring" == machine.does("store.place(login())")[0]


def test_looking_where_nothing_is_stored_imports_no_keyring(machine: Machine) -> None:
    assert ("None", False) == machine.does("store.find(URL)")


def test_a_renewed_login_stays_in_the_keyring(machine: Machine) -> None:
    machine.does("store.put(login())")
    machine.does("store.rewrite(login(access_token='canary-newer'))")
    assert "canary-newer" in machine.does(TOKENS)[0]
    assert "canary" not in machine.files()


def test_a_renewed_login_in_a_file_stays_there_and_imports_no_keyring(machine: Machine) -> None:
    machine.does("store.put(login())", DIAGNOSE_KEYRING="off")
    assert not machine.does("store.rewrite(login(access_token='canary-newer'))")[1]
    assert [] == machine.entries()


def test_a_login_that_moves_to_a_file_leaves_nothing_in_the_keyring(machine: Machine) -> None:
    machine.does("store.put(login())")
    machine.does("store._write(login(), None)")
    assert [] == machine.entries()
    assert "canary" in machine.files()


def test_what_is_removed_is_gone_from_both(machine: Machine) -> None:
    machine.does("store.put(login())")
    assert "1" == machine.does("len(store.remove(URL))")[0]
    assert ([], "") == (machine.entries(), machine.files())


def test_two_state_folders_do_not_share_an_entry(machine: Machine) -> None:
    machine.does("store.put(login())")
    machine.does("store.put(login())", DIAGNOSE_STATE_DIR=str(machine.folder / "other"))
    assert 2 == len(machine.entries())


@pytest.mark.parametrize("backend", ["BrokenKeyring", "ForgetfulKeyring"])
def test_a_keyring_that_keeps_nothing_is_passed_over(machine: Machine, backend: str) -> None:
    machine.backend = backend
    assert machine.does("store.put(login())")[0].startswith("the file ")
    assert str((ACCESS, REFRESH, SECRET)) == machine.does(TOKENS)[0]


@pytest.mark.parametrize("backend", ["fail.Keyring", "null.Keyring"])
def test_a_backend_that_is_none_leaves_the_file(machine: Machine, backend: str) -> None:
    named = f"keyring.backends.{backend}"
    said = machine.does("store.put(login())", PYTHON_KEYRING_BACKEND=named)[0]
    assert said.startswith("the file ")


def test_off_leaves_the_keyring_alone(machine: Machine) -> None:
    said, imported = machine.does("store.put(login())", DIAGNOSE_KEYRING="off")
    assert (True, False) == (said.startswith("the file "), imported)


def test_another_word_than_off_is_refused(machine: Machine) -> None:
    said = machine.does("store.put(login())", DIAGNOSE_KEYRING="never")[0]
    assert "CFG006 'never' is not known (DIAGNOSE_KEYRING): it takes one of auto, on, off" == said


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ({"DIAGNOSE_KEYRING": "off"}, "no keyring that can be used"),
        ({"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}, "no keyring that can be used"),
        ({"TEST_KEYRING": "/nowhere/keyring.json"}, "no such entry"),
    ],
    ids=["off", "none", "gone"],
)
def test_a_login_whose_keyring_is_away_is_one_sentence(
    machine: Machine, spoil: dict[str, str], why: str
) -> None:
    machine.does("store.put(login())")
    said = machine.does("store.find(URL)", **spoil)[0]
    assert (True, True) == (said.startswith("CFG024 "), why in said)
    assert "canary" not in said


def test_a_keyring_that_hangs_is_not_waited_for() -> None:
    hanging = HangingKeyring()  # type: ignore[no-untyped-call]  # the base class has no types
    with pytest.raises(KeyringUnavailable, match="a file of the tests gave no answer"):
        LoginKeyring(hanging, deadline=0.1).get("x")
