"""The privacy mask: nothing of whose connector it is, and everything of what is wrong with it."""

from __future__ import annotations

import re

import pytest
from diagnose_lab import Lab
from diagnose_tui.entries import Entry
from diagnose_tui.flow import laid_out
from diagnose_tui.panes.cause import cause_blocks
from diagnose_tui.privacy import Mask
from diagnose_tui.privacy.patterns import DOCUMENTATION_HOSTS
from diagnose_tui.view import View, view_of
from tui_reports import finding, report_of, report_with

from diagnose.catalogue import codes, page
from diagnose.model import Evidence, Exchange, Problem, Report

CANARIES = (
    "canaryhost",
    "canarycorp",
    "canaryname",
    "CanaryServer",
    "canarypath",
    "canaryquery",
    "canaryuser",
    "CanaryAuthority",
    "203.0.113.77",
    "2001:db8:77",
    "77" * 32,
)
HOST = "mcp.canaryhost.canarycorp.net"
URL = f"https://{HOST}:8443/v1/canarypath/mcp"


def _canary_report() -> Report:
    evidence = [
        Evidence(
            label="TLS handshake with mcp.canaryhost.canarycorp.net, verified with /home/canaryuser/ca.pem",
            expected=URL,
            observed="https://mcp.canaryhost.canarycorp.net:8443/v1/canarypath",
            where=f"{URL}#/issuer",
        ),
        Evidence(
            label="certificates presented, leaf first",
            observed=f"0: CN={HOST},O=CanaryAuthority, for *.canaryhost.canarycorp.net, "
            f"203.0.113.77, SHA-256 {'77' * 32}",
        ),
    ]
    made = finding(evidence=evidence).model_copy(
        update={
            "summary": "The certificate of mcp.canaryhost.canarycorp.net is not for 203.0.113.77.",
            "cause": "CanaryAuthority issued it; /v1/canarypath/mcp asks canaryuser@canarycorp.net.",
            "fix": f"Write {URL}?tenant=canaryquery into canaryname, or resource=https%3A%2F%2F{HOST}.",
            "reproduce": f"curl -sS '{URL}' --resolve {HOST}:8443:203.0.113.77 --cacert ~/canarypath/x",
            "forward": "[2001:db8:77::1]:443 answers for canaryname.",
            "where": "/Users/canaryuser/Library/canarypath/config.json:12",
        }
    )
    exchange = Exchange(
        id=1,
        step="tls",
        request={"method": "POST", "url": URL, "headers": [["Host", "mcp.canaryhost.canarycorp.net:8443"]]},
        response={
            "status": 302,
            "headers": [
                ["Location", "/login/canarypath?next=canaryquery"],
                ["Set-Cookie", "a=b; Domain=.canarycorp.net"],
            ],
            "body": '{"issuer": "https:\\/\\/login.canarycorp.net\\/canarypath",'
            ' "see": "C:\\\\Users\\\\canaryuser\\\\x"}',
        },
    )
    report = report_with([made], url=URL, exchanges=[exchange])
    facts = {"host": "mcp.canaryhost.canarycorp.net", "addresses": ["203.0.113.77", "2001:db8:77::1"]}
    named = {"server_name": "CanaryServer", "server_version": "1.0", "era": "modern"}
    steps = list(report.steps)
    steps[0] = steps[0].model_copy(update={"facts": facts})
    steps[6] = steps[6].model_copy(update={"facts": named})
    summary = report.connector.model_copy(
        update={"name": "canaryname", "source": "/srv/canarypath/connectors.json:3 /connectors/0"}
    )
    verdict = report.verdict.model_copy(
        update={"summary": made.summary, "cause": made.cause, "fix": made.fix}
    )
    return report.model_copy(update={"steps": steps, "connector": summary, "verdict": verdict})


def _shown(view: View) -> str:
    return "\n".join(content.plain for content in laid_out(cause_blocks(view, 100), 100))


def test_no_canary_is_left_in_a_masked_report() -> None:
    masked = Mask().report(_canary_report()).to_json()
    assert [] == [canary for canary in CANARIES if canary.lower() in masked.lower()]


def test_no_canary_is_left_on_any_step_of_a_masked_view() -> None:
    mask, report = Mask(), _canary_report()
    shown = "".join(_shown(mask.view(view_of(report, step.id))) for step in report.steps)
    assert [] == [canary for canary in CANARIES if canary.lower() in shown.lower()]


def test_no_canary_is_left_in_a_masked_entry() -> None:
    problem = Problem(
        code="CFG001",
        name="cfg.x",
        severity="error",
        what="canaryname of /home/canaryuser/x.json names https://canaryhost.canarycorp.net",
        hint="see /home/canaryuser",
    )
    entry = Entry(
        key="1",
        name="canaryname",
        client="CanaryServer",
        target=URL,
        place="/home/canaryuser/x.json:4",
        problems=(problem,),
    )
    masked = Mask().entry(entry)
    said = " ".join(
        [
            masked.name,
            masked.client,
            masked.target,
            masked.place,
            masked.problems[0].what,
            masked.problems[0].hint,
        ]
    )
    assert [] == [canary for canary in CANARIES if canary.lower() in said.lower()]
    assert said.count(":4") == 1


def test_one_host_has_one_placeholder_in_every_spelling() -> None:
    mask = Mask()
    first = mask.text("https://mcp.acme.example:8443/team/mcp and MCP.ACME.EXAMPLE.")
    assert "https://host-1:8443/path-1 and host-1." == first
    escaped = "%2F%2Fmcp.acme.example%2Fteam%2Fmcp at mcp.acme.example:8443"
    assert "%2F%2Fhost-1/path-1 at host-1:8443" == mask.text(escaped)


def test_a_subdomain_of_a_known_host_is_another_host() -> None:
    mask = Mask()
    mask.text("https://acme.example/x")
    assert "host-2 is below host-1" == mask.text("login.acme.example is below acme.example")


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:80, [::1]:443 and localhost answer at 12:07:38",
        "http://localhost:3000/mcp",
        "RFC 8414 3.3 (https://www.rfc-editor.org/rfc/rfc8414#section-3.3)",
        "TLS003 tls.expired-certificate at /tools/3/inputSchema, application/json",
        "Mcp-Session-Id: x, python-httpx2/2.16.2, 2026-07-28, io.modelcontextprotocol/clientInfo",
        "openssl s_client </dev/null; /usr/bin/python3 and /etc/ssl/certs/ca-certificates.crt",
    ],
)
def test_what_identifies_nobody_stays(text: str) -> None:
    assert text == Mask().text(text)


def test_no_sentence_of_the_catalogue_is_touched() -> None:
    mask = Mask()
    templates = [
        re.sub(r"\{\{|\}\}|\{[a-z_]+\}", "X", text)
        for entry in map(page, codes())
        for text in (entry.name, entry.summary, entry.cause, entry.fix, entry.spec, entry.forward or "")
    ]
    assert [] == [text for text in templates if mask.text(text) != text]


def test_every_rule_s_own_document_stays_readable() -> None:
    hosts = {re.sub(r"^https://([^/]+).*", r"\1", page(code).spec) for code in codes()} - {""}
    assert set() == hosts - DOCUMENTATION_HOSTS


def test_a_run_against_a_documentation_host_is_masked_all_the_same() -> None:
    mask = Mask()
    report = report_with([finding(text="https://github.com/x fails")], url="https://github.com/x")
    assert "github.com" not in mask.report(report).to_json()


def test_a_name_that_is_an_ordinary_word_is_masked_only_where_it_stands_as_a_name() -> None:
    mask = Mask()
    report = report_with([finding(text="the server answers")])
    named = report.model_copy(update={"connector": report.connector.model_copy(update={"name": "server"})})
    masked = mask.report(named)
    assert "name-1" == masked.connector.name
    assert "summary the server answers" == masked.verdict.summary


def test_a_name_that_is_the_host_is_masked_as_that_host() -> None:
    view = View(name="mcp.acme.example:8443", target="https://mcp.acme.example:8443/mcp")
    masked = Mask().view(view)
    assert ("host-1:8443", "https://host-1:8443/mcp") == (masked.name, masked.target)


def test_masking_twice_changes_nothing_more() -> None:
    mask = Mask()
    once = mask.report(_canary_report())
    assert once.to_json() == mask.report(once).to_json()


def test_what_is_learned_later_is_masked_in_what_was_shown_before() -> None:
    mask = Mask()
    report = report_with([finding(text="intranet-wiki")])
    assert "intranet-wiki" in mask.report(report).to_json()
    mask.learn(Entry(key="1", name="intranet-wiki"))
    assert "intranet-wiki" not in mask.report(report).to_json()


@pytest.mark.parametrize("name", ["tls-expired-tls12", "auth-issuer-mismatch-legacy", "healthy-stdio-modern"])
def test_a_masked_report_of_a_real_run_is_valid_and_says_the_same(lab: Lab, name: str) -> None:
    report = report_of(lab, name)
    masked = Mask().report(report)
    assert masked.to_dict() == Report.model_validate(masked.to_dict()).to_dict()
    assert report.verdict.code == masked.verdict.code
    assert [step.status for step in report.steps] == [step.status for step in masked.steps]
    text = masked.to_json()
    assert [] == [word for word in ("lab.test", "Diagnose Lab", "trustme", "diagnose-lab-") if word in text]


@pytest.mark.parametrize(
    "unit", ["a.", "1:", "http://a", "a@b.", "OU=a,", "/home/", "%2F", "-", "https://a.b/c?d "]
)
def test_a_body_made_to_be_slow_is_searched_in_one_pass(unit: str) -> None:
    mask = Mask()
    mask.text("https://mcp.acme.example/team/x")
    body = unit * (65536 // len(unit))
    assert len(mask.text(body)) > 0
