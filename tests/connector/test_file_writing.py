"""A connector written as a file: it reads back as the same connector, and no secret is in it."""

from __future__ import annotations

import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from diagnose.connector import (
    ApiKeyCredential,
    BasicCredential,
    BearerCredential,
    Connector,
    HeadersCredential,
    HttpTransport,
    NetworkSettings,
    OAuth2Credential,
    SampleCall,
    Secret,
    StdioTransport,
    ToolPolicy,
)
from diagnose.connector.file import load_file
from diagnose.connector.file_writing import connector_document, save_private
from diagnose.errors import UsageError

URL = "https://mcp.example.com/mcp"
CANARY = "canaryX9f2b7c1d4e5"


def read_back(folder: Path, text: str) -> Connector:
    path = folder / "saved.json"
    save_private(path, text)
    (found,) = load_file(path)
    return found


@pytest.mark.parametrize(
    "credential",
    [
        BearerCredential(token=Secret(CANARY)),
        BasicCredential(username="me", password=Secret(CANARY)),
        ApiKeyCredential(name="X-Key", prefix="Key ", value=Secret(CANARY)),
        ApiKeyCredential.model_validate(
            {"name": "key", "in": "query", "value": Secret(f"a-{CANARY}${{env:REST}}")}
        ),
        HeadersCredential(headers={"X-One": Secret(CANARY), "X-Two": Secret(f"${{env:A:-{CANARY}}}")}),
        OAuth2Credential(client_id="c", issuer="https://as.example.com", client_secret=Secret(CANARY)),
        OAuth2Credential(
            access_token=Secret.literal(CANARY),
            refresh_token=Secret.literal(CANARY),
            expires_at=datetime(2026, 1, 31, tzinfo=UTC),
        ),
    ],
    ids=lambda credential: f"{credential.type}",
)
def test_a_secret_becomes_a_variable_that_is_named(tmp_path: Path, credential: Any) -> None:
    connector = Connector(
        name="my docs",
        transport=HttpTransport(url=URL),
        headers={"Cookie": CANARY, "X-Typed": f"{CANARY}2"},
        credential=credential,
    )
    written = connector_document(connector)
    found = read_back(tmp_path, written.text)
    environ = {name: CANARY for name, _ in written.variables} | {"A": "a", "REST": "r"}
    assert CANARY not in written.text
    assert credential.type == found.credential.type
    assert {"MY_DOCS_COOKIE", "MY_DOCS_X_TYPED"} <= environ.keys()
    assert CANARY == found.authorize(URL, environ).headers["Cookie"]


def test_a_reference_stays_the_reference_it_is(tmp_path: Path) -> None:
    connector = Connector(url=URL, credential=BearerCredential(token=Secret("${env:TOKEN}")))
    written = connector_document(connector)
    assert () == written.variables
    assert connector.credential == read_back(tmp_path, written.text).credential


def test_what_a_file_has_in_the_open_stays_in_the_open_and_what_was_typed_does_not() -> None:
    known = Connector(url=URL, headers={"X-Region": "eu"})
    edited = known.model_copy(update={"headers": {"X-Region": Secret("eu"), "X-Typed": Secret(CANARY)}})
    written = connector_document(edited, known=known)
    assert '"X-Region": "eu"' in written.text
    assert '"X-Typed": "${env:MCP_EXAMPLE_COM_X_TYPED}"' in written.text


def test_everything_else_of_a_connector_reads_back_as_it_was(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    connector = Connector(
        name="docs",
        transport=HttpTransport(type="sse", url=URL),
        tools=ToolPolicy(include=("a",), exclude=("b",), requires_confirmation=("c",)),
        network=NetworkSettings(ca_bundle=bundle, proxy="", trust_env=False, resolve={"h:1": "127.0.0.1"}),
        era="legacy",
        sample=SampleCall(tool="a", arguments={"n": [1, None], "text": "\u202eß"}),
    )
    found = read_back(tmp_path, connector_document(connector).text)
    assert connector == found.model_copy(update={"source": connector.source})


def test_a_process_reads_back_with_its_hidden_words_in_variables(tmp_path: Path) -> None:
    stdio = StdioTransport(
        command="npx",
        args=("-y", "server", "--api-key", CANARY, f"--token={CANARY}3", "$HOME"),
        env={"API_KEY": Secret(CANARY), "LEVEL": Secret("debug"), "REGION": Secret("${env:REGION}")},
        cwd="/srv",
        inherits="none",
    )
    known = Connector(name="files", transport=stdio)
    written = connector_document(known, known=known)
    found = read_back(tmp_path, written.text)
    assert CANARY not in written.text
    assert found.stdio is not None
    assert (
        "-y",
        "server",
        "--api-key",
        "${env:FILES_ARG_4}",
        "--token=${env:FILES_ARG_5}",
        "$HOME",
    ) == found.stdio.args
    assert {"API_KEY": "${env:API_KEY}", "LEVEL": "***", "REGION": "${env:REGION}"} == {
        name: str(value) for name, value in found.stdio.env.items()
    }
    assert ("/srv", "none") == (found.stdio.cwd, found.stdio.inherits)
    assert {"FILES_ARG_4", "FILES_ARG_5", "API_KEY"} == {name for name, _ in written.variables}


def test_what_may_be_a_secret_and_takes_no_reference_is_left_out_and_said() -> None:
    connector = Connector(
        url=URL,
        network=NetworkSettings(proxy=f"http://me:{CANARY}@proxy:3128"),
        credential=OAuth2Credential(access_token=Secret(CANARY)),
    )
    written = connector_document(connector, sample=SampleCall(tool="a", arguments={"password": CANARY}))
    assert CANARY not in written.text
    assert 3 == len(written.left_out)


def test_a_url_that_holds_a_key_is_refused() -> None:
    with pytest.raises(UsageError, match="the URL holds a key") as refused:
        connector_document(Connector(url=f"{URL}?token={CANARY}"))
    assert CANARY not in str(refused.value)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_the_file_is_for_its_owner_alone_and_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "saved.json"
    save_private(path, "one")
    with pytest.raises(FileExistsError):
        save_private(path, "two")
    assert "one" == path.read_text()
    path.chmod(0o644)
    save_private(path, "two", replaces=True)
    assert ("two", 0o600) == (path.read_text(), stat.S_IMODE(path.stat().st_mode))
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_and_a_missing_directory_are_refused(tmp_path: Path) -> None:
    target = tmp_path / "other"
    target.write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(target)
    for path in (link, tmp_path, tmp_path / "none" / "saved.json"):
        with pytest.raises(UsageError):
            save_private(path, "text", replaces=True)
    assert "mine" == target.read_text()
