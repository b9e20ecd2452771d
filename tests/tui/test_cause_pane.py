"""The pane Cause: the answer to the selected step within its first lines."""

from __future__ import annotations

from typing import Any

import pytest
from diagnose_lab import Lab
from diagnose_tui.glyphs import ASCII
from diagnose_tui.panes.cause import cause_blocks
from diagnose_tui.view import View, view_of
from pane_texts import lines_of, running, text_of
from tui_reports import finding, report_of, report_with

from diagnose.model import Evidence, Exchange, Problem, StepResult


@pytest.mark.parametrize("name", ["tls-expired", "auth-issuer-mismatch-legacy", "tcp-refused", "list-error"])
def test_cause_and_fix_begin_within_eight_lines_of_eighty_columns(lab: Lab, name: str) -> None:
    first = lines_of(cause_blocks(view_of(report_of(lab, name)), 74), 74)[:8]
    assert {"Cause", "Fix"} <= {line.split(" ")[0] for line in first}


def test_a_fix_stands_before_a_cause_that_would_push_it_off_the_screen() -> None:
    long = finding().model_copy(update={"cause": "because " * 100})
    first = lines_of(cause_blocks(view_of(report_with([long])), 76))[:8]
    assert ["Fix", "Cause"] == [line.split(" ")[0] for line in first if line.startswith(("Fix", "Cause"))]


def test_the_verdict_sentence_is_first_and_whole(lab: Lab) -> None:
    report = report_of(lab, "auth-issuer-mismatch-legacy")
    lines = lines_of(cause_blocks(view_of(report), 40), 40)
    until_status = next(place for place, line in enumerate(lines) if "FAILED" in line)
    assert report.verdict.summary.replace(" ", "") == "".join(lines[:until_status]).replace(" ", "")


def test_the_status_is_a_sign_and_a_word_beside_the_code(lab: Lab) -> None:
    lines = lines_of(cause_blocks(view_of(report_of(lab, "tls-expired"), glyphs=ASCII)))
    assert "x FAILED  TLS003 tls.expired-certificate, certain" in lines


def test_carets_stand_under_the_part_that_differs(lab: Lab) -> None:
    report = report_of(lab, "auth-issuer-mismatch-legacy")
    lines = lines_of(cause_blocks(view_of(report)))
    observed = next(line for line in lines if line.lstrip().startswith("observed"))
    caret = lines[lines.index(observed) + 1]
    assert "^" == caret.strip()
    assert len(observed) == caret.index("^")


def test_a_wide_character_before_the_difference_moves_the_carets_by_two_cells() -> None:
    pair = Evidence(label="x", expected="日本/a", observed="日本/b")
    lines = lines_of(cause_blocks(view_of(report_with([finding(evidence=[pair])]))))
    assert " " * 22 + " " * 5 + "^" in lines


def test_a_difference_of_long_texts_is_marked_within_one_text() -> None:
    pair = Evidence(label="x", expected="a " * 60 + "old" + " z" * 60, observed="a " * 60 + "new" + " z" * 60)
    text = text_of(cause_blocks(view_of(report_with([finding(evidence=[pair])]))))
    assert "[-old-]{+new+}" in text
    assert "[-expected-]{+observed+}" in text


def test_lines_of_a_stranger_have_a_gutter() -> None:
    pair = Evidence(label="x", observed="first\nWho acts   you")
    lines = lines_of(cause_blocks(view_of(report_with([finding(evidence=[pair])]))))
    assert "           | Who acts   you" in lines


def test_every_part_of_a_finding_is_told(lab: Lab) -> None:
    report = report_of(lab, "tls-expired")
    text = text_of(cause_blocks(view_of(report)), 4000)
    decisive = report.steps[2].findings[0]
    told = [decisive.cause, decisive.fix, decisive.rule, decisive.reproduce, *decisive.ruled_out]
    told += [entry.label for entry in decisive.evidence] + ["whoever runs the server"]
    assert [] == [part for part in told if part and part not in text]


def test_other_steps_that_broke_are_named() -> None:
    report = report_with([finding()])
    later = report.steps[8].model_copy(update={"status": "failed", "findings": [finding("TOOL012")]})
    steps = [later if step.id == later.id else step for step in report.steps]
    view = view_of(report.model_copy(update={"steps": steps}))
    assert "Broken too 9 List tools TOOL012" in lines_of(cause_blocks(view))


def test_the_gravest_finding_of_a_step_is_told_first() -> None:
    mild = finding("TLS016", text="mild").model_copy(update={"severity": "warning"})
    text = text_of(cause_blocks(view_of(report_with([mild, finding(text="grave")]))))
    assert text.index("summary grave") < text.index("summary mild")


def test_a_healthy_run_says_so_and_what_was_found(lab: Lab) -> None:
    lines = lines_of(cause_blocks(view_of(report_of(lab, "healthy-modern-tls"), "mcp_initialize")))
    assert "All steps passed: the connector works." == lines[0]
    assert "modern era, 2026-07-28" in lines[1]
    assert any(line.startswith("protocol version") and line.endswith("2026-07-28") for line in lines)


def test_a_warning_says_that_the_connector_works(lab: Lab) -> None:
    lines = lines_of(cause_blocks(view_of(report_of(lab, "healthy-http-sse"))))
    assert "Verdict    The connector works; this is a warning." in lines


def test_a_skipped_step_names_the_cause_and_where_it_is(lab: Lab) -> None:
    text = text_of(cause_blocks(view_of(report_of(lab, "tls-expired"), "list_tools")), 200)
    assert "skipped  9 List tools: blocked by TLS" in text
    assert "TLS003     The certificate of 127.0.0.1 expired" in text
    assert "Select step 3 TLS for the evidence." in text


def test_a_step_that_does_not_apply_says_why(lab: Lab) -> None:
    assert "credentials come from the environment" in text_of(
        cause_blocks(view_of(report_of(lab, "healthy-stdio-modern"), "auth_discovery"))
    )


def test_nothing_run_yet_says_how_to_start() -> None:
    assert "Enter or r runs it" in text_of(cause_blocks(View(name="x", target="https://mcp.example/mcp")))


@pytest.mark.parametrize(
    ("timings", "response", "expected"),
    [
        ({}, None, "on its way"),
        ({"send": 1.0}, None, "sent, no answer yet"),
        ({"send": 1.0, "wait": 2.0}, {"status": 200}, "HTTP 200, the body is being read"),
        ({"send": 1.0, "wait": 2.0, "receive": 3.0}, {"status": 200}, "HTTP 200, read"),
        ({}, {"error": "reset"}, "ended by reset"),
    ],
)
def test_a_running_step_says_how_far_its_request_is(
    lab: Lab, timings: dict[str, float], response: dict[str, Any] | None, expected: str
) -> None:
    exchange = Exchange(
        id=7,
        step="list_tools",
        request={"method": "POST", "url": "https://mcp.example/mcp"},
        response=response,
        timings_ms=timings,
    )
    view = running(report_of(lab, "healthy-modern-tls"), "list_tools", [exchange])
    assert f"7    POST https://mcp.example/mcp: {expected}" in lines_of(cause_blocks(view))


def test_a_running_step_without_a_request_says_what_it_waits_for(lab: Lab) -> None:
    remote = running(report_of(lab, "healthy-modern-tls"), "tls", [])
    local = running(report_of(lab, "healthy-stdio-modern"), "tcp", [])
    assert "the handshake to end" in text_of(cause_blocks(remote))
    assert "the process to start" in text_of(cause_blocks(local))


def test_a_broken_definition_is_told_with_its_place() -> None:
    trouble = Problem(
        code="CFG001",
        name="cfg.not-json",
        severity="error",
        what="there is a comma too many",
        hint="remove it",
        where="~/x.json:12",
    )
    text = text_of(cause_blocks(View(name="x", target="", trouble=trouble)))
    assert ["there is a comma too many", "CFG001 cfg.not-json", "remove it", "~/x.json:12"] == [
        part
        for part in ("there is a comma too many", "CFG001 cfg.not-json", "remove it", "~/x.json:12")
        if part in text
    ]


def test_facts_are_words_and_have_units() -> None:
    step = StepResult(
        number=1,
        id="dns",
        title="DNS",
        status="passed",
        facts={
            "second_request": "tools/list",
            "offered": True,
            "took_ms": 15.9,
            "names": [],
            "a": {"b_ms": 1},
        },
    )
    view = View(name="x", target="", steps=[step])
    lines = lines_of(cause_blocks(view))
    assert [
        "second request  tools/list",
        "offered         yes",
        "took            15.9 ms",
        "names           none",
    ] == lines[1:5]
    assert "a               b 1 ms" == lines[5]
