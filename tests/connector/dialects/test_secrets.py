"""What a file holds stays in it: no secret in a message, a list or a dump; no text becomes a reference."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diagnose.connector import Defined, Secret, load
from diagnose.connector.dialects.interpolation import SYNTAX, fill
from diagnose.connector.dialects.rows import DIALECTS
from diagnose.connector.dialects.shown import dumped
from diagnose.connector.json_document import Place
from diagnose.errors import UsageError

CANARY = "canaryX9f2b7c1d4e5a8b3c6d7e0"
VALID = Path(__file__).parent / "valid"
ENVIRON = {"HOME": "/home/x", "DOCS_TOKEN": "t0ken", "INPUT_DOCS_TOKEN": "t0ken", "SECRET": CANARY}


def everything_shown(found: tuple[Defined, ...]) -> str:
    """All that a list or a report could print of definitions."""
    parts = [repr(entry.connector) for entry in found]
    for entry in found:
        parts += [json.dumps(dumped(entry)), str(entry.target), str(entry.real_url)]
        parts += [f"{problem} {problem!r}" for problem in entry.problems]
        parts += [repr(twin) for twin in entry.twins]
        if entry.connector is not None:
            parts.append(str(entry.connector.credential.describe()))
    return "\n".join(parts)


@pytest.mark.parametrize("row", DIALECTS, ids=lambda row: row.key)
@pytest.mark.parametrize(
    "where", ["token", "environment", "argument", "query", "path", "unknown", "everywhere"]
)
def test_a_secret_of_a_file_is_shown_nowhere(row: Any, where: str, tmp_path: Path) -> None:
    url = {"query": f"https://h.test/mcp?token={CANARY}", "path": f"https://h.test/{CANARY}/mcp"}.get(where)
    slots: dict[str, Any] = {
        "url": url or "https://h.test/mcp",
        "http_url": url or "https://h.test/mcp",
        "command": "server",
        "argv": ["server", "--api-key", CANARY],
        "args": ["--api-key", CANARY, f"--token={CANARY}", "-e", f"KEY={CANARY}", CANARY],
        "env": {"API_KEY": CANARY},
        "headers": {"Authorization": f"Bearer {CANARY}", "X-Other": CANARY},
        "bearer": CANARY,
        "bearer_env": CANARY,
        "api_key": CANARY,
        "api_key_env": CANARY,
        "word": CANARY,
        "oauth.client_id": "client",
        "oauth.client_secret": CANARY,
        "text": CANARY,
        "kept": CANARY,
        "ms": CANARY,
    }
    chosen = {
        "token": ("url", "http_url", "headers", "bearer", "api_key"),
        "environment": ("command", "argv", "env"),
        "argument": ("command", "argv", "args"),
        "query": ("url", "http_url"),
        "path": ("url", "http_url"),
        "unknown": ("url", "http_url", "text"),
    }.get(where, tuple(slots))
    entry: dict[str, Any] = {"typo": CANARY} if where == "unknown" else {}
    for field, slot in row.fields.items():
        if slot in chosen and "." not in field:
            entry[field] = slots[slot]
    word = next(iter(row.words), None)
    if (where != "everywhere" or row.key == "openai-responses") and word and "type" in row.fields:
        entry["type"] = word
    document: Any = {"a": {**entry}} if not row.listed else [{**entry, row.name_field or "name": "a"}]
    for part in reversed(row.roots[0]):
        document = {part: document}
    path = tmp_path / "config"
    text = as_toml(document) if row.format == "toml" else json.dumps(document)  # JSON is YAML as well
    path.write_text(text, encoding="utf-8")
    found = load(path, dialect=row.key, environ=ENVIRON, platform="linux")

    assert 1 == len(found)
    assert CANARY not in everything_shown(found)


def as_toml(document: dict[str, Any]) -> str:
    """A document as inline tables, which need no headers."""

    def inline(value: Any) -> str:
        if isinstance(value, dict):
            return (
                "{" + ", ".join(f"{json.dumps(name)} = {inline(part)}" for name, part in value.items()) + "}"
            )
        return "[" + ", ".join(map(inline, value)) + "]" if isinstance(value, list) else json.dumps(value)

    return "".join(f"{name} = {inline(value)}\n" for name, value in document.items())


@pytest.mark.parametrize("fixture", sorted({path.name for path in VALID.iterdir()} - {"connector-file.json"}))
def test_what_the_model_has_no_place_for_is_kept_by_its_place(fixture: str) -> None:
    path = VALID / fixture
    dialect = fixture.rpartition(".")[0].removesuffix("-user")
    for entry in load(path, dialect=dialect, environ=ENVIRON, platform="linux"):
        filled = {origin.pointer.removeprefix(entry.origin.pointer) for origin in entry.origins.values()}
        covered = filled | set(entry.extra)
        raw = reached(path, dialect, entry.origin.pointer)
        missing = [
            pointer
            for pointer in leaves(raw)
            if not any(pointer == known or pointer.startswith(f"{known}/") for known in covered)
        ]
        assert [] == [pointer for pointer in missing if pointer not in ("/name", "/server_label")]


def reached(path: Path, dialect: str, pointer: str) -> Any:
    """What stands at a pointer of a file."""
    from diagnose.connector.dialects.documents import read_document
    from diagnose.connector.dialects.rows import by_key

    value = read_document(path, by_key(dialect).format).value
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def leaves(value: Any, at: tuple[str | int, ...] = ()) -> list[str]:
    """The pointers of everything that is no container."""
    if isinstance(value, dict):
        return [leaf for name, part in value.items() for leaf in leaves(part, (*at, name))]
    if isinstance(value, list):
        return [leaf for index, part in enumerate(value) for leaf in leaves(part, (*at, index))]
    return [Place("", at).pointer]


def test_our_own_reference_is_text_in_the_file_of_a_client_that_has_it_not(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    entry = {"command": "server", "args": ["${env:SECRET}"], "env": {"A": "${env:SECRET}"}}
    path.write_text(json.dumps({"mcpServers": {"a": entry}}), encoding="utf-8")
    (found,) = load(path, dialect="claude-desktop", environ=ENVIRON)

    assert found.connector is not None
    assert found.connector.stdio is not None
    (argument,) = found.connector.stdio.args
    assert "${env:SECRET}" == Secret(argument).resolve(ENVIRON, where="")
    assert "${env:SECRET}" == found.connector.stdio.env["A"].resolve(ENVIRON, where="")
    assert () == found.connector.stdio.env["A"].references


@given(st.text(alphabet="${}:-ABenvinput%<> x", max_size=30))
@settings(max_examples=300)
def test_a_text_without_references_of_its_client_comes_out_as_it_went_in(text: str) -> None:
    assert text == Secret(fill(text, (), {}).template).resolve({"A": "x", "B": "y"}, where="")


@given(st.text(alphabet="${}:-ABenvinput% x", max_size=30), st.sampled_from(sorted(SYNTAX)))
@settings(max_examples=300)
def test_every_reference_of_a_template_is_one_that_the_client_wrote(text: str, spelling: str) -> None:
    filled = fill(text, (spelling,), {"userHome": "h"})

    assert [reference.variable for reference in filled.references] == list(Secret(filled.template).references)


NAMES = st.sampled_from(
    [
        "mcpServers",
        "servers",
        "mcp",
        "type",
        "url",
        "command",
        "args",
        "env",
        "headers",
        "a",
        "",
        "oauth",
        "timeout",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-10, max_value=10**6)
    | st.sampled_from(
        ["https://h.test/", "http", "stdio", "npx", "\ud800", "${A}", "https://u:p@h", "a b", "\x00"]
    )
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=14,
)


@given(
    st.fixed_dictionaries({"mcpServers": st.dictionaries(NAMES, VALUES, max_size=3)}) | VALUES,
    st.sampled_from([row.key for row in DIALECTS]),
)
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_document_in_any_dialect_is_read_or_refused_in_one_sentence(
    tmp_path: Path, document: Any, dialect: str
) -> None:
    path = tmp_path / "any.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with contextlib.suppress(UsageError):
        for entry in load(path, dialect=dialect, environ={"HOME": "/home/x"}):
            assert (entry.connector is None) == (entry.reason is not None)
            for problem in entry.problems:
                assert "\n" not in str(problem)


@given(st.text(alphabet=' \n\t-:[]{}&*"!|>ab#', max_size=40), st.sampled_from(["goose", "codex", "vscode"]))
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_in_any_format_is_read_or_refused_in_one_sentence(
    tmp_path: Path, text: str, dialect: str
) -> None:
    path = tmp_path / "any"
    path.write_text(text, encoding="utf-8")
    refused = ""
    try:
        load(path, dialect=dialect, environ={"HOME": "/home/x"})
    except UsageError as problem:
        refused = str(problem)
    assert refused == "" or refused[:6] in ("CFG017", "CFG018", "CFG040", "CFG041")
    assert "\n" not in refused
