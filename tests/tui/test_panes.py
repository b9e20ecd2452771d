"""The panes Fix, Certificate, curl and JSON, and what holds for every pane: real runs and hostile reports."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from app_panes import looked_at
from app_screens import shown, until
from diagnose_lab import Lab
from diagnose_tui.flow import laid_out
from diagnose_tui.panes.cause import CausePane
from diagnose_tui.panes.chain import ChainPane, chain_blocks
from diagnose_tui.panes.curl import CurlPane, curl_blocks, curl_text
from diagnose_tui.panes.fix import FixPane, fix_blocks, fix_text, forward_text
from diagnose_tui.panes.flow_pane import FlowPane
from diagnose_tui.panes.json_text import JsonPane, json_rows, json_text
from diagnose_tui.view import View, view_of
from pane_texts import lines_of, text_of
from tui_reports import HOSTILE, finding, report_of, report_with

from diagnose.catalogue import codes, page
from diagnose.model import Evidence, Exchange, Problem

KINDS = (
    "tls-expired",
    "auth-issuer-mismatch-legacy",
    "list-duplicate-names-legacy",
    "healthy-modern-tls",
    "healthy-stdio-modern",
    "healthy-http-sse",
    "tcp-refused",
    "dns-special-use-invalid",
)
FLOWING: tuple[type[FlowPane], ...] = (CausePane, FixPane, ChainPane, CurlPane)
WIDTHS = (20, 46, 76, 116, 156)


# Fix


def test_the_sentences_of_a_fix_are_its_steps() -> None:
    several = finding().model_copy(
        update={"fix": "Renew it, e.g. with certbot. Reload the server. See RFC 5280."}
    )
    lines = lines_of(fix_blocks(view_of(report_with([several]))))
    assert "Fix     1  Renew it, e.g. with certbot." in lines
    assert "        2  Reload the server." in lines


def test_a_fix_says_who_acts_and_what_to_send_and_what_to_type(lab: Lab) -> None:
    report = report_of(lab, "tls-expired")
    text = text_of(fix_blocks(view_of(report)), 4000)
    decisive = report.steps[2].findings[0]
    told = [decisive.fix, decisive.forward, decisive.reproduce, "certbot renew", page("TLS003").spec]
    assert [] == [part for part in told if part and part not in text]
    assert "To send to whoever runs the server" in text


def test_the_fix_of_a_run_is_seen_from_every_step_of_it(lab: Lab) -> None:
    report = report_of(lab, "tls-expired")
    seen = {step.id: "TLS003" in text_of(fix_blocks(view_of(report, step.id))) for step in report.steps}
    assert dict.fromkeys(seen, True) == seen


def test_a_healthy_run_has_nothing_to_fix(lab: Lab) -> None:
    view = view_of(report_of(lab, "healthy-modern-tls"))
    assert "Nothing to fix: no step failed or warned." == FixPane.blank(view)
    assert ("", "") == (fix_text(view), forward_text(view))


def test_the_fix_of_every_page_can_be_laid_out() -> None:
    for code in codes():
        view = view_of(report_with([finding(code)])) if not code.startswith("CFG") else None
        trouble = Problem(code=code, name="x.y", severity="error", what="w", hint="h")
        text = text_of(fix_blocks(view or View(name="x", target="", trouble=trouble)), 80)
        assert f"The catalogue on {code}" in text


def test_a_code_of_another_version_has_no_page_and_is_shown_all_the_same() -> None:
    assert "fix text" in text_of(fix_blocks(view_of(report_with([finding("TLS999")]))))


# Certificate


def test_the_certificate_in_trouble_is_marked_and_its_end_is_in_words(lab: Lab) -> None:
    text = text_of(chain_blocks(view_of(report_of(lab, "tls-expired-intermediate"))), 200)
    assert "Certificate 2  ✗ it has expired" in text
    assert "ended 1 day ago" in text


def test_a_handshake_that_passed_shows_version_and_days_left(lab: Lab) -> None:
    text = text_of(chain_blocks(view_of(report_of(lab, "healthy-modern-tls"))), 200)
    assert "TLSv1.3" in text
    assert "ends in 89 days" in text


def test_a_report_older_than_the_chain_shows_the_leaf_or_the_evidence() -> None:
    presented = [Evidence(label="certificates presented, leaf first", observed="0: CN=old.example")]
    assert "0: CN=old.example" in text_of(chain_blocks(view_of(report_with([finding(evidence=presented)]))))
    report = report_with([finding()])
    leaf = report.steps[2].model_copy(
        update={
            "facts": {
                "subject": "leaf.example",
                "not_after": "2026-12-01T12:00:00Z",
                "names": ["leaf.example"],
            }
        }
    )
    steps = [leaf if step.id == "tls" else step for step in report.steps]
    text = text_of(chain_blocks(view_of(report.model_copy(update={"steps": steps}))))
    assert "until 2026-12-01 12:00 UTC, ends in 7 days" in text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("healthy-http-sse", "Plain HTTP: there is no certificate."),
        ("healthy-stdio-modern", "A local process is reached without TLS."),
        ("dns-special-use-invalid", "There was no TLS handshake: blocked by DNS."),
    ],
)
def test_where_there_is_no_certificate_the_reason_is_said(lab: Lab, name: str, expected: str) -> None:
    view = view_of(report_of(lab, name))
    assert expected == ChainPane.blank(view)
    assert [expected] == lines_of(chain_blocks(view))


# curl


def test_the_line_of_the_finding_comes_first(lab: Lab) -> None:
    report = report_of(lab, "tls-expired")
    assert report.steps[2].findings[0].reproduce == curl_text(view_of(report))


def test_without_a_finding_the_request_of_the_step_is_made_a_line(lab: Lab) -> None:
    report = report_of(lab, "healthy-modern-tls")
    words = shlex.split(curl_text(view_of(report, "sample_call")))
    sent = json.loads(words[words.index("--data") + 1])
    assert ["curl", "-sS", "-i", "-X", "POST", report.connector.url] == words[:6]
    assert "tools/call" == sent["method"]


def test_a_secret_is_a_variable_of_the_shell() -> None:
    exchange = Exchange(
        id=1,
        step="tls",
        request={
            "method": "GET",
            "url": "https://mcp.example/mcp",
            "headers": [["Authorization", "Bearer [redacted]"], ["X-Key", "[redacted]"]],
        },
    )
    view = view_of(report_with([finding().model_copy(update={"reproduce": None})], exchanges=[exchange]))
    view = View(name="x", target="", selected="tls", running="tls", exchanges=view.exchanges)
    headers = '-H "Authorization: $DIAGNOSE_AUTHORIZATION" -H "X-Key: $DIAGNOSE_SECRET"'
    assert f"curl -sS -i https://mcp.example/mcp {headers}" == curl_text(view)
    assert "set DIAGNOSE_AUTHORIZATION, DIAGNOSE_SECRET in the shell first" in text_of(curl_blocks(view), 200)


_ACTS = "$(touch acted)`touch acted`'; touch acted; '\" -o acted"


@pytest.mark.skipif(os.name == "nt", reason="the lines are for a POSIX shell")
@pytest.mark.parametrize("secret", [False, True])
@pytest.mark.parametrize("body", [_ACTS, "@/etc/hostname"])
def test_nothing_in_a_stored_request_acts_in_the_shell(tmp_path: Path, body: str, secret: bool) -> None:
    headers = [[f"X-{_ACTS}", "[redacted]" if secret else _ACTS], ["@/etc/hostname", "x"]]
    stored = {"method": _ACTS, "url": f"https://h/{_ACTS}", "headers": headers, "body": body}
    exchange = Exchange(id=1, step="tls", request=stored)
    line = curl_text(View(name="x", target="", selected="tls", running="tls", exchanges=[exchange]))
    shell = f"curl() {{ for word; do printf '%s\\0' \"$word\"; done; }}; DIAGNOSE_SECRET=s; {line}"
    words = subprocess.run(["/bin/sh", "-c", shell], cwd=tmp_path, capture_output=True, check=True).stdout
    header = f"X-{_ACTS}: {'s' if secret else _ACTS}"
    data = "--data-raw" if body.startswith("@") else "--data"
    expected = ["-sS", "-i", "-X", _ACTS, f"https://h/{_ACTS}", "-H", header, data, body]
    assert expected == words.decode().split("\0")[:-1]
    assert [] == list(tmp_path.iterdir())


def test_what_is_no_web_address_makes_no_line() -> None:
    exchange = Exchange(id=1, step="tls", request={"method": "GET", "url": "--config=/tmp/x"})
    assert "" == curl_text(View(name="x", target="", selected="tls", running="tls", exchanges=[exchange]))


def test_a_process_is_spoken_to_through_a_pipe(lab: Lab) -> None:
    view = view_of(report_of(lab, "healthy-stdio-modern"), "sample_call")
    text = curl_text(view)
    assert text.startswith("(printf '%s\\n' '{")
    assert "tools/call" in text
    assert "stdio_program" in text


# JSON


def test_the_json_is_the_report() -> None:
    report = report_with([finding(text="\x1b[31mé")])
    text = json_text(report)
    assert report.to_dict() == json.loads(text)
    assert text.isascii()


def test_a_long_line_is_cut_into_rows_and_loses_nothing() -> None:
    text = json.dumps({"a": "x" * 10000}, indent=2)
    assert text.replace("\n", "") == "".join(row.text for row in json_rows(text))


def test_the_json_of_a_running_step_is_that_of_the_step(lab: Lab) -> None:
    report = report_of(lab, "healthy-modern-tls")
    view = View(name="x", target="", selected="tls", steps=report.steps[:4], running="auth_discovery")

    async def act(pilot: Any, pane: JsonPane) -> str:
        await until(pilot, lambda: "TLSv1.3" in shown(pilot.app))
        return pane.text

    assert "tls" == json.loads(looked_at(JsonPane(), view, act))["id"]


def test_a_report_of_two_megabytes_is_walked_without_a_slow_frame() -> None:
    exchanges = [
        Exchange(id=number, step="dns", request={"headers": [[f"h{one}", "v" * 40] for one in range(100)]})
        for number in range(1, 250)
    ]
    report = report_with([finding()], exchanges=exchanges)
    assert len(json_text(report)) > 2_000_000

    async def act(pilot: Any, pane: JsonPane) -> float:
        await until(pilot, lambda: '"$schema"' in shown(pilot.app))
        longest = 0.0
        for key in ("down", "end", "up", "home", "down"):
            began = time.perf_counter()
            await pilot.press(key)
            longest = max(longest, time.perf_counter() - began)
        return longest

    assert 2.0 > looked_at(JsonPane(), view_of(report), act, (120, 36))


# All of them


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
@pytest.mark.parametrize("pane", FLOWING)
@pytest.mark.parametrize("name", KINDS)
def test_a_pane_shows_on_the_screen_what_its_blocks_say(
    lab: Lab, name: str, pane: type[FlowPane], size: tuple[int, int]
) -> None:
    view = view_of(report_of(lab, name))

    async def act(pilot: Any, made: FlowPane) -> tuple[str, str]:
        width = made.scrollable_content_region.width
        return shown(pilot.app), next(line for line in lines_of(pane.blocks(view, width), width) if line)

    seen, first = looked_at(pane(), view, act, size)
    assert first.strip() in seen


@pytest.mark.parametrize("name", KINDS)
def test_every_step_of_every_kind_of_run_can_be_laid_out_at_every_width(lab: Lab, name: str) -> None:
    report = report_of(lab, name)
    for step in report.steps:
        view = view_of(report, step.id)
        for width in WIDTHS:
            for pane in FLOWING:
                assert [] != lines_of(pane.blocks(view, width), width)


@pytest.mark.parametrize("text", [HOSTILE, "x" * 100_000, "\n" * 3000, "日" * 5000, "[", "\x00", "\t|\t"])
def test_text_of_a_stranger_does_nothing_and_stays_readable(text: str) -> None:
    hostile = finding(text=text, rule=text)
    exchange = Exchange(
        id=1, step="tls", request={"method": text, "url": f"https://h/{text}", "headers": [[text, text]]}
    )
    view = view_of(report_with([hostile], text=text, exchanges=[exchange]))
    for pane in FLOWING:
        for width in (46, 76):
            lines = laid_out(pane.blocks(view, width), width)
            said = "\n".join(line.plain for line in lines)
            assert [] == [char for char in "\x1b\x07\x00\u202e\u200b\u009b" if char in said]
            spans = [span for line in lines for span in line.spans]
            links = [getattr(span.style, "link", None) for span in spans if not isinstance(span.style, str)]
            assert {page("TLS003").spec} >= set(filter(None, links))
            assert [] == [span for span in spans if isinstance(span.style, str) and "@click" in span.style]
    for text_ in (fix_text(view), forward_text(view), curl_text(view)):
        assert [] == [char for char in "\x1b\x07\x00\u202e\u200b\u009b" if char in text_]


def test_markup_of_a_stranger_is_seen_as_it_was_written() -> None:
    view = view_of(report_with([finding(text="[red]x[/red] [@click=app.bell]y[/]")]))

    async def act(pilot: Any, pane: CausePane) -> str:
        return shown(pilot.app)

    assert "summary [red]x[/red] [@click=app.bell]y[/]" in looked_at(CausePane(), view, act)


def test_another_step_is_shown_from_its_first_line() -> None:
    report = report_with([finding(text="word " * 400)])

    async def act(pilot: Any, pane: CausePane) -> tuple[float, float]:
        await pilot.press("end")
        await until(pilot, lambda: pane.scroll_offset.y > 0)
        pane.show(view_of(report, "tls"))
        await pilot.pause()
        kept = pane.scroll_offset.y
        pane.show(view_of(report, "dns"))
        await until(pilot, lambda: pane.scroll_offset.y == 0)
        return kept, pane.scroll_offset.y

    kept, top = looked_at(CausePane(), view_of(report, "tls"), act)
    assert (True, 0) == (kept > 0, top)


def test_what_did_not_change_is_not_drawn_again() -> None:
    view = view_of(report_with([finding()]))

    async def act(pilot: Any, pane: CausePane) -> bool:
        before = pane._flow.blocks
        pane.show(view)
        await pilot.pause()
        return before is pane._flow.blocks

    assert looked_at(CausePane(), view, act)
