"""What must hold for a run of a scenario: the verdict it asks for, and no other finding, in every output."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
from diagnose_lab import Lab, Scenario, scenarios
from scenario_runs import Outcome, run

from diagnose.model import Report

__all__ = ["BROKEN", "HEALTHY", "assert_calm", "assert_named_exactly", "assert_no_finding"]

SCHEMA = json.loads((Path(__file__).parent.parent / "schema" / "report-v1.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
BROKEN = [made for made in scenarios() if made.expect and made.expect.code]
HEALTHY = [made for made in scenarios() if not (made.expect and made.expect.code)]


def allowed(scenario: Scenario) -> set[str]:
    return set(scenario.expect.also) if scenario.expect else set()


def assert_well_formed(outcome: Outcome) -> None:
    """What holds for every run, whatever it met."""
    report = outcome.report
    assert [] == [error.message for error in VALIDATOR.iter_errors(report)]
    assert 11 == len(report["steps"])
    assert list(range(1, 12)) == [step["number"] for step in report["steps"]]
    assert Report.model_validate(report).to_dict() == report
    assert outcome.stdout.isascii()
    assert "Traceback" not in outcome.stderr
    assert [] == [code for _, code in outcome.findings("error") if code.startswith("BUG")]
    for step in report["steps"]:
        if step["status"] == "skipped":
            assert [] == step["findings"]
        for finding in step["findings"]:
            assert_complete(finding)
    assert_no_secret(outcome)


def assert_complete(finding: dict[str, Any]) -> None:
    """DESIGN of a finding: evidence, rule, actor and a line to reproduce it."""
    assert finding["summary"]
    assert finding["cause"]
    assert finding["fix"]
    assert finding["rule"]
    assert finding["evidence"], finding["code"]
    assert finding["reproduce"], finding["code"]
    assert not re.search(r"\{[a-z_]+\}", finding["summary"]), "a template argument was not filled in"


def assert_no_secret(outcome: Outcome) -> None:
    secrets = [value for name, value in outcome.env.items() if name.startswith("LAB_") and len(value) >= 8]
    everything = outcome.stdout + outcome.stderr
    for secret in secrets:
        for spelling in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()):
            assert spelling not in everything


def assert_calm(text: str, scenario: Scenario) -> None:
    """The report for people: no escape of a terminal, and the code that was found."""
    assert "\x1b" not in text
    if scenario.expect and scenario.expect.code:
        assert scenario.expect.code in text


def assert_named_exactly(lab: Lab, scenario: Scenario, folder: Path) -> None:
    """A broken server: its step, its code, and nothing else."""
    text = folder / "report.txt"
    outcome = run(lab, scenario.name, "--report", f"text={text}")
    assert_well_formed(outcome)
    assert_calm(text.read_text(encoding="utf-8"), scenario)
    expect = scenario.expect
    assert expect is not None
    verdict = outcome.report["verdict"]
    others = [code for _, code in outcome.findings("error", "warning") if code != expect.code]
    assert set() == set(others) - allowed(scenario)
    if expect.severity == "warning":
        assert (expect.step, expect.code) in outcome.findings("warning")
        assert ("warned", None, None) == (verdict["status"], verdict["failed_step"], verdict["code"])
        assert 0 == outcome.exit_code
    else:
        assert (expect.step, expect.code) == (verdict["failed_step"]["id"], verdict["code"])
        assert "failed" == verdict["status"]
        assert 1 == outcome.exit_code


def assert_no_finding(lab: Lab, scenario: Scenario, folder: Path) -> None:
    """A healthy server: no error and no warning but those that it cannot avoid."""
    text = folder / "report.txt"
    outcome = run(lab, scenario.name, "--report", f"text={text}")
    assert_well_formed(outcome)
    assert_calm(text.read_text(encoding="utf-8"), scenario)
    assert set() == {code for _, code in outcome.findings("error", "warning")} - allowed(scenario)
    assert outcome.report["verdict"]["status"] == ("warned" if allowed(scenario) else "passed")
    assert 0 == outcome.exit_code
