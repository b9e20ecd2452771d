"""The connector file: what it may hold, and one sentence with place and correction for what it may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diagnose.connector import NoCredential, OAuth2Credential
from diagnose.connector.file import load_file
from diagnose.connector.json_document import LIMIT
from diagnose.errors import UsageError

URL = "https://mcp.example.com/mcp"
CANARY = "canaryX9f2b7c1d4e5"


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "c.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(folder: Path, content: Any) -> UsageError:
    path = written(folder, content if isinstance(content, str | bytes) else json.dumps(content))
    with pytest.raises(UsageError) as caught:
        load_file(path)
    assert "\n" not in str(caught.value)
    assert CANARY not in str(caught.value)
    assert caught.value.where is not None
    assert caught.value.where.startswith(str(path))
    return caught.value


def place(problem: UsageError) -> str:
    return str(problem.where).rpartition("c.json")[2]


def test_a_url_alone_is_a_connector(tmp_path: Path) -> None:
    (found,) = load_file(written(tmp_path, json.dumps({"url": URL})))

    assert ("mcp.example.com", URL, NoCredential()) == (found.name, found.url, found.credential)
    assert ("connector file", "") == (found.source.format, found.source.pointer)


def test_every_field_of_a_connector_may_stand_in_the_file(tmp_path: Path) -> None:
    everything = {
        "name": "docs",
        "transport": {"type": "sse", "url": URL},
        "headers": {"X-Tenant": "${env:TENANT}"},
        "credential": {
            "type": "oauth2",
            "access_token": "${env:A}",
            "token_type": "Bearer",
            "refresh_token": "${env:R}",
            "expires_at": "2026-01-31T12:00:00Z",
            "scope": "mcp:tools",
            "issuer": "https://as.example.com",
            "client_id": "c",
        },
        "tools": {"include": ["a"], "exclude": [], "requires_confirmation": ["b"]},
        "network": {"ca_bundle": "ca.pem", "proxy": "", "trust_env": False, "resolve": {"h:1": "127.0.0.1"}},
        "era": "legacy",
        "sample": {"tool": "a", "arguments": {"n": [1, None]}},
    }
    (found,) = load_file(written(tmp_path, json.dumps({"connectors": [everything]})))

    assert isinstance(found.credential, OAuth2Credential)
    assert found.credential.expires_at is not None
    assert tmp_path / "ca.pem" == found.network.ca_bundle
    assert "/connectors/0" == found.source.pointer


@pytest.mark.parametrize(
    "credential",
    [
        {"type": "none"},
        {"type": "bearer", "token": CANARY},
        {"type": "basic", "username": "u", "password": CANARY},
        {"type": "api_key", "name": "key", "in": "query", "value": CANARY},
        {"type": "headers", "headers": {"X-One": CANARY}},
        {"type": "oauth2", "access_token": CANARY},
    ],
)
def test_every_kind_of_credential_may_stand_in_the_file(tmp_path: Path, credential: dict[str, Any]) -> None:
    (found,) = load_file(written(tmp_path, json.dumps({"url": URL, "credential": credential})))

    assert credential["type"] == found.credential.type
    assert CANARY not in repr(found)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    assert 1 == len(load_file(written(tmp_path, b"\xef\xbb\xbf" + json.dumps({"url": URL}).encode())))


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ("", ":1:1", "the file is empty"),
        ('{"url": "u",\n}', ":1:12", "remove this comma"),
        ('{"connectors": [{},\n ]}', ":1:19", "remove this comma"),
        ('{\n  // comment\n  "url": "u"}', ":2:3", "JSON has no comments"),
        ("{'url': 'u'}", ":1:2", "double quotes instead of single ones"),
        ('{"url": "u"\n "name": "n"}', ":2:2", "a comma is missing before it"),
        ('{"url" "u"}', ":1:8", "write a colon"),
        ('{"url": "u"', ":1:12", "something is not closed"),
        ('{"name": "a\nb"}', ":1:12", "close the string on the line"),
        ('{"name": "a', ":1:10", "close the string with a double quote"),
        ('{"name": "C:\\qa"}', ":1:13", "double the backslash"),
        ('{"network": {"trust_env": True}}', ":1:27", "lower case"),
        ("{“url”: 1}", ":1:2", "straight double quotes"),
        ('{"url": 1}\n{"url": 2}', ":2:1", '{"connectors": [...]}'),
        ('{"url": nowhere}', ":1:9", "write a JSON value there"),
        (b'{"name":\n"\xff"}', ":2:2", "save it as UTF-8"),
        (json.dumps({"url": URL}).encode("utf-16"), ":1:1", "save it as UTF-8"),
        ('{"a": {"b": 1, "b": 2}}', " /a/b", "remove one of the two"),
        ('{"a": [NaN]}', " /a/0", "write a number"),
        ('{"a": 1e999}', " /a", "write a number"),
        ("[" * 200_000, "", "write it flatter"),
        ('{"a": ' + "9" * 5000 + "}", "", "shorten it"),
    ],
)
def test_a_fault_of_the_syntax_is_named_by_line_and_column(
    tmp_path: Path, text: str | bytes, where: str, hint: str
) -> None:
    problem = refusal(tmp_path, text)

    assert "CFG017" == problem.code
    assert where == place(problem)
    assert hint in problem.hint


BEARER = {"type": "bearer", "token": CANARY}


@pytest.mark.parametrize(
    ("document", "where", "text"),
    [
        ([{"url": URL}], "", "an array"),
        (None, "", "holds null"),
        ({"connectors": {"a": {"url": URL}}}, " /connectors", "write a list"),
        ({"connectors": []}, " /connectors", "is empty"),
        ({"connectors": [URL]}, " /connectors/0", "this is a string"),
        ({"connectors": [], "name": "n"}, " /name", "move it into a connector"),
        ({"mcpServers": {}}, " /mcpServers", "MCP client"),
        ({"conectors": []}, " /conectors", "did you mean connectors?"),
        ({}, "", 'add "url"'),
        ({"name": "n"}, "", 'add "url"'),
        ({"transport": {"url": URL}}, "", 'add "name"'),
        ({"name": "n", "transport": {"type": "sse"}}, " /transport", 'add "url"'),
        ({"url": URL, "transport": {"url": URL}}, "", "exclude each other"),
        ({"url": [CANARY]}, " /url", "write it as a string"),
        ({"url": URL, "name": ""}, " /name", "not empty"),
        ({"url": URL, "name": 7}, " /name", "a number is not what belongs there"),
        ({"url": URL, "credentials": BEARER}, " /credentials", "did you mean credential?"),
        ({"url": URL, "source": {}}, " /source", "filled in"),
        ({"url": URL, "era": CANARY}, " /era", 'write "auto", "legacy" or "modern"'),
        ({"url": URL, "credential": None}, " /credential", "write an object"),
        ({"url": URL, "credential": {"token": CANARY}}, " /credential", "one of none, bearer"),
        ({"url": URL, "credential": {"type": "baerer"}}, " /credential/type", "did you mean bearer?"),
        ({"url": URL, "credential": {"type": CANARY}}, " /credential/type", "it takes one of none, bearer"),
        ({"url": URL, "credential": {"type": [1]}}, " /credential/type", "it takes one of none, bearer"),
        (
            {"url": URL, "credential": {"type": "oauth2", "acces_token": CANARY}},
            " /credential/acces_token",
            "did you mean access_token?",
        ),
        (
            {"url": URL, "credential": {"type": "oauth2", "access_token": CANARY, "expires_in": 3600}},
            " /credential/expires_in",
            "write expires_at, an absolute time",
        ),
        (
            {"url": URL, "credential": {"type": "oauth2", "access_token": CANARY, "expires_at": CANARY}},
            " /credential/expires_at",
            "a time with its zone",
        ),
        (
            {
                "url": URL,
                "credential": {"type": "oauth2", "access_token": CANARY, "expires_at": "2026-01-31T12:00:00"},
            },
            " /credential/expires_at",
            "a time with its zone",
        ),
        ({"url": URL, "credential": {"type": "bearer"}}, " /credential", 'add "token"'),
        ({"url": URL, "credential": {"type": "bearer", "token": [CANARY]}}, " /credential/token", "array"),
        ({"url": URL, "credential": {"type": "bearer", "token": ""}}, " /credential/token", "is empty"),
        (
            {"url": URL, "credential": {"type": "api_key", "name": "k", "in": "heder", "value": CANARY}},
            " /credential/in",
            'write "header" or "query"',
        ),
        ({"url": URL, "headers": {"X": {"value": CANARY}}}, " /headers/X", "a string in double quotes"),
        ({"url": URL, "headers": [CANARY]}, " /headers", "write an object"),
        ({"url": URL, "headers": {"Authorization": CANARY}, "credential": BEARER}, " /headers", "two cred"),
        ({"url": f"https://u:{CANARY}@h.test/", "credential": BEARER}, " /url", "two credentials"),
        ({"name": "n", "transport": {"url": f"https://u:{CANARY}@h.test/"}}, " /transport/url", '"basic"'),
        ({"url": URL, "tools": {"exlude": []}}, " /tools/exlude", "did you mean exclude?"),
        ({"url": URL, "tools": {"include": "a"}}, " /tools/include", "a list of strings"),
        ({"url": URL, "network": {"ca_bundel": "x"}}, " /network/ca_bundel", "did you mean ca_bundle?"),
        ({"url": URL, "network": {"ca_bundle": 5}}, " /network/ca_bundle", "a path"),
        ({"url": URL, "network": {"trust_env": "perhaps"}}, " /network/trust_env", "true or false"),
        ({"url": URL, "network": {"client_key": "k"}}, " /network/client_key", "no certificate"),
        ({"url": URL, "network": {"resolve": {"h": "127.0.0.1"}}}, " /network/resolve/h", "HOST:PORT"),
        ({"url": URL, "network": {"resolve": {"h:1": "name"}}}, " /network/resolve/h:1", "HOST:PORT"),
        ({"url": URL, "sample": {"tol": "x"}}, " /sample/tol", "did you mean tool?"),
        ({"url": URL, "sample": {"tool": "x", "arguments": [1]}}, " /sample/arguments", "write an object"),
        ({"url": URL, "a/b~": 1}, " /a~1b~0", "no such field"),
    ],
)
def test_a_wrong_connector_is_named_by_its_pointer_with_the_correction(
    tmp_path: Path, document: Any, where: str, text: str
) -> None:
    problem = refusal(tmp_path, document)

    assert "CFG019" == problem.code
    assert where == place(problem)
    assert text in str(problem)


@pytest.mark.parametrize(
    ("document", "code", "where"),
    [
        ({"url": "mcp.example.com/mcp"}, "CFG001", " /url"),
        ({"url": f"ws://mcp.example.com/?token={CANARY}"}, "CFG002", " /url"),
        ({"name": "n", "transport": {"url": "https://"}}, "CFG001", " /transport/url"),
        ({"url": URL, "headers": {"Host": "h"}}, "CFG004", ""),
        ({"url": URL, "headers": {"X Key": CANARY}}, "CFG004", " /headers/X Key"),
        ({"url": URL, "headers": {"X-Key": CANARY, "x-key": CANARY}}, "CFG004", " /headers"),
        ({"url": URL, "headers": {"X-Key": "${TOKEN}"}}, "CFG016", " /headers/X-Key"),
        ({"url": URL, "credential": {"type": "bearer", "token": "<token>"}}, "CFG016", " /credential/token"),
    ],
)
def test_what_a_field_holds_is_refused_with_the_code_that_an_option_has(
    tmp_path: Path, document: Any, code: str, where: str
) -> None:
    problem = refusal(tmp_path, document)

    assert (code, where) == (problem.code, place(problem))


def test_two_connectors_of_one_name_are_refused_with_both_places(tmp_path: Path) -> None:
    problem = refusal(tmp_path, {"connectors": [{"url": URL}, {"name": "b", "url": URL}, {"url": URL + "2"}]})

    assert "CFG019" == problem.code
    assert "two connectors are named 'mcp.example.com', /connectors/0 and /connectors/2" == problem.what


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    problem = refusal(tmp_path, b" " * (LIMIT + 1))

    assert ("CFG018", "the connector file is larger than 1024 KiB") == (problem.code, problem.what)


def test_a_name_that_is_spelt_like_a_token_is_not_quoted(tmp_path: Path) -> None:
    name = "tok3n" + "a1" * 20
    problem = refusal(tmp_path, {"url": URL, name: "x"})

    assert name not in str(problem)


NAMES = st.sampled_from(
    ["url", "name", "transport", "headers", "credential", "tools", "network", "type", "token", "resolve", "x"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([URL, "bearer", "headers", "sse", "", "\ud800", "https://u:p@h.test/"])
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


def code_of(path: Path) -> str | None:
    """The code with which a file is refused, or None where it is taken."""
    try:
        load_file(path)
    except UsageError as problem:
        return problem.code
    return None


@given(st.dictionaries(NAMES, VALUES, max_size=6) | VALUES)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_document_is_taken_or_refused_in_one_sentence(tmp_path: Path, document: Any) -> None:
    known = (None, "CFG001", "CFG002", "CFG004", "CFG016", "CFG019")
    for shape in (document, {"connectors": [document]}):
        assert code_of(written(tmp_path, json.dumps(shape))) in known


@given(st.binary(max_size=80) | st.text(alphabet='{}[]",:\\ \n1ea/#', max_size=40).map(str.encode))
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    assert code_of(written(tmp_path, content)) in ("CFG017", "CFG019")
