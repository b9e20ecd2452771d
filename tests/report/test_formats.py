"""Each format gets the same reports, and its text is kept beside the tests."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

from diagnose.catalogue import HEADINGS, page
from diagnose.model import Report, json_schema
from diagnose.report import FORMATS, as_sarif, as_text, render
from diagnose.step import TITLES

KEPT = Path(__file__).parent / "snapshots"


@pytest.mark.parametrize("format", FORMATS)
def test_a_format_prints_what_it_printed_when_somebody_last_looked(
    format: str, example: tuple[str, Report]
) -> None:
    name, report = example
    kept = KEPT / f"{name}.{format}.txt"
    printed = render(report, format).encode("utf-8", "backslashreplace").decode()
    if os.environ.get("KEEP_SNAPSHOTS"):  # after a change on purpose: set it, run, read the difference
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(printed, encoding="utf-8", newline="\n")
    assert kept.read_text(encoding="utf-8") == printed


@pytest.mark.parametrize("format", FORMATS)
def test_no_format_lets_a_character_act_on_a_terminal(format: str, example: tuple[str, Report]) -> None:
    printed = render(example[1], format)

    assert [] == re.findall(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ud800-\udfff]", printed
    )


@pytest.mark.parametrize("format", FORMATS)
def test_no_line_of_any_format_commands_a_build_server(format: str, example: tuple[str, Report]) -> None:
    lines = render(example[1], format).splitlines()
    ours = lines[:1] if format == "github" else []

    assert [] == [line for line in lines if line.lstrip().startswith("::") and line not in ours]
    assert [] == [line for line in lines if re.search(r"##\w*\[", line)]


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_ends_in_exactly_one_line_break(format: str, example: tuple[str, Report]) -> None:
    printed = render(example[1], format)

    assert printed.endswith("\n")
    assert not printed.endswith("\n\n")


def test_json_reads_back_as_the_same_report_and_fits_the_schema(example: tuple[str, Report]) -> None:
    document = json.loads(render(example[1], "json"))

    jsonschema.Draft202012Validator(json_schema()).validate(document)
    assert example[1] == Report.model_validate(document)


def test_json_escapes_commands_to_build_servers_without_changing_the_text(reports: dict[str, Report]) -> None:
    report = reports["hostile"]

    assert "##vso[" not in render(report, "json")
    assert report.connector.name == json.loads(render(report, "json"))["connector"]["name"]


def test_junit_has_one_case_per_step_and_nothing_breaks_out_of_it(example: tuple[str, Report]) -> None:
    suites = ElementTree.fromstring(render(example[1], "junit"))  # noqa: S314  our own text
    suite = suites.find("testsuite")
    assert suite is not None

    cases = [case.get("name") for case in suite.findall("testcase")]
    assert [f"{number:02} {step_id}" for step_id, (number, _) in TITLES.items()] == cases
    assert {"properties", "testcase"} == {child.tag for child in suite}
    assert {"failure", "error", "skipped", "system-out"} >= {
        child.tag for case in suite.findall("testcase") for child in case
    }


def test_junit_counts_what_it_holds(example: tuple[str, Report]) -> None:
    suites = ElementTree.fromstring(render(example[1], "junit"))  # noqa: S314  our own text

    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suites.get(attribute, "")) == len(suites.findall(f".//{tag}"))


def test_a_fault_of_ours_is_an_error_and_not_a_failure_in_junit(reports: dict[str, Report]) -> None:
    suites = ElementTree.fromstring(render(reports["broken-by-us"], "junit"))  # noqa: S314  our own text

    assert ("0", "1") == (suites.get("failures"), suites.get("errors"))


def test_sarif_has_a_rule_for_every_result(example: tuple[str, Report]) -> None:
    run = json.loads(render(example[1], "sarif"))["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]

    assert sorted(set(rules)) == rules
    for result in run["results"]:
        assert result["ruleId"] == rules[result["ruleIndex"]]
        assert result["level"] in ("error", "warning", "note")
        assert re.fullmatch("[0-9a-f]{64}", result["partialFingerprints"]["connectorCode/v1"])
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


def test_sarif_takes_the_text_of_a_rule_from_the_catalogue(reports: dict[str, Report]) -> None:
    run = json.loads(render(reports["broken-by-us"], "sarif"))["runs"][0]
    rule = run["tool"]["driver"]["rules"][0]

    assert page("BUG001").name == rule["name"]
    assert all(f"## {heading}" in rule["help"]["markdown"] for heading in HEADINGS)


def test_sarif_points_at_the_line_that_defines_the_connector(reports: dict[str, Report]) -> None:
    report = reports["failed"]
    report.connector.source = ".mcp/connectors.json:7"
    run = json.loads(as_sarif.render(report))["runs"][0]

    assert {
        "artifactLocation": {"uri": ".mcp/connectors.json"},
        "region": {"startLine": 7},
    } == run["results"][0]["locations"][0]["physicalLocation"]


def test_text_in_a_sarif_message_never_becomes_a_link(reports: dict[str, Report]) -> None:
    run = json.loads(render(reports["hostile"], "sarif"))["runs"][0]

    assert not re.search(r"(?<!\\)\[click", run["results"][0]["message"]["text"])


def test_github_annotates_only_the_first_failing_step(reports: dict[str, Report]) -> None:
    for name in ("failed", "hostile"):
        printed = render(reports[name], "github")
        assert printed.startswith("::error title=diagnose (TLS993)")
        assert 1 == len(printed.splitlines())


def test_github_points_at_the_line_that_defines_the_connector(reports: dict[str, Report]) -> None:
    report = reports["failed"]
    report.connector.source = "a,b:c.json:7"

    assert render(report, "github").startswith("::error file=a%2Cb%3Ac.json,line=7,title=")


def test_markdown_fences_are_longer_than_any_run_of_backticks_inside(reports: dict[str, Report]) -> None:
    printed = render(reports["hostile"], "markdown")

    blocks = re.findall(r"^(`{3,})text\n(.*?)\n\1$", printed, re.DOTALL | re.MULTILINE)
    assert blocks
    assert all(len(fence) > max(map(len, re.findall("`+", body))) for fence, body in blocks)


def test_markdown_outside_code_holds_no_markup_of_a_server(reports: dict[str, Report]) -> None:
    printed = render(reports["hostile"], "markdown")
    outside = re.sub(r"(?ms)^(`{3,})text\n.*?\n\1$|(?<!`)(`+)(?!`).*?(?<!`)\2(?!`)", "", printed)
    without_escapes = re.sub(r"\\.", "", outside)

    assert "<" not in without_escapes
    assert "[" not in without_escapes
    assert "http://" not in without_escapes


def test_markdown_stays_below_what_a_step_summary_may_hold(reports: dict[str, Report]) -> None:
    report = reports["warned"]
    step = report.step("tls")
    step.findings = step.findings * 20_000
    printed = render(report, "markdown")

    assert len(printed.encode()) < 1024 * 1024
    assert "The rest is left out" in printed


def test_har_holds_every_exchange_with_its_phases(reports: dict[str, Report]) -> None:
    log = json.loads(render(reports["healthy"], "har"))["log"]
    entry = log["entries"][0]

    assert "1.2" == log["version"]
    assert {"name": "a", "value": "1"} == entry["request"]["queryString"][0]
    assert {"connect": 3.0, "ssl": 2.0} == {key: entry["timings"][key] for key in ("connect", "ssl")}
    assert "2026-11-20T12:00:00.004Z" == entry["startedDateTime"]
    assert {"cache", "request", "response", "time", "timings", "startedDateTime", "comment"} == set(entry)


def test_text_reads_at_80_columns(reports: dict[str, Report]) -> None:
    for name in ("healthy", "warned", "interrupted", "broken-by-us"):
        assert [] == [line for line in as_text.render(reports[name]).splitlines() if len(line) > 80]


def test_only_a_line_to_paste_is_wider_than_80_columns(reports: dict[str, Report]) -> None:
    wide = [line for line in as_text.render(reports["failed"]).splitlines() if len(line) > 80]

    assert ["  Reproduce"] == [line[:11] for line in wide]


def test_text_without_unicode_is_ascii(reports: dict[str, Report]) -> None:
    for name in ("healthy", "failed", "warned", "interrupted"):
        assert as_text.render(reports[name], unicode=False).isascii()


def test_colour_adds_nothing_that_the_plain_text_does_not_say(reports: dict[str, Report]) -> None:
    for name, report in reports.items():
        colored = as_text.render(report, color=True)
        assert as_text.render(report) == re.sub(r"\x1b\[[0-9;]*m", "", colored), name


def test_text_says_who_acts_what_to_change_and_what_was_not_reached(reports: dict[str, Report]) -> None:
    printed = as_text.render(reports["failed"])

    for expected in (
        "Who acts   whoever runs the server",
        "Fix        Renew it",
        "Not seen   not reached because of TLS: HTTP reachability",
        "Reproduce  openssl s_client",
    ):
        assert expected in printed


def test_exchanges_are_shown_when_asked_for_twice(reports: dict[str, Report]) -> None:
    report = reports["healthy"]

    assert "POST https" not in as_text.render(report, verbosity=1)
    assert "  > POST https://mcp.example.com/mcp?a=1" in as_text.render(report, verbosity=2)
    assert "  > Authorization: Bearer [redacted]" in as_text.render(report, verbosity=2)
