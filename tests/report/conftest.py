"""Reports that every format is shown: healthy, broken, warned, interrupted, and one full of hostile text."""

from __future__ import annotations

from typing import Any

import pytest

from diagnose.display import display
from diagnose.model import Report
from diagnose.step import TITLES

HOSTILE = (
    "\x1b]52;c;cHduZWQ=\x07\x1b[2Jx\r\n::error::pwned\n  ##vso[task.setvariable variable=a]b "
    "##[add-path]/tmp </testcase><script>alert(1)</script> ]]> & ' \" | `` ``` "
    "[click](javascript:alert(1)) <b>bold</b> [red]markup[/red] %0A::set-output:: \u202eevil\u202c "
    "\u200b\ud800 @everyone http://evil.example/ {0} \ufffe"
)
"""What a server may put into any text: terminal escapes, CI commands, XML, HTML, Markdown, rich markup."""


def _step(step_id: str, status: str = "passed", **more: Any) -> dict[str, Any]:
    number, title = TITLES[step_id]
    timed = {} if status == "skipped" else {"started_ms": float(number), "duration_ms": 1.5}
    return {"number": number, "id": step_id, "title": title, "status": status, **timed, **more}


def _finding(code: str, severity: str = "error", **more: Any) -> dict[str, Any]:
    return {
        "code": code,
        "name": "tls.example-fault",
        "severity": severity,
        "side": "remote",
        "actor": "server_operator",
        "confidence": "certain",
        "summary": "The certificate of mcp.example.com expired on 2026-01-01.",
        "cause": "It was not renewed.",
        "fix": "Renew it and reload the server.",
        **more,
    }


def _report(steps: list[dict[str, Any]], verdict: dict[str, Any], **more: Any) -> Report:
    given = {step["id"]: step for step in steps}
    return Report.model_validate(
        {
            "tool": {"name": "connector-diagnose", "version": "0.1.0"},
            "run": {
                "id": "00000000-0000-4000-8000-000000000000",
                "started_at": "2026-11-20T12:00:00.000Z",
                "duration_ms": 42.0,
            },
            "connector": {
                "name": "mcp.example.com",
                "transport": "streamable-http",
                "url": "https://mcp.example.com/mcp",
                "source": "command line",
            },
            "verdict": verdict,
            "steps": [given.get(step_id) or _step(step_id) for step_id in TITLES],
            "environment": {"python": "3.11.0", "openssl": "OpenSSL 3", "platform": "Linux"},
            **more,
        }
    )


def healthy() -> Report:
    return _report(
        [
            _step("token_validity", facts={"needed": False, "credential": {"type": "none"}}),
            _step(
                "mcp_initialize",
                facts={
                    "era": "modern",
                    "protocol_version": "2026-07-28",
                    "server_name": "example",
                    "server_version": "1.0",
                },
            ),
            _step("list_tools", facts={"tools": 2, "pages": 1, "names": ["a", "b"]}),
        ],
        {"status": "passed", "summary": "All steps passed: the connector works."},
        exchanges=[_exchange()],
    )


def _exchange() -> dict[str, Any]:
    return {
        "id": 1,
        "step": "http_reachability",
        "request": {
            "method": "POST",
            "url": "https://mcp.example.com/mcp?a=1",
            "headers": [["Content-Type", "application/json"], ["Authorization", "Bearer [redacted]"]],
            "body": '{"id":1}',
        },
        "response": {
            "status": 200,
            "reason": "OK",
            "http_version": "HTTP/1.1",
            "headers": [["content-type", "application/json"]],
            "body": '{"id":1,"result":{}}',
            "body_size": 20,
        },
        "timings_ms": {"connect": 1.0, "tls": 2.0, "send": 0.5, "wait": 3.0, "receive": 0.5, "total": 7.0},
        "truncated": True,
    }


def failed() -> Report:
    finding = _finding(
        "TLS993",
        evidence=[
            {"label": "end of validity", "expected": "after 2026-11-20", "observed": "after 2026-01-01"},
            {"label": "chain", "expected": "one\ntwo", "observed": "one\nthree", "where": "handshake"},
            {"label": "peer", "observed": "203.0.113.7:443"},
        ],
        where="certificate, notAfter",
        rule="RFC 5280 4.1.2.5 (https://www.rfc-editor.org/rfc/rfc5280)",
        reproduce="openssl s_client -connect mcp.example.com:443 -servername mcp.example.com </dev/null",
        ruled_out=["passed before: DNS, TCP"],
        forward="Your certificate expired on 2026-01-01; please renew it.",
    )
    skipped = [
        _step(step_id, "skipped", blocked_by="tls", facts={"reason": "needs what tls did not give"})
        for step_id in list(TITLES)[3:]
    ]
    return _report(
        [_step("tls", "failed", findings=[finding]), *skipped],
        {
            "status": "failed",
            "failed_step": {"number": 3, "id": "tls"},
            "code": "TLS993",
            "name": "tls.example-fault",
            "summary": finding["summary"],
            "cause": finding["cause"],
            "fix": finding["fix"],
            "actor": "server_operator",
            "confidence": "certain",
        },
    )


def warned() -> Report:
    finding = _finding("TLS996", "warning", summary="The certificate expires in 3 days.")
    note = _finding("TLS997", "info", summary="The chain is long.")
    return _report(
        [
            _step("tls", "warned", findings=[finding, note]),
            _step("teardown", "not_applicable", facts={"reason": "nothing to let go"}),
        ],
        {
            "status": "warned",
            "summary": "The connector works, with a warning: The certificate expires in 3 days.",
        },
    )


def broken_by_us() -> Report:
    finding = _finding("BUG001", name="bug.internal-error", actor="client_vendor", side="local")
    return _report(
        [_step("dns", "failed", findings=[finding])],
        {
            "status": "error",
            "failed_step": {"number": 1, "id": "dns"},
            "code": "BUG001",
            "name": "bug.internal-error",
            "summary": finding["summary"],
        },
    )


def interrupted() -> Report:
    skipped = [_step(step_id, "skipped", facts={"reason": "interrupted"}) for step_id in list(TITLES)[2:]]
    summary = "The run was interrupted after TCP; nothing had failed so far."
    return _report(skipped, {"status": "error", "summary": summary})


def hostile() -> Report:
    """The text as the pipeline lets it through: display-safe, and with everything that display keeps."""
    text = str(display(HOSTILE, layout=True))
    finding = _finding(
        "TLS993",
        name=text,
        summary=text,
        cause=text,
        fix=text,
        evidence=[{"label": text, "expected": text, "observed": text + "x", "where": text}],
        where=text,
        rule=text,
        reproduce=text,
        ruled_out=[text],
        forward=text,
    )
    lesser = _finding("TLS996", "warning", name=text, summary=text, fix=text)
    exchange = _exchange()
    exchange["request"]["url"] = f"https://mcp.example.com/?{text}"
    exchange["response"] |= {"reason": text, "body": text, "headers": [[text, text]], "error": text}
    return _report(
        [
            _step("tls", "failed", findings=[finding, lesser], facts={"subject": text, "reason": text}),
            _step("mcp_initialize", "skipped", blocked_by="tls", facts={"reason": text}),
            _step("list_tools", facts={"tools": 1, "names": [text]}),
        ],
        {
            "status": "failed",
            "failed_step": {"number": 3, "id": "tls"},
            "code": "TLS993",
            "name": text,
            "summary": text,
            "cause": text,
            "fix": text,
        },
        connector={"name": text, "transport": text, "url": f"https://mcp.example.com/{text}", "source": text},
        exchanges=[exchange],
    )


REPORTS = {
    "healthy": healthy,
    "failed": failed,
    "warned": warned,
    "broken-by-us": broken_by_us,
    "interrupted": interrupted,
    "hostile": hostile,
}


@pytest.fixture(params=sorted(REPORTS))
def example(request: pytest.FixtureRequest) -> tuple[str, Report]:
    """Each example report with its name."""
    return request.param, REPORTS[request.param]()


@pytest.fixture
def reports() -> dict[str, Report]:
    """All example reports by name."""
    return {name: make() for name, make in REPORTS.items()}
