"""``--config``: which connector is meant, what options change of it, and that no secret of it comes out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from diagnose_lab import Lab, load
from diagnose_lab.scenario import parse

from diagnose.cli import main
from diagnose.cli_run import run
from diagnose.cli_target import Asked, connector_of
from diagnose.connector import ApiKeyCredential, BasicCredential, BearerCredential, Connector
from diagnose.errors import UsageError
from diagnose.report import FORMATS

URL = "https://mcp.example.com/mcp"
CANARY = "canaryX9f2b7c1d4e5"
REFRESH = "refresh-canaryQ7w1e3r5t9"

Write = Callable[[Any], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a connector file and gives its path."""

    def writing(document: Any) -> str:
        path = tmp_path / "connectors.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return str(path)

    return writing


def configured(target: str, file: str, *arguments: str) -> Connector:
    params = run.make_context("run", [target, "--config", file, *arguments]).params
    return connector_of(target, Asked(**{name: params[name] for name in Asked.__dataclass_fields__}))


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    code = main(list(argv))
    printed = capsys.readouterr()
    assert "" == printed.out
    assert 1 == printed.err.count("\n")
    return code, printed.err


TWO = {
    "connectors": [
        {
            "name": "docs",
            "url": URL,
            "era": "legacy",
            "headers": {"X-Tenant": "file", "X-Kept": "kept"},
            "credential": {"type": "oauth2", "access_token": CANARY, "refresh_token": REFRESH},
            "network": {"proxy": "http://file:1", "resolve": {"mcp.example.com:443": "203.0.113.7"}},
        },
        {
            "name": "keyed",
            "url": "https://keyed.example.com/mcp",
            "credential": {"type": "api_key", "name": "X-Key", "value": CANARY},
        },
    ]
}


@pytest.mark.parametrize("target", ["docs", URL, "https://MCP.example.com:443/mcp#part"])
def test_a_connector_is_found_by_its_name_and_by_its_url(target: str, write: Write) -> None:
    found = configured(target, write(TWO))

    assert ("docs", "legacy", "oauth2") == (found.name, found.era, found.credential.type)


@pytest.mark.parametrize(("target", "hint"), [("dosc", "did you mean docs? "), ("https://other.test/", "")])
def test_a_target_that_the_file_does_not_have_is_exit_code_3_with_the_names(
    target: str, hint: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    code, sentence = refused(capsys, target, "--config", write(TWO))

    assert 3 == code
    assert sentence.startswith("diagnose: CFG011 ")
    assert sentence.endswith(f": {hint}the file has docs, keyed\n")


def test_a_url_that_two_connectors_have_needs_a_name(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write({"connectors": [{"name": "a", "url": URL}, {"name": "b", "url": URL}]})
    code, sentence = refused(capsys, URL, "--config", file)

    assert 2 == code
    assert "name one of a, b" in sentence


def test_what_no_option_names_stays_as_the_file_has_it(write: Write) -> None:
    found, file = configured("docs", path := write(TWO)), Path(path)

    assert {"X-Tenant": "file", "X-Kept": "kept"} == found.plain_headers({})
    assert ("http://file:1", {"mcp.example.com:443": "203.0.113.7"}) == (
        found.network.proxy,
        dict(found.network.resolve),
    )
    assert ("connector file", str(file), "/connectors/0") == (
        found.source.format,
        found.source.file,
        found.source.pointer,
    )


def test_options_override_the_file(write: Write) -> None:
    found = configured(
        "docs",
        write(TWO),
        *("--era", "modern", "--transport", "sse", "--proxy", "", "--header", "x-tenant: typed"),
        *("--resolve", "mcp.example.com:443:203.0.113.8", "--resolve", "other.test:443:203.0.113.9"),
    )

    assert ("modern", "sse", "") == (found.era, found.transport.type, found.network.proxy)
    assert {"X-Kept": "kept", "x-tenant": "typed"} == found.plain_headers({})
    assert {"mcp.example.com:443": "203.0.113.8", "other.test:443": "203.0.113.9"} == dict(
        found.network.resolve
    )
    assert "oauth2" == found.credential.type


@pytest.mark.parametrize(
    ("target", "option", "kind"),
    [
        ("docs", ["--bearer-env", "TOKEN"], BearerCredential),
        ("docs", ["--header", "Authorization: Bearer typed"], BearerCredential),
        (URL.replace("//", "//u:p@"), [], BasicCredential),
    ],
)
def test_a_credential_option_replaces_the_credential(
    target: str, option: list[str], kind: type, write: Write
) -> None:
    found = configured(target, write(TWO), *option)

    assert isinstance(found.credential, kind)
    assert CANARY not in str(found.secrets({"TOKEN": "t"}))


def test_a_typed_header_goes_before_the_same_header_of_the_credential(write: Write) -> None:
    kept = configured("keyed", write(TWO), "--header", "X-Other: o")
    replaced = configured("keyed", write(TWO), "--header", "x-key: typed")

    assert isinstance(kept.credential, ApiKeyCredential)
    assert {"x-key": "typed"} == dict(replaced.authorize(replaced.url, {}).headers)


def test_a_typed_credential_removes_authorization_from_the_headers_of_the_file(write: Write) -> None:
    file = write({"name": "a", "url": URL, "headers": {"authorization": f"Bearer {CANARY}"}})
    found = configured("a", file, "--bearer-env", "TOKEN")

    assert {"Authorization": "Bearer t"} == dict(found.authorize(found.url, {"TOKEN": "t"}).headers)


def test_a_typed_certificate_leaves_the_key_of_the_other_behind(write: Write, tmp_path: Path) -> None:
    for name in ("file.pem", "file.key", "typed.pem"):
        (tmp_path / name).touch()
    file = write(
        {"name": "a", "url": URL, "network": {"client_certificate": "file.pem", "client_key": "file.key"}}
    )
    typed = str(tmp_path / "typed.pem")

    assert tmp_path / "file.key" == configured("a", file).network.client_key
    assert configured("a", file, "--client-cert", typed).network.client_key is None
    assert tmp_path / "file.pem" == configured("a", file, "--client-key", typed).network.client_certificate


@pytest.mark.parametrize(
    ("network", "code", "pointer"),
    [
        ({"ca_bundle": "missing.pem"}, "CFG005", "/network/ca_bundle"),
        ({"resolver": "dns.example"}, "CFG010", "/network/resolver"),
    ],
)
def test_what_the_route_lacks_is_named_by_its_place_in_the_file(
    network: dict[str, str], code: str, pointer: str, write: Write
) -> None:
    file = write({"name": "a", "url": URL, "network": network})
    with pytest.raises(UsageError) as caught:
        configured("a", file)

    assert (code, f"{file} {pointer}") == (caught.value.code, caught.value.where)


def test_an_unset_reference_of_the_file_is_refused_before_anything_is_sent(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(
        {"name": "a", "url": URL, "credential": {"type": "bearer", "token": "${env:DIAGNOSE_UNSET}"}}
    )
    code, sentence = refused(capsys, "a", "--config", file)

    assert 2 == code
    assert "CFG003 the environment variable DIAGNOSE_UNSET is not set" in sentence


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    code, sentence = refused(capsys, URL, "--config", str(tmp_path / "pipe"))

    assert 2 == code
    assert "CFG018 the connector file is no regular file" in sentence


LITERAL = """
title = "The tokens stand in the file itself"
transport = "streamable-http"
era = "modern"
[run.connector.credential]
type = "oauth2"
access_token = "{token}"
refresh_token = "REFRESH"
[server.auth]
token = "TOKEN"
[authorization_server]
"""


@pytest.mark.parametrize("token", ["valid", "expired", "garbage"])
@pytest.mark.parametrize("form", FORMATS)
def test_no_secret_of_the_file_comes_out_in_any_format(
    lab: Lab, token: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = LITERAL.replace("REFRESH", REFRESH).replace("TOKEN", token)
    with lab.start(parse(text, name="literal", folder=Path())) as running:
        file = Path(running.args[running.args.index("--config") + 1]).read_text(encoding="utf-8")
        secrets = json.loads(file)["credential"]
        main(["run", running.url, "--format", form, "-vv", *running.args])
        sent = [record.header("authorization") for record in running.log]
    printed = "".join(capsys.readouterr())

    assert f"Bearer {secrets['access_token']}" in sent
    assert REFRESH == secrets["refresh_token"]
    for secret in (secrets["access_token"], secrets["access_token"].rpartition(".")[2], REFRESH):
        assert secret not in printed
    assert [] == [value for value in sent if value and REFRESH in value]


def test_the_connector_file_of_a_scenario_is_gone_when_it_stops(lab: Lab) -> None:
    with lab.start("token-no-refresh") as running:
        path = Path(running.args[running.args.index("--config") + 1])
        assert path.is_file()
    assert not path.parent.exists()
    assert "--bearer-env" not in running.args


def test_a_demonstration_takes_the_connector_file_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert load("token-no-refresh").run.connector is not None
    main(["demo", "token-no-refresh"])

    assert "That is what was found." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("confirmed", "status"), [((), "not_applicable"), (("--confirm", "server_time"), "passed")]
)
def test_a_tool_that_wants_confirmation_is_called_when_it_was_given(
    lab: Lab,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    confirmed: tuple[str, ...],
    status: str,
) -> None:
    with lab.start("healthy-modern") as running:
        path = tmp_path / "connector.json"
        tools = {"requires_confirmation": ["server_time"]}
        path.write_text(json.dumps({"name": "lab", "url": running.url, "tools": tools}))
        argv = ["run", "lab", "--config", str(path), "--tool", "server_time", *confirmed, "--json"]
        assert 0 == main(argv)
        called = [record for record in running.log if b"tools/call" in record.body]
    call = json.loads(capsys.readouterr().out)["steps"][9]
    assert status == call["status"]
    assert (1 if confirmed else 0) == len(called)
