"""Every server of the lab: exactly the expected step and code, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from diagnose_lab import Lab, Scenario
from scenario_runs import run
from scenario_verdicts import BROKEN, HEALTHY, assert_calm, assert_named_exactly, assert_no_finding


@pytest.mark.parametrize(
    "scenario", [made for made in BROKEN if made.transport != "stdio"], ids=lambda made: made.name
)
def test_a_broken_server_is_named_exactly(lab: Lab, tmp_path: Path, scenario: Scenario) -> None:
    assert_named_exactly(lab, scenario, tmp_path)


@pytest.mark.parametrize(
    "scenario", [made for made in HEALTHY if made.transport != "stdio"], ids=lambda made: made.name
)
def test_a_healthy_server_gets_no_finding(lab: Lab, tmp_path: Path, scenario: Scenario) -> None:
    assert_no_finding(lab, scenario, tmp_path)


@pytest.mark.parametrize("scenario", [*BROKEN, *HEALTHY][::10], ids=lambda made: made.name)
@pytest.mark.matrix
def test_the_text_on_stdout_is_calm(lab: Lab, scenario: Scenario) -> None:
    outcome = run(lab, scenario.name, form="--format=text")
    assert "Traceback" not in outcome.stderr
    assert_calm(outcome.stdout, scenario)
