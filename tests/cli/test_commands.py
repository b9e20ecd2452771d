"""explain, lab, demo, and how the options of run become a connector."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from diagnose_lab import names

from diagnose.catalogue import HEADINGS, codes, page
from diagnose.catalogue.explain import candidates, find, near, plain
from diagnose.cli import main
from diagnose.cli_run import run as run_command
from diagnose.cli_target import Asked, connector_of, options_of
from diagnose.connector import BasicCredential, BearerCredential, Connector, HeadersCredential
from diagnose.step import TITLES

URL = "https://mcp.example.com/mcp"


def asked(*arguments: str) -> Asked:
    params = run_command.make_context("run", [URL, *arguments]).params
    return Asked(**{name: params[name] for name in Asked.__dataclass_fields__})


def connector(*arguments: str) -> Connector:
    return connector_of(URL, asked(*arguments))


def test_a_bearer_variable_becomes_a_reference_and_not_a_value() -> None:
    credential = connector("--bearer-env", "TOKEN").credential

    assert isinstance(credential, BearerCredential)
    assert ("TOKEN",) == credential.token.references


def test_an_authorization_header_is_the_credential() -> None:
    bearer = connector("--header", "Authorization: Bearer ${env:TOKEN}").credential
    other = connector("--header", "authorization: Basic eDp5").credential

    assert isinstance(bearer, BearerCredential)
    assert isinstance(other, HeadersCredential)
    assert {"Authorization": "Basic eDp5"} == dict(other.apply({}).headers)


@pytest.mark.parametrize("value", ["Bearer abc", "bearer abc", "Bearer Bearer abc", "abc", "DPoP abc"])
def test_the_authorization_that_was_typed_is_what_is_sent(value: str) -> None:
    credential = connector("--header", f"Authorization: {value}").credential

    assert {"Authorization": value} == dict(credential.apply({}).headers)


def test_other_headers_belong_to_the_connector() -> None:
    found = connector("--header", "X-Tenant: a: b", "--header", "X-Key:${env:KEY}")

    assert {"X-Tenant": "a: b", "X-Key": "k"} == found.plain_headers({"KEY": "k"})


def test_userinfo_in_the_url_is_a_basic_credential_and_leaves_the_url() -> None:
    found = connector_of("https://u:p@mcp.example.com/mcp", asked())

    assert isinstance(found.credential, BasicCredential)
    assert URL == found.url


def test_network_options_reach_the_connector(tmp_path: Path) -> None:
    pem = tmp_path / "ca.pem"
    pem.touch()
    network = connector(
        *("--ca-bundle", str(pem), "--client-cert", str(pem), "--client-key", str(pem)),
        *("--proxy", "http://p:1", "--resolver", "[::1]:53"),
        *("--resolve", "mcp.example.com:443:203.0.113.7", "--resolve", "[2001:db8::1]:443:[::1]"),
    ).network

    assert (pem, pem, pem) == (network.ca_bundle, network.client_certificate, network.client_key)
    assert ("http://p:1", "[::1]:53") == (network.proxy, network.resolver)
    assert {"mcp.example.com:443": "203.0.113.7", "2001:db8::1:443": "::1"} == dict(network.resolve)


def test_the_options_of_a_run_reach_it() -> None:
    options = options_of(
        asked(
            *("--timeout", "7", "--step-timeout", "2.5", "--until", "3", "--sample", "auto"),
            *("--tool", "search", "--args", '{"q": "tea"}', "--deep", "--register", "--runtime"),
        )
    )

    assert (7.0, 2.5, "tls", "search") == (options.timeout, options.step_timeout, options.until, options.tool)
    assert {"q": "tea"} == options.arguments
    assert options.deep
    assert options.register
    assert options.runtime


def test_a_step_can_be_named_by_id_or_number() -> None:
    for step_id, (number, _) in TITLES.items():
        assert step_id == asked("--only", step_id).only == asked("--only", str(number)).only


def test_era_and_transport_reach_the_connector() -> None:
    found = connector("--era", "legacy", "--transport", "sse")

    assert ("legacy", "sse") == (found.era, found.transport.type)


@pytest.mark.parametrize("spelling", ["CFG001", "cfg001", "config.invalid-url", " CFG001 "])
def test_a_page_is_found_by_code_and_by_name(spelling: str) -> None:
    found = find(spelling)

    assert found is not None
    assert "CFG001" == found.code


def test_explain_prints_every_section_of_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    for code in codes():
        assert 0 == main(["explain", code])
        printed = capsys.readouterr().out
        assert printed.startswith(f"{code} {page(code).name}\n")
        assert [] == [heading for heading in HEADINGS if f"\n{heading}\n" not in printed]


def test_explain_as_json_holds_the_whole_page(capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", "CFG001", "--json"])
    document = json.loads(capsys.readouterr().out)

    assert ("CFG001", page("CFG001").summary) == (document["code"], document["summary"])
    assert list(HEADINGS) == list(document["sections"])


def test_a_pasted_error_finds_the_page_that_knows_the_symptom(capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", "ValueError:", "Illegal", "header", "value", "b'Bearer abc'"])

    printed = capsys.readouterr().out
    assert "CFG007 config.unprintable-secret" == printed.splitlines()[2].partition("  (")[0]
    assert "looks like CFG004" in printed


def test_a_catch_all_message_lists_the_page_of_each_of_its_causes() -> None:
    found = {one.page.code for one in candidates("Authorization with the MCP server failed")}
    assert set() == {"TLS002", "HTTP012", "AUTH009", "AUTH010", "AUTH013", "AUTH015"} - found


def test_every_symptom_finds_its_own_page_among_the_candidates() -> None:
    missed = [
        (code, symptom)
        for code in codes()
        for symptom in page(code).symptoms
        if code not in {candidate.page.code for candidate in candidates(symptom, most=40)}
    ]

    assert [] == missed


def test_the_particular_end_of_an_error_outweighs_its_general_beginning() -> None:
    found = candidates("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired")

    assert "TLS003" == found[0].page.code


def test_candidates_are_ordered_and_say_why(capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", "--json", "Using SOCKS proxy, but the 'socksio' package is not installed"])
    found = json.loads(capsys.readouterr().out)["candidates"]

    assert "CFG008" == found[0]["code"]
    assert "Using SOCKS proxy, but the 'socksio' package is not installed" == found[0]["symptom"]
    assert sorted((entry["score"] for entry in found), reverse=True) == [entry["score"] for entry in found]


def test_near_codes_are_offered() -> None:
    assert "CFG001" in near("CFG0O1")
    assert "CFG011" in near("config.unknown-conector")


def test_a_template_is_readable_without_a_run() -> None:
    assert "<host> has {braces}" == plain("{host} has {{braces}}")


def test_lab_list_prints_the_promised_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["lab", "list", "--json"])
    rows = json.loads(capsys.readouterr().out)

    assert list(names()) == [row["name"] for row in rows]
    assert {("name", "title", "transport", "era", "step", "code")} == {tuple(row) for row in rows}


def test_lab_list_is_a_table_with_a_line_per_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    main(["lab", "list"])

    assert 1 + len(names()) == len(capsys.readouterr().out.splitlines())


def test_a_healthy_demonstration_finds_what_it_expects(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # must not lead loopback elsewhere
    assert 0 == main(["demo", "healthy-modern"])

    printed = capsys.readouterr()
    assert "$ diagnose http://127.0.0.1:" in printed.out
    assert "Expected: every step passes. That is what was found." in printed.out
    assert "" == printed.err


def test_the_demonstration_shows_a_healthy_and_a_broken_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["demo"])

    printed = capsys.readouterr().out
    assert "[1/2]" in printed
    assert "[2/2]" in printed
    assert "PASSED" in printed
    assert "FAILED" in printed
    assert 2 == printed.count("That is what was found.")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_progress_is_shown_on_a_terminal_and_leaves_one_report(
    begin: Callable[..., object], lab: object
) -> None:
    import pty
    import subprocess

    from diagnose_lab import Lab

    assert isinstance(lab, Lab)
    ours, theirs = pty.openpty()
    with lab.start("healthy-modern") as running:
        child = begin(running.url, env={"TERM": "xterm"}, stdout=subprocess.PIPE, stderr=theirs)
        assert isinstance(child, subprocess.Popen)
        os.close(theirs)
        shown = _read_all(ours)
        out = child.stdout.read() if child.stdout else ""
        child.wait(timeout=20)

    assert 0 == child.returncode
    assert all(title in shown for _, title in TITLES.values())
    assert shown.endswith("\x1b[?25h") or "\x1b[?25h" in shown
    assert "\x1b" not in out
    assert 1 == out.count("All steps passed")


def _read_all(descriptor: int) -> str:
    chunks: list[bytes] = []
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(descriptor)
    return b"".join(chunks).decode()


def test_a_named_demonstration_exits_like_its_diagnosis(capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == main(["demo", "tls-expired", "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert "TLS003" == printed["verdict"]["code"]


def test_a_scenario_about_a_login_is_no_demonstration(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["demo", "healthy-login-page"])
    said = capsys.readouterr()
    assert "" == said.out
    assert "CFG006 healthy-login-page is about a login" in said.err
    assert "diagnose lab serve healthy-login-page" in said.err


def test_a_demonstration_in_json_wants_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["demo", "--json"])
    captured = capsys.readouterr()
    assert "" == captured.out
    assert "name one of them" in captured.err
