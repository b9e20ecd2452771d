"""A report out of a file: shown as it was, or refused in one sentence; never an exception of a renderer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from diagnose_lab import Lab
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_runs import run

from diagnose.errors import UsageError
from diagnose.model import Report
from diagnose.report import FORMATS, render
from diagnose.stored_report import report_file, report_in

SNAPSHOTS = Path(__file__).parent / "report" / "snapshots"
KEPT = sorted(path.name.partition(".")[0] for path in SNAPSHOTS.glob("*.json.txt"))


def kept(name: str) -> bytes:
    return (SNAPSHOTS / f"{name}.json.txt").read_bytes()


# A header of the hostile example has a line break in it, which no run writes and a reader writes out.
SHOWN = [
    (name, format)
    for name in KEPT
    for format in FORMATS
    if (name, format) not in (("hostile", "json"), ("hostile", "har"))
]


@pytest.mark.parametrize(("name", "format"), SHOWN)
def test_a_stored_report_is_shown_as_the_run_showed_it(name: str, format: str) -> None:
    shown = render(report_in(kept(name), name), format)

    expected = (SNAPSHOTS / f"{name}.{format}.txt").read_text(encoding="utf-8")
    assert expected == shown.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize(
    "name",
    [
        "healthy-oauth-deep",
        "healthy-stdio-environment",
        "healthy-api-key",
        "healthy-stored-login",
        "auth-like-keycloak",
        "call-http-500",
        "tls-expired",
        "auth-register-open",
        "list-bidi-name",
        "list-hidden-description",
    ],
)
def test_reading_a_report_of_a_run_changes_nothing_in_it(lab: Lab, name: str) -> None:
    made = run(lab, name).report
    again = report_in(json.dumps(made).encode(), name).to_dict()

    assert made == again


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is no JSON"),
        (b"{", "the file is no JSON"),
        (b"[]", "the file holds no report"),
        (b"7", "the file holds no report"),
        (b'{"log": {}}', "the file is a HAR file, and no report"),
        (b'{"runs": []}', "the file is a SARIF file, and no report"),
        (b'{"mcpServers": {}}', "the file is a file of connectors, and no report"),
        (b'{"schema_version": "1.0", "connectors": []}', "the file is a list of connectors"),
        (b'{"schema_version": "2.0", "steps": []}', "schema version '2.0', and this diagnose reads 1.x"),
        (b'{"schema_version": 1, "steps": []}', "schema version '1'"),
        (b'{"schema_version": "1.0", "steps": []}', "the report is broken"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": 1e999}', "a number is too large"),
        (b'{"a": ' + b"[" * 100_000, "nested deeper"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "more digits"),
        (b'{"a": "\\ud800"}', "lone surrogate"),
    ],
)
def test_what_is_no_report_is_refused_in_one_sentence(content: bytes, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        report_in(content, "file.json")

    assert "CFG025" == refused.value.code
    assert said in refused.value.what
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("pointer", "value", "said"),
    [
        ("/verdict/status", "splendid", "input should be 'passed'"),
        ("/run/started_at", "yesterday", "no time of RFC 3339"),
        ("/run/started_at", "2026-11-20T12:00:00", "no time of RFC 3339"),
        ("/run/duration_ms", 1e300, "no duration"),
        ("/steps/2/id", "ssl", "step 3 is tls"),
        ("/steps/2/started_ms", -1e300, "a time that is none"),
        ("/steps/2/findings", [], "a step that failed has a finding"),
        ("/steps/2/findings/0/code", "x", "string should match"),
        ("/exchanges/0/request/headers", [["a"]], "headers are pairs"),
        ("/exchanges/0/request/headers", {"a": "b"}, "headers are pairs"),
        ("/exchanges/0/response/status", "200", "a whole number"),
        ("/exchanges/0/response/body", ["x"], "this is text"),
        ("/exchanges/0/timings_ms/total", 1e300, "a time that is none"),
    ],
)
def test_a_fault_is_named_with_line_and_pointer(pointer: str, value: Any, said: str) -> None:
    document = json.loads(kept("failed"))
    document["exchanges"] = json.loads(kept("healthy"))["exchanges"]
    *path, last = pointer.split("/")[1:]
    holder = document
    for part in path:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    holder[last] = value
    text = json.dumps(document, indent=2)

    with pytest.raises(UsageError) as refused:
        report_in(text.encode(), "file.json")
    where = str(refused.value.where)
    name, _, found = where.partition(" ")
    line = int(name.removeprefix("file.json:"))

    assert said in refused.value.what
    assert pointer.startswith(found)
    assert f'"{found.rpartition("/")[2]}"' in text.splitlines()[line - 1] or found.endswith("/2")


def test_a_report_from_a_stranger_is_redacted_and_made_harmless_again() -> None:
    document = json.loads(kept("healthy"))
    token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    document["exchanges"][0]["request"]["headers"] += [["Authorization", "Bearer abc"], ["X-Api-Key", "k9"]]
    document["exchanges"][0]["response"]["body"] = f"\x1b[2J {token}"
    document["connector"]["url"] = "https://user:hunter2@mcp.example.com/mcp?token=s3cr3t"
    document["connector"]["name"] = "a\u202eb"
    document["connector"]["command"] = ["npx", "--api-key", "k9secret"]
    document["steps"][3]["facts"] = {"access_token": "plain-words", "\x07": 1}
    report = report_in(json.dumps(document).encode(), "file.json")
    shown = report.to_json() + "".join(render(report, format) for format in FORMATS)

    for secret in (token, "Bearer abc", '"k9"', "hunter2", "s3cr3t", "k9secret", "plain-words"):
        assert secret not in shown
    for character in ("\x1b", "\u202e", "\\u001b", "\x07"):
        assert character not in shown


def test_members_of_a_later_version_are_ignored() -> None:
    document = json.loads(kept("healthy")) | {"schema_version": "1.9", "later": [1]}
    document["steps"][0]["later"] = {"x": 1}

    assert "1.9" == report_in(json.dumps(document).encode(), "file.json").schema_version


def test_a_byte_order_mark_is_no_reason_to_refuse() -> None:
    assert "passed" == report_in(b"\xef\xbb\xbf" + kept("healthy"), "file.json").verdict.status


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(33 * 1024 * 1024)

    with pytest.raises(UsageError, match="larger than 32 MiB"):
        report_file(str(tmp_path / "large.json"))


@pytest.mark.parametrize("name", ["missing.json", ".", "a\0b", "x" * 5000])
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="the report cannot be read") as refused:
        report_file(str(tmp_path / name))

    assert "CFG025" == refused.value.code


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A report with some of its parts replaced, removed or filled with junk."""
    document = json.loads(kept(draw(st.sampled_from(KEPT))))
    for _ in range(draw(st.integers(1, 4))):
        holder: Any = document
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(holder[key], dict | list) and draw(st.integers(0, 3)):
                holder = holder[key]
                continue
            if draw(st.booleans()):
                holder[key] = draw(JUNK)
            else:
                del holder[key]
            break
    return document


@settings(max_examples=400, deadline=None)
@given(damaged())
def test_no_damaged_report_makes_a_renderer_fail(document: Any) -> None:
    _read_and_shown(json.dumps(document).encode())


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_file_that_was_cut_or_overwritten_makes_anything_fail(data: st.DataObject) -> None:
    content = bytearray(kept(data.draw(st.sampled_from(KEPT))))
    start = data.draw(st.integers(0, len(content)))
    content[start : start + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
    _read_and_shown(bytes(content))


def _read_and_shown(content: bytes) -> None:
    """Either refused with the code for it, or shown in every way."""
    report, code = None, "CFG025"
    try:
        report = report_in(content, "file.json")
    except UsageError as problem:
        code = problem.code
    assert "CFG025" == code
    if report is not None:
        _shown_in_every_way(report)


def _shown_in_every_way(report: Report) -> None:
    from diagnose.comparison import compare, to_dict
    from diagnose.comparison import text as comparison_text
    from diagnose.report import as_text

    for format in FORMATS:
        render(report, format)
    as_text.render(report, verbosity=2, color=True)
    other = report_in(kept("warned"), "other")
    for comparison in (compare(report, other), compare(other, report)):
        comparison_text.render(comparison)
        json.dumps(to_dict(comparison))
    assert compare(report, report).same
