"""What a contrast may do to a verdict: prove it, weaken it, or nothing at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from diagnose_checks.contrasts import answered
from diagnose_lab import Lab
from scenario_runs import run

from diagnose.api import start


def decisive(lab: Lab, name: str) -> dict[str, Any]:
    """The finding of the verdict, or the first warning of a run that passed."""
    report = run(lab, name).report
    findings = [finding for step in report["steps"] for finding in step["findings"]]
    code = report["verdict"]["code"]
    return next(finding for finding in findings if code is None or finding["code"] == code)


@pytest.mark.parametrize(
    ("scenario", "field", "words"),
    [
        ("init-header-mismatch-contrast-dies", "cause", "it got no answer"),
        ("session-not-initialized-contrast-dies-legacy", "cause", "also after a second announcement"),
        ("session-not-initialized-legacy", "cause", "also after a second announcement"),
        ("list-empty-prompts-die-legacy", "cause", "could not be seen (prompts/list got no answer)"),
        ("list-empty-legacy", "cause", "the server lists no prompts and no resources"),
        ("http-accept-other-refusal", "cause", "None of three Accept values passes"),
        ("http-media-type-other-refusal", "cause", "gives HTTP 503"),
        ("http-only-http2", "summary", "answers an HTTP/1.1 request in HTTP/2"),
        ("init-json-labelled-as-stream-legacy", "summary", "a JSON document under Content-Type"),
    ],
)
def test_a_finding_says_what_its_contrast_showed_and_no_more(
    lab: Lab, scenario: str, field: str, words: str
) -> None:
    assert words in decisive(lab, scenario)[field]


@pytest.mark.parametrize(
    ("scenario", "confidence"),
    [
        ("tls-interception", "certain"),
        ("tls-issued-by-name-proxy", "likely"),
        ("http-accept", "certain"),
        ("http-accept-other-refusal", "likely"),
    ],
)
def test_a_verdict_is_as_sure_as_what_its_contrast_can_tell_apart(
    lab: Lab, scenario: str, confidence: str
) -> None:
    assert confidence == decisive(lab, scenario)["confidence"]


def test_a_contrast_that_is_never_answered_leaves_time_for_the_verdict() -> None:
    ctx = start("http://127.0.0.1:9/mcp", environ={}).ctx

    async def asked() -> object:
        ctx.begin("session_open", ctx.monotonic() + 0.05)
        return await answered(ctx, asyncio.get_running_loop().create_future())

    assert asyncio.run(asked()) is None


def test_a_refused_tunnel_that_two_steps_meet_is_one_finding(lab: Lab) -> None:
    outcome = run(lab, "tcp-proxy-next-tunnel-denied-in-list")
    assert [("tcp", "TCP017")] == outcome.findings("error")
