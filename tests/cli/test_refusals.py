"""Input that cannot be used: one sentence on stderr, exit code 2, nothing on stdout, nothing sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnose.catalogue import codes
from diagnose.cli import main
from diagnose.cli_run import run
from diagnose.cli_target import Asked, connector_of, options_of
from diagnose.errors import UsageError

URL = "http://127.0.0.1:1/mcp"
_DEFAULTS = run.make_context("run", [URL]).params
HERE = Path(__file__)
NO_CONNECTOR_FILE = HERE.parents[2] / "schema" / "report-v1.json"
NOTHING_ASKED = Asked(**{name: _DEFAULTS[name] for name in Asked.__dataclass_fields__})

REFUSED: list[tuple[str, list[str], str]] = [
    ("CFG001", ["mcp.example.com/mcp"], "type 'https://mcp.example.com/mcp'"),
    ("CFG001", ["localhost:3000/mcp"], "type 'http://localhost:3000/mcp'"),
    ("CFG001", [""], "is empty"),
    ("CFG001", ["http://exa mple.com/"], "http://example.com/"),
    ("CFG001", ["https:///mcp"], "no host"),
    ("CFG001", ["https://h:99999/mcp"], "port"),
    ("CFG002", ["ws://mcp.example.com/mcp"], "type 'http://mcp.example.com/mcp'"),
    ("CFG003", [URL, "--bearer-env", "DIAGNOSE_TEST_UNSET"], "export DIAGNOSE_TEST_UNSET=..."),
    ("CFG003", [URL, "--header", "X-Key: ${env:DIAGNOSE_TEST_UNSET}"], "is not set"),
    ("CFG003", [URL, "--header", "Authorization: Bearer "], "nothing after it"),
    ("CFG004", [URL, "--header", "X-Key abc"], "no colon"),
    ("CFG004", [URL, "--header", "X Key: abc"], "no header name"),
    ("CFG004", [URL, "--header", "X-Key:"], "no value"),
    ("CFG004", [URL, "--header", "X-Key: a", "--header", "x-key: b"], "the second"),
    ("CFG004", [URL, "--header", "Host: a"], "--resolve"),
    ("CFG005", [URL, "--ca-bundle", "/no/such/file"], "does not exist"),
    ("CFG005", [URL, "--client-cert", "/no/such/file"], "--client-cert"),
    ("CFG006", [], "type a URL"),
    ("CFG006", ["run"], "there is no target"),
    ("CFG006", [URL, "--colour", "never"], "did you mean --color?"),
    ("CFG006", [URL, "--era", "modren"], "did you mean modern?"),
    ("CFG006", [URL, "--format", "jsno"], "did you mean json?"),
    ("CFG006", [URL, "--only", "tlss"], "did you mean tls?"),
    ("CFG006", [URL, "--until", "12"], "teardown"),
    ("CFG006", [URL, "--only", "tls", "--until", "dns"], "exclude each other"),
    ("CFG006", [URL, "--timeout", "-1"], "above 0"),
    ("CFG006", [URL, "--timeout", "nan"], "above 0"),
    ("CFG006", [URL, "--timeout", "soon"], "above 0"),
    ("CFG006", [URL, "--step-timeout", "0"], "--step-timeout"),
    ("CFG006", [URL, "--timeout"], "takes a value"),
    ("CFG006", [URL, "--json", "--format", "junit"], "exclude each other"),
    ("CFG006", [URL, "--args", "{}"], "--tool NAME"),
    ("CFG006", [URL, "--tool", "x", "--sample", "never"], "exclude each other"),
    ("CFG006", [URL, "--client-key", __file__], "--client-cert"),
    ("CFG006", [URL, "--resolve", "host:443"], "HOST:PORT:IP"),
    ("CFG006", [URL, "--resolve", "host:443:name"], "HOST:PORT:IP"),
    ("CFG006", [URL, "--report", "json"], "FORMAT=PATH"),
    ("CFG006", [URL, "--report", "jsno=x"], "did you mean json?"),
    ("CFG006", [URL, "--bearer-env", "PATH", "--header", "Authorization: Basic eA=="], "two credentials"),
    ("CFG006", ["http://u:p@127.0.0.1:1/mcp", "--bearer-env", "PATH"], "two credentials"),
    ("CFG006", [URL, "more", "words"], "quote a value"),
    ("CFG006", ["lab"], "list, serve"),
    ("CFG006", ["lab", "lits"], "did you mean list?"),
    ("CFG006", ["lab", "serve"], "SCENARIO is missing"),
    ("CFG006", ["explain"], "name a code"),
    ("CFG006", ["schema", "--jsn"], "no option --jsn"),
    ("CFG007", [URL, "--header", "X-Key: a\nb"], "line break"),
    ("CFG007", [URL, "--header", "X-Key: “a”"], "outside ASCII"),
    ("CFG008", [URL, "--proxy", "socks5://127.0.0.1:1080"], "http://HOST:PORT"),
    ("CFG009", [URL, "--bearer-env", "my token"], "name the variable, not the token"),
    ("CFG009", [URL, "--header", "X-Key: ${env:MY TOKEN}"], "no variable name"),
    ("CFG010", [URL, "--resolver", "dns.example"], "1.1.1.1"),
    ("CFG011", ["no-such-connector"], "give the URL"),
    ("CFG011", ["explian"], "diagnose explain"),
    ("CFG012", [URL, "--tool", "x", "--args", '{"a":\n}'], "line 2, column 1"),
    ("CFG012", [URL, "--tool", "x", "--args", "[1]"], "array"),
    ("CFG012", [URL, "--tool", "x", "--args", '{"a": NaN}'], "NaN"),
    ("CFG012", [URL, "--tool", "x", "--args", "[" * 100_000], "nested too deeply"),
    ("CFG013", [URL, "--report", "json=/no/such/directory/x"], "mkdir -p"),
    ("CFG013", [URL, "--report", "json=" + "x" * 300], "another place"),
    ("CFG013", [URL, "--report", f"json={Path(__file__).parent}"], "is a directory"),
    ("CFG014", ["explain", "CFG999"], "there is no finding"),
    ("CFG014", ["explain", "config.invalid-urll"], "CFG001"),
    ("CFG014", ["explain", "xyzzy", "plugh"], "no finding"),
    ("CFG015", ["demo", "healthy-modren"], "did you mean healthy-modern?"),
    ("CFG015", ["lab", "serve", "no-such-file.toml"], "no-such-file.toml"),
    ("CFG016", [URL, "--header", "Authorization: Bearer ${TOKEN}"], "${env:NAME}"),
    ("CFG016", [URL, "--header", "X-Key: <your key>"], "placeholder"),
    ("CFG016", [URL, "--header", "X-Key: {{key}}"], "placeholder"),
    ("CFG017", [URL, "--config", __file__], f"({HERE}:1:"),
    ("CFG018", [URL, "--config", "/no/such/file"], "no such file"),
    ("CFG018", [URL, "--config", str(HERE.parent)], "is a directory"),
    ("CFG019", [URL, "--config", str(HERE.parent / "empty_list.json")], '{"connectors": [...]}'),
    ("CFG025", ["replay", "/no/such/report.json"], "no such file"),
    ("CFG025", ["replay", __file__], "--report json=report.json"),
    ("CFG025", ["diff", str(NO_CONNECTOR_FILE), str(NO_CONNECTOR_FILE)], "holds no report"),
    ("CFG061", [URL, "--config", str(NO_CONNECTOR_FILE)], "docs/connectors.md"),
    ("CFG030", [URL, "--credentials-from", "keychain"], "mcp-remote, fastmcp, vibe"),
    ("CFG031", [URL, "--credentials-from", f"mcp-remote:{HERE.parent}"], "log in with npx mcp-remote"),
]

NEED_A_STORE = {
    "CFG020": "cli/test_stored_logins.py",
    "CFG021": "cli/test_stored_logins.py",
    "CFG022": "connector/test_connect_with_login.py",
    "CFG023": "cli/test_stored_logins.py",
    "CFG024": "cli/test_stored_logins.py",
    "CFG026": "history/test_file.py",
    "CFG032": "oauth/test_borrowed.py",
}
"""Codes that no command line provokes by itself, and the tests that do."""


@pytest.mark.parametrize(("code", "argv", "hint"), REFUSED)
def test_a_refusal_is_one_sentence_with_the_correction(
    code: str, argv: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = main(argv)

    printed = capsys.readouterr()
    assert (3 if code == "CFG011" else 2) == exit_code
    assert printed.out == ""
    assert printed.err.startswith(f"diagnose: {code} ")
    assert hint in printed.err
    assert 1 == printed.err.count("\n")


FILES_OF_CLIENTS = "".join(
    path.read_text(encoding="utf-8")
    for path in (
        *(HERE.parents[1] / "connector/dialects").glob("*.*"),
        HERE.parent / "test_list.py",
        HERE.parent / "test_named_targets.py",
    )
)
"""What provokes the codes of files that other clients have."""


def test_every_configuration_page_is_proven_here_or_in_the_file_of_a_client() -> None:
    here = {code for code, _, _ in REFUSED} | set(NEED_A_STORE)
    rest = {code for code in codes() if code.startswith("CFG")} - here

    assert [] == sorted(code for code in rest if f'"{code}"' not in FILES_OF_CLIENTS)


@pytest.mark.parametrize(("code", "module"), NEED_A_STORE.items())
def test_a_page_that_needs_a_store_is_proven_where_it_is_said(code: str, module: str) -> None:
    assert code in (HERE.parent.parent / module).read_text(encoding="utf-8")


CANARY = "tok3nXcanaryX9f2b7c1d4e5"


@pytest.mark.parametrize(
    "argv",
    [
        [URL, "--header", f"Authorization {CANARY}"],
        [URL, "--header", "Authorization:", "Bearer", CANARY],
        [URL, "--header", f"Authorization: Bearer {CANARY}\n"[:-1] + "\x01"],
        [URL, "--header", f"Authorization: Bearer {CANARY}", "--header", f"authorization: Bearer {CANARY}"],
        [URL, "--bearer-env", CANARY],
        [f"http://user:{CANARY}@"],
        [f"ws://user:{CANARY}@127.0.0.1/"],
        [f"mcp.example.com/mcp?token={CANARY}"],
        [URL, f"--bearer-env={CANARY}", "--nope"],
        [URL, f"--{CANARY}"],
        [URL, "--proxy", f"socks5://user:{CANARY}@127.0.0.1:1"],
    ],
)
def test_no_refusal_repeats_a_secret(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(argv)

    printed = capsys.readouterr()
    assert CANARY not in printed.err + printed.out
    assert re.match(r"diagnose: CFG\d{3} ", printed.err)


def test_a_hostile_argument_prints_no_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    main(["\x1b]0;owned\x07name"])

    assert "\x1b" not in capsys.readouterr().err


ANY_TEXT = st.text(st.characters(), max_size=60)
"""Also lone surrogates: that is how bytes that are no UTF-8 arrive on a command line."""


def refusal(call: Callable[[], object]) -> str | None:
    """The code with which ``call`` refuses its input, or None where it takes it."""
    try:
        call()
    except UsageError as problem:
        return problem.code
    return None


@given(ANY_TEXT)
def test_any_header_is_taken_or_refused_in_one_sentence(text: str) -> None:
    asked = replace(NOTHING_ASKED, header=(text,))

    assert refusal(lambda: connector_of(URL, asked)) in (None, "CFG003", "CFG004", "CFG016")


@given(ANY_TEXT)
def test_any_arguments_are_an_object_or_refused(text: str) -> None:
    asked = replace(NOTHING_ASKED, tool="x", args=text)

    assert refusal(lambda: options_of(asked)) in (None, "CFG012")


@given(ANY_TEXT)
def test_any_pin_is_an_address_or_refused(text: str) -> None:
    asked = replace(NOTHING_ASKED, resolve=(text,))

    assert refusal(lambda: connector_of(URL, asked)) in (None, "CFG006")


@given(ANY_TEXT)
def test_any_target_is_taken_or_refused_in_one_sentence(text: str) -> None:
    assert refusal(lambda: connector_of(text, NOTHING_ASKED)) in (None, "CFG001", "CFG002", "CFG011")


@given(ANY_TEXT)
def test_any_url_is_taken_or_refused_in_one_sentence(text: str) -> None:
    for start in ("http://", "https://h/", "https://h:", "https://[", "https://u@"):
        assert refusal(lambda: connector_of(start + text, NOTHING_ASKED)) in (None, "CFG001", "CFG002")  # noqa: B023
